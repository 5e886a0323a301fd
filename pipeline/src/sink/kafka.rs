//! A topic of Kafka: one alert a message, its key the burst's id, so that all that is said of one
//! burst lies in one partition, in order.
//!
//! The producer is idempotent and waits for all in-sync replicas; what librdkafka reports of a
//! message is the acknowledgement. Headers carry id and revision, to deduplicate on.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::{Format, Sink, Told, Verdict};
use crate::iam::{self, Iam};

/// How long librdkafka tries to bring a message to the broker.
const MESSAGE_TIMEOUT_MS: u32 = 30_000;

/// How long closing waits for what is on its way.
const FLUSH: Duration = Duration::from_secs(10);

/// Writes to a topic.
pub struct Kafka {
    producer: ThreadedProducer<Reports>,
    topic: String,
    format: Format,
}

/// What became of the messages of one call, by place.
type Verdicts = Arc<Mutex<Vec<Option<Verdict>>>>;

/// Where a message's verdict goes.
struct Place {
    verdicts: Verdicts,
    place: usize,
    done: crossbeam_channel::Sender<()>,
}

/// Listens to delivery reports.
struct Reports {
    iam: Option<Iam>,
}

impl ClientContext for Reports {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        iam::token(self.iam.as_ref())
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Place>;

    fn delivery(&self, result: &DeliveryResult<'_>, place: Box<Place>) {
        let verdict = match result {
            Ok(_) => Verdict::Delivered,
            Err((error, _)) => verdict_of(error),
        };
        let mut verdicts = place.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = verdicts.get_mut(place.place) {
            *slot = Some(verdict);
        }
        drop(verdicts);
        // Whoever waits has gone only if the process ends.
        place.done.send(()).unwrap_or_default();
    }
}

impl Kafka {
    /// A producer for `topic`. Brokers are reached in the background.
    pub fn new(
        brokers: &str,
        topic: &str,
        iam: Option<Iam>,
        properties: &BTreeMap<String, String>,
        format: Format,
    ) -> Result<Kafka, KafkaError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("client.id", "floodmark")
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .set("message.timeout.ms", MESSAGE_TIMEOUT_MS.to_string());
        for (key, value) in properties {
            config.set(key, value);
        }
        let producer = config.create_with_context(Reports { iam })?;
        Ok(Kafka { producer, topic: topic.to_owned(), format })
    }
}

impl Sink for Kafka {
    fn send(&mut self, alerts: &[Told]) -> Vec<Verdict> {
        let verdicts: Verdicts = Arc::new(Mutex::new(vec![None; alerts.len()]));
        let (done, reports) = crossbeam_channel::unbounded();
        for (place, told) in alerts.iter().enumerate() {
            let key = told.alert.id.to_string();
            let payload = self.format.render(told);
            let revision = told.alert.revision.to_string();
            let headers = OwnedHeaders::new()
                .insert(Header { key: "id", value: Some(key.as_str()) })
                .insert(Header { key: "revision", value: Some(revision.as_str()) });
            let opaque = Box::new(Place { verdicts: verdicts.clone(), place, done: done.clone() });
            let record = BaseRecord::with_opaque_to(&self.topic, opaque)
                .key(&key)
                .payload(payload.trim_end())
                .headers(headers);
            if let Err((error, record)) = self.producer.send(record) {
                let verdict = verdict_of(&error);
                let mut verdicts = verdicts.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(slot) = verdicts.get_mut(record.delivery_opaque.place) {
                    *slot = Some(verdict);
                }
            }
        }
        drop(done);
        // Each message reports within its timeout, and with the last the channel closes.
        while reports.recv().is_ok() {}
        let mut verdicts = verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        let unreported =
            || Verdict::Again { why: "a message was not reported on".to_owned(), after: None };
        verdicts.drain(..).map(|verdict| verdict.unwrap_or_else(unreported)).collect()
    }

    fn close(&mut self) -> std::io::Result<()> {
        self.producer.flush(FLUSH).map_err(std::io::Error::other)
    }
}

/// Trouble that another attempt may find mended, or a message that no attempt will bring through.
fn verdict_of(error: &KafkaError) -> Verdict {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::InvalidMessage
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::PolicyViolation,
        ) => Verdict::Refused(error.to_string()),
        _ => Verdict::Again { why: error.to_string(), after: None },
    }
}

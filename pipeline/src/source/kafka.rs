//! Kafka as a source: a consumer group over librdkafka.
//!
//! Messages are gathered into one batch a partition, so that a hop to a worker costs little a
//! record. Each partition is an input; it has caught up when librdkafka says that its end is
//! reached. What librdkafka can be told, it can be told here: every property passes through.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;

use super::batch::{Batch, Next, Source, SourceError};
use crate::progress::Input;

/// Records that a batch holds at most.
pub const BATCH_RECORDS_MAX: usize = 512;

/// Messages taken before what was gathered is handed out, whether or not a batch is full.
const GATHER_MAX: usize = 4_096;

/// What to read and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `host:port`, comma-separated.
    pub brokers: String,
    /// Topics by name, or by regular expression where one begins with `^`.
    pub topics: Vec<String>,
    /// Consumer group.
    pub group: String,
    /// Further librdkafka properties; they win over Floodmark's own choices.
    pub properties: BTreeMap<String, String>,
}

/// A consumer group member.
pub struct Kafka {
    consumer: BaseConsumer<Context>,
    brokers: String,
    inputs: HashMap<(String, i32), Input>,
    names: Vec<String>,
    gathering: BTreeMap<Input, Batch>,
    ready: VecDeque<Next>,
}

impl Kafka {
    /// Joins the group. Brokers are reached in the background; [`Source::next`] tells of trouble.
    pub fn subscribe(settings: &Settings) -> Result<Kafka, SourceError> {
        let fail = |error: KafkaError| SourceError {
            source_name: format!("kafka {}", settings.brokers),
            reason: error.to_string(),
        };
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &settings.brokers)
            .set("group.id", &settings.group)
            .set("client.id", "floodmark")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("fetch.queue.backoff.ms", "20")
            .set("queued.max.messages.kbytes", "65536");
        for (key, value) in &settings.properties {
            config.set(key, value);
        }
        let consumer: BaseConsumer<Context> =
            config.create_with_context(Context::default()).map_err(fail)?;
        let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(fail)?;
        Ok(Kafka {
            consumer,
            brokers: settings.brokers.clone(),
            inputs: HashMap::new(),
            names: Vec::new(),
            gathering: BTreeMap::new(),
            ready: VecDeque::new(),
        })
    }

    /// Numbers the partitions that the group has given us, and says so before anything of them.
    fn name_gained(&mut self) {
        let gained = std::mem::take(
            &mut *self.consumer.context().gained.lock().unwrap_or_else(PoisonError::into_inner),
        );
        if !gained.is_empty() {
            let number = |(topic, partition): &(String, i32)| {
                input(&mut self.inputs, &mut self.names, topic, *partition)
            };
            self.ready.push_front(Next::Gained(gained.iter().map(number).collect()));
        }
    }

    /// Takes what librdkafka holds, until there is nothing, or enough.
    fn gather(&mut self, wait: Duration) -> Result<(), SourceError> {
        let mut wait = wait;
        for _ in 0..GATHER_MAX {
            let (topic, partition, offset, sent_ms);
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    (topic, partition) = (message.topic().to_owned(), message.partition());
                    (offset, sent_ms) = (message.offset(), message.timestamp().to_millis());
                    let payload = message.payload().unwrap_or_default();
                    let input = input(&mut self.inputs, &mut self.names, &topic, partition);
                    let batch = self.gathering.entry(input).or_insert_with(|| Batch::of(input));
                    batch.sent_ms = batch.sent_ms.or(sent_ms);
                    let offset = u64::try_from(offset).unwrap_or(0);
                    batch.push(offset, payload);
                    if batch.len() >= BATCH_RECORDS_MAX {
                        self.hand_out(input);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.name_gained();
                    let inputs: Vec<Input> = self
                        .inputs
                        .iter()
                        .filter(|((_, p), _)| *p == partition)
                        .map(|(_, input)| *input)
                        .collect();
                    for input in inputs {
                        self.hand_out(input);
                        self.ready.push_back(Next::CaughtUp(input));
                    }
                }
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => {
                    return Err(SourceError {
                        source_name: format!("kafka {}", self.brokers),
                        reason: error.to_string(),
                    });
                }
            }
            wait = Duration::ZERO;
        }
        let gathered: Vec<Input> = self.gathering.keys().copied().collect();
        for input in gathered {
            self.hand_out(input);
        }
        Ok(())
    }

    fn hand_out(&mut self, input: Input) {
        if let Some(batch) = self.gathering.remove(&input) {
            self.ready.push_back(Next::Batch(batch));
        }
    }
}

impl Source for Kafka {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        if self.ready.is_empty() {
            self.gather(wait)?;
        }
        self.name_gained();
        Ok(self.ready.pop_front().unwrap_or(Next::Nothing))
    }

    fn name_of(&self, input: Input) -> String {
        self.names.get(input as usize).cloned().unwrap_or_else(|| format!("input {input}"))
    }
}

/// The number of a partition; a new one if it has none.
fn input(
    inputs: &mut HashMap<(String, i32), Input>,
    names: &mut Vec<String>,
    topic: &str,
    partition: i32,
) -> Input {
    *inputs.entry((topic.to_owned(), partition)).or_insert_with(|| {
        names.push(format!("{topic}[{partition}]"));
        Input::try_from(names.len() - 1).unwrap_or(Input::MAX)
    })
}

/// Trouble that librdkafka mends by itself; it goes on trying.
fn is_passing(error: &KafkaError) -> bool {
    match error {
        KafkaError::MessageConsumption(code) => !matches!(
            code,
            RDKafkaErrorCode::Fatal
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
        ),
        _ => false,
    }
}

/// Notes the partitions that the group gives us.
#[derive(Default)]
struct Context {
    gained: Mutex<Vec<(String, i32)>>,
}

impl ClientContext for Context {}

impl ConsumerContext for Context {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            let mut gained = self.gained.lock().unwrap_or_else(PoisonError::into_inner);
            gained.extend(
                partitions.elements().iter().map(|e| (e.topic().to_owned(), e.partition())),
            );
        }
    }
}

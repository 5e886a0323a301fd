//! Where the demo's records go, and where they come back from: a Kafka inside this process, or a topic
//! or stream on real servers, made for the demo and removed after it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use tokio::runtime::Runtime;

use super::super::brokers::Brokers;
use super::super::writer::{Producing, Writer};
use super::Args;
use crate::source::batch::Source;
use crate::source::kafka::{Kafka, Settings};

/// The topic inside this process.
const TOPIC: &str = "cloudtrail";

/// Partitions of it. The mock cluster keeps 5 MiB of each and silently drops what exceeds it, so
/// there are several, records are packed, and the generator stays near the consumer. It also
/// searches what it keeps from the beginning at each fetch, so packets should not be tiny.
const PARTITIONS: u32 = 16;

/// Partitions of a topic, or shards of a stream, on real servers, unless told.
const PARTITIONS_REAL: u32 = 4;

/// How long a broker may take to make or remove a topic.
const ADMIN: Duration = Duration::from_secs(30);

/// Somewhere to play.
pub(super) struct Place {
    /// For people: `topic floodmark-demo-1f on kafka-1:9092`.
    pub(super) name: String,
    /// Whose time stamps the records bear.
    pub(super) server: &'static str,
    pub(super) partitions: u64,
    pub(super) source: Box<dyn Source>,
    pub(super) writer: Box<dyn Writer>,
    /// What is removed when the demo is over.
    pub(super) kept: Box<dyn Kept>,
}

/// What was made for the demo.
pub(super) trait Kept {
    /// Removes it; says why it could not.
    fn remove(&mut self) -> anyhow::Result<()>;
}

impl Place {
    /// Makes what the demo plays in. `stopped` says that it is to end.
    pub(super) fn open(args: &Args, stopped: &Arc<AtomicBool>) -> anyhow::Result<Place> {
        match (&args.kafka, &args.kinesis) {
            (None, None) => Place::inside(),
            (Some(addresses), _) => Place::kafka(&args.brokers.at(addresses)?, args),
            (None, Some(stream)) => Place::kinesis(stream, args, stopped),
        }
    }

    fn inside() -> anyhow::Result<Place> {
        let cluster = MockCluster::new(1).context("cannot start the Kafka inside this process")?;
        let partitions = i32::try_from(PARTITIONS).unwrap_or(i32::MAX);
        cluster.create_topic(TOPIC, partitions, 1).context("cannot create the topic")?;
        let brokers =
            Brokers { addresses: cluster.bootstrap_servers(), properties: Default::default() };
        // The cluster inside this process answers a fetch when its time is up, not before.
        let properties = [("fetch.wait.max.ms".to_owned(), "10".to_owned())].into();
        let source = Kafka::subscribe(&Settings {
            brokers: brokers.addresses.clone(),
            topics: vec![TOPIC.into()],
            group: "floodmark-demo".into(),
            properties,
            is_from_start: true,
            ..Settings::default()
        })?;
        Ok(Place {
            name: "a Kafka inside this process".to_owned(),
            server: "Kafka",
            partitions: u64::from(PARTITIONS),
            source: Box::new(source),
            writer: Box::new(Producing::new(&brokers, TOPIC)?),
            kept: Box::new(Inside(cluster)),
        })
    }

    fn kafka(brokers: &Brokers, args: &Args) -> anyhow::Result<Place> {
        let topic = args.topic.clone().unwrap_or_else(own_name);
        let partitions = args.partitions.unwrap_or(PARTITIONS_REAL);
        let made = Topic::make(brokers, &topic, partitions)?;
        let source = Kafka::subscribe(&Settings {
            brokers: brokers.addresses.clone(),
            topics: vec![topic.clone()],
            group: topic.clone(),
            is_from_start: true,
            properties: brokers.properties.clone(),
            ..Settings::default()
        })?;
        Ok(Place {
            name: format!("topic {topic} on {}", brokers.addresses),
            server: "Kafka",
            partitions: u64::from(partitions),
            source: Box::new(source),
            writer: Box::new(Producing::new(brokers, &topic)?),
            kept: Box::new(made),
        })
    }

    #[cfg(feature = "kinesis")]
    fn kinesis(stream: &str, args: &Args, stopped: &Arc<AtomicBool>) -> anyhow::Result<Place> {
        use crate::source::kinesis;
        let stream = if stream.is_empty() { own_name() } else { stream.to_owned() };
        let shards = args.partitions.unwrap_or(PARTITIONS_REAL);
        let settings = args.stream.settings(&stream);
        let made = kinesis::OwnStream::make(&settings, shards).map_err(anyhow::Error::msg)?;
        let tell = Box::new(|what: &str| eprintln!("floodmark: {what}"));
        let writer = made.writer(stopped.clone());
        let source = kinesis::Kinesis::start(settings, &Default::default(), tell)?;
        Ok(Place {
            name: format!("stream {stream}"),
            server: "Kinesis",
            partitions: u64::from(shards),
            source: Box::new(source),
            writer: Box::new(writer),
            kept: Box::new(made),
        })
    }

    #[cfg(not(feature = "kinesis"))]
    fn kinesis(stream: &str, _: &Args, _: &Arc<AtomicBool>) -> anyhow::Result<Place> {
        bail!("kinesis {stream}: this build is without the feature kinesis")
    }
}

/// A name that nobody else has.
fn own_name() -> String {
    use std::hash::BuildHasher;
    let random = std::hash::RandomState::new().hash_one(crate::clock::wall_ms());
    format!("floodmark-demo-{:08x}", random >> 32)
}

/// The Kafka inside this process; it goes with its owner.
struct Inside(
    #[expect(dead_code, reason = "it runs as long as it is held")]
    MockCluster<'static, DefaultProducerContext>,
);

impl Kept for Inside {
    fn remove(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// A topic of the demo's own.
struct Topic {
    admin: AdminClient<DefaultClientContext>,
    runtime: Runtime,
    name: String,
    is_there: bool,
}

impl Topic {
    fn make(brokers: &Brokers, name: &str, partitions: u32) -> anyhow::Result<Topic> {
        let admin: AdminClient<DefaultClientContext> = brokers.config().create()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut topic = Topic { admin, runtime, name: name.to_owned(), is_there: false };
        // As many replicas as the brokers have for their default.
        let replication = TopicReplication::Fixed(-1);
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        let new = NewTopic::new(name, partitions, replication);
        let options =
            AdminOptions::new().operation_timeout(Some(ADMIN)).request_timeout(Some(ADMIN));
        let made = topic.runtime.block_on(topic.admin.create_topics([&new], &options));
        let made = made.with_context(|| format!("cannot reach {}", brokers.addresses))?;
        match made.into_iter().next() {
            Some(Ok(_)) => topic.is_there = true,
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => bail!(
                "topic {name} is there already; name another: the demo makes one of its own, and \
                 removes it"
            ),
            Some(Err((_, code))) => bail!("cannot create the topic {name}: {code}"),
            None => bail!("cannot create the topic {name}: the broker says nothing"),
        }
        Ok(topic)
    }
}

impl Kept for Topic {
    fn remove(&mut self) -> anyhow::Result<()> {
        if !std::mem::take(&mut self.is_there) {
            return Ok(());
        }
        let options =
            AdminOptions::new().operation_timeout(Some(ADMIN)).request_timeout(Some(ADMIN));
        let removed =
            self.runtime.block_on(self.admin.delete_topics(&[self.name.as_str()], &options))?;
        match removed.into_iter().next() {
            Some(Err((_, code))) => bail!("cannot remove the topic {}: {code}", self.name),
            _ => Ok(()),
        }
    }
}

/// Whatever happens, the topic does not stay.
impl Drop for Topic {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            eprintln!("floodmark: {error:#}; remove it yourself");
        }
    }
}

#[cfg(feature = "kinesis")]
impl Kept for crate::source::kinesis::OwnStream {
    fn remove(&mut self) -> anyhow::Result<()> {
        crate::source::kinesis::OwnStream::remove(self).map_err(anyhow::Error::msg)
    }
}

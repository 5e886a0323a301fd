//! Ways into a topic or a stream, for what is generated.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, ensure};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::brokers::Brokers;
use crate::generate::Wrapping;

/// How long brokers may take to tell of a topic.
const ANSWER: Duration = Duration::from_secs(30);

/// How long the last records may take to reach the topic.
const FLUSH: Duration = Duration::from_secs(60);

/// Records in a payload, unless told.
pub(super) const PER_PAYLOAD: u32 = 100;

/// Bytes of records after which a payload is full, however many it may hold.
const PAYLOAD_BYTES_MAX: usize = 256 << 10;

/// A way in for payloads.
pub(super) trait Writer: Send {
    /// Hands a payload over; it may wait for others.
    fn write(&mut self, partition: u64, payload: Vec<u8>) -> anyhow::Result<()>;

    /// Called now and then: what waits goes on its way.
    fn tend(&mut self) -> anyhow::Result<()>;

    /// Returns once the server has all.
    fn flush(&mut self) -> anyhow::Result<()>;
}

/// Where to write to, and how many partitions or shards it has.
pub(super) type Way = (Box<dyn Writer>, u64);

/// A producer for one topic.
pub(super) struct Producing {
    producer: BaseProducer,
    topic: String,
}

impl Producing {
    pub(super) fn new(brokers: &Brokers, topic: &str) -> anyhow::Result<Producing> {
        let producer = brokers
            .config()
            .set("compression.type", "lz4")
            .set("linger.ms", "20")
            .set("queue.buffering.max.messages", "100000")
            .create()
            .context("cannot start a producer")?;
        Ok(Producing { producer, topic: topic.to_owned() })
    }

    /// A way into a topic that is there.
    pub(super) fn into_topic(brokers: &Brokers, topic: &str) -> anyhow::Result<Way> {
        let own = Producing::new(brokers, topic)?;
        let metadata = own.producer.client().fetch_metadata(Some(topic), ANSWER);
        let addresses = &brokers.addresses;
        let metadata = metadata.with_context(|| format!("cannot reach {addresses}"))?;
        let found = metadata.topics().first().filter(|it| it.error().is_none());
        let partitions = found.map_or(0, |topic| topic.partitions().len());
        ensure!(partitions > 0, "there is no topic {topic} on {addresses}: make it first");
        Ok((Box::new(own), partitions as u64))
    }
}

impl Writer for Producing {
    fn write(&mut self, partition: u64, payload: Vec<u8>) -> anyhow::Result<()> {
        let mut record = BaseRecord::<(), [u8]>::to(&self.topic)
            .payload(&payload)
            .partition(i32::try_from(partition).unwrap_or(0));
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(Duration::ZERO);
                    std::thread::park_timeout(Duration::from_millis(1));
                    record = back;
                }
                Err((error, _)) => return Err(error).context("cannot produce"),
            }
        }
    }

    fn tend(&mut self) -> anyhow::Result<()> {
        // Polling with a time limit would spin.
        self.producer.poll(Duration::ZERO);
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.producer.flush(FLUSH).context("the last records did not reach the topic")
    }
}

/// Where a Kinesis stream is.
#[derive(Debug, Clone, clap::Args)]
#[cfg_attr(not(feature = "kinesis"), allow(dead_code, reason = "Kinesis alone reads it"))]
pub(super) struct StreamArgs {
    /// The region, for --kinesis; else that of the environment or the profile.
    #[arg(long, requires = "kinesis")]
    region: Option<String>,
    /// Where Kinesis answers, if not where its region says.
    #[arg(long, value_name = "URL", requires = "kinesis")]
    endpoint: Option<String>,
    /// Certificates in PEM form that are trusted beside those of the system, for --kinesis.
    #[arg(long, value_name = "FILE", requires = "kinesis")]
    trusted: Option<std::path::PathBuf>,
}

#[cfg(feature = "kinesis")]
mod kinesis {
    use super::{Arc, AtomicBool, StreamArgs, Way, Writer};
    use crate::source::kinesis::settings::{Access, Fetch};
    use crate::source::kinesis::{OwnStream, OwnWriter, Position, Settings};

    impl StreamArgs {
        /// As the settings of a source that reads it from its beginning.
        pub(in super::super) fn settings(&self, stream: &str) -> Settings {
            Settings {
                stream: stream.to_owned(),
                start: Position::Oldest,
                fetch: Fetch::Poll { per_second: 4 },
                leases: None,
                rereads: false,
                access: Access {
                    region: self.region.clone(),
                    kinesis_endpoint: self.endpoint.clone(),
                    trusted: self.trusted.clone(),
                    ..Access::default()
                },
            }
        }

        /// A way into the stream, which is there. `stopped` ends all waiting.
        pub(in super::super) fn way_into(
            &self,
            stream: &str,
            stopped: Arc<AtomicBool>,
        ) -> anyhow::Result<Way> {
            let stream = OwnStream::find(&self.settings(stream)).map_err(anyhow::Error::msg)?;
            let (writer, shards) = (stream.writer(stopped), u64::from(stream.shards()));
            Ok((Box::new(InStream { writer, _stream: stream }), shards))
        }
    }

    /// The writer goes with its stream's runtime.
    struct InStream {
        writer: OwnWriter,
        _stream: OwnStream,
    }

    impl Writer for InStream {
        fn write(&mut self, partition: u64, payload: Vec<u8>) -> anyhow::Result<()> {
            Writer::write(&mut self.writer, partition, payload)
        }

        fn tend(&mut self) -> anyhow::Result<()> {
            Writer::tend(&mut self.writer)
        }

        fn flush(&mut self) -> anyhow::Result<()> {
            Writer::flush(&mut self.writer)
        }
    }

    impl Writer for OwnWriter {
        fn write(&mut self, partition: u64, payload: Vec<u8>) -> anyhow::Result<()> {
            self.put(partition, payload).map_err(anyhow::Error::msg)
        }

        fn tend(&mut self) -> anyhow::Result<()> {
            OwnWriter::tend(self).map_err(anyhow::Error::msg)
        }

        fn flush(&mut self) -> anyhow::Result<()> {
            self.send().map_err(anyhow::Error::msg)
        }
    }
}

#[cfg(not(feature = "kinesis"))]
impl StreamArgs {
    pub(super) fn way_into(&self, stream: &str, _: Arc<AtomicBool>) -> anyhow::Result<Way> {
        anyhow::bail!("kinesis {stream}: this build is without the feature kinesis")
    }
}

/// Records that wait for their payload to be full, by partition.
pub(super) struct Packs {
    wrapping: Wrapping,
    per_payload: usize,
    waiting: Vec<Vec<Vec<u8>>>,
}

impl Packs {
    /// For so many partitions; a payload has 100 records unless told, or 1 where an envelope holds
    /// one.
    pub(super) fn new(wrapping: Wrapping, per_payload: Option<u32>, partitions: u64) -> Packs {
        let usual = if wrapping.is_single() { 1 } else { PER_PAYLOAD };
        Packs {
            wrapping,
            per_payload: per_payload.unwrap_or(usual) as usize,
            waiting: (0..partitions.max(1)).map(|_| Vec::new()).collect(),
        }
    }

    /// Adds a record; the payload that is full with it, and its partition.
    pub(super) fn add(&mut self, hint: u64, record: Vec<u8>) -> Option<(u64, Vec<u8>)> {
        let partition = hint % self.waiting.len() as u64;
        if self.per_payload == 1 && self.wrapping == Wrapping::Plain {
            return Some((partition, record));
        }
        let waiting = self.waiting.get_mut(usize::try_from(partition).ok()?)?;
        waiting.push(record);
        let bytes: usize = waiting.iter().map(Vec::len).sum();
        let is_full = waiting.len() >= self.per_payload || bytes >= PAYLOAD_BYTES_MAX;
        is_full.then(|| (partition, self.wrapping.wrap(&std::mem::take(waiting))))
    }

    /// All that waits.
    pub(super) fn rest(&mut self) -> Vec<(u64, Vec<u8>)> {
        let waiting = self.waiting.iter_mut().zip(0..).filter(|(records, _)| !records.is_empty());
        let wrapping = self.wrapping;
        waiting
            .map(|(records, partition)| (partition, wrapping.wrap(&std::mem::take(records))))
            .collect()
    }
}

//! A real Kafka for the tests, and what they do with it beside the program under test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use floodmark::clock::Stopwatch;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(90);

/// A broker of its own folder. It halts with this process.
pub(super) struct Broker {
    folder: TempDir,
    /// `host:port`.
    pub(super) address: String,
    /// While this is open the broker runs.
    guard: Option<ChildStdin>,
}

impl Broker {
    /// The one that tests share, each with topics and groups of its own.
    pub(super) fn shared() -> &'static Broker {
        static SHARED: OnceLock<Broker> = OnceLock::new();
        SHARED.get_or_init(Broker::start)
    }

    /// One more, for a test that stops it.
    pub(super) fn start() -> Broker {
        let folder = tempfile::tempdir().unwrap();
        let mut broker = Broker { folder, address: String::new(), guard: None };
        broker.go_on();
        broker
    }

    /// Starts it, with the data that it has.
    pub(super) fn go_on(&mut self) {
        let mut start = Command::new(script("start"))
            .arg(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        self.guard = start.stdin.take();
        let done = start.wait_with_output().unwrap();
        assert!(done.status.success(), "the broker did not start");
        String::from_utf8(done.stdout).unwrap().trim().clone_into(&mut self.address);
    }

    /// Makes a topic.
    pub(super) fn topic(&self, name: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let made = runtime.block_on(admin.create_topics([&topic], &AdminOptions::new())).unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    /// The topics that are there.
    pub(super) fn topics(&self) -> Vec<String> {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
    }

    pub(super) fn writer(&self, topic: &str, partitions: i32) -> Writer {
        let mut config = self.client();
        config.set("compression.type", "lz4").set("enable.idempotence", "true");
        let producer = config.create().unwrap();
        let ends = (0..partitions).map(|partition| (partition, 0)).collect();
        Writer { producer, topic: topic.to_owned(), ends }
    }

    /// A look at how far a group is with a topic.
    pub(super) fn group(&self, group: &str, topic: &str, partitions: i32) -> Progress {
        let consumer = self.client().set("group.id", group).create().unwrap();
        Progress { consumer, topic: topic.to_owned(), partitions }
    }

    /// All that a topic with one partition holds at present.
    pub(super) fn read<T>(&self, topic: &str, of: impl Fn(&BorrowedMessage<'_>) -> T) -> Vec<T> {
        let mut config = self.client();
        config.set("group.id", "reader").set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let mut read = Vec::new();
        loop {
            match consumer.poll(PATIENCE).expect("the topic has an end") {
                Ok(message) => read.push(of(&message)),
                Err(KafkaError::PartitionEOF(_)) => return read,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/servers/kafka").join(name)
}

/// Writes to a topic.
pub(super) struct Writer {
    producer: BaseProducer,
    topic: String,
    /// The offset after the last record, by partition.
    pub(super) ends: BTreeMap<i32, i64>,
}

impl Writer {
    /// Hands a record over; [`flush`](Writer::flush) waits for it.
    pub(super) fn write(&mut self, partition: i32, line: &str) {
        let mut record: BaseRecord<'_, (), str> =
            BaseRecord::to(&self.topic).payload(line).partition(partition);
        let producer: &BaseProducer<DefaultProducerContext> = &self.producer;
        while let Err((error, back)) = producer.send(record) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            assert_eq!(error, full);
            self.producer.poll(Duration::from_millis(5));
            record = back;
        }
        *self.ends.entry(partition).or_default() += 1;
    }

    /// Waits until the broker has all.
    pub(super) fn flush(&self) {
        self.producer.flush(PATIENCE).unwrap();
    }
}

/// How far a group is, as the broker knows it.
pub(super) struct Progress {
    consumer: BaseConsumer,
    topic: String,
    partitions: i32,
}

impl Progress {
    /// The offset that is committed of each partition.
    pub(super) fn committed(&self) -> BTreeMap<i32, i64> {
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions {
            list.add_partition(&self.topic, partition);
        }
        let offset = |offset| match offset {
            Offset::Offset(at) => at,
            _ => 0,
        };
        // A broker that is down, or has just come back, does not say.
        let committed = self.consumer.committed_offsets(list, Duration::from_secs(5));
        let committed = committed.map(|list| {
            list.elements().iter().map(|e| (e.partition(), offset(e.offset()))).collect()
        });
        committed.unwrap_or_default()
    }

    /// Whether the group has committed all up to these offsets.
    pub(super) fn has(&self, ends: &BTreeMap<i32, i64>) -> bool {
        let committed = self.committed();
        ends.iter().all(|(partition, end)| committed.get(partition).unwrap_or(&0) >= end)
    }
}

/// Waits for what must come about.
#[track_caller]
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Stopwatch::start();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "waited too long until {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

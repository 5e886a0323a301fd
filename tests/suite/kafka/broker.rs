//! A real Kafka for the tests, and what they do with it beside the program under test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;

use super::super::program::PATIENCE;

/// A broker of its own folder, or a cluster of them. They halt with this process.
pub(super) struct Broker {
    folder: TempDir,
    brokers: i32,
    #[cfg(feature = "kafka-tls")]
    is_secure: bool,
    /// `host:port`, comma-separated.
    pub(super) address: String,
    /// While these are open the brokers run, each from the start that it was part of.
    guards: Vec<ChildStdin>,
}

impl Broker {
    /// The one that tests share, each with topics and groups of its own.
    pub(super) fn shared() -> &'static Broker {
        static SHARED: OnceLock<Broker> = OnceLock::new();
        SHARED.get_or_init(Broker::start)
    }

    /// One more, for a test that stops it.
    pub(super) fn start() -> Broker {
        Broker::cluster(1)
    }

    /// Several that keep a copy of all, three at most.
    pub(super) fn cluster(brokers: i32) -> Broker {
        let mut broker = Broker::stopped(brokers);
        broker.go_on();
        broker
    }

    /// One that can be reached with TLS besides.
    #[cfg(feature = "kafka-tls")]
    pub(super) fn secure() -> Broker {
        let mut broker = Broker { is_secure: true, ..Broker::stopped(1) };
        broker.go_on();
        broker
    }

    fn stopped(brokers: i32) -> Broker {
        Broker {
            folder: tempfile::tempdir().unwrap(),
            brokers,
            #[cfg(feature = "kafka-tls")]
            is_secure: false,
            address: String::new(),
            guards: Vec::new(),
        }
    }

    /// The addresses to reach a secure broker at: with a client's certificate, and with SASL.
    #[cfg(feature = "kafka-tls")]
    pub(super) fn secure_addresses(&self) -> [String; 2] {
        let ports = std::fs::read_to_string(self.folder.path().join("ports")).unwrap();
        let ports: Vec<&str> = ports.split_whitespace().collect();
        [2, 3].map(|place: usize| format!("127.0.0.1:{}", ports[place]))
    }

    /// Where a secure broker's authority and a client's key and certificate are.
    #[cfg(feature = "kafka-tls")]
    pub(super) fn certificates(&self) -> PathBuf {
        self.folder.path().join("tls")
    }

    /// Starts those that are down, with the data that they have.
    pub(super) fn go_on(&mut self) {
        let mut start = Command::new(script("start"));
        start.arg(self.folder.path()).arg(self.brokers.to_string());
        #[cfg(feature = "kafka-tls")]
        start.args(self.is_secure.then_some("secure"));
        let mut start = start.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        self.guards.extend(start.stdin.take());
        let done = start.wait_with_output().unwrap();
        assert!(done.status.success(), "the broker did not start");
        String::from_utf8(done.stdout).unwrap().trim().clone_into(&mut self.address);
    }

    /// Stops all in order.
    pub(super) fn stop(&mut self) {
        let stopped = Command::new(script("stop")).arg(self.folder.path()).status().unwrap();
        assert!(stopped.success());
        self.guards.clear();
    }

    /// Ends one where it stands.
    pub(super) fn kill(&self, number: i32) {
        let mut stop = Command::new(script("stop"));
        stop.arg(self.folder.path()).args([&number.to_string(), "KILL"]);
        assert!(stop.status().unwrap().success());
    }

    /// The number of the broker that leads a partition.
    pub(super) fn leader(&self, topic: &str, partition: i32) -> i32 {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let partitions = metadata.topics()[0].partitions();
        partitions.iter().find(|it| it.id() == partition).unwrap().leader()
    }

    /// Makes a topic.
    pub(super) fn topic(&self, name: &str, partitions: i32) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(self.brokers.min(3)));
        let made = block_on(self.admin().create_topics([&topic], &AdminOptions::new())).unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    /// The topics that are there.
    pub(super) fn topics(&self) -> Vec<String> {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
    }

    /// Gives a topic more partitions, so many in all.
    pub(super) fn grow(&self, name: &str, partitions: usize) {
        let more = NewPartitions::new(name, partitions);
        let made = block_on(self.admin().create_partitions([&more], &AdminOptions::new())).unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    /// Deletes what a partition holds before an offset, as retention does.
    pub(super) fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
        block_on(self.admin().delete_records(&list, &AdminOptions::new())).unwrap();
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
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

    /// Another member of a group that reads a topic, which comes back when it closes.
    pub(super) fn member(&self, group: &str, topic: &str) -> BaseConsumer {
        let mut config = self.client();
        config.set("group.id", group).set("group.instance.id", format!("{group}-other"));
        config.set("partition.assignment.strategy", "cooperative-sticky");
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(&[topic]).unwrap();
        consumer
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

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work)
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
    /// The offset that is committed of each partition, 0 where there is none.
    pub(super) fn committed(&self) -> BTreeMap<i32, i64> {
        self.ask(|offset| Some(offset.unwrap_or(0)))
    }

    /// The offset that is committed, of the partitions that have one.
    pub(super) fn known(&self) -> BTreeMap<i32, i64> {
        self.ask(|offset| offset)
    }

    fn ask(&self, of: impl Fn(Option<i64>) -> Option<i64>) -> BTreeMap<i32, i64> {
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions {
            list.add_partition(&self.topic, partition);
        }
        let offset = |offset| match offset {
            Offset::Offset(at) => Some(at),
            _ => None,
        };
        // A broker that is down, or has just come back, does not say.
        let committed = self.consumer.committed_offsets(list, Duration::from_secs(5));
        let committed = committed.map(|list| {
            let elements = list.elements();
            let known = elements.iter().map(|e| Some((e.partition(), of(offset(e.offset()))?)));
            known.flatten().collect()
        });
        committed.unwrap_or_default()
    }

    /// Whether the group has committed all up to these offsets.
    pub(super) fn has(&self, ends: &BTreeMap<i32, i64>) -> bool {
        let committed = self.committed();
        ends.iter().all(|(partition, end)| committed.get(partition).unwrap_or(&0) >= end)
    }
}

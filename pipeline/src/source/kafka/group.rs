//! What the consumer group gives and takes.
//!
//! librdkafka calls while the consumer is polled. Partitions that are given are assigned at once,
//! from where the ledger has them. Those that are taken are only noted: they are unassigned when
//! the source has let go of them, and until then the group waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaRespErr;

/// Topic and number.
pub(super) type Partition = (String, i32);

/// A partition for people, and in the ledger.
pub(super) fn name(topic: &str, partition: i32) -> String {
    format!("{topic}[{partition}]")
}

/// What the group did.
#[derive(Debug)]
pub(super) enum Change {
    /// These are ours.
    Gained(Vec<Partition>),
    /// These are somebody else's, once let go of.
    Taken(Vec<Partition>),
}

/// Listens to librdkafka.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Where partitions are read on from, until they are let go of: who has them then commits
    /// further, so that when they come back it is the group that knows.
    positions: Mutex<BTreeMap<String, i64>>,
    changes: Mutex<Vec<Change>>,
    last_error: Mutex<Option<String>>,
    /// The consumer is closing: what the group takes back then is let go of at once.
    is_closing: AtomicBool,
    /// A commit has failed since it was last asked.
    has_not_committed: AtomicBool,
}

impl Group {
    /// Partitions begin at these offsets; the others where the group has them.
    pub(super) fn at(positions: &BTreeMap<String, Box<str>>) -> Group {
        let mut offsets = BTreeMap::new();
        for (name, to) in positions {
            offsets.extend(to.parse().ok().map(|offset| (name.clone(), offset)));
        }
        Group { positions: Mutex::new(offsets), ..Group::default() }
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The last that librdkafka said went wrong.
    pub(super) fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that offsets were not committed, so that they are again at the next occasion.
    pub(super) fn not_committed(&self) {
        self.has_not_committed.store(true, Ordering::Release);
    }

    /// Whether a commit has failed since this was last asked.
    pub(super) fn take_not_committed(&self) -> bool {
        self.has_not_committed.swap(false, Ordering::AcqRel)
    }

    /// From now on nobody looks at changes any more.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
    }

    /// Gives partitions back.
    pub(super) fn let_go(
        &self,
        consumer: &BaseConsumer<Group>,
        list: &TopicPartitionList,
    ) -> KafkaResult<()> {
        if list.count() == 0 {
            return Ok(());
        }
        for element in list.elements() {
            self.positions().remove(&name(element.topic(), element.partition()));
        }
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
        }
    }

    fn positions(&self) -> MutexGuard<'_, BTreeMap<String, i64>> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, change: Change) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
    }
}

impl ClientContext for Group {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if (level as i32) <= RDKafkaLogLevel::Critical as i32 {
            eprintln!("floodmark: kafka: {facility}: {message}");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        let said = format!("{error}: {reason}");
        if last.as_ref() != Some(&said) {
            eprintln!("floodmark: kafka: {said}");
            *last = Some(said);
        }
    }
}

impl ConsumerContext for Group {
    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if result.is_err() {
            self.not_committed();
        }
    }

    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let partitions: Vec<Partition> =
            list.elements().iter().map(|e| (e.topic().to_owned(), e.partition())).collect();
        let is_cooperative =
            matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let done = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let positions = self.positions();
                for (topic, partition) in &partitions {
                    if let (Some(to), Some(mut element)) = (
                        positions.get(&name(topic, *partition)),
                        list.find_partition(topic, *partition),
                    ) && let Err(error) = element.set_offset(Offset::Offset(*to))
                    {
                        eprintln!("floodmark: kafka: {topic}[{partition}]: {error}");
                    }
                }
                drop(positions);
                self.note(Change::Gained(partitions));
                if is_cooperative {
                    consumer.incremental_assign(list)
                } else {
                    consumer.assign(list)
                }
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS
                if self.is_closing.load(Ordering::Acquire) =>
            {
                self.let_go(consumer, list)
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                let paused = consumer.pause(list);
                self.note(Change::Taken(partitions));
                paused
            }
            _ => consumer.unassign(),
        };
        if let Err(error) = done {
            eprintln!("floodmark: kafka: the group's change could not be followed: {error}");
        }
    }
}

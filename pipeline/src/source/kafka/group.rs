//! What the consumer group gives and takes.
//!
//! librdkafka calls while the consumer is polled. Partitions that are given are assigned at once,
//! from where the ledger has them. Those that are taken are only noted: they are unassigned when
//! the source has let go of them, and until then the group waits.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionListElem};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Statistics, TopicPartitionList};

use super::handover::{self, Again, Begin};
use super::hearing::{self, Heard};
use super::moves::Moves;
use crate::clock::Stopwatch;
use crate::iam::{self, Iam};
use crate::metrics::{Event, metrics};

/// Trouble of one kind is told again at most so often.
const COMPLAIN: Duration = Duration::from_secs(30);

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
    Gained(Vec<Gain>),
    /// These are somebody else's, once let go of.
    Taken(Vec<Partition>),
    /// The group could not be heard for so long that it has given these up: whose they are is not
    /// known before it gives again.
    GivenUp(Vec<Partition>),
}

/// A partition that is ours.
#[derive(Debug)]
pub(super) struct Gain {
    pub(super) partition: Partition,
    /// What is read again of it.
    pub(super) again: Option<Again>,
    /// Somebody else has read on in it since it was known here.
    pub(super) is_overtaken: bool,
}

/// How long the brokers may take to say where partitions are and who has them, and how often they are
/// asked where.
pub(super) const ANSWER: Duration = Duration::from_secs(10);
const ASKS: usize = 3;

/// Listens to librdkafka.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Whether a partition without any position is read from its beginning.
    is_from_start: bool,
    /// Whether what windows rest on is read again.
    rereads: bool,
    /// Who signs in to Amazon MSK.
    iam: Option<Iam>,
    /// Topics that have been read: a partition without any position came later.
    topics: Mutex<BTreeSet<String>>,
    /// Where partitions are read on from, until they are let go of: who has them then commits
    /// further, so that when they come back it is the group that knows.
    positions: Mutex<BTreeMap<String, i64>>,
    changes: Mutex<Vec<Change>>,
    moves: Mutex<Moves>,
    /// The last that librdkafka said went wrong, its kind, and when that was last told.
    last_error: Mutex<Option<(String, Option<RDKafkaErrorCode>, Stopwatch)>>,
    /// What is not taken yet of what can be heard.
    heard: Mutex<Option<Heard>>,
    /// The consumer is closing: what the group takes back then is let go of at once.
    is_closing: AtomicBool,
}

impl Group {
    /// Partitions begin at these offsets; the others where the group has them, or else at their
    /// end or their beginning.
    pub(super) fn at(positions: BTreeMap<String, i64>, is_from_start: bool) -> Group {
        let topic = |name: &String| name.rsplit_once('[').map(|(topic, _)| topic.to_owned());
        let topics = Mutex::new(positions.keys().filter_map(topic).collect());
        let positions = Mutex::new(positions);
        Group { is_from_start, positions, topics, ..Group::default() }
    }

    /// The same, and what windows rest on of a partition is read again.
    pub(super) fn rereading(self, rereads: bool) -> Group {
        Group { rereads, ..self }
    }

    /// The same, signing in to Amazon MSK.
    pub(super) fn with_iam(self, iam: Option<Iam>) -> Group {
        Group { iam, ..self }
    }

    /// Where partitions are read on from that were not let go of.
    pub(super) fn take_positions(&self) -> BTreeMap<String, i64> {
        std::mem::take(&mut *self.positions())
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How far the group is with moving partitions.
    pub(super) fn moves(&self) -> MutexGuard<'_, Moves> {
        self.moves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last that librdkafka said went wrong.
    pub(super) fn last_error(&self) -> Option<String> {
        let last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|(said, ..)| said.clone())
    }

    /// Which partitions can be heard, if there is news.
    pub(super) fn take_heard(&self) -> Option<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).take()
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

    /// Where each of these partitions begins, as far as the group is to be asked for that.
    fn begins(
        &self,
        consumer: &BaseConsumer<Group>,
        list: &TopicPartitionList,
    ) -> KafkaResult<BTreeMap<String, Begin>> {
        if !self.rereads || list.count() == 0 {
            return Ok(BTreeMap::new());
        }
        let mut committed = consumer.committed_offsets(list.clone(), ANSWER);
        for _ in 1..ASKS {
            if committed.is_err() {
                committed = consumer.committed_offsets(list.clone(), ANSWER);
            }
        }
        let (committed, positions) = (committed?, self.positions());
        let begin = |element: &TopicPartitionListElem<'_>| {
            let name = name(element.topic(), element.partition());
            let known = positions.get(&name).copied();
            (name, handover::begin(known, element))
        };
        Ok(committed.elements().iter().map(begin).collect())
    }

    /// Sets where partitions are read on from. What is left out begins where the group has it, else
    /// at its beginning.
    fn place(
        &self,
        consumer: &BaseConsumer<Group>,
        list: &mut TopicPartitionList,
        begins: &BTreeMap<String, Begin>,
    ) -> KafkaResult<()> {
        let mut unknown = TopicPartitionList::new();
        if list.count() > 0 {
            let mut positions = self.positions();
            // Whatever is not ours at once has another owner, who reads on.
            positions.retain(|known, _| {
                list.elements().iter().any(|it| name(it.topic(), it.partition()) == *known)
            });
            for mut element in list.elements() {
                let name = name(element.topic(), element.partition());
                let known = || positions.get(&name).copied();
                match begins.get(&name).map_or_else(known, |begin| begin.at) {
                    Some(to) => element.set_offset(Offset::Offset(to))?,
                    None => drop(unknown.add_partition(element.topic(), element.partition())),
                }
            }
        }
        if self.is_from_start || unknown.count() == 0 {
            return Ok(());
        }
        let committed = consumer.committed_offsets(unknown, ANSWER)?;
        let committed = committed.elements();
        let has_one = |it: &&TopicPartitionListElem<'_>| matches!(it.offset(), Offset::Offset(_));
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.extend(committed.iter().filter(has_one).map(|it| it.topic().to_owned()));
        let mut ends = TopicPartitionList::new();
        for element in committed.iter().filter(|it| !has_one(it)) {
            let (topic, partition) = (element.topic(), element.partition());
            if topics.contains(topic) {
                eprintln!(
                    "floodmark: kafka: {topic}[{partition}] is new, and read from its beginning"
                );
                list.set_partition_offset(topic, partition, Offset::Beginning)?;
            } else {
                ends.add_partition_offset(topic, partition, Offset::End)?;
            }
        }
        topics.extend(committed.iter().map(|it| it.topic().to_owned()));
        if ends.count() > 0 {
            // A number, and committed: what is written before the next stop is not missed after it.
            let ends = consumer.offsets_for_times(ends, ANSWER)?;
            for end in ends.elements() {
                list.set_partition_offset(end.topic(), end.partition(), end.offset())?;
            }
            if let Err(error) = consumer.commit(&ends, CommitMode::Async) {
                eprintln!("floodmark: kafka: where reading begins could not be committed: {error}");
            }
        }
        Ok(())
    }

    fn positions(&self) -> MutexGuard<'_, BTreeMap<String, i64>> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, change: Change) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
    }
}

impl ClientContext for Group {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        iam::token(self.iam.as_ref())
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "COMMITFAIL" {
            // Nothing else tells of a commit that nobody waited for.
            metrics().befell("kafka", Event::CommitRefused, 1);
        } else if facility == "OFFSET" {
            metrics().befell("kafka", Event::Deleted, 1);
            eprintln!(
                "floodmark: kafka: records were deleted before they were read, and reading goes on \
                 with what is left: keep them for longer than Floodmark is ever behind ({message})"
            );
        } else if (level as i32) <= RDKafkaLogLevel::Critical as i32 {
            eprintln!("floodmark: kafka: {facility}: {message}");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        metrics().befell("kafka", Event::Failed, 1);
        let code = error.rdkafka_error_code();
        let said = format!("{error}: {reason}");
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        // Each attempt to reach a broker fails in other words.
        let told = match &*last {
            Some((_, of, told)) if *of == code && told.elapsed() < COMPLAIN => *told,
            _ => {
                eprintln!("floodmark: kafka: {said}");
                Stopwatch::start()
            }
        };
        *last = Some((said, code, told));
    }

    fn stats(&self, statistics: Statistics) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        *heard = Some(hearing::heard(&statistics));
    }
}

impl ConsumerContext for Group {
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
                metrics().befell("kafka", Event::Gained, partitions.len());
                let mut missing: BTreeSet<String> = self.positions().keys().cloned().collect();
                for (topic, partition) in &partitions {
                    missing.remove(&name(topic, *partition));
                }
                self.moves().assigned(missing);
                let begins = self.begins(consumer, list).unwrap_or_else(|error| {
                    eprintln!(
                        "floodmark: kafka: the group could not be asked what its windows rest on, so \
                         those that are open there are split: {error}"
                    );
                    BTreeMap::new()
                });
                if let Err(error) = self.place(consumer, list, &begins) {
                    eprintln!(
                        "floodmark: kafka: where to begin could not be asked, so partitions that \
                         nobody has read yet are read from their beginning: {error}"
                    );
                }
                let gain = |partition: Partition| {
                    let begin = begins.get(&name(&partition.0, partition.1));
                    Gain {
                        partition,
                        again: begin.and_then(|begin| begin.again),
                        is_overtaken: begin.is_some_and(|begin| begin.is_overtaken),
                    }
                };
                self.note(Change::Gained(partitions.into_iter().map(gain).collect()));
                let assigned = if is_cooperative {
                    consumer.incremental_assign(list)
                } else {
                    consumer.assign(list)
                };
                // One that was ours before is paused still: librdkafka keeps that.
                assigned.and_then(|()| consumer.resume(list))
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS
                if self.is_closing.load(Ordering::Acquire) =>
            {
                self.let_go(consumer, list)
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                metrics().befell("kafka", Event::Lost, partitions.len());
                let paused = consumer.pause(list);
                self.note(if consumer.assignment_lost() {
                    self.moves().given_up();
                    Change::GivenUp(partitions)
                } else {
                    if is_cooperative {
                        self.moves().taken();
                    }
                    Change::Taken(partitions)
                });
                paused
            }
            _ => consumer.unassign(),
        };
        if let Err(error) = done {
            eprintln!("floodmark: kafka: the group's change could not be followed: {error}");
        }
    }
}

//! Which partitions can be heard.
//!
//! A partition that was read to its end does not hold time, because nothing waits in it. That is
//! known only while its leader answers: one that cannot be reached may hold anything by now, or be
//! given it later by writers who cannot reach it either and keep what they have. So such a partition
//! holds time until it has been heard again for [`GRACE`], in which they come back.
//!
//! librdkafka tells in its statistics who leads a partition and how the connection is. A partition
//! that was never heard has not been read to its end, and holds time anyway.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::Statistics;

use super::group::Partition;
use crate::clock::Stopwatch;
use crate::progress::Input;

/// How often librdkafka tells how its connections are, milliseconds.
pub(super) const INTERVAL_MS: u32 = 1_000;

/// How long a partition holds time after it can be heard again.
pub const GRACE: Duration = Duration::from_secs(60);

/// A broker that owes an answer and has said nothing for so long cannot be heard, microseconds. A
/// fetch is answered after `fetch.wait.max.ms`, half a second, at the latest.
const SILENT_US_MAX: i64 = 30_000_000;

/// By partition, whether it can be heard.
pub(super) type Heard = BTreeMap<Partition, bool>;

/// What the statistics say of all partitions that they know.
pub(super) fn heard(statistics: &Statistics) -> Heard {
    let brokers = statistics.brokers.values();
    let up: BTreeSet<i32> = brokers
        .filter(|it| it.state == "UP" && (it.waitresp_cnt == 0 || it.rxidle < SILENT_US_MAX))
        .map(|it| it.nodeid)
        .collect();
    let mut heard = Heard::new();
    for topic in statistics.topics.values() {
        let partitions = topic.partitions.values().filter(|it| it.partition >= 0);
        heard.extend(
            partitions.map(|it| ((topic.topic.clone(), it.partition), up.contains(&it.leader))),
        );
    }
    heard
}

/// How it is with one partition.
#[derive(Debug, Clone, Copy)]
enum Ear {
    Heard,
    Unheard,
    Again(Stopwatch),
}

/// What is known of the partitions that were heard once.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    ears: BTreeMap<Input, Ear>,
    /// Read to their end when they were last heard.
    at_end: BTreeSet<Input>,
}

impl Hearing {
    /// `input` brought something.
    pub(super) fn brought(&mut self, input: Input) {
        self.ears.entry(input).or_insert(Ear::Heard);
        self.at_end.remove(&input);
    }

    /// `input` was read to its end; whether that may be relied on.
    pub(super) fn ended(&mut self, input: Input) -> bool {
        self.at_end.insert(input);
        matches!(self.ears.entry(input).or_insert(Ear::Heard), Ear::Heard)
    }

    /// These are somebody else's. One that could not be heard is still doubted when it comes back.
    pub(super) fn lost(&mut self, inputs: &[Input]) {
        self.at_end.retain(|input| !inputs.contains(input));
        self.ears.retain(|input, ear| !matches!(ear, Ear::Heard) || !inputs.contains(input));
    }

    /// Takes in what is said of them; those that cannot be heard any more.
    pub(super) fn listen(&mut self, said: impl Fn(Input) -> Option<bool>) -> Vec<Input> {
        let mut unheard = Vec::new();
        for (input, ear) in &mut self.ears {
            *ear = match (said(*input), *ear) {
                (Some(false), Ear::Heard | Ear::Again(_)) => {
                    unheard.push(*input);
                    Ear::Unheard
                }
                (Some(true), Ear::Unheard) => Ear::Again(Stopwatch::start()),
                (_, as_it_was) => as_it_was,
            };
        }
        unheard
    }

    /// How many partitions cannot be heard now.
    pub(super) fn unheard(&self) -> usize {
        self.ears.values().filter(|ear| matches!(ear, Ear::Unheard)).count()
    }

    /// Those that have been heard for long enough since they could not be, and are at their end.
    pub(super) fn trusted_again(&mut self, grace: Duration) -> Vec<Input> {
        let mut trusted = Vec::new();
        for (input, ear) in &mut self.ears {
            if matches!(ear, Ear::Again(since) if since.elapsed() >= grace) {
                *ear = Ear::Heard;
                trusted.extend(self.at_end.contains(input).then_some(*input));
            }
        }
        trusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_could_not_be_heard_is_trusted_only_after_a_while() {
        let mut hearing = Hearing::default();
        assert!(hearing.ended(0) && hearing.ended(1));
        hearing.brought(1);
        assert!(hearing.listen(|_| None).is_empty(), "nothing is known of them");
        assert_eq!(hearing.listen(|_| Some(false)), [0, 1]);
        assert!(hearing.listen(|_| Some(false)).is_empty(), "it was told already");
        assert_eq!(hearing.unheard(), 2);
        assert!(hearing.listen(|_| Some(true)).is_empty());
        assert_eq!(hearing.unheard(), 0);
        assert!(!hearing.ended(0), "writers may not be back yet");
        assert!(hearing.trusted_again(GRACE).is_empty());
        assert_eq!(hearing.trusted_again(Duration::ZERO), [0], "1 is not at its end");
        assert!(hearing.ended(0) && hearing.ended(1));
    }

    #[test]
    fn doubt_outlives_a_change_in_the_group() {
        let mut hearing = Hearing::default();
        assert!(hearing.ended(0) && hearing.ended(1));
        hearing.listen(|input| Some(input == 1));
        hearing.lost(&[0, 1]);
        assert!(!hearing.ended(0));
        assert!(hearing.ended(1));
    }

    #[test]
    fn a_partition_is_heard_while_its_leader_answers() {
        let statistics = |state: &str, waitresp_cnt, rxidle, leader| {
            let mut it = Statistics::default();
            let broker = rdkafka::statistics::Broker {
                nodeid: 1,
                state: state.to_owned(),
                waitresp_cnt,
                rxidle,
                ..Default::default()
            };
            it.brokers.insert("a:1/1".into(), broker);
            let mut topic = rdkafka::statistics::Topic { topic: "t".into(), ..Default::default() };
            let partition = |partition| rdkafka::statistics::Partition {
                partition,
                leader,
                ..Default::default()
            };
            topic.partitions = [(0, partition(0)), (-1, partition(-1))].into();
            it.topics.insert("t".into(), topic);
            heard(&it)
        };
        let of_0 = |is_heard| Heard::from([(("t".to_owned(), 0), is_heard)]);
        assert_eq!(statistics("UP", 1, 400_000, 1), of_0(true));
        assert_eq!(statistics("UP", 0, 90_000_000, 1), of_0(true), "it owes nothing");
        assert_eq!(statistics("UP", 1, 90_000_000, 1), of_0(false));
        assert_eq!(statistics("DOWN", 0, -1, 1), of_0(false));
        assert_eq!(statistics("UP", 1, 0, -1), of_0(false), "nobody leads it");
    }
}

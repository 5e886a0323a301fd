//! What nobody would read after a member was away while the group moved partitions.
//!
//! Partitions move in two steps: who has them lets go of them and joins again, and only then the
//! group gives them to another. A member with a `group.instance.id` that ends between the two, and
//! is back before its session is over, is given what it was given before; the group takes it that
//! nothing has happened, and what it was to let go of stays nobody's until the group is next made
//! anew. So who stops between the two leaves the group for good, and who was killed there looks for
//! what it had when it is back.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;

use super::Settings;
use super::group::{ANSWER, Group, Partition, name};
use super::membership::LEAVE;
use crate::clock::Stopwatch;

/// How long after a member's first assignment what it had before may be on its way to another: who
/// has it lets go of it within [`LEAVE`].
const ON_ITS_WAY: Duration = LEAVE.saturating_add(Duration::from_secs(10));

/// How far the group is with moving partitions, as this member sees it.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// How many times the group assigns before what was taken away is another's.
    awaited: u8,
    has_joined: bool,
    /// What the ledger has and the first assignment had not, if nothing has changed since.
    missing: Option<(BTreeSet<String>, Stopwatch)>,
}

impl Moves {
    /// The group takes some away, in two steps.
    pub(super) fn taken(&mut self) {
        // What is left is assigned as soon as these are let go of, and then what has become of all.
        *self = Moves { awaited: 2, has_joined: true, missing: None };
    }

    /// The group has given up on this member, which has to join anew.
    pub(super) fn given_up(&mut self) {
        *self = Moves { has_joined: true, ..Moves::default() };
    }

    /// The group assigns; `missing` is what the ledger has besides.
    pub(super) fn assigned(&mut self, missing: BTreeSet<String>) {
        let is_first = !std::mem::replace(&mut self.has_joined, true);
        self.awaited = self.awaited.saturating_sub(1);
        self.missing = (is_first && !missing.is_empty()).then(|| (missing, Stopwatch::start()));
    }

    /// It could not be found out what has become of these: it is asked again later.
    pub(super) fn still_missing(&mut self, missing: BTreeSet<String>) {
        self.missing = Some((missing, Stopwatch::start()));
    }

    /// Whether partitions that were this member's are on their way to another.
    pub(super) fn are_under_way(&self) -> bool {
        self.awaited > 0
    }

    /// What this member had before it began, and should have come to somebody by now.
    pub(super) fn take_missing(&mut self) -> Option<BTreeSet<String>> {
        let (missing, _) = self.missing.take_if(|(_, since)| since.elapsed() >= ON_ITS_WAY)?;
        Some(missing)
    }
}

/// Those of these partitions that no member of the group has, where the group is settled and reads
/// their topic.
pub(super) fn ownerless(
    consumer: &BaseConsumer<Group>,
    settings: &Settings,
    partitions: &BTreeSet<String>,
) -> KafkaResult<BTreeSet<String>> {
    let list = consumer.client().fetch_group_list(Some(&settings.group), ANSWER)?;
    let group = list.groups().iter().find(|it| it.name() == settings.group);
    let members = group.filter(|it| it.state() == "Stable").map_or(&[][..], |it| it.members());
    // One of another protocol may have any.
    let owned: Option<Vec<Vec<Partition>>> =
        members.iter().map(|member| owned(member.assignment().unwrap_or_default())).collect();
    let owned = owned.unwrap_or_default().concat();
    if owned.is_empty() {
        return Ok(BTreeSet::new());
    }
    // The ledger may know topics that are not read any more; those of a pattern have no name here.
    let named = settings.topics.iter().map(String::as_str);
    let read: BTreeSet<&str> = named.chain(owned.iter().map(|(topic, _)| &**topic)).collect();
    let is_read = |partition: &&String| {
        partition.rsplit_once('[').is_some_and(|(topic, _)| read.contains(topic))
    };
    let had: BTreeSet<String> = owned.iter().map(|it| name(&it.0, it.1)).collect();
    Ok(partitions.iter().filter(is_read).filter(|it| !had.contains(*it)).cloned().collect())
}

/// The partitions in an assignment of the consumer protocol: its version, then an array of topics,
/// each with an array of partitions, all big-endian (`ConsumerProtocolAssignment.json` of Apache
/// Kafka). A member that has none may have sent nothing.
fn owned(assignment: &[u8]) -> Option<Vec<Partition>> {
    let mut rest = assignment;
    let mut owned = Vec::new();
    if rest.is_empty() {
        return Some(owned);
    }
    take::<2>(&mut rest)?;
    for _ in 0..i32::from_be_bytes(take(&mut rest)?) {
        let length = usize::try_from(i16::from_be_bytes(take(&mut rest)?)).ok()?;
        let (topic, after) = rest.split_at_checked(length)?;
        rest = after;
        for _ in 0..i32::from_be_bytes(take(&mut rest)?) {
            let partition = i32::from_be_bytes(take(&mut rest)?);
            owned.push((String::from_utf8(topic.to_vec()).ok()?, partition));
        }
    }
    Some(owned)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn of(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn partitions_have_moved_when_the_group_has_assigned_twice() {
        let mut moves = Moves::default();
        moves.assigned(of(&[]));
        assert!(!moves.are_under_way());
        moves.taken();
        assert!(moves.are_under_way());
        moves.assigned(of(&[]));
        assert!(moves.are_under_way(), "these are only what was left");
        moves.assigned(of(&[]));
        assert!(!moves.are_under_way());
        moves.taken();
        moves.given_up();
        assert!(!moves.are_under_way(), "all that it had is given anew");
    }

    #[test]
    fn what_is_missing_is_looked_for_unless_the_group_has_gone_on() {
        let ripe = |mut moves: Moves| {
            let (missing, since) = moves.missing.take()?;
            assert!(since.elapsed() < ON_ITS_WAY);
            Some(missing)
        };
        let mut moves = Moves::default();
        moves.assigned(of(&["t[3]"]));
        assert_eq!(moves.take_missing(), None, "it may be on its way");
        assert_eq!(ripe(moves), Some(of(&["t[3]"])));
        let mut moves = Moves::default();
        moves.assigned(of(&["t[3]"]));
        moves.assigned(of(&["t[3]"]));
        assert_eq!(ripe(moves), None, "it was given to another meanwhile");
        let mut moves = Moves::default();
        moves.assigned(of(&[]));
        assert_eq!(ripe(moves), None);
    }

    #[test]
    fn an_assignment_is_read_and_a_broken_one_is_none() {
        let bytes = [
            &[0, 3, 0, 0, 0, 2][..],
            &[0, 1, b'a', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 0],
            &[0, 2, b'b', b'c', 0, 0, 0, 0],
            &[0xff, 0xff, 0xff, 0xff],
        ]
        .concat();
        let a = |partition| ("a".to_owned(), partition);
        assert_eq!(owned(&bytes), Some(vec![a(0), a(256)]));
        assert_eq!(owned(&[]), Some(vec![]));
        for end in 1..bytes.len() - 4 {
            assert_eq!(owned(&bytes[..end]), None, "{end}");
        }
    }
}

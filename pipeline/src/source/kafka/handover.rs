//! What passes with a partition from one member of a group to the next.
//!
//! A window that is open when its partition goes to another member rests on records that were read
//! before. So each offset is committed with a note: from where on windows hold something, and how
//! far time was. Whoever has the partition next reads from there again, says nothing until it comes
//! to the committed offset, and goes on from there as its owner before would have.

use std::collections::{BTreeMap, VecDeque};

use floodmark_detectors::time::EventTime;
use rdkafka::topic_partition_list::{Offset, TopicPartitionListElem};

use crate::progress::Input;
use crate::source::batch::{Batch, Handover, Next};

/// Longest note; a broker takes 4,096 bytes unless told otherwise.
const NOTE_MAX: usize = 512;

/// What is read again of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Again {
    /// Offset of the first record.
    pub(super) from: i64,
    /// Offset of the first record that was not read before.
    pub(super) until: i64,
    /// Event time up to which all was settled there.
    pub(super) settled: EventTime,
    /// Event time from which on it is judged.
    pub(super) judges_from: EventTime,
}

/// The note for a position.
pub(super) fn note(handover: &Handover) -> String {
    serde_json::to_string(handover).unwrap_or_default()
}

/// What is to be read again of a partition that the group has at this element: nothing where its
/// note is none of ours, or says that no window is open.
pub(super) fn again(element: &TopicPartitionListElem<'_>) -> Option<Again> {
    let Offset::Offset(until) = element.offset() else { return None };
    let note = Some(element.metadata()).filter(|note| note.len() <= NOTE_MAX)?;
    parse(note, until)
}

fn parse(note: &str, until: i64) -> Option<Again> {
    let Handover { reread_from, settled, judges_from } = serde_json::from_str(note).ok()?;
    let from = reread_from.parse().ok().filter(|from| (0..until).contains(from))?;
    Some(Again { from, until, settled, judges_from })
}

/// Where a partition that is gained is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begin {
    /// Offset of the first record; none for where the group has it.
    pub(super) at: Option<i64>,
    /// What of it was read before.
    pub(super) again: Option<Again>,
    /// Somebody else has read on since the ledger had it.
    pub(super) is_overtaken: bool,
}

/// Decides where a partition begins: `known` is what the ledger has, the element what the group has.
pub(super) fn begin(known: Option<i64>, committed: &TopicPartitionListElem<'_>) -> Begin {
    match committed.offset() {
        Offset::Offset(group) if known.is_none_or(|known| group > known) => {
            let again = again(committed);
            let at = Some(again.map_or(group, |again| again.from));
            Begin { at, again, is_overtaken: true }
        }
        _ => Begin { at: known, again: None, is_overtaken: false },
    }
}

/// How far the reading again of a partition is.
#[derive(Debug)]
pub(super) struct Reread {
    pub(super) again: Again,
    /// All of it has been handed out.
    pub(super) is_over: bool,
}

impl Reread {
    /// Hands out the last of it, and with it how far time was.
    pub(super) fn end(
        &mut self,
        input: Input,
        gathering: &mut BTreeMap<Input, Batch>,
        ready: &mut VecDeque<Next>,
    ) {
        if !std::mem::replace(&mut self.is_over, true) {
            let mut batch = gathering.remove(&input).unwrap_or_else(|| Batch::of(input));
            batch.is_reread = true;
            batch.settled = Some(self.again.settled);
            batch.position = Some(self.again.until.to_string().into());
            ready.push_back(Next::Batch(batch));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rdkafka::TopicPartitionList;

    use super::*;

    fn begin_at(known: Option<i64>, group: Option<i64>, note: &str) -> Begin {
        let mut list = TopicPartitionList::new();
        let offset = group.map_or(Offset::Invalid, Offset::Offset);
        list.add_partition_offset("t", 0, offset).unwrap();
        let mut elements = list.elements();
        elements[0].set_metadata(note);
        begin(known, &elements[0])
    }

    #[test]
    fn what_passes_with_a_partition_is_what_it_was_noted_with() {
        let (settled, judges_from) = (EventTime(1_000), EventTime(900));
        let note = note(&Handover { reread_from: "40".into(), settled, judges_from });
        assert_eq!(note, r#"{"reread_from":"40","settled":1000,"judges_from":900}"#);
        let again = Some(Again { from: 40, until: 50, settled, judges_from });
        let taken = Begin { at: Some(40), again, is_overtaken: true };
        assert_eq!(begin_at(None, Some(50), &note), taken);
        assert_eq!(begin_at(Some(45), Some(50), &note), taken, "another has read on");
        let ours = Begin { at: Some(50), again: None, is_overtaken: false };
        assert_eq!(begin_at(Some(50), Some(50), &note), ours);
        assert_eq!(begin_at(Some(50), Some(45), &note), ours, "a commit was lost");
        assert_eq!(begin_at(Some(50), None, ""), ours);
        assert_eq!(begin_at(None, None, ""), Begin { at: None, ..ours });
    }

    #[test]
    fn a_note_that_is_none_of_ours_means_nothing() {
        let plain = Begin { at: Some(50), again: None, is_overtaken: true };
        for note in [
            "",
            "consumer-1",
            r#"{"reread_from":"50","settled":1,"judges_from":1}"#,
            r#"{"reread_from":"-1","settled":1,"judges_from":1}"#,
            r#"{"reread_from":"x","settled":1,"judges_from":1}"#,
            &format!(
                r#"{{"reread_from":"40","settled":1,"judges_from":1,"x":"{}"}}"#,
                "x".repeat(NOTE_MAX)
            ),
        ] {
            assert_eq!(begin_at(None, Some(50), note), plain, "{note}");
        }
    }
}

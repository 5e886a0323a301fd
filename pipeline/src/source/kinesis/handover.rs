//! What passes with a shard from one process to the next.
//!
//! A window that is open when its shard goes to another process rests on records that were read
//! before. So the lease's row has a note beside the checkpoint: from where on windows hold something,
//! and how far time was. Whoever has the shard next reads from there again, says nothing until it
//! comes to the checkpoint, and goes on from there as its owner before would have. A note names the
//! checkpoint that it was written with: what others write leaves it as it is, and it means nothing
//! beside any other.

use floodmark_detectors::time::EventTime;

use super::position::{Place, Position};
use crate::source::batch::Handover;

/// Longest note that is looked at.
const NOTE_MAX: usize = 1_024;

/// A note as it is written.
#[derive(serde::Serialize, serde::Deserialize)]
struct Note {
    checkpoint: String,
    #[serde(flatten)]
    handover: Handover,
}

/// The note for a checkpoint.
pub(super) fn note(checkpoint: &Position, handover: &Handover) -> String {
    let note = Note { checkpoint: checkpoint.to_string(), handover: handover.clone() };
    serde_json::to_string(&note).unwrap_or_default()
}

/// What a note says of this checkpoint: nothing where it belongs to another, or is none of ours.
pub(super) fn believed(note: &str, checkpoint: &Position) -> Option<Handover> {
    let note: Note =
        serde_json::from_str(Some(note).filter(|note| note.len() <= NOTE_MAX)?).ok()?;
    let is_its = note.checkpoint == checkpoint.to_string();
    (is_its && again(checkpoint, &note.handover).is_some()).then_some(note.handover)
}

/// What is read again of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Again {
    /// The first payload.
    pub(super) from: Place,
    /// The last.
    pub(super) until: Place,
    /// Event time up to which all was settled there.
    pub(super) settled: EventTime,
    /// Event time from which on it is judged.
    pub(super) judges_from: EventTime,
}

fn again(checkpoint: &Position, handover: &Handover) -> Option<Again> {
    let Position::After(until) = checkpoint.clone() else { return None };
    let Position::After(from) = Position::parse(&handover.reread_from)? else { return None };
    let Handover { settled, judges_from, .. } = *handover;
    (from <= until).then_some(Again { from, until, settled, judges_from })
}

/// Where a shard that is gained is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Begin {
    /// The position that it is read on from.
    pub(super) at: Position,
    /// What is read again before that.
    pub(super) again: Option<Again>,
    /// Somebody else has read on since the ledger had it.
    pub(super) is_overtaken: bool,
}

/// Decides where a shard begins: `known` is what the ledger has, `checkpoint` what the table has.
pub(super) fn begin(
    known: Option<&Position>,
    checkpoint: Position,
    handover: Option<&Handover>,
) -> Begin {
    let is_known = |known: &Position| checkpoint.clone().further(known.clone()) == *known;
    match known.filter(|known| is_known(known)) {
        Some(known) => Begin { at: known.clone(), again: None, is_overtaken: false },
        None => Begin {
            again: handover.and_then(|handover| again(&checkpoint, handover)),
            is_overtaken: matches!(checkpoint, Position::After(_)),
            at: checkpoint,
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn position(text: &str) -> Position {
        Position::parse(text).unwrap()
    }

    fn place(text: &str) -> Place {
        let Position::After(place) = position(text) else { panic!("{text}") };
        place
    }

    fn handover(reread_from: &str) -> Handover {
        let (settled, judges_from) = (EventTime(1_000), EventTime(900));
        Handover { reread_from: reread_from.into(), settled, judges_from }
    }

    #[test]
    fn a_note_is_believed_beside_the_checkpoint_that_it_was_written_with() {
        let (checkpoint, handover) = (position("50:3"), handover("40:7"));
        let note = note(&checkpoint, &handover);
        let text = r#"{"checkpoint":"50:3","reread_from":"40:7","settled":1000,"judges_from":900}"#;
        assert_eq!(note, text);
        assert_eq!(believed(&note, &checkpoint), Some(handover));
        for other in ["50:4", "50:0", "51:3", "40:7", "TRIM_HORIZON", "LATEST", "SHARD_END"] {
            assert_eq!(believed(&note, &position(other)), None, "{other}: another wrote that");
        }
    }

    #[test]
    fn a_note_that_is_none_of_ours_means_nothing() {
        let checkpoint = position("50:3");
        for odd in ["50:4", "60:0", "x", "TRIM_HORIZON", "SHARD_END", ""] {
            let note = note(&checkpoint, &handover(odd));
            assert_eq!(believed(&note, &checkpoint), None, "{odd}");
        }
        let long = "4".repeat(NOTE_MAX);
        for note in ["", "{}", "50:3", r#"{"checkpoint":"50:3"}"#, &long] {
            assert_eq!(believed(note, &checkpoint), None, "{note}");
        }
        let end = note(&Position::End, &handover("40:7"));
        assert_eq!(believed(&end, &Position::End), None, "nothing is read on after the end");
    }

    #[test]
    fn a_shard_begins_where_the_ledger_has_it_unless_another_has_read_on() {
        let handover = handover("40:7");
        let begin_at = |known: Option<&str>, checkpoint: &str| {
            begin(known.map(position).as_ref(), position(checkpoint), Some(&handover))
        };
        let (settled, judges_from) = (EventTime(1_000), EventTime(900));
        let (from, until) = (place("40:7"), place("50:3"));
        let again = Some(Again { from, until, settled, judges_from });
        let taken = Begin { at: position("50:3"), again, is_overtaken: true };
        assert_eq!(begin_at(None, "50:3"), taken);
        assert_eq!(begin_at(Some("45:0"), "50:3"), taken, "another has read on");
        assert_eq!(begin_at(Some("AT_TIMESTAMP:5"), "50:3"), taken);
        let ours = |at: &str| Begin { at: position(at), again: None, is_overtaken: false };
        assert_eq!(begin_at(Some("50:3"), "50:3"), ours("50:3"));
        assert_eq!(begin_at(Some("50:3"), "45:0"), ours("50:3"), "a write was lost");
        assert_eq!(begin_at(Some("SHARD_END"), "50:3"), ours("SHARD_END"));
        assert_eq!(begin_at(Some("AT_TIMESTAMP:5"), "LATEST"), ours("AT_TIMESTAMP:5"));
        assert_eq!(begin_at(None, "TRIM_HORIZON"), ours("TRIM_HORIZON"), "nobody has read it");
        let plain = Begin { again: None, ..taken };
        assert_eq!(begin(None, position("50:3"), None), plain, "no note, or none believed");
    }
}

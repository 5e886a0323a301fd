//! How far a shard has been worked through.
//!
//! The texts are those that the Kinesis Client Library keeps in its lease table, so that either can
//! go on where the other stopped: `TRIM_HORIZON`, `LATEST`, `SHARD_END`, or a sequence number with a
//! sub-sequence number beside it, which tells the user records of one aggregated record apart.

use std::cmp::Ordering;
use std::fmt;

/// A place between two payloads of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// Before the oldest record that the stream still holds.
    Oldest,
    /// After the newest record at the time of asking.
    Latest,
    /// Before the first record that arrived at this time or later, milliseconds since the epoch.
    At(i64),
    /// After this payload.
    After(Place),
    /// After the last payload of a shard that brings nothing more.
    End,
}

/// One payload of a shard: a record, or a user record in an aggregated one. Later is greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The record.
    pub sequence: Sequence,
    /// Its user record, from 0; 0 for a record that is not aggregated.
    pub sub_sequence: u64,
}

/// A sequence number: a decimal of up to 186 bits, kept as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence(String);

/// Longest sequence number taken, digits; Kinesis documents 129.
const SEQUENCE_DIGITS_MAX: usize = 129;

const OLDEST: &str = "TRIM_HORIZON";
const LATEST: &str = "LATEST";
const AT: &str = "AT_TIMESTAMP";
const END: &str = "SHARD_END";

impl Sequence {
    /// Reads one; `None` for anything but digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Sequence> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let digits = text.trim_start_matches('0');
        let fits = is_number && digits.len() <= SEQUENCE_DIGITS_MAX;
        fits.then(|| Sequence(if digits.is_empty() { "0" } else { digits }.to_owned()))
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Ord for Sequence {
    fn cmp(&self, other: &Sequence) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Sequence {
    fn partial_cmp(&self, other: &Sequence) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Position {
    /// Reads what [`fmt::Display`] writes; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Position> {
        if let Some((AT, time_ms)) = text.split_once(':') {
            return time_ms.parse().ok().map(Position::At);
        }
        let (checkpoint, sub_sequence) = text.split_once(':').unwrap_or((text, "0"));
        Position::of_checkpoint(checkpoint, sub_sequence.parse().ok()?)
    }

    /// Reads the two attributes of a lease. A time that is not said is that of the epoch: the
    /// library keeps it in its own settings.
    pub(super) fn of_checkpoint(checkpoint: &str, sub_sequence: u64) -> Option<Position> {
        match checkpoint {
            OLDEST => Some(Position::Oldest),
            LATEST => Some(Position::Latest),
            AT => Some(Position::At(0)),
            END => Some(Position::End),
            number => Sequence::parse(number)
                .map(|sequence| Position::After(Place { sequence, sub_sequence })),
        }
    }

    /// The two attributes of a lease.
    pub(super) fn checkpoint(&self) -> (&str, u64) {
        match self {
            Position::Oldest => (OLDEST, 0),
            Position::Latest => (LATEST, 0),
            Position::At(_) => (AT, 0),
            Position::After(place) => (place.sequence.as_str(), place.sub_sequence),
            Position::End => (END, 0),
        }
    }

    /// The further of two: a place in the shard is further than where a shard is begun.
    #[cfg(feature = "kinesis")]
    pub(super) fn further(self, other: Position) -> Position {
        let is_further = match (&self, &other) {
            (Position::End, _) => true,
            (_, Position::End) => false,
            (Position::After(mine), Position::After(others)) => mine >= others,
            (Position::After(_), _) => true,
            (_, Position::After(_)) => false,
            // A time was noted when the start was settled: it says more than the start's name.
            (Position::At(mine), Position::At(others)) => mine >= others,
            (Position::At(_), _) => true,
            (_, Position::At(_)) => false,
            (Position::Oldest | Position::Latest, _) => true,
        };
        if is_further { self } else { other }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::At(time_ms) => write!(f, "{AT}:{time_ms}"),
            Position::After(place) => {
                write!(f, "{}:{}", place.sequence.as_str(), place.sub_sequence)
            }
            other => f.write_str(other.checkpoint().0),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn positions_read_as_written() {
        for text in [
            "TRIM_HORIZON",
            "LATEST",
            "SHARD_END",
            "AT_TIMESTAMP:1795455173641",
            "49680496651778372744675465658632689113786839352553242642:261",
        ] {
            assert_eq!(Position::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "SOMETHING", "12a:0", "12:", "12:x", "-1", "AT_TIMESTAMP:", ":"] {
            assert_eq!(Position::parse(text), None, "{text:?}");
        }
        assert_eq!(Position::parse(&"9".repeat(130)), None);
    }

    #[test]
    fn sequence_numbers_compare_as_numbers() {
        let sequence = |text| Sequence::parse(text).unwrap();
        assert!(sequence("99") < sequence("100"));
        assert!(sequence("101") > sequence("100"));
        assert_eq!(sequence("007"), sequence("7"));
        assert_eq!(sequence("0").as_str(), "0");
    }

    #[cfg(feature = "kinesis")]
    #[test]
    fn the_further_position_is_kept() {
        let position = |text| Position::parse(text).unwrap();
        for (further, nearer) in [
            ("10:3", "10:2"),
            ("10:0", "9:7"),
            ("10:0", "TRIM_HORIZON"),
            ("10:0", "LATEST"),
            ("10:0", "AT_TIMESTAMP:5"),
            ("AT_TIMESTAMP:5", "LATEST"),
            ("AT_TIMESTAMP:5", "AT_TIMESTAMP:0"),
            ("SHARD_END", "10:0"),
        ] {
            assert_eq!(position(further).further(position(nearer)), position(further));
            assert_eq!(position(nearer).further(position(further)), position(further));
        }
    }
}

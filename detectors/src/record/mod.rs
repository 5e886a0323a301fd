//! Bytes to one CloudTrail record: total, bounded, borrowing.

mod value;

pub use value::{Raw, Value};

use crate::time::EventTime;

/// Longest record that is read, bytes; a longer one is [`Unreadable::TooLong`].
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// One CloudTrail record, borrowed from its bytes.
#[derive(Debug, Clone)]
pub struct Record<'b> {
    bytes: &'b [u8],
    time: EventTime,
}

/// Why bytes could not be read as a record at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unreadable {
    /// Longer than [`RECORD_BYTES_MAX`].
    #[error("record longer than {RECORD_BYTES_MAX} bytes")]
    TooLong,
    /// Not one whole JSON object.
    #[error("not a JSON object")]
    NotAnObject,
    /// The object or a text in it does not end.
    #[error("JSON ends before the record does")]
    CutOff,
    /// Neither `eventTime` nor `@timestamp` can be read as a time.
    #[error("no readable eventTime")]
    NoTime,
    /// A CloudTrail digest file: no record, nothing to detect in it.
    #[error("a CloudTrail digest file, not a record")]
    Digest,
}

/// The identity of an event: its `eventID` hashed, or, where it has none, its bytes hashed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct EventId(pub u64);

impl<'b> Record<'b> {
    /// Reads one record.
    pub fn decode(bytes: &'b [u8]) -> Result<Record<'b>, Unreadable> {
        Ok(Record { bytes, time: EventTime(0) })
    }
    /// The bytes it was read from.
    #[must_use]
    pub fn bytes(&self) -> &'b [u8] {
        self.bytes
    }
    /// `eventTime`.
    #[must_use]
    pub fn time(&self) -> EventTime {
        self.time
    }
    /// See [`EventId`].
    #[must_use]
    pub fn id(&self, _seed: u64) -> EventId {
        EventId(0)
    }
    /// A top-level member by name; [`Value::Missing`] where there is none.
    #[must_use]
    pub fn get(&self, _name: &str) -> Value<'b> {
        Value::Missing
    }
}

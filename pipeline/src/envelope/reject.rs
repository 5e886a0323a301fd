//! What could not be read as a record, and why.

use std::io;

use floodmark_detectors::record::RECORD_BYTES_MAX;

use super::inflate::Excess;

/// Lists and wrappers open at once.
pub const NESTED_MAX: usize = 16;

/// Bytes of a reject that are shown.
pub const EXCERPT_BYTES_MAX: usize = 200;

/// A stretch of input that gives no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Place of its first byte in the text (inflated, if it was gzip).
    pub offset: u64,
    /// Its length, bytes.
    pub bytes: u64,
    /// Why.
    pub reason: Reason,
    /// Its beginning, secrets replaced, at most [`EXCERPT_BYTES_MAX`] bytes.
    pub excerpt: String,
}

/// Why a stretch of input gives no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Longer than a record may be.
    #[error("record longer than {RECORD_BYTES_MAX} bytes")]
    TooLong,
    /// The input ends first.
    #[error("input ends before the record does")]
    CutOff,
    /// A text in it holds a line end, which JSON forbids: mostly a record that was cut off.
    #[error("line ends inside a text")]
    TextBroken,
    /// The next record begins on a new line before it has ended.
    #[error("next record begins before this one ends")]
    NextBegins,
    /// A value that is no object, or no JSON at all.
    #[error("not a JSON object")]
    NotAnObject,
    /// A comma with nothing to separate.
    #[error("stray comma")]
    StrayComma,
    /// The list that was begun is not closed.
    #[error("input ends before its list does")]
    ListCutOff,
    /// More lists in lists than [`NESTED_MAX`].
    #[error("lists nested deeper than {NESTED_MAX}")]
    TooDeep,
    /// The gzip inflates beyond its limits; what comes after is not read.
    #[error("{0}")]
    Excess(Excess),
    /// The input could not be read further: a damaged gzip, a disk.
    #[error("cannot read on: {0}")]
    Unreadable(String),
}

/// Why reading ended before the input did.
pub(super) fn reason_of(error: &io::Error) -> Reason {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Excess>()) {
        Some(excess) => Reason::Excess(*excess),
        None => Reason::Unreadable(error.to_string()),
    }
}

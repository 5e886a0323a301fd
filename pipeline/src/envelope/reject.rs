//! What could not be read as a record, and why.

use std::io;

use floodmark_detectors::record::RECORD_BYTES_MAX;

use super::inflate::Excess;
use super::kpl::Malformed;
use super::opener::{LEVELS_MAX, PARTS_MAX};

/// Lists and wrappers open at once.
pub const NESTED_MAX: usize = 16;

/// Bytes of a reject that are shown.
pub const EXCERPT_BYTES_MAX: usize = 200;

/// A stretch of input that gives no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Place of its first byte in the text (inflated, if it was packed).
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
    /// It inflates beyond its limits; what comes after is not read.
    #[error("{0}")]
    Excess(Excess),
    /// There is nothing in it.
    #[error("empty payload")]
    Empty,
    /// More envelopes in envelopes than [`LEVELS_MAX`].
    #[error("envelopes nested deeper than {LEVELS_MAX}")]
    Levels,
    /// More in one payload than [`PARTS_MAX`]; what comes after is not read.
    #[error("more than {PARTS_MAX} records in one payload")]
    Surplus,
    /// Further stretches of the same payload, so many, of which nothing more is told.
    #[error("{0} more stretches of this payload give no record")]
    More(u64),
    /// An aggregated payload breaks off.
    #[error("{0}")]
    Kpl(Malformed),
    /// A notification, of this service, that names log files.
    #[error(
        "notification of {0} that names files in S3 and holds no records: subscribe this stream \
         to the trail's log group in CloudWatch Logs, or make it the target of an EventBridge \
         rule; files are read by `floodmark replay`"
    )]
    Notification(&'static str),
    /// SNS asks whether a subscription is wanted.
    #[error("SNS asks to confirm a subscription: confirm it there, no record is lost by this")]
    Confirmation,
    /// An event of EventBridge, of this detail type, that is not from CloudTrail.
    #[error(
        "EventBridge event `{0}` is not from CloudTrail: let the rule match detail types that end \
         in `via CloudTrail`"
    )]
    OtherEvent(String),
    /// What Security Lake makes of records.
    #[error("OCSF, as Security Lake writes it, is not read: send CloudTrail's own records")]
    Ocsf,
    /// The input could not be read further: damaged gzip or Zstandard, a disk.
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

//! Bytes to one CloudTrail record: total, bounded, borrowing.
//!
//! [`Record::decode`] passes once over the top-level members and keeps where each known one lies;
//! a value is read when it is asked for. So a record costs what is read of it, and what is wrong
//! in a part that nobody reads does no harm. An odd value never loses the record: it reads as well
//! as it can, and what the pass noticed is in [`Record::oddities`]. What cannot be read at all is
//! [`Unreadable`], with its reason.

mod json;
mod key;
mod members;
mod object;
mod oddity;
mod scan;
#[cfg(test)]
mod tests;
mod text;
mod value;

use std::borrow::Cow;
use std::fmt;

use siphasher::sip::SipHasher13;

pub use json::TreeLimits;
pub use key::Key;
pub(crate) use object::Object;
pub use oddity::{Oddities, Oddity};
pub use value::{Elements, Raw, Value};

use crate::time::EventTime;
use members::Members;
use scan::{Fault, Span};

/// Longest record that is read, bytes; a longer one is [`Unreadable::TooLong`].
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// One CloudTrail record, borrowed from its bytes.
#[derive(Clone)]
pub struct Record<'b> {
    bytes: &'b [u8],
    /// The same, if they are UTF-8; else nothing.
    utf8: &'b str,
    time: EventTime,
    oddities: Oddities,
    members: Members,
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
    /// Something stands behind the object.
    #[error("more bytes behind the JSON object")]
    TrailingBytes,
    /// Neither `eventTime` nor `@timestamp` can be read as a time.
    #[error("no readable eventTime")]
    NoTime,
    /// A CloudTrail digest file: no record, nothing to detect in it.
    #[error("a CloudTrail digest file, not a record")]
    Digest,
}

impl From<Fault> for Unreadable {
    fn from(fault: Fault) -> Unreadable {
        match fault {
            Fault::Malformed => Unreadable::NotAnObject,
            Fault::CutOff => Unreadable::CutOff,
        }
    }
}

/// The identity of an event: its `eventID` hashed, or, where it has none, its bytes hashed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct EventId(pub u64);

impl<'b> Record<'b> {
    /// Reads one record.
    pub fn decode(bytes: &'b [u8]) -> Result<Record<'b>, Unreadable> {
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(Unreadable::TooLong);
        }
        // First, since it asks for all of the bytes at once: what follows finds them in the cache.
        let utf8 = simdutf8::basic::from_utf8(bytes);
        let mut record = Record {
            bytes,
            utf8: utf8.unwrap_or_default(),
            time: EventTime::MIN,
            oddities: Oddities::default(),
            members: Members::default(),
        };
        record.members.scan(bytes, &mut record.oddities)?;
        if utf8.is_err() {
            record.oddities.add(Oddity::InvalidUtf8);
        }
        record.time = record.read_time()?;
        if !record.has_text(Key::EventId) {
            record.oddities.add(Oddity::NoEventId);
        }
        if !record.has_text(Key::EventSource) && record.event_source().is_none() {
            record.oddities.add(Oddity::NoEventSource);
        }
        if !record.has_text(Key::EventName) && record.event_name().is_none() {
            record.oddities.add(Oddity::NoEventName);
        }
        Ok(record)
    }

    /// The bytes it was read from.
    #[must_use]
    pub fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// `eventTime`, or `@timestamp` where that cannot be read.
    #[must_use]
    pub fn time(&self) -> EventTime {
        self.time
    }

    /// What was odd about it.
    #[must_use]
    pub fn oddities(&self) -> Oddities {
        self.oddities
    }

    /// See [`EventId`]. Senders choose event ids, so the hash (SipHash-1-3) is keyed: with a
    /// secret seed nobody can make two events one. Texts are compared exactly, not as UUIDs.
    #[must_use]
    pub fn id(&self, seed: u64) -> EventId {
        let hash = |kind, bytes: &[u8]| EventId(SipHasher13::new_with_keys(seed, kind).hash(bytes));
        match self.plain_text(Key::EventId) {
            Some(plain) if !plain.is_empty() && plain.is_ascii() => hash(0, plain),
            _ => self.event_id().map_or_else(|| hash(1, self.bytes), |id| hash(0, id.as_bytes())),
        }
    }

    /// A top-level member; [`Value::Missing`] where there is none.
    #[must_use]
    pub fn value(&self, key: Key) -> Value<'b> {
        let span = self.members.span(key);
        match self.plain(span) {
            Some(text) => Value::Text(Cow::Borrowed(text)),
            None => Value::read(self.bytes, span),
        }
    }

    /// A top-level member as a text, see [`Value::into_text`].
    #[must_use]
    pub fn text(&self, key: Key) -> Option<Cow<'b, str>> {
        let span = self.members.span(key);
        match self.plain(span) {
            Some(text) => (!text.is_empty()).then_some(Cow::Borrowed(text)),
            None => Value::read(self.bytes, span).into_text(),
        }
    }

    /// A text that is written as it reads. It was seen to be UTF-8 with the whole record.
    #[inline]
    fn plain(&self, span: Span) -> Option<&'b str> {
        match span.of(self.bytes) {
            [b'"', .., b'"'] if !span.is_escaped() => span.text_of(self.utf8),
            _ => None,
        }
    }

    /// A top-level member by name; [`Value::Missing`] where there is none. One that [`Key`] does
    /// not know is looked for anew each time.
    #[must_use]
    pub fn get(&self, name: &str) -> Value<'b> {
        match Key::named(name.as_bytes()) {
            Some(key) => self.value(key),
            None if self.members.has_others => self.whole().get(name),
            None => Value::Missing,
        }
    }

    /// The whole record as an object.
    #[must_use]
    pub fn whole(&self) -> Raw<'b> {
        Raw(self.bytes.get(self.members.start..).unwrap_or_default())
    }

    /// The keys from which a path could lead anywhere, a bit each: those of members that are there
    /// and not null, or all, where a member that [`Key`] does not know may be named like a whole path.
    pub(crate) fn held(&self) -> u64 {
        if self.members.has_others { u64::MAX } else { self.members.held }
    }

    /// A top-level text as it is written, if that is what it reads as too.
    pub(crate) fn plain_text(&self, key: Key) -> Option<&'b [u8]> {
        let span = self.members.span(key);
        match span.of(self.bytes) {
            [b'"', inner @ .., b'"'] if !span.is_escaped() => Some(inner),
            _ => None,
        }
    }

    /// What stands for the value of a top-level member; nothing where there is none.
    pub(crate) fn written(&self, key: Key) -> &'b [u8] {
        self.members.span(key).of(self.bytes)
    }

    /// Whether it has top-level members that [`Key`] does not know.
    pub(crate) fn has_others(&self) -> bool {
        self.members.has_others
    }

    /// `eventSource`. An Insights event has it in `insightDetails`.
    #[must_use]
    pub fn event_source(&self) -> Option<Cow<'b, str>> {
        self.text_or_insight(Key::EventSource)
    }

    /// `eventName`. An Insights event has it in `insightDetails`.
    #[must_use]
    pub fn event_name(&self) -> Option<Cow<'b, str>> {
        self.text_or_insight(Key::EventName)
    }

    fn text_or_insight(&self, key: Key) -> Option<Cow<'b, str>> {
        self.text(key).or_else(|| self.value(Key::InsightDetails).get(key.name()).into_text())
    }

    /// `eventID`.
    #[must_use]
    pub fn event_id(&self) -> Option<Cow<'b, str>> {
        self.text(Key::EventId)
    }

    /// `readOnly`, also where it is written as a text.
    #[must_use]
    pub fn read_only(&self) -> Option<bool> {
        let text = self.text(Key::ReadOnly)?;
        match () {
            () if text.eq_ignore_ascii_case("true") => Some(true),
            () if text.eq_ignore_ascii_case("false") => Some(false),
            () => None,
        }
    }

    /// The account it happened in: `recipientAccountId`, else `userIdentity.accountId`.
    #[must_use]
    pub fn account(&self) -> Option<Cow<'b, str>> {
        self.text(Key::RecipientAccountId)
            .or_else(|| self.value(Key::UserIdentity).get("accountId").into_text())
    }

    /// Whether `text(key)` is something, at less cost.
    fn has_text(&self, key: Key) -> bool {
        match self.members.span(key).of(self.bytes) {
            [] | b"null" | b"\"\"" => false,
            [b'"', ..] => true,
            _ => self.text(key).is_some(),
        }
    }

    fn read_time(&mut self) -> Result<EventTime, Unreadable> {
        if let Some(written) = self.text(Key::EventTime) {
            if let Some((time, oddity)) = time_of(&written) {
                oddity.into_iter().for_each(|oddity| self.oddities.add(oddity));
                return Ok(time);
            }
            self.oddities.add(Oddity::EventTimeUnreadable);
        } else if is_digest(self.whole()) {
            return Err(Unreadable::Digest);
        } else {
            self.oddities.add(Oddity::EventTimeFromTimestamp);
        }
        let written = self.text(Key::Timestamp).ok_or(Unreadable::NoTime)?;
        let (time, _) = time_of(&written).ok_or(Unreadable::NoTime)?;
        Ok(time)
    }
}

/// Reads a time, and says what is odd about how it is written.
fn time_of(written: &str) -> Option<(EventTime, Option<Oddity>)> {
    let Some(time) = EventTime::parse(written) else {
        return Some((epoch_time(written)?, Some(Oddity::EventTimeEpoch)));
    };
    let bytes = written.as_bytes();
    let usual = bytes.len() == 20 && bytes.get(10) == Some(&b'T') && bytes.ends_with(b"Z");
    Some((time, (!usual).then_some(Oddity::EventTimeOddFormat)))
}

/// Says nothing of what stands in the record: it may hold secrets.
impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("bytes", &self.bytes.len())
            .field("time", &self.time)
            .field("oddities", &self.oddities)
            .finish_non_exhaustive()
    }
}

/// Seconds since the Unix epoch, or milli-, micro- or nanoseconds: which, the size tells, as each
/// reading of a number this large but one lies before 1973 or after 5138.
fn epoch_time(written: &str) -> Option<EventTime> {
    let mut number = match written.parse::<i64>() {
        Ok(number) => number,
        Err(_) => {
            let number: f64 = written.parse().ok()?;
            (0.0..1e18).contains(&number).then_some(number as i64)?
        }
    };
    for _ in 0..3 {
        if number >= SECONDS_END {
            number /= 1_000;
        }
    }
    (1..SECONDS_END).contains(&number).then_some(EventTime(number))
}

/// From here on a number is no count of seconds; it would lie behind the year 5138.
const SECONDS_END: i64 = 100_000_000_000;

/// Digest files name the hours they sign ("CloudTrail digest file structure", user guide).
fn is_digest(whole: Raw<'_>) -> bool {
    let digest = whole.pick(["digestStartTime", "digestEndTime", "digestS3Bucket"]);
    digest.iter().all(|value| *value != Value::Missing)
}

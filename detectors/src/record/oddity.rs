//! What was odd about a record that could be read all the same.

/// Something a well-formed CloudTrail record does not have. It loses nothing; it is counted, so
/// that whoever runs a feed sees what the feed does to its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Oddity {
    /// A top-level key stands twice; the last one counts.
    DuplicateKey,
    /// A top-level key is written in another letter case, and in no other way.
    KeyCase,
    /// A top-level key is written with escapes.
    EscapedKey,
    /// A byte order mark stands before the record.
    ByteOrderMark,
    /// Some bytes are no valid UTF-8; they read as U+FFFD.
    InvalidUtf8,
    /// A top-level value is no JSON (`True`, `NaN`); it reads as text.
    BareWord,
    /// A number, truth value, list or object stands for a text.
    TextExpected,
    /// Something stands for an object that is neither object nor `null`.
    ObjectExpected,
    /// Something stands for a list that is neither list nor `null`.
    ListExpected,
    /// Something stands for a truth value that is neither, such as the text `"true"`.
    BoolExpected,
    /// There is no `eventTime`; `@timestamp` was taken.
    EventTimeFromTimestamp,
    /// The time is not written `2026-01-31T23:59:59Z`.
    EventTimeOddFormat,
    /// The time is a number since the Unix epoch.
    EventTimeEpoch,
    /// `eventTime` cannot be read; `@timestamp` was taken.
    EventTimeUnreadable,
    /// There is no `eventID`: the record is known by its bytes.
    NoEventId,
    /// There is no `eventSource`, in `insightDetails` neither.
    NoEventSource,
    /// There is no `eventName`, in `insightDetails` neither.
    NoEventName,
}

impl Oddity {
    /// All of them.
    pub const ALL: [Oddity; 17] = [
        Oddity::DuplicateKey,
        Oddity::KeyCase,
        Oddity::EscapedKey,
        Oddity::ByteOrderMark,
        Oddity::InvalidUtf8,
        Oddity::BareWord,
        Oddity::TextExpected,
        Oddity::ObjectExpected,
        Oddity::ListExpected,
        Oddity::BoolExpected,
        Oddity::EventTimeFromTimestamp,
        Oddity::EventTimeOddFormat,
        Oddity::EventTimeEpoch,
        Oddity::EventTimeUnreadable,
        Oddity::NoEventId,
        Oddity::NoEventSource,
        Oddity::NoEventName,
    ];

    /// Its name in metrics and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Oddity::DuplicateKey => "duplicate_key",
            Oddity::KeyCase => "key_case",
            Oddity::EscapedKey => "escaped_key",
            Oddity::ByteOrderMark => "byte_order_mark",
            Oddity::InvalidUtf8 => "invalid_utf8",
            Oddity::BareWord => "bare_word",
            Oddity::TextExpected => "text_expected",
            Oddity::ObjectExpected => "object_expected",
            Oddity::ListExpected => "list_expected",
            Oddity::BoolExpected => "bool_expected",
            Oddity::EventTimeFromTimestamp => "event_time_from_timestamp",
            Oddity::EventTimeOddFormat => "event_time_odd_format",
            Oddity::EventTimeEpoch => "event_time_epoch",
            Oddity::EventTimeUnreadable => "event_time_unreadable",
            Oddity::NoEventId => "no_event_id",
            Oddity::NoEventSource => "no_event_source",
            Oddity::NoEventName => "no_event_name",
        }
    }
}

/// The oddities of one record: each is in it or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Oddities(u32);

impl Oddities {
    pub(super) fn add(&mut self, oddity: Oddity) {
        self.0 |= 1 << oddity as u32;
    }

    /// Whether it has this one.
    #[must_use]
    pub fn contains(self, oddity: Oddity) -> bool {
        self.0 & (1 << oddity as u32) != 0
    }

    /// Whether nothing was odd.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those it has, in the order of [`Oddity::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Oddity> {
        Oddity::ALL
            .into_iter()
            .filter(move |&oddity| self.contains(oddity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_added_once() {
        let mut set = Oddities::default();
        assert!(set.is_empty());
        for oddity in [Oddity::NoEventName, Oddity::KeyCase, Oddity::KeyCase] {
            set.add(oddity);
        }
        let held: Vec<_> = set.iter().collect();
        assert_eq!(held, [Oddity::KeyCase, Oddity::NoEventName]);
    }

    #[test]
    fn all_is_in_order_and_names_are_told_apart() {
        for (place, oddity) in Oddity::ALL.into_iter().enumerate() {
            assert_eq!(oddity as usize, place);
        }
        let names: std::collections::BTreeSet<_> = Oddity::ALL.map(Oddity::name).into();
        assert_eq!(names.len(), Oddity::ALL.len());
    }
}

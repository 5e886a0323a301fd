//! The top-level members a CloudTrail record may have, each known by number.

/// What a member should hold; `null` may stand for any of them. As a number, the byte that it
/// begins with, where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Shape {
    Text = b'"',
    Object = b'{',
    List = b'[',
    Bool = 0,
    /// Nothing can be said: times are judged where they are read.
    Any = 1,
}

macro_rules! keys {
    ($($(#[$doc:meta])* $variant:ident = $name:literal: $shape:ident,)+) => {
        /// A top-level member of a record ("CloudTrail record contents", CloudTrail user guide),
        /// and `@timestamp`, which Logstash puts in the place of `eventTime`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Key {
            $($(#[$doc])* $variant,)+
        }

        impl Key {
            /// All of them.
            pub const ALL: [Key; [$($name),+].len()] = [$(Key::$variant),+];
            const NAMES: [&'static str; Key::ALL.len()] = [$($name),+];
            /// As they stand in a record, behind another member.
            const WRITTEN: [&'static str; Key::ALL.len()] = [$(concat!(",\"", $name, "\":")),+];
            const SHAPES: [Shape; Key::ALL.len()] = [$(Shape::$shape),+];
        }
    };
}

keys! {
    /// `eventVersion`
    EventVersion = "eventVersion": Text,
    /// `userIdentity`
    UserIdentity = "userIdentity": Object,
    /// `eventTime`
    EventTime = "eventTime": Any,
    /// `eventSource`
    EventSource = "eventSource": Text,
    /// `eventName`
    EventName = "eventName": Text,
    /// `awsRegion`
    AwsRegion = "awsRegion": Text,
    /// `sourceIPAddress`
    SourceIpAddress = "sourceIPAddress": Text,
    /// `userAgent`
    UserAgent = "userAgent": Text,
    /// `errorCode`
    ErrorCode = "errorCode": Text,
    /// `errorMessage`
    ErrorMessage = "errorMessage": Text,
    /// `requestParameters`
    RequestParameters = "requestParameters": Object,
    /// `responseElements`
    ResponseElements = "responseElements": Object,
    /// `additionalEventData`
    AdditionalEventData = "additionalEventData": Object,
    /// `requestID`
    RequestId = "requestID": Text,
    /// `eventID`
    EventId = "eventID": Text,
    /// `readOnly`
    ReadOnly = "readOnly": Bool,
    /// `resources`
    Resources = "resources": List,
    /// `eventType`
    EventType = "eventType": Text,
    /// `apiVersion`
    ApiVersion = "apiVersion": Text,
    /// `managementEvent`
    ManagementEvent = "managementEvent": Bool,
    /// `recipientAccountId`
    RecipientAccountId = "recipientAccountId": Text,
    /// `serviceEventDetails`
    ServiceEventDetails = "serviceEventDetails": Object,
    /// `sharedEventID`
    SharedEventId = "sharedEventID": Text,
    /// `vpcEndpointId`
    VpcEndpointId = "vpcEndpointId": Text,
    /// `vpcEndpointAccountId`
    VpcEndpointAccountId = "vpcEndpointAccountId": Text,
    /// `eventCategory`
    EventCategory = "eventCategory": Text,
    /// `sessionCredentialFromConsole`; CloudTrail writes the text `"true"`.
    SessionCredentialFromConsole = "sessionCredentialFromConsole": Any,
    /// `edgeDeviceDetails`
    EdgeDeviceDetails = "edgeDeviceDetails": Object,
    /// `tlsDetails`
    TlsDetails = "tlsDetails": Object,
    /// `addendum`
    Addendum = "addendum": Object,
    /// `insightDetails`
    InsightDetails = "insightDetails": Object,
    /// `eventContext`
    EventContext = "eventContext": Object,
    /// `@timestamp`
    Timestamp = "@timestamp": Any,
}

impl Key {
    /// The key of this name, letter for letter.
    #[must_use]
    #[inline(always)]
    pub fn named(name: &[u8]) -> Option<Key> {
        let slot = slot_of(name)?;
        let key = SLOTS.get(slot).copied().flatten()?;
        is_same(key.name().as_bytes(), name).then_some(key)
    }

    /// The key of this name in any letter case.
    pub(super) fn named_loosely(name: &[u8]) -> Option<Key> {
        let mut all = Key::ALL.into_iter();
        all.find(|key| key.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// As CloudTrail writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Key::NAMES[self as usize]
    }

    /// The key that stands behind this one in most records: a guess saves looking for its end.
    #[inline]
    pub(super) fn usual_next(self) -> Key {
        match self {
            Key::UserAgent => Key::RequestParameters,
            Key::ResponseElements => Key::RequestId,
            Key::ReadOnly => Key::EventType,
            Key::EventType => Key::ManagementEvent,
            Key::RecipientAccountId => Key::EventCategory,
            Key::EventCategory => Key::TlsDetails,
            other => Key::ALL[(other as usize + 1) % Key::ALL.len()],
        }
    }

    /// `,"name":`
    #[inline]
    pub(super) fn written(self) -> &'static [u8] {
        Key::WRITTEN[self as usize].as_bytes()
    }

    /// Its place in a set of keys.
    pub(crate) const fn bit(self) -> u64 {
        1 << self as u32
    }

    #[inline]
    pub(super) fn shape(self) -> Shape {
        Key::SHAPES[self as usize]
    }
}

/// A perfect hash: one slot to look at, one comparison. The multiplier was found by trying; that
/// it parts all names is checked when this is compiled.
const SLOT_BITS: u32 = 6;
const SLOT_MULTIPLIER: u32 = 0x774e_1ae9;
static SLOTS: [Option<Key>; 1 << SLOT_BITS] = slots();

const fn slots() -> [Option<Key>; 1 << SLOT_BITS] {
    let mut slots = [None; 1 << SLOT_BITS];
    let mut at = 0;
    while at < Key::ALL.len() {
        let Some(slot) = slot_of(Key::NAMES[at].as_bytes()) else {
            panic!("a name is shorter than the hash reads");
        };
        assert!(slots[slot].is_none(), "two names share a slot");
        slots[slot] = Some(Key::ALL[at]);
        at += 1;
    }
    slots
}

const fn slot_of(name: &[u8]) -> Option<usize> {
    let Some(last) = name.last_chunk::<4>() else {
        return None;
    };
    let mixed = u32::from_le_bytes(*last) ^ (name.len() as u32).wrapping_mul(0x0100_0193);
    Some((mixed.wrapping_mul(SLOT_MULTIPLIER) >> (32 - SLOT_BITS)) as usize)
}

/// Whether two names are the same bytes. Eight at a time: names are too short to be worth a call.
#[inline]
pub(super) fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match (one.last_chunk::<8>(), other.last_chunk::<8>()) {
        (Some(end), Some(other_end)) => {
            let (chunks, other_chunks) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
            end == other_end && chunks.iter().zip(other_chunks).all(|(one, other)| one == other)
        }
        _ => one.iter().zip(other).all(|(one, other)| one == other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_key() {
        for key in Key::ALL {
            assert_eq!(Key::named(key.name().as_bytes()), Some(key));
            let shouted = key.name().to_ascii_uppercase();
            assert_eq!(Key::named_loosely(shouted.as_bytes()), Some(key));
        }
        for other in ["", "a", "Time", "eventtime", "eventTimes", "version", "@version"] {
            assert_eq!(Key::named(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn names_are_the_same_where_no_byte_differs() {
        let name = b"sessionCredentialFromConsole";
        for length in 0..=name.len() {
            let (one, mut other) = (&name[..length], name[..length].to_vec());
            assert!(is_same(one, &other) && !is_same(one, b"an other length of bytes!!"));
            for place in 0..length {
                other[place] ^= 1;
                assert!(!is_same(one, &other), "{length} {place}");
                other[place] ^= 1;
            }
        }
    }
}

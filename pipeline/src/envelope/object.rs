//! What one JSON object is: a record, or an envelope by the members it has.

use floodmark_detectors::record::{Key, Raw, Value};
use wide::u8x16;

use super::counts::Kind;
use super::reject::Reason;
use crate::encode::redact;

/// What an object is.
pub(super) enum Shape<'a> {
    /// A record, as far as can be seen without decoding it.
    Record,
    /// A CloudWatch Logs subscription message.
    CloudWatch,
    /// An envelope, and what it holds.
    Envelope(Kind, Value<'a>),
    /// A digest file of CloudTrail.
    Digest,
    /// Something known that holds no record.
    Refused(Reason),
}

/// What a whole object is. Members decide, in any order; what has a record's members is a record.
pub(super) fn shape(object: &[u8]) -> Shape<'_> {
    if begins_as_record(object) {
        return Shape::Record;
    }
    let object = Raw(object);
    if let [detail_type, detail] = object.pick(["detail-type", "detail"])
        && detail_type != Value::Missing
        && detail != Value::Missing
    {
        return event_bridge(detail_type, detail);
    }
    let [source, name, time, records] =
        object.pick(["eventSource", "eventName", "eventTime", "Records"]);
    if is_s3(&source) {
        return Shape::Refused(Reason::Notification("S3"));
    }
    if [source, name, time].iter().any(|value| *value != Value::Missing) {
        return Shape::Record;
    }
    if let Value::Array(list) = records {
        let first = list.elements().next().unwrap_or(Value::Missing);
        if is_s3(&first.get("eventSource")) {
            return Shape::Refused(Reason::Notification("S3"));
        }
        return Shape::Envelope(Kind::Records, records);
    }
    if let [schema, payload] = object.pick(["schema", "payload"])
        && schema != Value::Missing
        && payload != Value::Missing
    {
        return Shape::Envelope(Kind::Connect, payload);
    }
    if let [kind, events] = object.pick(["messageType", "logEvents"])
        && kind != Value::Missing
        && matches!(events, Value::Array(_))
    {
        return Shape::CloudWatch;
    }
    notice(object).unwrap_or_else(|| shipper(object))
}

/// What AWS sends that is no record.
fn notice(object: Raw<'_>) -> Option<Shape<'_>> {
    let has = |names: [&str; 3]| object.pick(names).iter().all(|value| *value != Value::Missing);
    if has(["digestStartTime", "digestEndTime", "digestS3Bucket"]) {
        return Some(Shape::Digest);
    }
    let [kind, message, bucket, keys, service, class] =
        object.pick(["Type", "Message", "s3Bucket", "s3ObjectKey", "Service", "class_uid"]);
    let is = |value: &Value<'_>, text: &str| matches!(value, Value::Text(read) if read == text);
    if bucket != Value::Missing && keys != Value::Missing {
        return Some(Shape::Refused(Reason::Notification("CloudTrail")));
    }
    if is(&service, "Amazon S3") {
        return Some(Shape::Refused(Reason::Notification("S3")));
    }
    if message != Value::Missing {
        if is(&kind, "Notification") {
            return Some(Shape::Envelope(Kind::Sns, message));
        }
        if is(&kind, "SubscriptionConfirmation") || is(&kind, "UnsubscribeConfirmation") {
            return Some(Shape::Refused(Reason::Confirmation));
        }
    }
    (class != Value::Missing).then_some(Shape::Refused(Reason::Ocsf))
}

/// A line with members of a shipper's own (Filebeat, Logstash, Fluent Bit, Vector).
fn shipper(object: Raw<'_>) -> Shape<'_> {
    let holds_json = |value: &Value<'_>| matches!(value, Value::Text(text) if text.trim_start().starts_with(['{', '[']));
    let lines = object.pick(["message", "log", "event"]);
    match lines.into_iter().find(holds_json) {
        Some(line) => Shape::Envelope(Kind::Shipper, line),
        None => Shape::Record,
    }
}

/// The detail types of CloudTrail end alike: `AWS API Call via CloudTrail`, `AWS Service Event via
/// CloudTrail`, `AWS Console Sign In via CloudTrail`, `AWS Insight via CloudTrail`. Under another
/// type, what looks like a record still is one.
fn event_bridge<'a>(detail_type: Value<'a>, detail: Value<'a>) -> Shape<'a> {
    let detail_type = detail_type.into_text().unwrap_or_default();
    let is_record = match &detail {
        Value::Object(object) => begins_as_record(object.0),
        _ => false,
    };
    if is_record || detail_type.ends_with("via CloudTrail") {
        return Shape::Envelope(Kind::EventBridge, detail);
    }
    let shown = redact::excerpt(detail_type.as_bytes(), DETAIL_TYPE_BYTES_MAX);
    Shape::Refused(Reason::OtherEvent(shown))
}

/// What is shown of a detail type, bytes.
const DETAIL_TYPE_BYTES_MAX: usize = 80;

fn is_s3(source: &Value<'_>) -> bool {
    matches!(source, Value::Text(text) if text == "aws:s3")
}

/// Whether a text is one record as it stands, by its beginning, its end, and because nothing in it
/// looks like the end of one object with another behind it. Decoding sees to the rest.
///
/// This is the way of nearly all payloads, so it has to be quick: one pass, 16 bytes at a time.
pub(super) fn is_one_record(text: &[u8]) -> bool {
    matches!(text, [b'{', .., b'}']) && begins_as_record(text) && !may_hold_several(text)
}

/// Whether an object begins with a member that records have and envelopes have not.
///
/// `eventVersion` 2 is that of S3's notifications; CloudTrail's begin with 1.
fn begins_as_record(object: &[u8]) -> bool {
    let mut rest = object;
    let mut take = |byte: u8| {
        rest = rest.trim_ascii_start();
        let taken = rest.first() == Some(&byte);
        rest = rest.get(1..).unwrap_or_default();
        taken
    };
    if !(take(b'{') && take(b'"')) {
        return false;
    }
    let name = rest.get(..rest.len().min(KEY_BYTES_MAX)).unwrap_or_default();
    let Some(name) = memchr::memchr(b'"', name).and_then(|quote| name.get(..quote)) else {
        return false;
    };
    match Key::named(name) {
        None | Some(Key::Timestamp | Key::Resources) => false,
        Some(Key::EventVersion) => {
            rest = rest.get(name.len()..).unwrap_or_default();
            let mut take = |byte: u8| {
                rest = rest.trim_ascii_start();
                let taken = rest.first() == Some(&byte);
                rest = rest.get(1..).unwrap_or_default();
                taken
            };
            !(take(b'"') && take(b':') && take(b'"') && take(b'2') && take(b'.'))
        }
        Some(_) => true,
    }
}

/// Longest name of a member that is looked up, bytes.
const KEY_BYTES_MAX: usize = 40;

/// Whether a `}` stands before a blank, a line end or a `{`: in a text without needless blanks
/// that is so only between two objects, or within a text, and then a closer look says so.
fn may_hold_several(text: &[u8]) -> bool {
    let behind = text.get(1..).unwrap_or_default();
    let (blocks, tail) = text.as_chunks::<16>();
    let (next_blocks, _) = behind.as_chunks::<16>();
    let mut found = u8x16::splat(0);
    for (block, next) in blocks.iter().zip(next_blocks) {
        let next = u8x16::from(*next);
        let begins = next.simd_eq(u8x16::splat(b'{')) | next.simd_eq(next.min(u8x16::splat(b' ')));
        found |= u8x16::from(*block).simd_eq(u8x16::splat(b'}')) & begins;
    }
    // The last whole block has no block behind it where the text ends with it.
    let checked = 16 * blocks.len().min(next_blocks.len());
    debug_assert!(text.len() - checked <= 16 + tail.len());
    let rest = text.get(checked..).unwrap_or_default();
    found.to_bitmask() != 0 || rest.windows(2).any(|two| matches!(two, [b'}', b'{' | 0..=b' ']))
}

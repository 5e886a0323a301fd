//! Records as payloads, in every envelope that is read.
//!
//! The opposite of [`envelope`](crate::envelope), written from the formats' descriptions and not
//! from our reader. A wrapping takes any number of items: records, or what another wrapping made.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};

use crate::envelope::kpl::{MAGIC, UserRecord};

/// What records are wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Wrapping {
    /// None: the record itself, and several a line each.
    Plain,
    /// gzip of that.
    Gzip,
    /// Zstandard of that.
    Zstd,
    /// What a CloudWatch Logs subscription sends, packed with gzip.
    #[value(name = "cloudwatch")]
    CloudWatch,
    /// An event of EventBridge for each record, a line each.
    #[value(name = "eventbridge")]
    EventBridge,
    /// `{"Records": [...]}`.
    Records,
    /// `[...]`.
    Array,
    /// A line each, the last one ended too.
    Ndjson,
    /// One behind the other, as Firehose leaves them.
    Concatenated,
    /// `schema` and `payload` of Kafka Connect's JSON converter for each record, a line each.
    Connect,
    /// A JSON text for each record, a line each.
    String,
    /// Aggregated as the Kinesis Producer Library does.
    Kpl,
}

impl Wrapping {
    /// Whether one payload holds one record as a rule. Several are several values a line each.
    #[must_use]
    pub fn is_single(self) -> bool {
        use Wrapping::{Connect, EventBridge, Plain, String};
        matches!(self, Plain | EventBridge | Connect | String)
    }

    /// One payload of these items. Items are JSON values; those of [`Kpl`](Wrapping::Kpl) may be
    /// any bytes.
    #[must_use]
    pub fn wrap(self, items: &[impl AsRef<[u8]>]) -> Vec<u8> {
        match self {
            Wrapping::Plain => joined(items, b"\n"),
            Wrapping::Gzip => gzip(&joined(items, b"\n")),
            Wrapping::Zstd => zstd(&joined(items, b"\n")),
            Wrapping::CloudWatch => gzip(&cloud_watch(items)),
            Wrapping::EventBridge => lines(items, event_bridge),
            Wrapping::Records => [&b"{\"Records\":["[..], &joined(items, b","), b"]}"].concat(),
            Wrapping::Array => [&b"["[..], &joined(items, b","), b"]"].concat(),
            Wrapping::Ndjson => [&joined(items, b"\n")[..], b"\n"].concat(),
            Wrapping::Concatenated => joined(items, b""),
            Wrapping::Connect => lines(items, connect),
            Wrapping::String => lines(items, string),
            Wrapping::Kpl => {
                let keys: Vec<_> = (0..items.len()).map(|n| format!("key-{}", n % 16)).collect();
                let records: Vec<_> = std::iter::zip(items, &keys)
                    .map(|(item, key)| UserRecord {
                        sub_sequence: 0,
                        partition_key: Some(key),
                        explicit_hash_key: None,
                        data: item.as_ref(),
                    })
                    .collect();
                aggregate(&records)
            }
        }
    }
}

/// One member of gzip.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a Vec takes all")
}

/// One frame of Zstandard.
#[must_use]
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, zstd::DEFAULT_COMPRESSION_LEVEL).expect("a Vec takes all")
}

/// A subscription message of CloudWatch Logs before gzip, with a log event for each item. Items are
/// UTF-8; what is not is replaced.
#[must_use]
pub fn cloud_watch(items: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut message = br#"{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"CloudTrail/logs","logStream":"111122223333_CloudTrail_us-east-1","subscriptionFilters":["floodmark"],"logEvents":["#.to_vec();
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            message.push(b',');
        }
        let head = format!("{{\"id\":\"{n:056}\",\"timestamp\":1795597200000,\"message\":");
        message.extend_from_slice(head.as_bytes());
        message.extend_from_slice(&string(item.as_ref()));
        message.push(b'}');
    }
    message.extend_from_slice(b"]}");
    message
}

/// An event of EventBridge with this JSON in its `detail`.
#[must_use]
pub fn event_bridge(detail: &[u8]) -> Vec<u8> {
    let head = br#"{"version":"0","id":"6a7e8feb-b491-4cf7-a9f1-bf3703467718","detail-type":"AWS API Call via CloudTrail","source":"aws.sagemaker","account":"111122223333","time":"2026-11-25T09:00:00Z","region":"us-east-1","resources":[],"detail":"#;
    [&head[..], detail, b"}"].concat()
}

/// What Kafka Connect's JSON converter makes of a text.
#[must_use]
pub fn connect(text: &[u8]) -> Vec<u8> {
    let head = br#"{"schema":{"type":"string","optional":false},"payload":"#;
    [&head[..], &string(text), b"}"].concat()
}

/// A JSON text. What is no UTF-8 is replaced.
#[must_use]
pub fn string(text: &[u8]) -> Vec<u8> {
    serde_json::to_vec(&String::from_utf8_lossy(text)).expect("a text is JSON")
}

/// Base64 in a JSON text, as JSON converters write bytes.
#[must_use]
pub fn base64_string(bytes: &[u8]) -> Vec<u8> {
    format!("\"{}\"", STANDARD.encode(bytes)).into_bytes()
}

/// One payload as the Kinesis Producer Library aggregates user records; their numbers are those
/// of their places here. A record without a partition key gets an empty one: it must have one.
#[must_use]
pub fn aggregate(records: &[UserRecord<'_>]) -> Vec<u8> {
    let (mut partition_keys, mut explicit_hash_keys) = (Vec::new(), Vec::new());
    let mut fields = Vec::new();
    for record in records {
        let key = place(&mut partition_keys, record.partition_key.unwrap_or_default());
        let mut field = Vec::new();
        put_number(&mut field, 1, key);
        if let Some(explicit) = record.explicit_hash_key {
            put_number(&mut field, 2, place(&mut explicit_hash_keys, explicit));
        }
        put_bytes(&mut field, 3, record.data);
        put_bytes(&mut fields, 3, &field);
    }
    let mut message = Vec::new();
    partition_keys.iter().for_each(|key| put_bytes(&mut message, 1, key.as_bytes()));
    explicit_hash_keys.iter().for_each(|key| put_bytes(&mut message, 2, key.as_bytes()));
    message.extend_from_slice(&fields);
    [&MAGIC[..], &message, &Md5::digest(&message)[..]].concat()
}

/// The place of a key in its table, which gets it if it is new.
fn place<'k>(table: &mut Vec<&'k str>, key: &'k str) -> u64 {
    let place = table.iter().position(|known| *known == key).unwrap_or_else(|| {
        table.push(key);
        table.len() - 1
    });
    place as u64
}

fn put_number(message: &mut Vec<u8>, field: u64, number: u64) {
    put_varint(message, field << 3);
    put_varint(message, number);
}

fn put_bytes(message: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(message, field << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn joined(items: &[impl AsRef<[u8]>], between: &[u8]) -> Vec<u8> {
    let items: Vec<&[u8]> = items.iter().map(AsRef::as_ref).collect();
    items.join(between)
}

fn lines(items: &[impl AsRef<[u8]>], wrap: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let wrapped: Vec<Vec<u8>> = items.iter().map(|item| wrap(item.as_ref())).collect();
    joined(&wrapped, b"\n")
}

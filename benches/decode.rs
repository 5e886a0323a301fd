//! How fast a record is decoded, and seventeen of its fields read, against `serde_json`.
//!
//! All three read the same records and the same fields as text: `floodmark` as the engine does,
//! `serde_typed` into a struct that borrows what it can and leaves `requestParameters` raw (the
//! fastest that serde offers), `serde_value` into a tree.

use std::borrow::Cow;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use floodmark::generate::{Plan, deliveries};
use floodmark_detectors::record::{Key, Record};
use serde::Deserialize;
use serde_json::value::RawValue;

const RECORDS: usize = 2_000;

fn decode(criterion: &mut Criterion) {
    let plan = Plan { records: RECORDS as u64, ..Plan::default() };
    let delivered = deliveries(&plan).take(RECORDS);
    let records: Vec<Vec<u8>> = delivered.map(|delivered| delivered.record).collect();
    for record in &records {
        let all = [floodmark(record), serde_typed(record), serde_value(record)];
        assert!(all.iter().all(|length| *length == all[0] && *length > 0), "all read the same");
    }
    let bytes: usize = records.iter().map(Vec::len).sum();
    println!("mean record: {} bytes", bytes / RECORDS);

    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for (name, read) in [
        ("floodmark", floodmark as fn(&[u8]) -> usize),
        ("serde_typed", serde_typed),
        ("serde_value", serde_value),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| records.iter().map(|record| read(black_box(record))).sum::<usize>());
        });
    }
    group.finish();
}

/// The length of a text, which may not be left unread.
fn length(text: Option<&str>) -> usize {
    text.map_or(0, |text| black_box(text).len())
}

fn floodmark(bytes: &[u8]) -> usize {
    let record = Record::decode(bytes).expect("the record is well-formed");
    let [kind, arn, principal_id, account_id, access_key_id, context] = record
        .value(Key::UserIdentity)
        .pick(["type", "arn", "principalId", "accountId", "accessKeyId", "sessionContext"]);
    let issuer_arn = context.get("sessionIssuer").get("arn");
    let top = [
        Key::EventTime,
        Key::EventSource,
        Key::EventName,
        Key::AwsRegion,
        Key::SourceIpAddress,
        Key::UserAgent,
        Key::ErrorCode,
        Key::EventId,
        Key::ReadOnly,
        Key::EventType,
        Key::RecipientAccountId,
    ];
    black_box(record.time());
    black_box(record.value(Key::RequestParameters));
    let identity = [kind, arn, principal_id, account_id, access_key_id, issuer_arn];
    let top: usize = top.iter().map(|key| length(record.text(*key).as_deref())).sum();
    let identity = identity.into_iter().map(|value| length(value.into_text().as_deref()));
    top + identity.sum::<usize>()
}

/// A text that is borrowed where nothing in it is escaped (`Option<Cow<str>>` always copies).
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed<'a> {
    #[serde(borrow)]
    event_time: Option<Text<'a>>,
    event_source: Option<Text<'a>>,
    event_name: Option<Text<'a>>,
    aws_region: Option<Text<'a>>,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: Option<Text<'a>>,
    user_agent: Option<Text<'a>>,
    error_code: Option<Text<'a>>,
    #[serde(rename = "eventID")]
    event_id: Option<Text<'a>>,
    read_only: Option<bool>,
    event_type: Option<Text<'a>>,
    recipient_account_id: Option<Text<'a>>,
    user_identity: Option<Identity<'a>>,
    request_parameters: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    arn: Option<Text<'a>>,
    principal_id: Option<Text<'a>>,
    account_id: Option<Text<'a>>,
    access_key_id: Option<Text<'a>>,
    session_context: Option<Context<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    #[serde(borrow)]
    session_issuer: Option<Issuer<'a>>,
}

#[derive(Deserialize)]
struct Issuer<'a> {
    #[serde(borrow)]
    arn: Option<Text<'a>>,
}

fn serde_typed(bytes: &[u8]) -> usize {
    let record: Typed<'_> = serde_json::from_slice(bytes).expect("the record is well-formed");
    black_box(record.request_parameters);
    let read_only = record.read_only.map(|read_only| Text(read_only.to_string().into()));
    let identity = record.user_identity.expect("there is one");
    let issuer = identity.session_context.and_then(|context| context.session_issuer);
    let issuer_arn = issuer.and_then(|issuer| issuer.arn);
    let texts = [
        &record.event_time,
        &record.event_source,
        &record.event_name,
        &record.aws_region,
        &record.source_ip_address,
        &record.user_agent,
        &record.error_code,
        &record.event_id,
        &read_only,
        &record.event_type,
        &record.recipient_account_id,
        &identity.kind,
        &identity.arn,
        &identity.principal_id,
        &identity.account_id,
        &identity.access_key_id,
        &issuer_arn,
    ];
    texts.iter().map(|text| length(text.as_ref().map(|text| text.0.as_ref()))).sum()
}

fn serde_value(bytes: &[u8]) -> usize {
    let record: serde_json::Value = serde_json::from_slice(bytes).expect("it is well-formed");
    let pointers = [
        "/eventTime",
        "/eventSource",
        "/eventName",
        "/awsRegion",
        "/sourceIPAddress",
        "/userAgent",
        "/errorCode",
        "/eventID",
        "/readOnly",
        "/eventType",
        "/recipientAccountId",
        "/userIdentity/type",
        "/userIdentity/arn",
        "/userIdentity/principalId",
        "/userIdentity/accountId",
        "/userIdentity/accessKeyId",
        "/userIdentity/sessionContext/sessionIssuer/arn",
    ];
    black_box(&record["requestParameters"]);
    let texts = pointers.iter().map(|pointer| match record.pointer(pointer) {
        None => 0,
        Some(serde_json::Value::String(text)) => length(Some(text)),
        Some(other) => length(Some(&other.to_string())),
    });
    texts.sum()
}

criterion_group!(benches, decode);
criterion_main!(benches);

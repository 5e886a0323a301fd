//! How fast a record is decoded, and seventeen of its fields read, against `serde_json`.
//!
//! All three read the same records and the same fields as text: `floodmark` as the engine does,
//! `serde_typed` into a struct that borrows what it can and leaves `requestParameters` raw (the
//! fastest that serde offers), `serde_value` into a tree.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use floodmark_detectors::record::{Key, Record};
use serde::Deserialize;
use serde_json::value::RawValue;

const RECORDS: usize = 2_000;

fn decode(criterion: &mut Criterion) {
    let records: Vec<Vec<u8>> = (0..RECORDS).map(|n| record(n).into_bytes()).collect();
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

/// The length of all texts together, so that none of them may be left unread.
fn length<'a>(texts: impl IntoIterator<Item = Option<Cow<'a, str>>>) -> usize {
    let texts = texts.into_iter().flatten();
    texts.map(|text| black_box(text).len()).sum()
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
    length(top.map(|key| record.text(key))) + length(identity.map(|value| value.into_text()))
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
    let texts = [
        record.event_time,
        record.event_source,
        record.event_name,
        record.aws_region,
        record.source_ip_address,
        record.user_agent,
        record.error_code,
        record.event_id,
        read_only,
        record.event_type,
        record.recipient_account_id,
        identity.kind,
        identity.arn,
        identity.principal_id,
        identity.account_id,
        identity.access_key_id,
        issuer.and_then(|issuer| issuer.arn),
    ];
    length(texts.map(|text| text.map(|text| text.0)))
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
    length(pointers.map(|pointer| match record.pointer(pointer)? {
        serde_json::Value::String(text) => Some(Cow::Borrowed(text.as_str())),
        other => Some(Cow::Owned(other.to_string())),
    }))
}

/// One record of an organisation at work: mostly sessions of roles, some users, some services;
/// one in eight denied; request and response from small to large.
fn record(n: usize) -> String {
    let account = 111_111_111_111 + (n % 300) as u64 * 2_654_435;
    let (source, name, read_only) = [
        ("sagemaker.amazonaws.com", "CreateTrainingJob", false),
        ("s3.amazonaws.com", "GetObject", true),
        ("kms.amazonaws.com", "Decrypt", true),
        ("ec2.amazonaws.com", "DescribeInstances", true),
        ("sts.amazonaws.com", "AssumeRole", true),
    ][n % 5];
    let (role, id) = (format!("role-{}", n % 97), n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let identity = match n % 10 {
        0 => format!(
            r#"{{"type":"IAMUser","principalId":"AIDA{id:016X}","arn":"arn:aws:iam::{account}:user/user-{n}","accountId":"{account}","accessKeyId":"AKIA{id:016X}","userName":"user-{n}"}}"#
        ),
        1 => format!(r#"{{"type":"AWSService","invokedBy":"{source}"}}"#),
        _ => format!(
            r#"{{"type":"AssumedRole","principalId":"AROA{id:016X}:session-{n}","arn":"arn:aws:sts::{account}:assumed-role/{role}/session-{n}","accountId":"{account}","accessKeyId":"ASIA{id:016X}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROA{id:016X}","arn":"arn:aws:iam::{account}:role/{role}","accountId":"{account}","userName":"{role}"}},"webIdFederationData":{{}},"attributes":{{"creationDate":"2026-01-31T23:00:00Z","mfaAuthenticated":"false"}}}}}}"#
        ),
    };
    let error = match n % 8 {
        3 => format!(
            r#""errorCode":"AccessDenied","errorMessage":"User: arn:aws:sts::{account}:assumed-role/{role}/session-{n} is not authorized to perform: {name} because no identity-based policy allows the action","#
        ),
        _ => String::new(),
    };
    let mut request = String::from("{");
    for part in 0..n % 4 {
        write!(
            request,
            r#""part{part}":{{"name":"job-{n}-{part}","uri":"s3://bucket-{part}/prefix/{id:x}/","settings":{{"instanceType":"ml.p4d.24xlarge","instanceCount":{part},"volumeSizeInGB":50}},"policy":"{{\"Effect\":\"Allow\"}}"}},"#
        )
        .expect("a String takes all");
    }
    write!(request, r#""name":"job-{n}","tags":[{{"key":"team","value":"t{n}"}}]}}"#)
        .expect("a String takes all");
    let response = match n % 3 {
        0 => "null".to_owned(),
        _ => format!(r#"{{"jobArn":"arn:aws:sagemaker:eu-west-1:{account}:job/{n}"}}"#),
    };
    format!(
        r#"{{"eventVersion":"1.09","userIdentity":{identity},"eventTime":"2026-01-31T23:{:02}:{:02}Z","eventSource":"{source}","eventName":"{name}","awsRegion":"eu-west-1","sourceIPAddress":"198.51.100.{}","userAgent":"Boto3/1.34.144 md/Botocore#1.34.144 ua/2.0 os/linux#5.10.219 md/arch#x86_64 lang/python#3.11.9 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.34.144",{error}"requestParameters":{request},"responseElements":{response},"additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"ECDHE-RSA-AES128-GCM-SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"RBVZE1aP5ZIWKUdG1hjRObcaPvsi1R4sMQr7GV+WPWocwL/I0cZVMkXnNBc55YA7mS056DtQDEI=","bytesTransferredOut":375}},"requestID":"{id:08x}-af4f-4d4c-9d3e-{n:012x}","eventID":"{n:08x}-6a3e-4f0e-8a53-{id:016x}","readOnly":{read_only},"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{account}","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{source}"}}}}"#,
        n / 60 % 60,
        n % 60,
        n % 254 + 1,
    )
}

criterion_group!(benches, decode);
criterion_main!(benches);

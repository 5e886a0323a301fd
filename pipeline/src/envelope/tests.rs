//! Whole payloads, in every envelope and in any nesting of them, whole and broken.
#![allow(clippy::unwrap_used)]

use std::io::Write;

use clap::ValueEnum;
use flate2::{Compression, write::GzEncoder};
use floodmark_detectors::record::Record;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::generate::{
    Wrapping, aggregate, base64_string, cloud_watch, connect, event_bridge, gzip, string, zstd,
};
use crate::open::{Opened, Reject};
use crate::source::batch::Batch;

/// What a payload comes to.
struct Outcome {
    records: Vec<Vec<u8>>,
    rejects: Vec<Reject>,
    counts: Counts,
}

impl Outcome {
    fn reasons(&self) -> Vec<&str> {
        self.rejects.iter().map(|reject| reject.reason.as_str()).collect()
    }
}

fn open(payload: &[u8]) -> Outcome {
    let mut batch = Batch::of(0);
    batch.push(7, payload);
    let (mut opened, mut rejects) = (Opened::default(), Vec::new());
    opened.open(0, "stream", &batch, &mut rejects);
    let records = opened.records(&batch).map(|(offset, bytes)| {
        assert_eq!(offset, 7);
        bytes.to_vec()
    });
    let (records, counts) = (records.collect::<Vec<_>>(), *opened.counts());
    assert_eq!(counts.records, records.len() as u64);
    assert!(counts.rejects >= rejects.len().min(REJECTS_TOLD_MAX as usize) as u64);
    Outcome { records, rejects, counts }
}

fn record(n: u64) -> Vec<u8> {
    let text = "quoted \\\"text\\\", a path C:\\\\x, \\u00e9\\n, {} and }{ as text";
    format!(
        "{{\"eventVersion\":\"1.11\",\"userIdentity\":{{\"type\":\"Root\"}},\
         \"eventTime\":\"2026-11-25T09:00:00Z\",\"eventSource\":\"sagemaker.amazonaws.com\",\
         \"eventName\":\"CreateTrainingJob\",\"requestParameters\":{{\"x\":\"{text}\"}},\
         \"eventID\":\"{n:036}\"}}"
    )
    .into_bytes()
}

fn records(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(record).collect()
}

#[test]
fn every_wrapping_gives_its_records_back() {
    for wrapping in Wrapping::value_variants() {
        for count in [1, 2, 50] {
            let records = records(count);
            let outcome = open(&wrapping.wrap(&records));
            assert_eq!(outcome.reasons(), [""; 0], "{wrapping:?}");
            assert!(outcome.records == records, "{wrapping:?} of {count}");
        }
    }
}

#[test]
fn envelopes_are_counted_by_kind() {
    let records = records(3);
    let bytes: u64 = records.iter().map(|record| record.len() as u64).sum();
    let payload = Wrapping::Kpl.wrap(&[Wrapping::CloudWatch.wrap(&records)]);
    let counts = open(&payload).counts;
    let [kpl, packed, cloud_watch] =
        [Kind::Kpl, Kind::Gzip, Kind::CloudWatch].map(|kind| counts.of(kind));
    assert_eq!((kpl.count, kpl.bytes_in), (1, payload.len() as u64));
    assert_eq!((packed.count, packed.bytes_in), (1, kpl.bytes_out));
    assert_eq!((cloud_watch.count, cloud_watch.bytes_in), (1, packed.bytes_out));
    assert_eq!(cloud_watch.bytes_out, bytes);
    let mut sum = counts;
    sum.add(&counts);
    assert_eq!((sum.records, sum.of(Kind::Kpl).count), (6, 2));
    for (n, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, n);
    }
}

#[test]
fn a_plain_record_is_handed_on_where_it_lies() {
    let record = record(1);
    let mut batch = Batch::of(0);
    batch.push(0, &record);
    let mut opened = Opened::default();
    opened.open(0, "stream", &batch, &mut Vec::new());
    let (_, payload) = batch.payloads().next().unwrap();
    let (_, bytes) = opened.records(&batch).next().unwrap();
    assert!(std::ptr::eq(payload, bytes));
    for payload in
        [[&record[..], b"\n"].concat(), [b"\xef\xbb\xbf ", &record[..], b"\r\n "].concat()]
    {
        assert_eq!(open(&payload).records, [&record[..]], "blanks around it are none of it");
    }
    let pretty = String::from_utf8(record).unwrap().replace(",\"", ",\n  \"");
    assert_eq!(open(pretty.as_bytes()).records, [pretty.as_bytes()]);
}

#[test]
fn sub_sequences_are_those_of_the_payload() {
    let two = Wrapping::Ndjson.wrap(&records(2));
    let payload = Wrapping::Kpl.wrap(&[record(9), two, b"{\"cut".to_vec(), record(8)]);
    let mut batch = Batch::of(0);
    batch.push(1, &record(7));
    batch.push(2, &payload);
    batch.push(3, &gzip(&payload));
    let (mut opened, mut rejects) = (Opened::default(), Vec::new());
    opened.open(0, "stream", &batch, &mut rejects);
    let offsets: Vec<u64> = opened.records(&batch).map(|(offset, _)| offset).collect();
    assert_eq!(offsets, [1, 2, 2, 2, 2, 3, 3, 3, 3]);
    assert_eq!(opened.sub_sequences().collect::<Vec<_>>(), [0, 0, 1, 1, 3, 0, 0, 0, 0]);
    assert_eq!(rejects.len(), 2);
    assert_eq!((rejects[0].offset, rejects[1].offset), (2, 3));
    assert!(rejects[0].reason.ends_with(" (user record 2)"), "{rejects:?}");
}

#[test]
fn what_holds_no_records_is_counted_or_refused_with_advice() {
    let control = br#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1794045600000,"message":"CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."}]}"#;
    let reordered = br#"{"owner":"CloudwatchLogs","logEvents":[{"id":"","message":"CWL CONTROL MESSAGE: Checking"}],"messageType":"CONTROL_MESSAGE"}"#;
    for payload in [&control[..], &gzip(control), reordered] {
        let outcome = open(payload);
        assert_eq!((outcome.records.len(), outcome.rejects), (0, vec![]));
        assert_eq!(outcome.counts.control_messages, 1);
    }
    let digest = br#"{"awsAccountId":"111122223333","digestStartTime":"2026-11-25T08:00:00Z","digestEndTime":"2026-11-25T09:00:00Z","digestS3Bucket":"b","logFiles":[]}"#;
    let outcome = open(&[&digest[..], b"\n", &record(1)].concat());
    assert_eq!((outcome.records, outcome.rejects), (vec![record(1)], vec![]));
    assert_eq!(outcome.counts.digests, 1);

    let s3 = br#"{"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventTime": "2026-11-07T10:05:00.000Z", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}}}]}"#;
    let pointer = br#"{"s3Bucket": "b", "s3ObjectKey": ["AWSLogs/1/CloudTrail/x.json.gz"]}"#;
    let sns = |message: &[u8]| {
        let message = String::from_utf8_lossy(&string(message)).into_owned();
        format!("{{\"Type\" : \"Notification\", \"MessageId\" : \"m\", \"Message\" : {message}}}")
    };
    let element = br#"{"eventVersion":"2.1","eventSource":"aws:s3","eventTime":"2026-11-07T10:05:00.000Z","s3":{}}"#;
    let other = br#"{"version":"0","id":"e","detail-type":"SageMaker Training Job State Change","time":"2026-11-25T09:00:00Z","detail":{"TrainingJobName":"j"}}"#;
    for (payload, advice) in [
        (&s3[..], "notification of S3 that names files"),
        (element, "notification of S3 that names files"),
        (br#"{"awsRegion":"x","Records":[{"eventSource":"aws:s3"}]}"#, ""),
        (br#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#, "notification of S3"),
        (pointer, "notification of CloudTrail that names files"),
        (sns(s3).as_bytes(), "notification of S3 that names files"),
        (sns(pointer).as_bytes(), "notification of CloudTrail that names files"),
        (br#"{"Type":"SubscriptionConfirmation","Message":"confirm","Token":"t"}"#, "SNS asks"),
        (other, "EventBridge event `SageMaker Training Job State Change` is not from CloudTrail"),
        (br#"{"metadata":{},"class_uid":6003,"time":1}"#, "OCSF"),
        (b" \n", "empty payload"),
        (b"", "empty payload"),
        (b"\x1e\n\x1e", "empty payload"),
        (b"\xef\xbb\xbf\xef\xbb\xbf", "empty payload"),
        (b"hello", "not a JSON object"),
        (b"\"hello\"", "not a JSON object"),
        (br#"{"schema":{},"payload":null}"#, "not a JSON object"),
    ] {
        let outcome = open(payload);
        let shown = String::from_utf8_lossy(payload);
        if advice.is_empty() {
            assert_eq!(outcome.records.len(), 1, "decoding judges {shown}");
            continue;
        }
        assert_eq!(outcome.records.len(), 0, "{shown}");
        assert_eq!(outcome.rejects.len(), 1, "{shown}");
        assert!(outcome.rejects[0].reason.contains(advice), "{:?}", outcome.rejects);
        assert_eq!((outcome.rejects[0].input.as_str(), outcome.rejects[0].offset), ("stream", 7));
    }
    assert_eq!(open(sns(&record(1)).as_bytes()).records, [record(1)]);
}

#[test]
fn envelopes_in_the_forms_they_have_in_the_field() {
    let [a, b] = [record(1), record(2)];
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (one, two) = (text(&a), text(&b));
    let quoted = text(&string(&a));
    let insight = r#"{"eventVersion":"1.08","eventTime":"2026-11-25T09:00:00Z","awsRegion":"us-east-1","eventID":"i","eventType":"AwsCloudTrailInsight","recipientAccountId":"111122223333","insightDetails":{"state":"Start","eventSource":"sagemaker.amazonaws.com","eventName":"CreateTrainingJob"},"eventCategory":"Insight"}"#;
    assert_eq!(open(insight.as_bytes()).records, [insight.as_bytes()]);
    assert_eq!(open(&event_bridge(insight.as_bytes())).records, [insight.as_bytes()]);
    for payload in [
        format!("{{\"schema\":{{}},\"payload\":{one}}}"),
        format!("{{\"schema\":{{\"type\":\"bytes\"}},\"payload\":{}}}", text(&base64_string(&a))),
        text(&base64_string(&gzip(&a))).trim_matches('"').to_owned(),
        format!("{{ \"detail\": {one}, \"detail-type\": \"AWS API Call via CloudTrail\" }}"),
        format!("{{\"detail-type\":\"renamed\",\"detail\":{one}}}"),
        format!("{{\"@timestamp\":\"2026-11-25T09:00:00Z\",\"message\":{quoted},\"host\":\"h\"}}"),
        format!("{{\"date\":1.5,\"log\":{quoted}}}"),
        text(&string(&string(&a))),
        format!("{{\"nextToken\":\"x\",\"Records\":[{one}]}}"),
        format!(
            "{{\"policyLevel\":\"ACCOUNT_LEVEL_POLICY\",\"messageType\":\"DATA_MESSAGE\",\"logEvents\":[{{\"id\":\"1\",\"message\":{quoted}}}]}}"
        ),
        format!(
            "{{\"owner\" : \"1\", \"logEvents\" : [ {{ \"message\" : {quoted} , \"extractedFields\" : {{\"a\":[\"}}\"]}} }} ] , \"messageType\" : \"DATA_MESSAGE\" }}"
        ),
        format!(
            "{{\"messageType\":\"DATA_MESSAGE\",\"logEvents\":[{{\"id\":\"1\",\"message\":{one}}}]}}"
        ),
    ] {
        let outcome = open(payload.as_bytes());
        assert_eq!(outcome.reasons(), [""; 0], "{payload}");
        assert_eq!(outcome.records, [&a[..]], "{payload}");
    }
    let both = [a.clone(), b.clone()];
    for payload in [
        format!("{{\"schema\":{{}},\"payload\":[{one},{two}]}}"),
        format!("{one} {two}"),
        format!("[{quoted}]\n{two}"),
        format!("{quoted}\n{}", text(&string(&b))),
        text(&[cloud_watch(&both[..1]), cloud_watch(&both[1..])].concat()),
        text(&[cloud_watch(&both[..1]), cloud_watch(&both[1..])].join(&b'\n')),
        format!("[{},{}]", text(&cloud_watch(&both[..1])), text(&event_bridge(&b))),
        format!("{one}\n{}", text(&cloud_watch(&both[1..]))),
    ] {
        let outcome = open(payload.as_bytes());
        assert_eq!(outcome.reasons(), [""; 0], "{payload}");
        assert_eq!(outcome.records, both, "{payload}");
    }
    let members = [gzip(&Wrapping::Ndjson.wrap(&both[..1])), gzip(&b)].concat();
    assert_eq!(open(&members).records, both);
    let frames = [zstd(&Wrapping::Ndjson.wrap(&both[..1])), zstd(&b)].concat();
    assert_eq!(open(&frames).records, both);
}

#[test]
fn a_half_broken_payload_gives_its_good_half() {
    let records = records(4);
    let whole = cloud_watch(&records);
    let begins: Vec<usize> = memchr::memmem::find_iter(&whole, b"{\"id\"").collect();

    let cut = &whole[..begins[3] + 200];
    let outcome = open(cut);
    assert_eq!(outcome.records, records[..3]);
    assert_eq!(outcome.reasons(), ["input ends before the record does"]);

    let mut broken = whole.clone();
    broken[begins[1] + 5] = b'!';
    let outcome = open(&broken);
    assert_eq!(outcome.records, [&records[..1], &records[2..]].concat());
    assert_eq!(outcome.reasons(), ["not a JSON object"]);

    // Of several a line each, one cut in the middle of a message.
    let lines = [&cloud_watch(&records[..1])[..], cut, &cloud_watch(&records[3..])].join(&b'\n');
    let outcome = open(&lines);
    let expected = [&records[..1], &records[..3], &records[3..]].concat();
    assert_eq!(outcome.records, expected);
    assert_eq!(outcome.reasons(), ["line ends inside a text"]);

    // Text of log groups that hold other things too.
    let mixed = cloud_watch(&[&records[0][..], b"START RequestId", &records[1]]);
    let outcome = open(&mixed);
    assert_eq!((outcome.records.len(), outcome.rejects.len()), (2, 1));

    let packed = gzip(&Wrapping::Ndjson.wrap(&records));
    let outcome = open(&packed[..packed.len() - 4]);
    assert_eq!(outcome.records, records);
    assert!(outcome.reasons()[0].starts_with("cannot read on"), "{:?}", outcome.rejects);

    let array = Wrapping::Array.wrap(&records);
    let outcome = open(&array[..array.len() - 10]);
    assert_eq!(outcome.records, records[..3]);
    assert!(!outcome.rejects.is_empty());
    let outcome = open(&string(&array[..array.len() - 10]));
    assert_eq!(outcome.records, records[..3]);
    let text = string(&array);
    let outcome = open(&text[..text.len() - 30]);
    assert_eq!(outcome.records, records[..3]);
    assert!(!outcome.rejects.is_empty());

    let texts = Wrapping::String.wrap(&records);
    let newline = memchr::memchr(b'\n', &texts).unwrap();
    let mut lines = texts.clone();
    lines.drain(newline - 9..newline);
    let outcome = open(&lines);
    assert_eq!(outcome.records, records[1..]);
    assert!(!outcome.rejects.is_empty());

    let mut aggregated = Wrapping::Kpl.wrap(&records);
    let last = aggregated.len() - 1;
    aggregated[last] ^= 1;
    let outcome = open(&aggregated);
    assert_eq!(outcome.records, records, "an ordinary payload with objects between other bytes");
    assert!(!outcome.rejects.is_empty());
    assert_eq!(outcome.counts.of(Kind::Kpl), Tally::default());
}

#[test]
fn limits_hold_and_are_told() {
    let blank = vec![b' '; 24 << 20];
    let mut tight = GzEncoder::new(Vec::new(), Compression::best());
    tight.write_all(&blank).unwrap();
    for (bomb, limit) in [
        (tight.finish().unwrap(), "inflates to more than 500 times its size"),
        (zstd(&blank), "inflates to more than 500 times its size"),
        (gzip(&blank).repeat(6), "inflates to more than 134217728 bytes"),
    ] {
        let outcome = open(&bomb);
        assert_eq!(outcome.records.len(), 0);
        assert!(outcome.reasons().contains(&limit), "{:?}", outcome.rejects);
    }

    // Many small bombs: together they may not exceed what one payload may come to.
    let some = gzip(&blank[..12 << 20]);
    let payload = Wrapping::Kpl.wrap(&vec![some; 12]);
    let outcome = open(&payload);
    let inflated = outcome.counts.of(Kind::Gzip).bytes_out;
    assert!(inflated <= INFLATED_BYTES_MAX + (1 << 20), "{inflated}");
    assert!(outcome.reasons().iter().any(|reason| reason.starts_with("inflates to more than")));

    let mut deep = record(1);
    for level in 1..=LEVELS_MAX + 3 {
        deep = gzip(&deep);
        let outcome = open(&deep);
        if level <= LEVELS_MAX {
            assert_eq!(outcome.records, [record(1)], "{level}");
        } else {
            assert_eq!(outcome.records.len(), 0);
            assert_eq!(outcome.reasons(), ["envelopes nested deeper than 8"]);
        }
    }

    let many = "{}".repeat(PARTS_MAX + 1);
    let outcome = open(many.as_bytes());
    assert_eq!(outcome.records.len(), PARTS_MAX);
    assert_eq!(outcome.reasons(), ["more than 100000 records in one payload"]);
    let exactly = open("{}".repeat(PARTS_MAX - 1).as_bytes());
    assert_eq!((exactly.records.len(), exactly.rejects.len()), (PARTS_MAX - 1, 0));

    let outcome = open("12\n".repeat(1_000).as_bytes());
    assert_eq!(outcome.rejects.len() as u64, REJECTS_TOLD_MAX + 1);
    assert_eq!(
        *outcome.reasons().last().unwrap(),
        "900 more stretches of this payload give no record"
    );
    assert_eq!(outcome.counts.rejects, 1_000);
}

#[test]
fn a_batch_is_opened_in_parts_where_it_holds_much() {
    let lines = Wrapping::Ndjson.wrap(&vec![vec![b' '; 100 << 10]; 30]);
    let payload = gzip(&[&lines[..], &record(1)].concat());
    let mut batch = Batch::of(0);
    for offset in 0..4 {
        batch.push(offset, &payload);
    }
    let mut opened = Opened::default();
    let (mut next, mut parts, mut found) = (0, 0, 0);
    while next < batch.len() {
        next = opened.open(next, "stream", &batch, &mut Vec::new());
        parts += 1;
        found += opened.records(&batch).count();
    }
    assert_eq!((parts, found), (2, 4));
}

/// What a payload may be put into.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Form {
    Bytes,
    /// UTF-8, several values.
    Text,
    /// One JSON object.
    Object,
}

/// Some records in a random nesting of at most so many envelopes.
fn nested(rng: &mut StdRng, levels: usize, next: &mut u64) -> (Vec<u8>, Vec<Vec<u8>>, Form) {
    if levels == 0 || rng.random_ratio(1, 6) {
        *next += 1;
        return (record(*next), vec![record(*next)], Form::Object);
    }
    let count = rng.random_range(1..4);
    let inner: Vec<_> = (0..count).map(|_| nested(rng, levels - 1, next)).collect();
    let form = if inner.iter().all(|(_, _, form)| *form == Form::Object) {
        Form::Object
    } else if inner.iter().all(|(_, _, form)| *form != Form::Bytes) {
        Form::Text
    } else {
        Form::Bytes
    };
    let items: Vec<Vec<u8>> = inner.iter().map(|(payload, _, _)| payload.clone()).collect();
    let records = inner.into_iter().flat_map(|(_, records, _)| records).collect();
    let one_line: Vec<Vec<u8>> = items.iter().map(|item| string(item)).collect();
    let (payload, form) = match (form, rng.random_range(0..9)) {
        (Form::Object, 0) => (Wrapping::Records.wrap(&items), Form::Object),
        (Form::Object, 1) => (Wrapping::Array.wrap(&items), Form::Text),
        (Form::Object, 2) => (Wrapping::Concatenated.wrap(&items), Form::Text),
        (Form::Object, 3) => (Wrapping::Ndjson.wrap(&items), Form::Text),
        (Form::Object, 4) if items.len() == 1 => (event_bridge(&items[0]), Form::Object),
        (Form::Object | Form::Text, 5) => (cloud_watch(&items), Form::Object),
        (Form::Object | Form::Text, 6) if items.len() == 1 => (connect(&items[0]), Form::Object),
        (Form::Object | Form::Text, 7) => (Wrapping::Array.wrap(&one_line), Form::Text),
        (Form::Object | Form::Text, 8) => (Wrapping::Ndjson.wrap(&one_line), Form::Text),
        (_, 0 | 1) if items.len() == 1 => (gzip(&items[0]), Form::Bytes),
        (_, 2) if items.len() == 1 => (zstd(&items[0]), Form::Bytes),
        (_, 3) if items.len() == 1 => (base64_string(&items[0]), Form::Text),
        _ => (Wrapping::Kpl.wrap(&items), Form::Bytes),
    };
    (payload, records, form)
}

/// Each may be two of the levels that are counted, as base64 in a JSON text is.
const NESTED_LEVELS: usize = 4;

#[test]
fn any_nesting_of_envelopes_gives_the_records_back() {
    let mut seen = Counts::default();
    let mut next = 0;
    for seed in 0..600 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (payload, records, _) = nested(&mut rng, NESTED_LEVELS, &mut next);
        let outcome = open(&payload);
        assert_eq!(outcome.reasons(), [""; 0], "seed {seed}");
        assert!(outcome.records == records, "seed {seed}");
        seen.add(&outcome.counts);
    }
    for kind in Kind::ALL {
        let met = !matches!(kind, Kind::Sns | Kind::Shipper);
        assert!(!met || seen.of(kind).count > 20, "{kind:?} {:?}", seen.of(kind));
    }
}

#[test]
fn a_cut_payload_gives_none_but_its_records() {
    let (mut next, mut cuts, mut kept) = (0, 0, 0);
    for seed in 0..150 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (payload, records, form) = nested(&mut rng, NESTED_LEVELS, &mut next);
        for _ in 0..8 {
            let cut = rng.random_range(0..payload.len());
            let outcome = open(&payload[..cut]);
            let readable = outcome.records.iter().filter(|bytes| Record::decode(bytes).is_ok());
            for record in readable {
                assert!(records.contains(record), "seed {seed}, cut at {cut}");
                kept += 1;
            }
            // Where values stand in a row, a cut between two of them cannot be seen.
            let whole = outcome.records.len() == records.len() || form == Form::Text;
            assert!(whole || outcome.counts.rejects > 0, "seed {seed}, cut at {cut}: in silence");
            cuts += 1;
        }
    }
    assert!(cuts > 1_000 && kept > 300, "{cuts} {kept}");
}

#[test]
fn no_change_of_bytes_makes_it_panic() {
    let mut next = 0;
    for seed in 0..150 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (whole, records, _) = nested(&mut rng, NESTED_LEVELS, &mut next);
        for _ in 0..8 {
            let mut payload = whole.clone();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..payload.len());
                match rng.random_range(0..3) {
                    0 => payload[at] ^= 1 << rng.random_range(0..8),
                    1 => payload[at] = b"\"\\{}[],:\n"[rng.random_range(0..9)],
                    _ => {
                        payload.remove(at);
                    }
                }
                if payload.is_empty() {
                    break;
                }
            }
            let outcome = open(&payload);
            let readable = outcome.records.iter().filter(|bytes| Record::decode(bytes).is_ok());
            assert!(
                readable.count() <= records.len(),
                "seed {seed}: one was invented, or came twice"
            );
        }
    }
}

#[test]
fn what_is_made_to_take_long_ends() {
    let head = r#"{"messageType":"DATA_MESSAGE","logEvents":["#;
    for (head, part) in [
        (head, "{\"id\":{"),
        (head, "{\"id\":\"x"),
        (head, "{\"id\":1,\"message\":\""),
        (head, "{\"id\":1,\"message\":\"{}\"}"),
        ("", "{\"owner\":{\"messageType\":\n"),
        ("", "{\"owner\":{\n"),
        ("", "\"{\n"),
        ("\"", "\\\"\\\\\\\""),
        ("[", "\""),
        ("", "{\"detail\":{\"detail-type\":"),
        ("", "["),
    ] {
        let payload = format!("{head}{}", part.repeat((1 << 20) / part.len()));
        let outcome = open(payload.as_bytes());
        assert!(outcome.counts.rejects > 0, "{part}");
        assert!(outcome.rejects.len() as u64 <= REJECTS_TOLD_MAX + 2);
    }
}

#[test]
fn aggregation_written_here_is_that_of_amazons_producer() {
    let captured = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/data/envelopes/kpl-3-records.bin"
    ));
    let records: Vec<_> = kpl::user_records(captured).unwrap().map(Result::unwrap).collect();
    assert_eq!(aggregate(&records), captured);
    let outcome = open(captured);
    assert_eq!(outcome.records, records.iter().map(|record| record.data).collect::<Vec<_>>());
}

//! What matches what: a selection and a record in each line.

use super::*;
use crate::field::Fields;
use crate::record::Record;

const RECORD: &str = r#"{
  "eventVersion": "1.08", "eventTime": "2026-01-05T22:30:00Z", "eventID": "e-1",
  "eventSource": "s3.amazonaws.com", "eventName": "PutObject", "awsRegion": "eu-west-1",
  "sourceIPAddress": "035.249.253.232", "userAgent": "[aws-cli/2 -x ping]", "readOnly": "True",
  "recipientAccountId": "012345678901", "errorCode": "", "requestID": null,
  "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/train/x",
    "userName": "train"},
  "requestParameters": {"roleName": "train", "count": 20, "size": "21.5", "public": false,
    "policy": "cGluZyBpdA==", "tags": [], "names": ["a", "b"], "list": ["a", "b"],
    "channels": [{"uri": "s3://ml-data/x", "size": 3, "kinds": ["k1"]},
                 {"uri": "s3://else/y", "size": 9, "kinds": []}],
    "nested": {"deep": [{"k": ["one", "two"]}]}}
}"#;

/// Whether the detection matches the record, by the index and without it alike.
fn matches(detection: &str, record: &str) -> bool {
    let set = rules(&detecting(detection));
    let record = Record::decode(record.as_bytes()).unwrap();
    let fields = Fields::of(&record);
    let mut indexed = 0;
    set.matching(&fields, &mut |_| indexed += 1);
    let asked = set.detections.iter().filter(|detection| detection.matcher.fits(&fields)).count();
    assert_eq!(indexed, asked, "the index differs: {detection}");
    indexed == 1
}

fn table(lines: &[(&str, bool)]) {
    for (selection, expected) in lines {
        let detection = format!("{{s: {selection}, condition: s}}");
        assert_eq!(matches(&detection, RECORD), *expected, "{selection}");
    }
}

#[test]
fn plain_values() {
    table(&[
        ("{eventName: PutObject}", true),
        ("{eventName: putobject}", true),
        ("{eventName: PutObjects}", false),
        ("{eventName: [GetObject, PutObject]}", true),
        ("{eventName: Put*}", true),
        ("{eventName: '*'}", true),
        ("{eventName: P?tObject}", true),
        ("{eventName: PutObject, awsRegion: eu-west-1}", true),
        ("{eventName: PutObject, awsRegion: eu-west-2}", false),
        ("[{eventName: X}, {awsRegion: eu-west-1}]", true),
        ("[{eventName: X}, {awsRegion: eu-west-2}]", false),
        ("{userIdentity.type: AssumedRole}", true),
        ("{userIdentity.type.x: AssumedRole}", false),
        ("{userIdentity: AssumedRole}", false),
        ("{requestParameters.names: b}", true),
        ("{requestParameters.names: c}", false),
        ("{requestParameters.channels.uri: 's3://else/*'}", true),
        ("{requestParameters.nested.deep.k: two}", true),
    ]);
}

#[test]
fn numbers_truth_null_and_empty() {
    table(&[
        ("{requestParameters.count: 20}", true),
        ("{requestParameters.count: '20'}", true),
        ("{requestParameters.count: 20.0}", true),
        ("{requestParameters.count: 21}", false),
        ("{requestParameters.size: 21.5}", true),
        ("{requestParameters.size: 21.50}", true),
        ("{recipientAccountId: 012345678901}", true),
        ("{recipientAccountId: '12345678901'}", false),
        ("{readOnly: true}", true),
        ("{readOnly: 'true'}", true),
        ("{readOnly: false}", false),
        ("{requestParameters.public: false}", true),
        ("{requestParameters.public: 'False'}", true),
        ("{errorCode: ''}", true),
        ("{errorCode: null}", false),
        ("{requestID: null}", true),
        ("{requestID: ''}", false),
        ("{absent: null}", true),
        ("{absent: ''}", false),
        ("{absent: [null, x]}", true),
        ("{eventName: [null, x]}", false),
        ("{requestParameters.tags: null}", false),
    ]);
}

#[test]
fn every_modifier() {
    table(&[
        ("{eventName|contains: tobj}", true),
        ("{eventName|contains: xobj}", false),
        ("{eventName|startswith: pUT}", true),
        ("{eventName|endswith: [Bucket, Object]}", true),
        ("{eventName|contains|all: [put, object]}", true),
        ("{eventName|contains|all: [put, bucket]}", false),
        ("{eventName|contains: P*t*}", true),
        ("{requestParameters.names|all: [a, b]}", true),
        ("{requestParameters.names|all: [a, c]}", false),
        ("{eventName|cased: PutObject}", true),
        ("{eventName|cased: putobject}", false),
        ("{eventName|contains|cased: putO}", false),
        ("{eventName|re: '^Put.*ct$'}", true),
        ("{eventName|re: '^put'}", false),
        ("{eventName|re|i: '^put'}", true),
        ("{eventName|re: 'tObj'}", true),
        ("{userAgent|re|m|s: 'aws.cli'}", true),
        ("{sourceIPAddress|cidr: 35.249.0.0/16}", true),
        ("{sourceIPAddress|cidr: [10.0.0.0/8, '2001:db8::/32']}", false),
        ("{sourceIPAddress|cidr|neq: 10.0.0.0/8}", true),
        ("{eventName|exists: true}", true),
        ("{eventName|exists: false}", false),
        ("{requestID|exists: true}", false),
        ("{absent|exists: false}", true),
        ("{errorCode|exists: true}", true),
        ("{userIdentity|exists: true}", true),
        ("{requestParameters.roleName|fieldref: userIdentity.userName}", true),
        ("{userIdentity.arn|fieldref|contains: userIdentity.userName}", true),
        ("{userIdentity.arn|fieldref|startswith: userIdentity.userName}", false),
        ("{eventName|fieldref: absent}", false),
        ("{eventName|fieldref|neq: awsRegion}", true),
        ("{requestParameters.count|gt: 19}", true),
        ("{requestParameters.count|gt: 20}", false),
        ("{requestParameters.count|gte: 20}", true),
        ("{requestParameters.count|lt: 20.5}", true),
        ("{requestParameters.count|lte: 19}", false),
        ("{requestParameters.size|gt: 21}", true),
        ("{eventName|gt: 1}", false),
        ("{eventName|neq: GetObject}", true),
        ("{eventName|neq: [GetObject, putobject]}", false),
        ("{absent|neq: x}", false),
        ("{requestID|neq: x}", false),
        ("{eventName|contains|neq: Get}", true),
        ("{requestParameters.policy|base64: 'ping it'}", true),
        ("{requestParameters.policy|base64: 'ping'}", false),
        ("{requestParameters.policy|base64offset|contains: 'ing'}", true),
        ("{userAgent|windash|contains: ' /x '}", true),
        ("{userAgent|windash|contains: ' /y '}", false),
        ("{eventName|expand: '%compute%'}", false),
        ("{eventTime|hour: 22}", true),
        ("{eventTime|hour|gte: 23}", false),
        ("{eventTime|minute: 30}", true),
        ("{eventTime|day: 5}", true),
        ("{eventTime|week: 2}", true),
        ("{eventTime|month: 1}", true),
        ("{eventTime|year: [2025, 2026]}", true),
        ("{eventName|hour: 22}", false),
    ]);
}

#[test]
fn weeks_of_iso_8601() {
    for (date, week) in [
        ("2026-01-01", 1),
        ("2025-12-29", 1),
        ("2024-12-29", 52),
        ("2021-01-03", 53),
        ("2021-01-04", 1),
    ] {
        let record = format!(r#"{{"eventTime": "{date}T12:00:00Z"}}"#);
        let detection = format!("{{s: {{eventTime|week: {week}}}, condition: s}}");
        assert!(matches(&detection, &record), "{date}");
    }
}

#[test]
fn lists_filled_in() {
    let record = |bucket: &str| {
        format!(
            r#"{{"eventTime": "2026-01-05T22:30:00Z", "eventName": "createendpoint", "b": "{bucket}"}}"#
        )
    };
    for (selection, bucket, expected) in [
        ("{eventName|expand: '%compute%'}", "x", true),
        ("{eventName|expand: ['%jobs%', Create*]}", "x", true),
        ("{eventName|expand: ['%jobs%', Delete*]}", "x", false),
        ("{eventName|expand: '%jobs%'}", "x", false),
        ("{b|expand: '%allowed_buckets%'}", "ml-data", true),
        ("{b|expand: '%allowed_buckets%'}", "ml-out-7", true),
        ("{b|expand: '%allowed_buckets%'}", "else", false),
        ("{b|neq|expand: '%allowed_buckets%'}", "else", true),
        ("{b|expand: 's3://%allowed_buckets%/x'}", "s3://ml-data/x", true),
        ("{b|contains|expand: '%allowed_buckets%'}", "an ml-data b", true),
    ] {
        let detection = format!("{{s: {selection}, condition: s}}");
        let record = record(bucket);
        assert_eq!(matches(&detection, &record), expected, "{selection} {bucket}");
    }
}

#[test]
fn array_selectors() {
    table(&[
        ("{'requestParameters.names[any]': b}", true),
        ("{'requestParameters.names[all]': [a, b]}", true),
        ("{'requestParameters.names[all]': a}", false),
        ("{'requestParameters.names[none]': c}", true),
        ("{'requestParameters.names[none]': a}", false),
        ("{'requestParameters.names[any]|neq': a}", true),
        ("{'requestParameters.names[any]|neq': [a, b]}", false),
        ("{'requestParameters.names[all]|neq': c}", true),
        ("{'requestParameters.names[0]': a}", true),
        ("{'requestParameters.names[0]': b}", false),
        ("{'requestParameters.names[-1]': b}", true),
        ("{'requestParameters.names[2]|exists': true}", false),
        ("{'requestParameters.tags[any]|neq': a}", false),
        ("{'requestParameters.tags[all]': a}", false),
        ("{'requestParameters.tags[all_or_empty]': a}", true),
        ("{'requestParameters.tags[none]': a}", true),
        ("{'absent[all_or_empty]': a}", true),
        ("{'absent[any]': a}", false),
        ("{'requestParameters.roleName[any]': train}", true),
        ("{'requestParameters.channels[any].uri|startswith': 's3://else'}", true),
        ("{'requestParameters.channels[all].uri|startswith': 's3://'}", true),
        ("{'requestParameters.channels[all].size|gt': 3}", false),
        ("{'requestParameters.channels[any]': {uri|contains: ml-data, size: 3}}", true),
        ("{'requestParameters.channels[any]': {uri|contains: ml-data, size: 9}}", false),
        (
            "{'requestParameters.channels[any]': {a: {uri|contains: else}, b: {size: 3}, condition: a and not b}}",
            true,
        ),
        ("{'requestParameters.channels[0]': {size: 3}}", true),
        ("{'requestParameters.channels[any].kinds[any]': k1}", true),
        ("{'requestParameters.channels[all].kinds[any]': k1}", false),
        ("{'requestParameters.channels[any]': {uri|fieldref: uri}}", true),
        ("{'requestParameters.nested.deep[any].k[any]': two}", true),
        ("{eventName: PutObject, 'requestParameters.names[any]': b}", true),
    ]);
}

#[test]
fn keywords() {
    table(&[
        ("ml-data", true),
        ("[nowhere, ASSUMED-ROLE]", true),
        ("[nowhere, 20]", true),
        ("nowhere", false),
        ("roleName", false),
        ("{'|all': [ping, else]}", true),
        ("{'|all': [ping, nowhere]}", false),
        ("{'|re': 'arn:aws:sts::\\d:'}", true),
        ("{'|cased': PUTOBJECT}", false),
        ("[{eventName: X}, ml-data]", true),
    ]);
}

#[test]
fn conditions() {
    let selections = "t1: {eventName: PutObject}, t2: {awsRegion: eu-west-1}, f1: {eventName: X}, \
                      f2: {awsRegion: X}, _hidden: {eventName: PutObject}";
    for (condition, expected) in [
        ("t1 and t2 and not f1 and not f2 and _hidden", true),
        ("t1 and f1 or t2 and not f2 and _hidden", true),
        ("t1 and (f1 or f2) and t2 and _hidden", false),
        ("1 of them and _hidden", true),
        ("all of them or not _hidden", false),
        ("all of t* and 1 of f* and _hidden", false),
        ("all of t* and not 1 of f* and _hidden", true),
        ("any of t* and not all of f* and _hidden", true),
        ("2 of them and _hidden", true),
        ("3 of them and _hidden", false),
        ("not (f1 or f2 or not t1 or not t2 or not _hidden)", true),
        ("not not t1 and 1 of *2 and 1 of f1 or _hidden", true),
    ] {
        let detection = format!("{{{selections}, condition: {condition}}}");
        assert_eq!(matches(&detection, RECORD), expected, "{condition}");
    }
    assert!(matches("{a: {eventName: X}, b: {eventName: PutObject}, condition: [a, b]}", RECORD));
}

#[test]
fn explains_test_by_test() {
    let set = rules(&detecting(
        "{a: {eventName|startswith: Get, awsRegion: eu-west-1}, \
         b: {'requestParameters.names[any]': [x, y]}, condition: a and not b}",
    ));
    let record = Record::decode(RECORD.as_bytes()).unwrap();
    let explained = set.detections[0].matcher.explain(&Fields::of(&record));
    let lines: Vec<String> = explained
        .iter()
        .map(|e| {
            format!(
                "{} {}|{} wants {:?} found {:?}: {}{}",
                e.selection,
                e.field,
                e.modifiers,
                e.wanted,
                e.found,
                e.holds,
                if e.is_negated { ", under a not" } else { "" }
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            r#"a eventName|startswith wants ["Get"] found ["PutObject"]: false"#,
            r#"a awsRegion| wants ["eu-west-1"] found ["eu-west-1"]: true"#,
            r#"b requestParameters.names[any]| wants [".: x, y"] found ["a", "b"]: false, under a not"#,
        ]
    );
}

//! Shapes found in real feeds, one by one. A record is given by what it has beside `eventTime`.

#![allow(clippy::unwrap_used)]

use super::super::*;

const NEEDED: &str = r#""eventTime":"2023-07-10T11:42:36Z","eventID":"e-1","eventSource":"s3.amazonaws.com","eventName":"GetObject""#;

/// Leaked, so that tests read like what they test.
fn record(members: &str) -> Record<'static> {
    let separator = if members.is_empty() { "" } else { "," };
    decode(&format!("{{{NEEDED}{separator}{members}}}")).unwrap()
}

fn decode(json: &str) -> Result<Record<'static>, Unreadable> {
    Record::decode(json.to_owned().leak().as_bytes())
}

fn oddities(record: &Record<'_>) -> Vec<&'static str> {
    record.oddities().iter().map(Oddity::name).collect()
}

#[test]
fn a_plain_record_reads_as_written_and_has_no_oddity() {
    let record = record(
        r#""readOnly":true,"errorCode":"AccessDenied","userIdentity":{"type":"IAMUser",
        "accountId":"111122223333"},"requestParameters":null,"vpcEndpointId":"vpce-1","own":[1]"#,
    );
    assert_eq!(record.time().to_string(), "2023-07-10T11:42:36Z");
    assert_eq!(record.event_id().as_deref(), Some("e-1"));
    assert_eq!(record.event_source().as_deref(), Some("s3.amazonaws.com"));
    assert_eq!(record.event_name().as_deref(), Some("GetObject"));
    assert_eq!(record.text(Key::ErrorCode).as_deref(), Some("AccessDenied"));
    assert_eq!(record.read_only(), Some(true));
    assert_eq!(record.account().as_deref(), Some("111122223333"));
    assert_eq!(record.value(Key::RequestParameters), Value::Null);
    assert_eq!(record.value(Key::ErrorMessage), Value::Missing);
    assert_eq!(
        record.get("vpcEndpointId"),
        record.value(Key::VpcEndpointId)
    );
    assert_eq!(record.get("own"), Value::Array(Raw(b"[1]")));
    assert_eq!(record.get("gone"), Value::Missing);
    assert_eq!(oddities(&record), [""; 0]);
}

#[test]
fn identities_with_parts_missing_lose_nothing_else() {
    for identity in [
        r#"{"type":"AWSService","invokedBy":"config.amazonaws.com"}"#,
        r#"{"accountId":"111122223333","invokedBy":"x"}"#,
        r#"{"type":"AssumedRole","sessionContext":{"sessionIssuer":{},"attributes":{}}}"#,
        r#"{"type":"AssumedRole"}"#,
        r#"{"type":"IdentityCenterUser","arn":"","accessKeyId":""}"#,
        "{}",
        "null",
    ] {
        let record = record(&format!(
            r#""userIdentity":{identity},"awsRegion":"us-gov-west-1""#
        ));
        let user = record.value(Key::UserIdentity);
        assert_eq!(user.get("arn").into_text(), None, "{identity}");
        assert_eq!(
            user.get("sessionContext").get("sessionIssuer").get("arn"),
            Value::Missing
        );
        assert_eq!(
            record.text(Key::AwsRegion).as_deref(),
            Some("us-gov-west-1")
        );
        assert_eq!(oddities(&record), [""; 0]);
    }
}

#[test]
fn values_of_the_wrong_kind_are_read_and_counted() {
    let record = record(
        r#""userAgent":["","curl/8","x"],"sourceIPAddress":7,"requestParameters":"{\"a\":1}",
        "responseElements":false,"resources":{"ARN":"a"},"readOnly":"True","managementEvent":1,
        "errorCode":"200","userIdentity":[]"#,
    );
    assert_eq!(record.text(Key::UserAgent).as_deref(), Some("curl/8"));
    assert_eq!(record.text(Key::SourceIpAddress).as_deref(), Some("7"));
    assert_eq!(
        record.text(Key::RequestParameters).as_deref(),
        Some(r#"{"a":1}"#)
    );
    assert_eq!(record.text(Key::ErrorCode).as_deref(), Some("200"));
    assert_eq!(record.read_only(), Some(true));
    assert_eq!(record.account(), None);
    let expected = [
        "text_expected",
        "object_expected",
        "list_expected",
        "bool_expected",
    ];
    assert_eq!(oddities(&record), expected);
}

#[test]
fn read_only_is_read_however_it_is_written() {
    for (written, read) in [
        ("true", Some(true)),
        ("false", Some(false)),
        (r#""true""#, Some(true)),
        (r#""False""#, Some(false)),
        ("True", Some(true)),
        (r#""yes""#, None),
        ("null", None),
        ("1", None),
    ] {
        assert_eq!(
            record(&format!(r#""readOnly":{written}"#)).read_only(),
            read,
            "{written}"
        );
    }
}

#[test]
fn words_that_are_no_json_read_as_text() {
    let record = record(r#""readOnly":True,"errorCode":NaN,"awsRegion":us-east-1"#);
    assert_eq!(record.text(Key::ErrorCode).as_deref(), Some("NaN"));
    assert_eq!(record.text(Key::AwsRegion).as_deref(), Some("us-east-1"));
    assert!(record.oddities().contains(Oddity::BareWord));
}

#[test]
fn keys_are_known_in_other_letter_case_and_with_escapes() {
    let lower = decode(
        r#"{"eventtime":"2023-07-10T11:42:36Z","eventid":"e","eventsource":"a","EVENTNAME":"b"}"#,
    );
    let lower = lower.unwrap();
    assert_eq!(lower.event_name().as_deref(), Some("b"));
    assert_eq!(lower.get("eventname").into_text().as_deref(), Some("b"));
    assert_eq!(oddities(&lower), ["key_case"]);

    let escaped = record(r#""error\u0043ode":"x""#);
    assert_eq!(escaped.text(Key::ErrorCode).as_deref(), Some("x"));
    assert_eq!(oddities(&escaped), ["escaped_key"]);
}

#[test]
fn of_two_members_the_last_counts_and_the_exact_name_before_all() {
    let twice = record(r#""awsRegion":"a","awsRegion":"b""#);
    assert_eq!(twice.text(Key::AwsRegion).as_deref(), Some("b"));
    assert_eq!(oddities(&twice), ["duplicate_key"]);
    for members in [
        r#""awsregion":"a","awsRegion":"b""#,
        r#""awsRegion":"b","AWSREGION":"a""#,
    ] {
        let record = record(members);
        assert_eq!(record.text(Key::AwsRegion).as_deref(), Some("b"));
        assert_eq!(oddities(&record), [""; 0], "{members}");
    }
    let loose = record(r#""awsregion":"a","AWSREGION":"b""#);
    assert_eq!(loose.text(Key::AwsRegion).as_deref(), Some("b"));
    assert_eq!(oddities(&loose), ["key_case"]);
}

#[test]
fn texts_keep_what_can_be_read_of_them() {
    let odd = record("\"userAgent\":\"a\u{202f}b\",\"errorMessage\":\"\\ud800 \\u00e9\"");
    assert_eq!(odd.text(Key::UserAgent).as_deref(), Some("a\u{202f}b"));
    assert_eq!(odd.text(Key::ErrorMessage).as_deref(), Some("\u{fffd} é"));
    assert_eq!(oddities(&odd), [""; 0]);

    let bytes = [b"{", NEEDED.as_bytes(), b",\"userAgent\":\"a\xffb\"}"].concat();
    let invalid = Record::decode(&bytes).unwrap();
    assert_eq!(invalid.text(Key::UserAgent).as_deref(), Some("a\u{fffd}b"));
    assert_eq!(oddities(&invalid), ["invalid_utf8"]);
}

#[test]
fn garbage_in_a_part_loses_that_part_alone() {
    let record = record(r#""requestParameters":{"a":1,oops,"b":2},"awsRegion":"r""#);
    let request = record.value(Key::RequestParameters);
    assert_eq!(request.get("a"), Value::Number("1".into()));
    assert_eq!(request.get("b"), Value::Missing);
    assert_eq!(record.text(Key::AwsRegion).as_deref(), Some("r"));
}

#[test]
fn event_time_is_read_however_it_is_written() {
    let rest = r#""eventID":"e","eventSource":"s","eventName":"n""#;
    for (written, seconds, expected) in [
        (
            r#""eventTime":"2023-01-10T23:10:06Z""#,
            1_673_392_206,
            vec![],
        ),
        (
            r#""eventTime":"2023-01-10 23:10:06""#,
            1_673_392_206,
            vec!["event_time_odd_format"],
        ),
        (
            r#""eventTime":"2023-01-10T23:10:06.9Z""#,
            1_673_392_206,
            vec!["event_time_odd_format"],
        ),
        (
            r#""eventTime":1673392206"#,
            1_673_392_206,
            vec!["event_time_epoch"],
        ),
        (
            r#""eventTime":1673392206999"#,
            1_673_392_206,
            vec!["event_time_epoch"],
        ),
        (
            r#""eventTime":"1.673392206e9""#,
            1_673_392_206,
            vec!["event_time_epoch"],
        ),
        (
            r#""eventTime":1673392206999999999"#,
            1_673_392_206,
            vec!["event_time_epoch"],
        ),
        (
            r#""@timestamp":"2020-09-14T00:44:23.000Z""#,
            1_600_044_263,
            vec!["event_time_from_timestamp"],
        ),
        (
            r#""eventTime":null,"@timestamp":1600044263"#,
            1_600_044_263,
            vec!["event_time_from_timestamp"],
        ),
        (
            r#""eventTime":"soon","@timestamp":"2020-09-14T00:44:23Z""#,
            1_600_044_263,
            vec!["event_time_unreadable"],
        ),
    ] {
        let record = decode(&format!("{{{written},{rest}}}")).unwrap();
        assert_eq!(record.time(), EventTime(seconds), "{written}");
        assert_eq!(oddities(&record), expected, "{written}");
    }
}

#[test]
fn an_insights_event_is_named_in_its_details() {
    let insight = decode(
        r#"{"eventVersion":"1.07","eventTime":"2023-07-10T11:42:00Z","awsRegion":"us-east-1",
        "eventID":"e","eventType":"AwsCloudTrailInsight","recipientAccountId":"111122223333",
        "insightDetails":{"state":"Start","eventSource":"ssm.amazonaws.com","eventName":"PutParameter",
        "insightType":"ApiCallRateInsight"},"eventCategory":"Insight"}"#,
    );
    let insight = insight.unwrap();
    assert_eq!(insight.event_source().as_deref(), Some("ssm.amazonaws.com"));
    assert_eq!(insight.event_name().as_deref(), Some("PutParameter"));
    assert_eq!(insight.value(Key::UserIdentity), Value::Missing);
    assert_eq!(oddities(&insight), [""; 0]);
}

#[test]
fn an_event_is_known_by_its_id_or_by_its_bytes() {
    let one = record(r#""awsRegion":"a""#);
    let same_id = record(r#""awsRegion":"b""#);
    assert_eq!(one.id(7), same_id.id(7));
    assert_ne!(one.id(7), one.id(8), "the seed counts");
    let nameless = |region: &str| {
        let time = r#""eventTime":"2023-07-10T11:42:36Z""#;
        decode(&format!(
            r#"{{{time},"eventID":"","awsRegion":"{region}"}}"#
        ))
        .unwrap()
    };
    assert_eq!(nameless("a").id(7), nameless("a").id(7));
    assert_ne!(nameless("a").id(7), nameless("b").id(7));
    assert_eq!(
        oddities(&nameless("a")),
        ["no_event_id", "no_event_source", "no_event_name"]
    );
    let id = |text: &str| {
        let time = r#""eventTime":"2023-07-10T11:42:36Z""#;
        decode(&format!(r#"{{{time},"eventID":{text}}}"#))
            .unwrap()
            .id(7)
    };
    assert_ne!(id(r#""ab""#), id(r#""AB""#), "ids are compared exactly");
    assert_eq!(
        id(r#""ab""#),
        id(r#""\u0061b""#),
        "but as texts, not as written"
    );
}

#[test]
fn white_space_and_a_byte_order_mark_do_not_count() {
    let pretty = decode(&format!(
        "\u{feff} \r\n{{ {NEEDED} ,\n\t\"awsRegion\" : \"r\" }}\n "
    ));
    let pretty = pretty.unwrap();
    assert_eq!(pretty.text(Key::AwsRegion).as_deref(), Some("r"));
    assert_eq!(oddities(&pretty), ["byte_order_mark"]);
}

#[test]
fn what_cannot_be_read_says_why() {
    let digest = r#"{"awsAccountId":"1","digestStartTime":"2023-07-10T11:42:36Z",
        "digestEndTime":"2023-07-10T12:42:36Z","digestS3Bucket":"b","@timestamp":"2023"}"#;
    for (json, reason) in [
        ("", Unreadable::NotAnObject),
        (" \n", Unreadable::NotAnObject),
        ("[]", Unreadable::NotAnObject),
        ("\"text\"", Unreadable::NotAnObject),
        ("Jul 10 11:42:36 host cloudtrail", Unreadable::NotAnObject),
        ("{\"a\" 1}", Unreadable::NotAnObject),
        ("{\"a\":1,}", Unreadable::NotAnObject),
        ("{\"a\":1 \"b\":2}", Unreadable::NotAnObject),
        ("{\"a\":]}", Unreadable::NotAnObject),
        ("{", Unreadable::CutOff),
        ("{\"eventTi", Unreadable::CutOff),
        ("{\"a\":\"b\\\"}", Unreadable::CutOff),
        ("{\"a\":{\"b\":[1,2}", Unreadable::CutOff),
        ("{\"a\":tru", Unreadable::CutOff),
        ("{}{}", Unreadable::TrailingBytes),
        ("{} x", Unreadable::TrailingBytes),
        ("{}", Unreadable::NoTime),
        (r#"{"eventTime":"soon"}"#, Unreadable::NoTime),
        (r#"{"eventTime":{}}"#, Unreadable::NoTime),
        (r#"{"eventTime":-5}"#, Unreadable::NoTime),
        (r#"{"eventTime":"NaN"}"#, Unreadable::NoTime),
        (r#"{"eventTime":1e300}"#, Unreadable::NoTime),
        (digest, Unreadable::Digest),
    ] {
        assert_eq!(decode(json).unwrap_err(), reason, "{json}");
    }
}

#[test]
fn length_and_depth_cost_nothing_but_their_bytes() {
    let of_length = |length: usize| {
        let empty = format!(r#"{{{NEEDED},"requestParameters":{{"a":""}}}}"#).len();
        let filler =
            "\\\"".repeat((length - empty) / 2) + if (length - empty) % 2 == 1 { "x" } else { "" };
        format!(r#"{{{NEEDED},"requestParameters":{{"a":"{filler}"}}}}"#)
    };
    let longest = of_length(RECORD_BYTES_MAX);
    let record = decode(&longest).unwrap();
    let text = record
        .value(Key::RequestParameters)
        .get("a")
        .into_text()
        .unwrap();
    assert!(text.len() > RECORD_BYTES_MAX / 2 - 200 && text.starts_with("\"\""));
    assert_eq!(
        decode(&of_length(RECORD_BYTES_MAX + 1)).unwrap_err(),
        Unreadable::TooLong
    );

    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = open.repeat(100_000) + "1" + &close.repeat(100_000);
        let deep = self::record(&format!(r#""requestParameters":{deep},"awsRegion":"r""#));
        assert_eq!(deep.text(Key::AwsRegion).as_deref(), Some("r"));
        let request = deep.value(Key::RequestParameters);
        assert!(request.to_json(TreeLimits::default()).is_some());
        assert_eq!(request.get("b"), Value::Missing);
        assert_eq!(request.into_text(), None);
    }
}

//! What is explained of a record, and of a key over history.

#![allow(clippy::unwrap_used)]

use super::*;

fn shipped() -> RuleSet {
    Chosen::default().load().unwrap()
}

/// Calls of kms:Decrypt by one role, fifteen seconds apart.
fn calls(count: i64) -> String {
    let line = |n: i64| {
        let time = floodmark_detectors::time::EventTime(1_767_603_600 + 15 * n);
        format!(
            r#"{{"eventTime":"{time}","eventID":"{n}","eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventType":"AwsApiCall","recipientAccountId":"111122223333","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/a","accountId":"111122223333","userName":"a"}}}}"#
        ) + "\n"
    };
    (0..count).map(line).collect()
}

#[test]
fn rules_are_found_by_any_name() {
    let rules = shipped();
    let by_code = Target::find(&rules, "aws-02").unwrap();
    let Target::Rules(places) = &by_code else { panic!("{by_code:?}") };
    let card = &rules.rules[places[0]].card;
    assert_eq!(Target::find(&rules, &card.id).unwrap(), by_code);
    assert_eq!(Target::find(&rules, &card.title).unwrap(), by_code);
    assert!(by_code.describe(&rules).contains("fed by detection"));
    let error = Target::find(&rules, "DOS-0l").unwrap_err().to_string();
    assert!(error.contains("did you mean `DOS-0"), "{error}");
    let error = Target::find(&rules, "nothing like it").unwrap_err().to_string();
    assert!(error.contains("floodmark rules"), "{error}");
}

#[test]
fn a_record_is_told_test_by_test() {
    let rules = shipped();
    let target = Target::find(&rules, "AWS-02").unwrap();
    let bytes = record::read(&calls(1)).unwrap();
    let text = record::explain(&rules, &target, &bytes).unwrap();
    assert!(text.contains(" matches\n"), "{text}");
    assert!(text.contains("floodmark.account = 111122223333"), "{text}");
    assert!(text.contains("1 samples in 1 windows"), "{text}");
    let other = calls(1).replace("Decrypt", "ListKeys");
    let text = record::explain(&rules, &target, other.as_bytes()).unwrap();
    assert!(text.contains("does not match"), "{text}");
    assert!(text.contains("found  ListKeys"), "{text}");
    assert!(record::read(&calls(2)).is_err());
    assert!(record::read("{").is_err());
}

#[test]
fn a_key_is_told_from_history() {
    let folder = tempfile::tempdir().unwrap();
    let told = |count: i64, key: &str| {
        let path = folder.path().join("records.json");
        std::fs::write(&path, calls(count)).unwrap();
        let rules = shipped();
        let Target::Rules(places) = Target::find(&rules, "AWS-02").unwrap() else { panic!() };
        key::explain(rules, places[0], key, &[path])
    };
    let key = "111122223333,arn:aws:iam::111122223333:user/a";
    let text = told(19, key).unwrap();
    for wanted in [
        "records    19 read, 0 unreadable",
        "watermark  2026-01-05T09:04:30Z",
        "samples    19, first 2026-01-05T09:00:00Z, last 2026-01-05T09:04:30Z; 0 of them hot",
        "nearest    19 events, 2026-01-05T09:00:00Z to 2026-01-05T09:04:30Z: 1 short of the mark, 20",
        "bursts     none",
    ] {
        assert!(text.contains(wanted), "{wanted} in\n{text}");
    }
    let pairs = "principal=arn:aws:iam::111122223333:user/a,floodmark.account=111122223333";
    let text = told(30, pairs).unwrap();
    assert!(text.contains("30 of them hot"), "{text}");
    assert!(text.contains("nearest    21 events"), "{text}");
    assert!(text.contains("burst      30 samples"), "{text}");
    let text = told(30, "111122223333,nobody").unwrap();
    assert!(text.contains("samples    none"), "{text}");
    assert!(text.contains(&format!("a key that was seen: {key}")), "{text}");
    let error = told(1, "nobody").unwrap_err().to_string();
    assert!(error.contains("floodmark.account, floodmark.principal"), "{error}");
}

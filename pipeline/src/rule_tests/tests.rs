//! The shipped pack's own tests pass; and what a test can say wrongly is told.

#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn the_shipped_rules_pass_their_tests() {
    let options = LoadOptions { strict_services: true };
    let verdicts = run(&pack::documents(), &pack::tests(), options).unwrap();
    let failures: Vec<String> = verdicts
        .iter()
        .filter_map(|verdict| {
            let failure = verdict.failure.as_ref()?;
            Some(format!("{}: {}: {failure}", verdict.path, verdict.name))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(verdicts.len() >= 100, "only {} tests ran", verdicts.len());
}

const RULES: &str = "
title: Call
name: call
logsource: {product: aws, service: cloudtrail}
detection:
  call: {eventSource: kms.amazonaws.com, eventName|expand: '%names%'}
  condition: call
---
title: Calls
level: low
correlation:
  type: event_count
  rules: [call]
  group-by: [awsRegion]
  timespan: 1m
  condition: {gte: 2}
floodmark: {code: T-1}
";

/// The failures of tests beside [`RULES`], with another file's rule that always speaks.
fn failures(tests: &str) -> Result<Vec<Option<String>>, Vec<String>> {
    let document = |path: &str, text: &str| Document { path: path.into(), text: text.into() };
    let other = "
title: Any
logsource: {product: aws, service: cloudtrail}
detection: {call: {eventSource: kms.amazonaws.com}, condition: call}";
    let documents = [document("a/t.yml", RULES), document("a/u.yml", other)];
    let verdicts = run(&documents, &[document("a/t.test.yml", tests)], LoadOptions::default())?;
    Ok(verdicts.into_iter().map(|v| v.failure.map(|failure| failure.to_string())).collect())
}

#[test]
fn bursts_and_expectations_pair_off() {
    let test = |expect: &str| {
        let test = format!(
            "
- name: x
  environment: {{names: [Decrypt]}}
  records:
    - {{like: kms/Decrypt, repeat: 2}}
    - {{like: kms/Decrypt, repeat: 3, start: 1h, with: {{awsRegion: eu-west-1}}}}
  expect: {expect}"
        );
        failures(&test).unwrap().remove(0)
    };
    // The first expectation fits both bursts and must leave the one to the second.
    assert_eq!(test("[{code: T-1}, {code: T-1, count: 2, key: {awsRegion: us-east-1}}]"), None);
    assert_eq!(
        test("[{rule: Calls, level: low, first: 0s, last: 1s}, {code: T-1, count: 3}]"),
        None
    );
    let missing = test("[{code: T-1, count: 4}, {code: T-1, first: 0s}]").unwrap();
    assert_eq!(
        missing,
        "expected {code: T-1, count: 4}; found {code: T-1, count: 3, level: low, \
         key: {awsRegion: eu-west-1}, first: 3600s, last: 3602s}"
    );
    let more = test("[{code: T-1, count: 2}]").unwrap();
    assert!(more.starts_with("found beside what was expected: {code: T-1, count: 3"), "{more}");
}

#[test]
fn faults_are_told() {
    for (test, wanted) in [
        ("- {name: x, records: [], expect: [], recrods: []}", "unknown field `recrods`"),
        ("- {name: x, records: [{like: kms}], expect: []}", "`kms` is not `service/EventName`"),
        ("- {name: x, records: [{like: a/b, start: 5}], expect: []}", "`5` is no time"),
        ("- {name: x, records: [{like: a/b, start: 5w}], expect: []}", "`5w` is no time"),
        ("- {name: x, records: [{like: a/b, every: -1s}], expect: []}", "`every` goes forward"),
        ("- {name: x, records: [{like: a/b, repeat: 0}], expect: []}", "nonzero"),
        ("- {name: x, records: [], expect: [{count: 1}]}", "needs `code` or `rule`"),
        ("[{name: x, records: [], expect: []}, {name: x, records: [], expect: []}]", "two tests"),
    ] {
        let faults = failures(test).unwrap_err();
        assert!(faults.first().unwrap().contains(wanted), "{test}: {faults:?}");
    }
    let alone = Document { path: "b/v.test.yml".into(), text: "[]".into() };
    let faults = run(&[], &[alone], LoadOptions::default()).unwrap_err();
    assert_eq!(faults, ["b/v.test.yml: there is no rule file b/v.yml beside it"]);
    let without_list = failures("- {name: x, records: [], expect: []}").unwrap().remove(0).unwrap();
    assert!(without_list.contains("%names%"), "{without_list}");
}

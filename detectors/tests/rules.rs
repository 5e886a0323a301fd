//! Whole rules over whole records: what no window alone can show.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::engine::{Engine, Options};
use floodmark_detectors::record::Record;
use floodmark_detectors::rule::{Document, Environment, RuleSet};

fn rules(text: &str) -> Arc<RuleSet> {
    let document = Document { path: "rules.yml".into(), text: text.into() };
    Arc::new(RuleSet::load(&[document], &Environment::default()).unwrap())
}

fn record(id: usize, account: &str, name: &str, minute: usize) -> String {
    format!(
        r#"{{"eventTime":"2026-01-05T{:02}:{:02}:00Z","eventSource":"s3.amazonaws.com","eventName":"{name}","eventID":"e{id}","recipientAccountId":"{account}","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::{account}:user/u"}}}}"#,
        9 + minute / 60,
        minute % 60
    )
}

/// The bursts, with their records in this order of arrival.
fn bursts(rules: &Arc<RuleSet>, records: &[String]) -> Vec<Alert> {
    let engine = Engine::new(rules.clone(), Options::default());
    let mut alerts = Vec::new();
    for record in records {
        let record = Record::decode(record.as_bytes()).unwrap();
        alerts.extend(engine.apply(&[record]).alerts);
    }
    alerts.extend(engine.finish().alerts);
    let mut bursts: Vec<Alert> =
        alerts.into_iter().filter(|a| a.life == Life::Closed).map(Alert::into_final).collect();
    bursts.sort_by_key(|b| (b.first, b.id));
    bursts
}

const SILENCE: &str = r"
title: Feed silent
id: 5b0e4c1e-6f0a-4f3e-9d53-3f1f6c0a0d07
level: high
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventID|exists: true}, condition: s}
floodmark:
  code: LOG-04
  all_services: true
  silence:
    group-by: [floodmark.account]
    quiet: 30m
    active: {slot: 10m, of: 30m}
";

/// Two accounts fall silent at once, a third goes on.
fn outage() -> Vec<String> {
    let mut records = Vec::new();
    for minute in (0..180).step_by(5) {
        for account in ["111111111111", "222222222222", "333333333333"] {
            if account == "333333333333" || minute < 60 {
                records.push(record(records.len(), account, "ListBuckets", minute));
            }
        }
    }
    records
}

#[test]
fn keys_that_fall_silent_are_a_burst_each() {
    let found = bursts(&rules(SILENCE), &outage());
    let keys: Vec<&str> = found.iter().map(|b| b.key[0].as_ref()).collect();
    // The end of the input is the third one's silence.
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert!(found.iter().all(|b| b.count == 1));
}

#[test]
fn keys_that_fall_silent_together_are_one() {
    let together = SILENCE.replace("of: 30m}\n", "of: 30m}\n    together: feed\n");
    let found = bursts(&rules(&together), &outage());
    let told: Vec<(usize, u64)> = found.iter().map(|b| (b.key.len(), b.count)).collect();
    assert_eq!(told, [(0, 2), (0, 1)], "an outage of two, and the end of the third");
}

const NESTED: &str = r"
title: Read
name: read
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventSource: s3.amazonaws.com, eventName: GetObject}, condition: s}
---
title: Deleted
name: deleted
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventSource: s3.amazonaws.com, eventName: DeleteObject}, condition: s}
---
title: Many read
name: many_read
correlation: {type: event_count, rules: [read], group-by: [floodmark.account, floodmark.principal], timespan: 10m, condition: {gte: 3}}
---
title: Many read, then one deleted
level: high
correlation: {type: temporal_ordered, rules: [many_read, deleted], group-by: [floodmark.account], timespan: 30m}
";

#[test]
fn a_correlation_over_a_correlation_does_not_depend_on_order() {
    let mut records: Vec<String> =
        [0, 2, 4, 40, 41].iter().map(|m| record(*m, "111111111111", "GetObject", *m)).collect();
    records.push(record(100, "111111111111", "DeleteObject", 20));
    records.push(record(101, "111111111111", "DeleteObject", 100));
    let rules = rules(NESTED);
    let first = bursts(&rules, &records);
    assert_eq!(first.len(), 1, "{first:?}");
    // The third read satisfies the inner rule; it and the deletion 16 minutes later are the burst.
    assert_eq!((first[0].count, first[0].last.0 - first[0].first.0), (2, 16 * 60));
    for turn in 1..records.len() {
        records.rotate_left(turn);
        assert_eq!(bursts(&rules, &records), first, "in another order");
        records.reverse();
        assert_eq!(bursts(&rules, &records), first, "in another order");
    }
}

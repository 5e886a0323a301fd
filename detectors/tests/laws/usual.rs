//! What is usual: the most of a timespan in the day before, whatever the order and the restarts.

use std::collections::{BTreeMap, BTreeSet};

use floodmark_detectors::alert::{Life, Usual};
use floodmark_detectors::definition::{self, Point};
use floodmark_detectors::engine::{Engine, Options};
use floodmark_detectors::rule::{Kind, Rule, RuleSet, Threshold};
use floodmark_detectors::time::EventTime;
use proptest::prelude::*;

use super::stream::{Stream, engine, engine_after_crash, rule, take};
use super::{cases, fit, measuring_rules, streams};

const HOUR: i64 = 3_600;

/// So many calls of a key from a time on, a second each, with values that all differ.
fn calls(key: u8, time: i64, count: u64) -> Vec<(u8, Point)> {
    let call = |n: u64| {
        let time = time + n.cast_signed();
        (key, Point { time, id: time.unsigned_abs() << 8 | u64::from(key), value: n * 5_000_000 })
    };
    (0..count).map(call).collect()
}

/// Lets time pass.
fn pass(engine: &Engine, watermark: i64) {
    drop(engine.advance(EventTime(watermark)));
}

/// What is usual of each key, as told of a burst of it.
fn told(engine: &Engine, rule: &Rule, time: i64) -> BTreeMap<String, Usual> {
    let enough = match &rule.kind {
        Kind::Count(mark) | Kind::Distinct(mark) => mark.gte.unwrap(),
        _ => 2,
    };
    let mut told = BTreeMap::new();
    for key in 0..2 {
        let mut burst = calls(key, time, enough);
        burst.iter_mut().for_each(|(_, point)| point.time = time);
        for alert in take(engine, &burst).alerts {
            if alert.life == Life::Open {
                told.extend(
                    alert.usual.map(|usual| (alert.key.first().unwrap().to_string(), usual)),
                );
            }
        }
    }
    told
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_usual_is_the_most_of_a_timespan_before(
        rule in measuring_rules(),
        stream in streams(),
        choices in prop::collection::vec((any::<u8>(), any::<u8>()), 1..20),
        saved in 0_usize..12,
        more in 0_usize..6,
    ) {
        let mut stream: Stream = fit(&rule, stream);
        let mut keys: BTreeMap<String, BTreeSet<Point>> = BTreeMap::new();
        for (key, point) in stream.inputs.iter_mut().flatten() {
            point.value *= 500_000;
            keys.entry(format!("k{key}")).or_default().insert(*point);
        }
        let (engine, _) = engine_after_crash(&rule, &stream, &choices, (saved, saved + more));
        pass(&engine, 2 * HOUR);
        let told = told(&engine, &rule, 4 * HOUR);
        let asks_for_more = match &rule.kind {
            Kind::Count(mark) | Kind::Distinct(mark) => mark.gte.unwrap() > 1,
            _ => true,
        };
        for key in ["k0", "k1"] {
            let most = keys.get(key).map_or(0, |points| {
                definition::usual(&rule.kind, rule.timespan_secs, points)
            });
            let unit = u128::from(rule.kind.unit());
            let most = u64::try_from((most / unit).max(1)).unwrap();
            let usual = told.get(key).map(|usual| usual.most);
            prop_assert_eq!(usual, asks_for_more.then_some(most), "{}", key);
        }
    }
}

/// The rule of the tests that are told by hand.
fn three_in_a_minute() -> Rule {
    rule(Kind::Count(Threshold::at_least(3)), 60, Vec::new())
}

/// What is said of `k0` when it is over the mark at this time.
fn usual_at(engine: &Engine, time: i64) -> Option<(u64, i64)> {
    let told = told(engine, &three_in_a_minute(), time);
    told.get("k0").map(|usual| (usual.most, usual.since.0))
}

#[test]
fn a_day_is_remembered_and_what_is_older_is_not() {
    let engine = engine(&three_in_a_minute());
    pass(&engine, 0);
    assert_eq!(usual_at(&engine, HOUR), None, "nothing is known yet");
    drop(take(&engine, &calls(0, 4 * HOUR, 7)));
    drop(take(&engine, &calls(0, 20 * HOUR, 2)));
    pass(&engine, 22 * HOUR);
    assert_eq!(usual_at(&engine, 24 * HOUR + 120), Some((7, 0)));
    pass(&engine, 30 * HOUR);
    // The seven are of too long ago, the three of the last burst are not.
    assert_eq!(usual_at(&engine, 31 * HOUR), Some((3, 6 * HOUR)));
    pass(&engine, 90 * HOUR);
    assert_eq!(engine.window_count(), 0, "nothing is left to be remembered");
    assert_eq!(usual_at(&engine, 91 * HOUR), Some((1, 66 * HOUR)));
}

#[test]
fn what_is_usual_makes_way_for_what_may_be_a_burst() {
    let rules = RuleSet::of(vec![three_in_a_minute()], Vec::new());
    let engine = Engine::new(rules.into(), Options { windows_max: 4, ..Options::default() });
    pass(&engine, 0);
    for key in 0..4 {
        drop(take(&engine, &calls(key, HOUR, 2)));
    }
    pass(&engine, 2 * HOUR);
    assert_eq!(engine.window_count(), 2);
    pass(&engine, 6 * HOUR);
    let told = told(&engine, &three_in_a_minute(), 7 * HOUR);
    // Of two it is still known; that the others did nothing is known from when they were given up.
    let since = told.values().map(|usual| (usual.most, usual.since.0)).collect::<BTreeSet<_>>();
    assert!(since.is_subset(&[(2, 0), (1, 2 * HOUR)].into()) && !since.is_empty(), "{told:?}");
}

#[test]
fn a_burst_is_not_usual_by_itself() {
    let engine = engine(&three_in_a_minute());
    pass(&engine, 0);
    drop(take(&engine, &calls(0, HOUR, 2)));
    // One call in half a minute: it trips in the second.
    let slow: Vec<(u8, Point)> = (0..200_i64)
        .map(|n| (0, Point { time: 12 * HOUR + 30 * n, id: 9_000 + n.unsigned_abs(), value: 0 }))
        .collect();
    let mut usual = None;
    for call in slow.chunks(1) {
        let time = call[0].1.time;
        for alert in take(&engine, call).alerts {
            usual = usual.or(alert.usual);
        }
        pass(&engine, time);
    }
    assert_eq!(usual, Some(Usual { most: 2, since: EventTime(0) }));
}

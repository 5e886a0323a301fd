//! Shortcuts that look right and are not, each with the stream that shows it.

use std::collections::BTreeSet;

use floodmark_detectors::definition::{Extent, Point};
use floodmark_detectors::rule::{Kind, Level, Threshold};
use floodmark_detectors::sample::millionths;
use floodmark_detectors::time::EventTime;

use super::stream::{Inputs, Stream, closed, engine, rule, run, run_with_crash, take, truth};

/// One key, one input; event ids in order of arrival.
fn arriving(lateness: i64, times: &[i64]) -> Stream {
    Stream { lateness, inputs: vec![points(0, times)] }
}

fn points(first_id: u64, times: &[i64]) -> Vec<(u8, Point)> {
    (first_id..).zip(times).map(|(id, time)| (0, Point { time: *time, id, value: 0 })).collect()
}

fn at_least(n: u64, span: i64) -> floodmark_detectors::rule::Rule {
    rule(Kind::Count(Threshold::at_least(n)), span, Vec::new())
}

fn extent(first: i64, last: i64, count: u64) -> (String, Extent) {
    ("k0".into(), Extent { first, last, count, level: Level::Medium })
}

const ONE_BY_ONE: &[(u8, u8)] = &[(0, 0)];

/// Watermark = the greatest over partitions: what a slow one brings within the bound is lost.
#[test]
fn a_slow_partition_holds_time_back() {
    let rule = at_least(3, 10);
    let stream =
        Stream { lateness: 5, inputs: vec![points(0, &[40, 41, 42]), points(9, &[10, 11, 12])] };
    // The fast partition is read whole first.
    let fast_first = &[(0, 6), (0, 0)];
    assert_eq!(run(&rule, &stream, fast_first), truth(&rule, &stream));
    assert_eq!(truth(&rule, &stream).len(), 2);

    let engine = engine(&rule);
    let mut alerts = take(&engine, &stream.inputs[0]).alerts;
    alerts.extend(engine.advance(EventTime(42 - 5)).alerts);
    alerts.extend(take(&engine, &stream.inputs[1]).alerts);
    alerts.extend(engine.finish().alerts);
    assert_eq!(closed(&alerts), BTreeSet::from([extent(40, 42, 3)]), "the shortcut loses one");
}

/// A burst closes when it has been quiet for W: a cold sample becomes hot, and would have joined.
#[test]
fn a_cold_sample_may_yet_join() {
    let rule = at_least(3, 10);
    let stream = arriving(1, &[3, 6, 7, 17, 22, 23]);
    assert_eq!(run(&rule, &stream, ONE_BY_ONE), BTreeSet::from([extent(3, 23, 6)]));
}

/// A ring of the newest samples: four at one second push out the one that a late twin needs.
#[test]
fn cold_samples_are_not_dropped_by_count() {
    let rule = at_least(2, 8);
    let stream = arriving(10, &[13, 13, 13, 13, 4, 13, 13, 4]);
    let found = run(&rule, &stream, ONE_BY_ONE);
    assert_eq!(found, BTreeSet::from([extent(4, 4, 2), extent(13, 13, 6)]));
}

/// The same for distinct values.
#[test]
fn values_are_not_dropped_by_count() {
    let rule = rule(Kind::Distinct(Threshold::at_least(2)), 10, Vec::new());
    let (a, b) = (1, 2);
    let arrivals = [(1, a), (12, b), (12, b), (12, b), (12, b), (2, b)];
    let points = (0..).zip(arrivals).map(|(id, (time, value))| (0, Point { time, id, value }));
    let stream = Stream { lateness: 10, inputs: vec![points.collect()] };
    let found = run(&rule, &stream, ONE_BY_ONE);
    assert_eq!(found, truth(&rule, &stream));
    assert_eq!(found, BTreeSet::from([extent(1, 2, 2)]));
}

/// Late records judged against what is left: a duplicate of something forgotten counts twice.
#[test]
fn a_duplicate_later_than_the_bound_changes_nothing() {
    let rule = at_least(2, 5);
    let engine = engine(&rule);
    let mut alerts = take(&engine, &points(0, &[10, 12])).alerts;
    alerts.extend(engine.advance(EventTime(30)).alerts);
    alerts.extend(take(&engine, &points(0, &[10, 12])).alerts);
    alerts.extend(engine.finish().alerts);
    assert_eq!(closed(&alerts), BTreeSet::from([extent(10, 12, 2)]));
    assert_eq!(alerts.len(), 2, "one opening, one close");
}

/// Positions older than the windows, and a watermark that belongs to the positions: everything
/// replayed is known, whichever step the crash came after, the last one too.
#[test]
fn a_crash_at_every_step() {
    let rule = at_least(3, 10);
    let stream = arriving(4, &[3, 6, 5, 7, 17, 14, 22, 23, 40, 39, 41, 60]);
    for stop in 0..=12 {
        for saved in 0..=stop {
            let found = run_with_crash(&rule, &stream, ONE_BY_ONE, (saved, stop));
            assert_eq!(found, truth(&rule, &stream), "saved at {saved}, stopped at {stop}");
        }
    }
}

/// Floats summed: another order, another sum. Millionths are whole numbers.
#[test]
fn sums_do_not_depend_on_order() {
    let values: Vec<u64> = (0..20)
        .map(|n| millionths(&format!("{}.{:06}", n % 3, n * 7_919 % 1_000_000)).unwrap())
        .collect();
    let forth: u64 = values.iter().sum();
    let back: u64 = values.iter().rev().sum();
    assert_eq!(forth, back);
    let rule = rule(Kind::Sum(Threshold::at_least(forth)), 60, Vec::new());
    let point = |(id, value): (u64, &u64)| (0, Point { time: 5, id, value: *value });
    let ordered = Stream { lateness: 0, inputs: vec![(0..).zip(&values).map(point).collect()] };
    let mut turned = ordered.clone();
    turned.inputs[0].reverse();
    assert_eq!(run(&rule, &ordered, ONE_BY_ONE), BTreeSet::from([extent(5, 5, 20)]));
    assert_eq!(run(&rule, &turned, ONE_BY_ONE), BTreeSet::from([extent(5, 5, 20)]));
}

/// Far more samples than a window keeps: the burst is whole, and says that its count is a floor.
#[test]
fn a_flood_is_compacted_and_stays_one_burst() {
    let rule = at_least(20, 600);
    let engine = engine(&rule);
    let mut alerts = Vec::new();
    let mut compacted = 0;
    for chunk in 0..40_i64 {
        let times: Vec<i64> = (0..1_000).map(|n| chunk * 10 + n / 100).collect();
        let outcome = take(&engine, &points(chunk.unsigned_abs() * 1_000, &times));
        compacted += outcome.counts.compacted;
        assert_eq!(outcome.counts.overflowed, 0);
        alerts.extend(outcome.alerts);
    }
    let held = engine.with_window(0, &["k0"], |_, window| window.samples().len()).unwrap();
    assert!(held < 7_000, "{held}");
    assert!(compacted > 30_000, "{compacted}");
    alerts.extend(engine.finish().alerts);
    let last = alerts.last().unwrap();
    assert_eq!((last.first.0, last.last.0, last.count), (0, 399, 40_000));
    assert!(last.count_is_floor);
    assert_eq!(alerts.iter().filter(|a| a.revision == 1).count(), 1);
}

/// The watermark never goes back, whatever an input says.
#[test]
fn time_does_not_go_back() {
    let rule = at_least(2, 5);
    let stream = arriving(0, &[10, 11]);
    let inputs = Inputs { stream: &stream, done: vec![2] };
    assert_eq!(inputs.watermark(), EventTime::MIN, "an input at its end does not hold time");
    let engine = engine(&rule);
    for time in [50, 20] {
        assert!(engine.advance(EventTime(time)).alerts.is_empty());
    }
    assert_eq!(engine.watermark(), EventTime(50));
}

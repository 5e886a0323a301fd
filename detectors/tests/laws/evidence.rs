//! What of the records is kept: the ends of a burst whatever else goes, and no byte longer than a
//! window may still ask for it.

use std::collections::BTreeSet;

use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::definition::Point;
use floodmark_detectors::rule::{Kind, Rule, Threshold};
use proptest::prelude::*;

use super::stream::{Inputs, Stream, closed, engine, plain_step, rule, take, truth};
use super::{cases, fit, rules, streams};

/// As many records as a burst keeps at either end.
const EACH_END: usize = floodmark_detectors::window::burst::EVIDENCE_EACH_END;

/// All that is said, with so many bytes for evidence, and how many are held in the end.
fn said(rule: &Rule, stream: &Stream, choices: &[(u8, u8)], bytes_max: u64) -> (Vec<Alert>, u64) {
    let engine = engine(rule).with_evidence_bytes_max(bytes_max);
    let mut alerts = Vec::new();
    let mut inputs = Inputs { stream, done: vec![0; stream.inputs.len()] };
    let mut choices = choices.iter().cycle();
    while inputs.done.iter().zip(&stream.inputs).any(|(done, all)| *done < all.len()) {
        plain_step(&engine, &mut inputs, choices.next().copied().unwrap(), &mut alerts);
    }
    alerts.extend(engine.finish().alerts);
    (alerts, engine.evidence_bytes())
}

/// The ids of the records that an alert shows (the streams' records are their ids).
fn ids(alert: &Alert) -> Vec<u64> {
    let id = |record: &[u8]| u64::from_le_bytes(record.try_into().unwrap());
    alert.evidence.iter().map(|evidence| id(&evidence.record)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().cases / 4, ..cases() })]

    /// Where all samples of a key between a burst's ends are hot, its evidence is known: the least
    /// and the greatest of them. And when all is over, nothing is held any more.
    #[test]
    fn a_burst_shows_its_first_and_last_records(
        rule in rules(),
        stream in streams(),
        choices in prop::collection::vec((any::<u8>(), any::<u8>()), 1..20),
    ) {
        let stream = fit(&rule, stream);
        let (alerts, held) = said(&rule, &stream, &choices, u64::MAX);
        prop_assert_eq!(held, 0, "every byte taken in was let go");
        if matches!(rule.kind, Kind::Silence { .. }) {
            // Its samples are moments of quiet, not records.
            return Ok(());
        }
        for alert in alerts.iter().filter(|alert| alert.life == Life::Closed) {
            let within = |point: &Point| (alert.first.0..=alert.last.0).contains(&point.time);
            let key = alert.key.first().unwrap();
            let all: BTreeSet<Point> = stream.inputs.iter().flatten()
                .filter(|(k, point)| format!("k{k}") == **key && within(point))
                .map(|(_, point)| *point)
                .collect();
            if all.len() as u64 == alert.count {
                let all: Vec<u64> = all.iter().map(|point| point.id).collect();
                let mut wanted = all.clone();
                if all.len() > 2 * EACH_END {
                    wanted = [&all[..EACH_END], &all[all.len() - EACH_END..]].concat();
                }
                prop_assert_eq!(ids(alert), wanted);
            }
        }
    }

    /// Without room for evidence the same bursts are found.
    #[test]
    fn verdicts_need_no_evidence(rule in rules(), stream in streams()) {
        let stream = fit(&rule, stream);
        let (alerts, held) = said(&rule, &stream, &[(0, 3)], 0);
        prop_assert_eq!(held, 0);
        prop_assert!(alerts.iter().all(|a| a.evidence.is_empty() && a.crossing.is_none()));
        prop_assert_eq!(closed(&alerts), truth(&rule, &stream));
    }
}

/// Over the bound samples come without their record, which is counted, until there is room again.
#[test]
fn evidence_is_bounded_and_the_rest_counted() {
    let rule = rule(Kind::Count(Threshold::at_least(100)), 10, Vec::new());
    let engine = engine(&rule).with_evidence_bytes_max(40);
    let points = |first: i64| -> Vec<(u8, Point)> {
        let point =
            |n: i64| (0, Point { time: first + n, id: (first + n).unsigned_abs(), value: 0 });
        (0..9).map(point).collect()
    };
    let outcome = take(&engine, &points(0));
    assert_eq!((engine.evidence_bytes(), outcome.counts.evidence_left_out), (40, 4));
    assert!(engine.advance(floodmark_detectors::time::EventTime(60)).alerts.is_empty());
    assert_eq!(engine.evidence_bytes(), 0);
    let outcome = take(&engine, &points(100));
    assert_eq!((engine.evidence_bytes(), outcome.counts.evidence_left_out), (40, 4));
}

/// A flood holds the records of its ends, not one for each of its samples.
#[test]
fn what_is_hot_and_no_evidence_lets_its_record_go() {
    let rule = rule(Kind::Count(Threshold::at_least(3)), 600, Vec::new());
    let engine = engine(&rule);
    let points: Vec<(u8, Point)> =
        (0..1_000).map(|n| (0, Point { time: n / 10, id: n.unsigned_abs(), value: 0 })).collect();
    let outcome = take(&engine, &points);
    assert_eq!(outcome.counts.samples, 1_000);
    // The ends, and the one that crossed the mark.
    assert_eq!(engine.evidence_bytes(), 8 * (2 * EACH_END as u64 + 1));
}

//! The laws of windows: whatever the order, the repeats, the split over workers and inputs, the
//! size of batches, and wherever it was stopped and went on, the engine finds the bursts of the
//! definition, and no others.

#![allow(clippy::unwrap_used, missing_docs)]

mod evidence;
mod handover;
mod ledger;
mod reload;
mod silence;
mod stream;
mod usual;
mod wrong_turns;

use std::collections::HashSet;

use floodmark_detectors::definition::Point;
use floodmark_detectors::rule::{Kind, Level, Mark, Members, Rule, Threshold};
use proptest::prelude::*;
use stream::{
    Stream, alerts_on_threads, alerts_with_crash, peaks, rule, run, run_on_threads, run_with_crash,
    true_peaks, truth,
};

fn kinds() -> impl Strategy<Value = Kind> {
    let gte = || (1_u64..5).prop_map(Threshold::at_least);
    let one = |bit| Members::One(bit);
    prop_oneof![
        4 => gte().prop_map(Kind::Count),
        3 => gte().prop_map(Kind::Distinct),
        2 => gte().prop_map(Kind::Sum),
        1 => Just(Kind::Temporal(Members::And(vec![one(0), one(1)]))),
        1 => Just(Kind::Temporal(Members::And(vec![one(0), Members::Or(vec![one(1), one(2)])]))),
        1 => Just(Kind::Temporal(Members::And(vec![one(0), Members::Not(Box::new(one(1)))]))),
        2 => (2_u8..4).prop_map(|count| Kind::Temporal(Members::Apart(count))),
        2 => (1_u8..4).prop_map(Kind::Ordered),
        1 => (1_u64..4).prop_map(|n| Kind::Count(Threshold { lte: Some(n), ..Threshold::default() })),
        1 => (1_u64..4).prop_map(|n| Kind::Distinct(Threshold { eq: Some(n), ..Threshold::default() })),
        1 => (1_u64..4).prop_map(|n| Kind::Count(Threshold { neq: Some(n), gte: Some(1), ..Threshold::default() })),
        1 => (1_i64..12, 0_i64..12)
            .prop_map(|(memory_secs, warmup_secs)| Kind::FirstSeen { memory_secs, warmup_secs }),
        1 => (1_i64..5, 1_u32..5, 1_u32..3, 1_u64..4).prop_map(|(bucket_secs, buckets, buckets_min, floor)| {
            Kind::Surge { bucket_secs, buckets, buckets_min, factor_milli: 1_500, floor }
        }),
        1 => (1_i64..6, 1_i64..4, 1_u32..4)
            .prop_map(|(quiet_secs, slot_secs, slots)| Kind::Silence { quiet_secs, slot_secs, slots }),
    ]
}

fn rules() -> impl Strategy<Value = Rule> {
    let marks = prop::collection::vec(
        (2_u64..7, 1_i64..14).prop_map(|(gte, timespan_secs)| Mark {
            level: if gte > 4 { Level::Critical } else { Level::High },
            gte,
            timespan_secs,
        }),
        0..3,
    );
    (kinds(), 1_i64..11, marks).prop_map(|(kind, span, marks)| rule(kind, span, marks))
}

/// Rules whose mark is a least measure.
fn measuring_rules() -> impl Strategy<Value = Rule> {
    let kinds = (1_u64..5).prop_map(Threshold::at_least).prop_flat_map(|mark| {
        prop::sample::select(vec![
            Kind::Count(mark.clone()),
            Kind::Distinct(mark.clone()),
            Kind::Sum(mark),
        ])
    });
    (kinds, 1_i64..11).prop_map(|(kind, span)| rule(kind, span, Vec::new()))
}

/// Samples spread over inputs so that none is later than the lateness bound within its input, with
/// repeats, which may come over another input.
fn streams() -> impl Strategy<Value = Stream> {
    let point = (0_u8..2, 0_i64..60, 0_u64..1_000, 0_u64..5, 0_u8..4, prop::bool::weighted(0.2));
    let points = prop::collection::vec((point, 0.0_f64..1.0, 0.0_f64..1.0), 0..40);
    (0_i64..25, 1_usize..4, points).prop_map(|(lateness, inputs, points)| {
        let mut arrivals: Vec<Vec<(f64, u8, Point)>> = vec![Vec::new(); inputs];
        for (place, ((key, time, id, value, input, again), delay, delay_again)) in
            points.into_iter().enumerate()
        {
            // An event id belongs to one event: one time, one value.
            let point = Point { time, id: id * 64 + place as u64, value: value_of(value) };
            let bound = lateness as f64;
            let at = time as f64 + delay * bound;
            arrivals[usize::from(input) % inputs].push((at, key, point));
            if again {
                let at = time as f64 + delay_again * bound;
                arrivals[(usize::from(input) + 1) % inputs].push((at, key, point));
            }
        }
        let inputs = arrivals
            .into_iter()
            .map(|mut input| {
                input.sort_by(|a, b| a.0.total_cmp(&b.0));
                input.into_iter().map(|(_, key, point)| (key, point)).collect()
            })
            .collect();
        Stream { lateness, inputs }
    })
}

/// Small numbers serve every kind: as distinct values, as sums, and as bits of members.
fn value_of(value: u64) -> u64 {
    [1, 2, 4, 3, 0][usize::try_from(value).unwrap() % 5]
}

/// Sixteen times proptest's own number of cases: these laws are what the engine stands on, and a
/// stream is quickly run. `PROPTEST_CASES`, where it is set, is the number itself.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases * 16, failure_persistence: None, ..usual }
}

/// For temporal kinds one event has one value; for the others 0 stands for a plain count.
fn fit(rule: &Rule, mut stream: Stream) -> Stream {
    for (_, point) in stream.inputs.iter_mut().flatten() {
        match rule.kind {
            Kind::Count(_) | Kind::Surge { .. } | Kind::Silence { .. } => point.value = 0,
            Kind::Temporal(Members::Apart(_)) => {
                // Three members and two values to differ in, and some of no member of the rule.
                point.value = Members::apart(u8::try_from(point.id % 3).unwrap(), point.value % 2);
            }
            Kind::Temporal(_) | Kind::Ordered(_) => point.value = point.value.max(1),
            Kind::Distinct(_) | Kind::Sum(_) | Kind::FirstSeen { .. } => {}
        }
    }
    stream
}

proptest! {
    #![proptest_config(cases())]

    /// Any order within lateness, any repeats, several inputs of unlike speed, any batch size.
    #[test]
    fn the_engine_finds_the_bursts_of_the_definition(
        rule in rules(),
        stream in streams(),
        choices in prop::collection::vec((any::<u8>(), any::<u8>()), 1..20),
    ) {
        let stream = fit(&rule, stream);
        prop_assert_eq!(run(&rule, &stream, &choices), truth(&rule, &stream));
    }
}

proptest! {
    #![proptest_config(cases())]

    /// Stopped anywhere, and gone on from windows that are ahead of the positions.
    #[test]
    fn a_restart_and_a_replay_change_nothing(
        rule in rules(),
        stream in streams(),
        choices in prop::collection::vec((any::<u8>(), any::<u8>()), 1..20),
        saved in 0_usize..12,
        more in 0_usize..6,
    ) {
        let stream = fit(&rule, stream);
        let found = run_with_crash(&rule, &stream, &choices, (saved, saved + more));
        prop_assert_eq!(found, truth(&rule, &stream));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().cases / 10, ..cases() })]

    /// Any number of workers.
    #[test]
    fn one_worker_or_eight(rule in rules(), stream in streams(), threads in 1_usize..9) {
        let stream = fit(&rule, stream);
        prop_assert_eq!(run_on_threads(&rule, &stream, threads), truth(&rule, &stream));
    }
}

proptest! {
    #![proptest_config(cases())]

    /// Whatever the order, the restarts and the workers, a burst's peak is its greatest window.
    #[test]
    fn the_peak_is_the_greatest_window(
        rule in measuring_rules(),
        stream in streams(),
        choices in prop::collection::vec((any::<u8>(), any::<u8>()), 1..20),
        saved in 0_usize..12,
        more in 0_usize..6,
        threads in 1_usize..4,
    ) {
        let stream = fit(&rule, stream);
        let expected = true_peaks(&rule, &stream);
        let lives = alerts_with_crash(&rule, &stream, &choices, (saved, saved + more));
        prop_assert_eq!(&peaks(&lives), &expected);
        prop_assert_eq!(&peaks(&alerts_on_threads(&rule, &stream, threads)), &expected);
    }
}

/// Lives of processes: mostly steps, with the parts of checkpoints and kills between them.
fn lives() -> impl Strategy<Value = Vec<ledger::Event>> {
    use ledger::Event;
    prop::collection::vec(
        prop_oneof![
            8 => (any::<u8>(), any::<u8>()).prop_map(|(input, size)| Event::Step(input, size)),
            2 => Just(Event::Alerts),
            2 => Just(Event::ReadPositions),
            2 => Just(Event::ReadWindows),
            2 => (1_u8..3).prop_map(Event::CommitSome),
            2 => Just(Event::Commit),
            2 => Just(Event::Kill),
        ],
        0..40,
    )
}

proptest! {
    #![proptest_config(cases())]

    /// Killed at any moments, with a ledger: none lost, none false, none renamed.
    #[test]
    fn a_ledger_keeps_every_burst_and_its_id(
        rule in rules(),
        stream in streams(),
        lives in lives(),
    ) {
        let stream = fit(&rule, stream);
        let found = ledger::run(&rule, &stream, &lives);
        prop_assert_eq!(found, Ok(truth(&rule, &stream)));
    }
}

proptest! {
    #![proptest_config(cases())]

    /// Taken over at any moments: none lost, none false, none renamed. What a rule learns over its
    /// memory is another matter.
    #[test]
    fn windows_are_made_again_from_what_they_rest_on(
        rule in rules().prop_filter("learns", |rule| {
            !matches!(rule.kind, Kind::FirstSeen { .. } | Kind::Surge { .. })
        }),
        stream in streams(),
        stays in prop::collection::vec((0_u8..6, 0_u8..3, 0_u8..3), 0..4),
        sizes in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let mut stream = fit(&rule, stream);
        stream.inputs.truncate(1);
        let found = handover::run(&rule, &stream, &stays, &sizes);
        prop_assert_eq!(found, Ok(truth(&rule, &stream)));
    }
}

/// Found by the law: the record that broke a quiet is of a batch that is not read again, and the one
/// before it, which came later, is.
#[test]
fn a_quiet_that_was_broken_before_a_handover_is_none_after_it() {
    let kind = Kind::Silence { quiet_secs: 5, slot_secs: 1, slots: 1 };
    let rule = rule(kind, 1, Vec::new());
    let points = [(0, 0), (0, 0), (1, 37), (1, 36), (1, 42), (0, 49)].into_iter().zip(0..);
    let points = points.map(|((key, time), id)| (key, Point { time, id, value: 0 }));
    let stream = Stream { lateness: 5, inputs: vec![points.collect()] };
    let found = handover::run(&rule, &stream, &[(2, 0, 0)], &[2]);
    assert_eq!(found, Ok(truth(&rule, &stream)));
}

/// The streams above are worth something only if bursts, merges and late heat occur in them.
#[test]
fn the_streams_hold_what_the_laws_are_about() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut bursts, mut several, mut raised, mut kinds) = (0, 0, 0, HashSet::new());
    for _ in 0..500 {
        let (rule, stream) =
            (rules(), streams()).new_tree(&mut runner).map(|tree| tree.current()).unwrap();
        let stream = fit(&rule, stream);
        let found = truth(&rule, &stream);
        bursts += found.len();
        several += usize::from(found.len() > 2);
        raised += found.iter().filter(|(_, e)| e.level > Level::Medium).count();
        if !found.is_empty() {
            kinds.insert(std::mem::discriminant(&rule.kind));
        }
    }
    assert!(bursts > 400, "{bursts}");
    assert!(several > 50, "{several}");
    assert!(raised > 50, "{raised}");
    assert_eq!(kinds.len(), 8, "every kind bursts");
}

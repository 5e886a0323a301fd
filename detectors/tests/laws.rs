//! The laws of windows: whatever the order, the repeats, the split over workers and inputs, the
//! size of batches, and wherever it was stopped and went on, the engine finds the bursts of the
//! definition, and no others.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::definition::{self, Extent, Point};
use floodmark_detectors::engine::{Engine, Options, Outcome};
use floodmark_detectors::record::EventId;
use floodmark_detectors::rule::{Card, Kind, Level, Mark, Members, Rule, RuleSet, Threshold};
use floodmark_detectors::sample::{Sample, WindowKey};
use floodmark_detectors::time::EventTime;
use proptest::prelude::*;

/// A rule by hand, as the compiler would make it.
fn rule(kind: Kind, timespan_secs: i64, marks: Vec<Mark>) -> Rule {
    let card = Card { id: "law".into(), level: Some(Level::Medium), ..Card::default() };
    Rule {
        card: Arc::new(card),
        tag: 7,
        kind,
        timespan_secs,
        marks,
        speaks: true,
        delay_secs: 0,
        taps: Vec::new(),
        together: false,
        differ: Vec::new(),
    }
}

fn engine(rule: &Rule) -> Engine {
    let rules = RuleSet { rules: vec![rule.clone()], ..RuleSet::default() };
    Engine::new(Arc::new(rules), Options::default())
}

/// What reaches the engine: samples of a few keys, in order of arrival, over several inputs.
#[derive(Debug, Clone)]
struct Stream {
    lateness: i64,
    /// Per input, in its order: (key, point).
    inputs: Vec<Vec<(u8, Point)>>,
}

fn take(engine: &Engine, batch: &[(u8, Point)]) -> Outcome {
    let samples = batch.iter().map(|(key, point)| {
        let key_text = format!("k{key}");
        let sample = Sample {
            rule: 0,
            window: WindowKey::of(0, 7, [key_text.as_str()].into_iter()),
            time: EventTime(point.time),
            id: EventId(point.id),
            value: point.value,
        };
        let record: Arc<[u8]> = point.id.to_le_bytes().to_vec().into();
        (sample, Arc::from(vec![key_text.into_boxed_str()]), record)
    });
    engine.take(samples)
}

/// What was said of each burst last, by id: the closed ones, as (key, extent).
#[derive(Debug, Default, Clone)]
struct Said {
    last: BTreeMap<u128, Alert>,
    opened: BTreeSet<u128>,
}

impl Said {
    fn hear(&mut self, alerts: Vec<Alert>) {
        for alert in alerts {
            if alert.life == Life::Open {
                assert!(self.opened.insert(alert.id.0), "a burst opens once");
            }
            assert!(self.opened.contains(&alert.id.0), "nothing is said before the opening");
            if let Some(before) = self.last.get(&alert.id.0) {
                assert!(alert.revision > before.revision);
                assert!(alert.count >= before.count, "a count never falls");
                assert!(!matches!(before.life, Life::Closed | Life::Merged(_)));
            }
            self.last.insert(alert.id.0, alert);
        }
    }

    fn extents(&self) -> BTreeSet<(String, Extent)> {
        self.last
            .values()
            .filter(|a| !matches!(a.life, Life::Merged(_)))
            .map(|a| {
                assert_eq!(a.life, Life::Closed, "every burst is closed in the end");
                let extent =
                    Extent { first: a.first.0, last: a.last.0, count: a.count, level: a.level };
                (a.key.first().unwrap().to_string(), extent)
            })
            .collect()
    }
}

fn truth(rule: &Rule, stream: &Stream) -> BTreeSet<(String, Extent)> {
    let mut by_key: BTreeMap<u8, BTreeSet<Point>> = BTreeMap::new();
    for (key, point) in stream.inputs.iter().flatten() {
        by_key.entry(*key).or_default().insert(*point);
    }
    by_key
        .iter()
        .flat_map(|(key, points)| {
            let level = rule.card.level.unwrap();
            definition::bursts(&rule.kind, rule.timespan_secs, level, &rule.marks, points)
                .into_iter()
                .map(move |extent| (format!("k{key}"), extent))
        })
        .collect()
}

/// How far the inputs are, and the watermark that follows: the least over the inputs of the
/// greatest time in what is done of them, minus the lateness; inputs read to their end set aside.
struct Inputs<'s> {
    stream: &'s Stream,
    done: Vec<usize>,
}

impl Inputs<'_> {
    /// The batch that `choice` picks: an input not yet at its end, and how far.
    fn next(&self, choice: (u8, u8)) -> (usize, usize, usize) {
        let open: Vec<usize> =
            (0..self.done.len()).filter(|i| self.done[*i] < self.stream.inputs[*i].len()).collect();
        let input = open[usize::from(choice.0) % open.len()];
        let from = self.done[input];
        (input, from, (from + 1 + usize::from(choice.1) % 7).min(self.stream.inputs[input].len()))
    }

    fn watermark(&self) -> EventTime {
        let open =
            self.stream.inputs.iter().zip(&self.done).filter(|(all, done)| **done < all.len());
        open.map(|(all, done)| {
            all[..*done]
                .iter()
                .map(|(_, p)| EventTime(p.time - self.stream.lateness))
                .max()
                .unwrap_or(EventTime::MIN)
        })
        .min()
        .unwrap_or(EventTime::MIN)
    }
}

/// Runs the stream: which input comes next and how large the batch is, as `choices` say.
fn run(rule: &Rule, stream: &Stream, choices: &[(u8, u8)]) -> BTreeSet<(String, Extent)> {
    let engine = engine(rule);
    let mut said = Said::default();
    let mut inputs = Inputs { stream, done: vec![0; stream.inputs.len()] };
    let mut choices = choices.iter().cycle();
    while inputs.done.iter().zip(&stream.inputs).any(|(done, all)| *done < all.len()) {
        step(&engine, &mut inputs, choices.next().copied().unwrap(), &mut said);
    }
    said.hear(engine.finish().alerts);
    assert_eq!(engine.with_window(0, &["k0"], |_, w| w.bursts().len()).unwrap_or(0), 0);
    said.extents()
}

fn step(engine: &Engine, inputs: &mut Inputs<'_>, choice: (u8, u8), said: &mut Said) {
    let (input, from, to) = inputs.next(choice);
    let outcome = take(engine, &inputs.stream.inputs[input][from..to]);
    assert_eq!(outcome.counts.forgotten, 0, "nothing within the lateness bound is forgotten");
    said.hear(outcome.alerts);
    inputs.done[input] = to;
    said.hear(engine.advance(inputs.watermark()).alerts);
}

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

fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// For temporal kinds one event has one value; for the others 0 stands for a plain count.
fn fit(rule: &Rule, mut stream: Stream) -> Stream {
    for (_, point) in stream.inputs.iter_mut().flatten() {
        match rule.kind {
            Kind::Count(_) | Kind::Surge { .. } | Kind::Silence { .. } => point.value = 0,
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

/// The bursts that were said to be over, by either life of an engine that was stopped.
fn closed(alerts: &[Alert]) -> BTreeSet<(String, Extent)> {
    alerts
        .iter()
        .filter(|a| a.life == Life::Closed)
        .map(|a| {
            let extent =
                Extent { first: a.first.0, last: a.last.0, count: a.count, level: a.level };
            (a.key.first().unwrap().to_string(), extent)
        })
        .collect()
}

/// Runs to step `stop`, saves the windows as they are then beside the positions of step `saved`
/// (at or before it), goes on from both in a new engine, and replays what lies between.
fn run_with_crash(
    rule: &Rule,
    stream: &Stream,
    choices: &[(u8, u8)],
    (saved, stop): (usize, usize),
) -> BTreeSet<(String, Extent)> {
    let mut alerts = Vec::new();
    let mut inputs = Inputs { stream, done: vec![0; stream.inputs.len()] };
    let first = engine(rule);
    let mut turns = choices.iter().cycle();
    let mut positions = (inputs.done.clone(), EventTime::MIN);
    for turn in 0..=stop {
        if turn == saved {
            positions = (inputs.done.clone(), inputs.watermark());
        }
        if turn == stop || inputs.done.iter().zip(&stream.inputs).all(|(d, all)| *d >= all.len()) {
            break;
        }
        plain_step(&first, &mut inputs, turns.next().copied().unwrap(), &mut alerts);
    }
    let bytes = serde_json::to_vec(&first.export(positions.1)).unwrap();
    let second = engine(rule);
    second.restore(serde_json::from_slice(&bytes).unwrap());
    inputs.done = positions.0;
    let mut turns = choices.iter().rev().cycle();
    while inputs.done.iter().zip(&stream.inputs).any(|(done, all)| *done < all.len()) {
        plain_step(&second, &mut inputs, turns.next().copied().unwrap(), &mut alerts);
    }
    alerts.extend(second.finish().alerts);
    closed(&alerts)
}

fn plain_step(engine: &Engine, inputs: &mut Inputs<'_>, choice: (u8, u8), alerts: &mut Vec<Alert>) {
    let (input, from, to) = inputs.next(choice);
    alerts.extend(take(engine, &inputs.stream.inputs[input][from..to]).alerts);
    inputs.done[input] = to;
    alerts.extend(engine.advance(inputs.watermark()).alerts);
}

/// Runs the stream over threads: batches are handed out in order, done in any, and the watermark
/// is that of the unbroken front.
fn run_on_threads(rule: &Rule, stream: &Stream, threads: usize) -> BTreeSet<(String, Extent)> {
    struct Feed<'s> {
        inputs: Inputs<'s>,
        /// Per input: ends of batches that are done, beyond the unbroken front.
        ahead: Vec<BTreeMap<usize, usize>>,
        given: Vec<usize>,
        turn: usize,
    }
    let engine = engine(rule);
    let count = stream.inputs.len();
    let feed = std::sync::Mutex::new(Feed {
        inputs: Inputs { stream, done: vec![0; count] },
        ahead: vec![BTreeMap::new(); count],
        given: vec![0; count],
        turn: 0,
    });
    let alerts = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let (input, from, to) = {
                        let mut feed = feed.lock().unwrap();
                        feed.turn += 1;
                        let turn = feed.turn;
                        let next = (0..count)
                            .map(|i| (i + turn) % count)
                            .find(|i| feed.given[*i] < stream.inputs[*i].len());
                        let Some(input) = next else { break };
                        let from = feed.given[input];
                        let to = (from + 1 + turn % 3).min(stream.inputs[input].len());
                        feed.given[input] = to;
                        (input, from, to)
                    };
                    let outcome = take(&engine, &stream.inputs[input][from..to]);
                    alerts.lock().unwrap().extend(outcome.alerts);
                    let watermark = {
                        let mut feed = feed.lock().unwrap();
                        feed.ahead[input].insert(from, to);
                        let mut front = feed.inputs.done[input];
                        while let Some(end) = feed.ahead[input].remove(&front) {
                            front = end;
                        }
                        feed.inputs.done[input] = front;
                        feed.inputs.watermark()
                    };
                    alerts.lock().unwrap().extend(engine.advance(watermark).alerts);
                }
            });
        }
    });
    let mut alerts = alerts.into_inner().unwrap();
    alerts.extend(engine.finish().alerts);
    closed(&alerts)
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

/// The streams above are worth something only if bursts, merges and late heat occur in them.
#[test]
fn the_streams_hold_what_the_laws_are_about() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut bursts, mut several, mut raised, mut kinds) =
        (0, 0, 0, std::collections::HashSet::new());
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

//! Streams of samples, and the ways an engine may meet them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::definition::{self, Extent, Point};
use floodmark_detectors::engine::{Engine, Options, Outcome};
use floodmark_detectors::record::EventId;
use floodmark_detectors::rule::{Card, Kind, Level, Mark, Rule, RuleSet};
use floodmark_detectors::sample::{Sample, WindowKey};
use floodmark_detectors::time::EventTime;

/// A rule by hand, as the compiler would make it.
pub(super) fn rule(kind: Kind, timespan_secs: i64, marks: Vec<Mark>) -> Rule {
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

pub(super) fn engine(rule: &Rule) -> Engine {
    let rules = RuleSet::of(vec![rule.clone()], Vec::new());
    Engine::new(Arc::new(rules), Options::default())
}

/// What reaches the engine: samples of a few keys, in order of arrival, over several inputs.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) lateness: i64,
    /// Per input, in its order: (key, point).
    pub(super) inputs: Vec<Vec<(u8, Point)>>,
}

pub(super) fn take(engine: &Engine, batch: &[(u8, Point)]) -> Outcome {
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
pub(super) struct Said {
    last: BTreeMap<u128, Alert>,
    opened: BTreeSet<u128>,
}

impl Said {
    pub(super) fn hear(&mut self, alerts: Vec<Alert>) {
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

    pub(super) fn extents(&self) -> BTreeSet<(String, Extent)> {
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

pub(super) fn truth(rule: &Rule, stream: &Stream) -> BTreeSet<(String, Extent)> {
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
pub(super) struct Inputs<'s> {
    pub(super) stream: &'s Stream,
    pub(super) done: Vec<usize>,
}

impl Inputs<'_> {
    /// The batch that `choice` picks: an input not yet at its end, and how far.
    pub(super) fn next(&self, choice: (u8, u8)) -> (usize, usize, usize) {
        let open: Vec<usize> =
            (0..self.done.len()).filter(|i| self.done[*i] < self.stream.inputs[*i].len()).collect();
        let input = open[usize::from(choice.0) % open.len()];
        let from = self.done[input];
        (input, from, (from + 1 + usize::from(choice.1) % 7).min(self.stream.inputs[input].len()))
    }

    pub(super) fn watermark(&self) -> EventTime {
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
pub(super) fn run(
    rule: &Rule,
    stream: &Stream,
    choices: &[(u8, u8)],
) -> BTreeSet<(String, Extent)> {
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

pub(super) fn step(engine: &Engine, inputs: &mut Inputs<'_>, choice: (u8, u8), said: &mut Said) {
    let (input, from, to) = inputs.next(choice);
    let outcome = take(engine, &inputs.stream.inputs[input][from..to]);
    assert_eq!(outcome.counts.forgotten, 0, "nothing within the lateness bound is forgotten");
    said.hear(outcome.alerts);
    inputs.done[input] = to;
    said.hear(engine.advance(inputs.watermark()).alerts);
}

/// The bursts that were said to be over, by either life of an engine that was stopped.
pub(super) fn closed(alerts: &[Alert]) -> BTreeSet<(String, Extent)> {
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

/// The greatest window of each burst that was said to be over: (key, first) to (measure, end).
pub(super) fn peaks(alerts: &[Alert]) -> BTreeMap<(String, i64), (u64, i64)> {
    let closed = alerts.iter().filter(|a| a.life == Life::Closed);
    closed
        .filter_map(|a| {
            let key = (a.key.first().unwrap().to_string(), a.first.0);
            a.peak.map(|peak| (key, (peak.measure, peak.at.0)))
        })
        .collect()
}

/// The same as the definition has it.
pub(super) fn true_peaks(rule: &Rule, stream: &Stream) -> BTreeMap<(String, i64), (u64, i64)> {
    let mut by_key: BTreeMap<String, BTreeSet<Point>> = BTreeMap::new();
    for (key, point) in stream.inputs.iter().flatten() {
        by_key.entry(format!("k{key}")).or_default().insert(*point);
    }
    let unit = if matches!(rule.kind, Kind::Sum(_)) { 1_000_000 } else { 1 };
    let bursts = truth(rule, stream).into_iter();
    bursts
        .map(|(key, extent)| {
            let span = (extent.first, extent.last);
            let peak = definition::peak(&rule.kind, rule.timespan_secs, &by_key[&key], span);
            let (measure, at) = peak.unwrap();
            ((key, extent.first), (u64::try_from(measure / unit).unwrap(), at))
        })
        .collect()
}

/// Runs to step `stop`, saves the windows as they are then beside the positions of step `saved`
/// (at or before it), goes on from both in a new engine, and replays what lies between.
pub(super) fn run_with_crash(
    rule: &Rule,
    stream: &Stream,
    choices: &[(u8, u8)],
    stops: (usize, usize),
) -> BTreeSet<(String, Extent)> {
    closed(&alerts_with_crash(rule, stream, choices, stops))
}

/// What is said over both lives.
pub(super) fn alerts_with_crash(
    rule: &Rule,
    stream: &Stream,
    choices: &[(u8, u8)],
    stops: (usize, usize),
) -> Vec<Alert> {
    let (engine, mut alerts) = engine_after_crash(rule, stream, choices, stops);
    alerts.extend(engine.finish().alerts);
    alerts
}

/// What is said over both lives as far as the stream goes, and the engine of the second.
pub(super) fn engine_after_crash(
    rule: &Rule,
    stream: &Stream,
    choices: &[(u8, u8)],
    (saved, stop): (usize, usize),
) -> (Engine, Vec<Alert>) {
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
    let said = second.restore(serde_json::from_slice(&bytes).unwrap(), &[]).alerts;
    alerts.extend(said);
    inputs.done = positions.0;
    let mut turns = choices.iter().rev().cycle();
    while inputs.done.iter().zip(&stream.inputs).any(|(done, all)| *done < all.len()) {
        plain_step(&second, &mut inputs, turns.next().copied().unwrap(), &mut alerts);
    }
    (second, alerts)
}

pub(super) fn plain_step(
    engine: &Engine,
    inputs: &mut Inputs<'_>,
    choice: (u8, u8),
    alerts: &mut Vec<Alert>,
) {
    let (input, from, to) = inputs.next(choice);
    alerts.extend(take(engine, &inputs.stream.inputs[input][from..to]).alerts);
    inputs.done[input] = to;
    alerts.extend(engine.advance(inputs.watermark()).alerts);
}

/// Runs the stream over threads: batches are handed out in order, done in any, and the watermark
/// is that of the unbroken front.
pub(super) fn run_on_threads(
    rule: &Rule,
    stream: &Stream,
    threads: usize,
) -> BTreeSet<(String, Extent)> {
    closed(&alerts_on_threads(rule, stream, threads))
}

/// What is said there.
pub(super) fn alerts_on_threads(rule: &Rule, stream: &Stream, threads: usize) -> Vec<Alert> {
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
    alerts
}

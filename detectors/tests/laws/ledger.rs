//! Stops at any moment, and a ledger that has what was committed: positions, then windows, then
//! alerts. Whatever is lost with the process, each burst keeps one id over all that is said of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::definition::Extent;
use floodmark_detectors::engine::{Engine, Options, State};
use floodmark_detectors::rule::{Rule, RuleSet};
use floodmark_detectors::sample::WindowKey;
use floodmark_detectors::time::EventTime;

use super::stream::{Inputs, Stream, plain_step};

/// What survives.
struct Disk {
    done: Vec<usize>,
    state: State,
    /// Serialised windows, and whether each is empty: it goes at the checkpoint after the next.
    windows: HashMap<WindowKey, (Vec<u8>, Emptied)>,
    alerts: Vec<Alert>,
}

/// Whether a window is empty, and since when.
#[derive(PartialEq)]
enum Emptied {
    No,
    SinceLast,
    Before,
}

impl Disk {
    /// Some of the windows that were read, after their alerts. More, and the positions, come later or
    /// never.
    fn commit_some(&mut self, count: usize, state: &mut State, alerts: &mut Vec<Alert>) {
        self.alerts.append(alerts);
        for (key, window) in state.windows.drain(..count.min(state.windows.len())) {
            let bytes = serde_json::to_vec(&window).unwrap();
            let emptied = if window.is_empty() { Emptied::SinceLast } else { Emptied::No };
            self.windows.insert(key, (bytes, emptied));
        }
    }

    /// What was read in the order positions, windows, alerts; the rest of the windows, then the
    /// positions.
    fn commit(&mut self, done: Vec<usize>, mut state: State, alerts: &mut Vec<Alert>) {
        self.commit_some(usize::MAX, &mut state, alerts);
        self.windows.retain(|_, (_, emptied)| *emptied != Emptied::Before);
        for (_, emptied) in self.windows.values_mut() {
            if *emptied == Emptied::SinceLast {
                *emptied = Emptied::Before;
            }
        }
        self.done = done;
        self.state = state;
    }

    fn restart(&self, rule: &Rule, alerts: &mut Vec<Alert>) -> Engine {
        let rules = RuleSet::of(vec![rule.clone()], Vec::new());
        let options = Options { keeps_changes: true, ..Options::default() };
        let engine = Engine::new(rules.into(), options);
        let mut state = self.state.clone();
        state.windows = self
            .windows
            .iter()
            .map(|(key, (bytes, _))| (*key, serde_json::from_slice(bytes).unwrap()))
            .collect();
        let mut last: BTreeMap<u128, &Alert> = BTreeMap::new();
        for alert in &self.alerts {
            last.insert(alert.id.0, alert);
        }
        let said: Vec<Alert> = last.into_values().cloned().collect();
        alerts.extend(engine.restore(state, &said).alerts);
        engine
    }
}

/// What happens next, in the life of a process.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Step(u8, u8),
    /// Alerts go to the ledger by themselves, as they do all the time.
    Alerts,
    ReadPositions,
    ReadWindows,
    CommitSome(u8),
    Commit,
    Kill,
}

/// Runs the stream through as many lives as the events have; then to its end.
pub(super) fn run(
    rule: &Rule,
    stream: &Stream,
    events: &[Event],
) -> Result<BTreeSet<(String, Extent)>, String> {
    let mut disk = Disk {
        done: vec![0; stream.inputs.len()],
        state: State::default(),
        windows: HashMap::new(),
        alerts: Vec::new(),
    };
    let mut pending = Vec::new();
    let mut engine = disk.restart(rule, &mut pending);
    let mut inputs = Inputs { stream, done: disk.done.clone() };
    let mut positions: Option<(Vec<usize>, EventTime)> = None;
    let mut windows: Option<(Vec<usize>, State)> = None;
    for event in events {
        match *event {
            Event::Step(input, size) => {
                let is_open = |(done, all): (&usize, &Vec<_>)| *done < all.len();
                if inputs.done.iter().zip(&stream.inputs).any(is_open) {
                    plain_step(&engine, &mut inputs, (input, size), &mut pending);
                }
            }
            Event::Alerts => disk.alerts.append(&mut pending),
            Event::ReadPositions => {
                if windows.is_none() {
                    positions = Some((inputs.done.clone(), inputs.watermark()));
                }
            }
            Event::ReadWindows => {
                if let Some((done, watermark)) = positions.take() {
                    windows = Some((done, engine.changes(watermark)));
                }
            }
            Event::CommitSome(count) => {
                if let Some((_, state)) = &mut windows {
                    disk.commit_some(usize::from(count), state, &mut pending);
                }
            }
            Event::Commit => {
                if let Some((done, state)) = windows.take() {
                    disk.commit(done, state, &mut pending);
                }
            }
            Event::Kill => {
                pending.clear();
                (positions, windows) = (None, None);
                inputs.done.clone_from(&disk.done);
                engine = disk.restart(rule, &mut pending);
            }
        }
    }
    while inputs.done.iter().zip(&stream.inputs).any(|(done, all)| *done < all.len()) {
        plain_step(&engine, &mut inputs, (1, 3), &mut pending);
    }
    pending.extend(engine.finish().alerts);
    disk.alerts.append(&mut pending);
    verdict(&disk.alerts)
}

/// The bursts as the ledger tells them: one id each, and no id without one.
pub(super) fn verdict(alerts: &[Alert]) -> Result<BTreeSet<(String, Extent)>, String> {
    let mut by_id: BTreeMap<u128, Vec<&Alert>> = BTreeMap::new();
    for alert in alerts {
        by_id.entry(alert.id.0).or_default().push(alert);
    }
    let mut found = BTreeSet::new();
    for lives in by_id.values() {
        for pair in lives.windows(2) {
            if pair[1].revision <= pair[0].revision {
                return Err(format!("a revision comes twice: {} {:?}", pair[0].revision, pair));
            }
            if pair[1].count < pair[0].count {
                return Err(format!("a count falls: {pair:?}"));
            }
        }
        let last = lives.last().expect("an id was said");
        match last.life {
            Life::Closed => {
                let extent = Extent {
                    first: last.first.0,
                    last: last.last.0,
                    count: last.count,
                    level: last.level,
                };
                if !found.insert((last.key.first().unwrap().to_string(), extent)) {
                    return Err(format!("two ids for one burst: {last:?}"));
                }
            }
            Life::Merged(into) if by_id.contains_key(&into.0) => {}
            other => return Err(format!("an id ends as {other:?}")),
        }
    }
    Ok(found)
}

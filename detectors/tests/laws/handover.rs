//! An input that goes from engine to engine: each that gains it reads again what windows rest on, says
//! nothing of that, and goes on as the one before would have.

use std::collections::{BTreeMap, BTreeSet};

use floodmark_detectors::alert::Alert;
use floodmark_detectors::definition::{Extent, Point};
use floodmark_detectors::engine::{Engine, Needs};
use floodmark_detectors::rule::Rule;
use floodmark_detectors::time::EventTime;

use super::ledger::verdict;
use super::stream::{Stream, engine, take};

/// How long one engine has the input, in batches: until it looks what windows rest on, until its
/// position is committed, and until it is gone.
pub(super) type Stay = (u8, u8, u8);

/// What is committed.
#[derive(Clone, Copy)]
struct Committed {
    position: usize,
    settled: EventTime,
    reread_from: usize,
    judges_from: EventTime,
}

/// An engine that has the input.
struct Owner<'s> {
    engine: Engine,
    points: &'s [(u8, Point)],
    lateness: i64,
    at: usize,
    settled: EventTime,
    /// Where batches begin, and the greatest time in each.
    trail: Vec<(usize, EventTime)>,
}

impl<'s> Owner<'s> {
    /// Makes again what windows held at a position.
    fn taking_over(
        rule: &Rule,
        stream: &'s Stream,
        from: Committed,
        sizes: &mut impl Iterator<Item = u8>,
    ) -> Owner<'s> {
        let mut owner = Owner {
            engine: engine(rule).judging_from(from.judges_from),
            points: &stream.inputs[0],
            lateness: stream.lateness,
            at: from.reread_from,
            settled: EventTime::MIN,
            trail: Vec::new(),
        };
        while owner.at < from.position {
            drop(owner.step(sizes.next().unwrap(), from.position));
        }
        owner.settled = owner.settled.max(from.settled);
        drop(owner.engine.advance(owner.settled));
        owner
    }

    /// One batch, and what it leads to.
    fn step(&mut self, size: u8, until: usize) -> Vec<Alert> {
        let to = (self.at + 1 + usize::from(size) % 7).min(until);
        let batch = &self.points[self.at..to];
        let Some(newest) = batch.iter().map(|(_, point)| EventTime(point.time)).max() else {
            return Vec::new();
        };
        let mut alerts = take(&self.engine, batch).alerts;
        self.trail.push((self.at, newest));
        self.at = to;
        self.settled = self.settled.max(newest.plus(-self.lateness));
        alerts.extend(self.engine.advance(self.settled).alerts);
        alerts
    }

    /// What the next owner needs, if windows rested on this when `done` batches were done.
    fn commit(&self, needs: Option<Needs>, done: usize) -> Committed {
        let matters = |(number, (_, newest)): &(usize, &(usize, EventTime))| {
            *number >= done || needs.is_some_and(|needs| *newest >= needs.from)
        };
        let first = self.trail.iter().enumerate().find(matters);
        let reread_from = first.map_or(self.at, |(_, (from, _))| *from);
        let judges_from = needs.map_or(EventTime::MIN, |needs| needs.judges_from);
        Committed { position: self.at, settled: self.settled, reread_from, judges_from }
    }
}

/// The bursts as all owners together tell them.
pub(super) fn run(
    rule: &Rule,
    stream: &Stream,
    stays: &[Stay],
    sizes: &[u8],
) -> Result<BTreeSet<(String, Extent)>, String> {
    let end = stream.inputs[0].len();
    let mut sizes = sizes.iter().copied().cycle();
    let mut said = Vec::new();
    let (settled, judges_from) = (EventTime::MIN, EventTime::MIN);
    let mut committed = Committed { position: 0, settled, reread_from: 0, judges_from };
    for (before, between, after) in stays {
        let mut owner = Owner::taking_over(rule, stream, committed, &mut sizes);
        for _ in 0..*before {
            said.extend(owner.step(sizes.next().unwrap(), end));
        }
        let (needs, done) = (owner.engine.needs(), owner.trail.len());
        for _ in 0..*between {
            said.extend(owner.step(sizes.next().unwrap(), end));
        }
        committed = owner.commit(needs, done);
        for _ in 0..*after {
            said.extend(owner.step(sizes.next().unwrap(), end));
        }
    }
    let mut last = Owner::taking_over(rule, stream, committed, &mut sizes);
    while last.at < end {
        said.extend(last.step(sizes.next().unwrap(), end));
    }
    said.extend(last.engine.finish().alerts);
    verdict(&united(said)?)
}

/// What was said beyond a committed position is said again by the next owner, in the same words.
fn united(said: Vec<Alert>) -> Result<Vec<Alert>, String> {
    let mut by_revision: BTreeMap<(u128, u32), Alert> = BTreeMap::new();
    for alert in said {
        let words = |a: &Alert| (a.life, a.first, a.last, a.count, a.level);
        let known = by_revision.entry((alert.id.0, alert.revision)).or_insert(alert.clone());
        if words(known) != words(&alert) {
            return Err(format!("a revision says two things: {known:?} and {alert:?}"));
        }
    }
    Ok(by_revision.into_values().collect())
}

//! Keeps what a restart needs, and lets time pass while nothing comes.
//!
//! A checkpoint is read in an order that matters: positions of what is done, then the windows that
//! changed, then the alerts that led there. No worker is stopped for it. The alerts come by the
//! queue that the checkpoint goes through as well: once every worker that was in the middle of a
//! batch when the windows were read has handed its report over, what follows in the queue has all
//! alerts of these windows before it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use floodmark_detectors::engine::State;
use floodmark_detectors::time::EventTime;

use super::lanes::{Lane, Lanes};
use super::{Heard, Report, lock, take};
use crate::clock::{self, Stopwatch};
use crate::progress::{Input, Position, Progress};
use crate::source::batch::{Durable, Handover};

/// How often it looks whether there is something to do.
const LOOK: Duration = Duration::from_millis(200);

/// How long a keeper waits for a worker before it looks again.
const GRACE: Duration = Duration::from_micros(200);

/// Positions and windows that belong together.
#[derive(Debug)]
pub struct Checkpoint {
    /// How far inputs are done, by name.
    pub positions: Vec<Kept>,
    /// By lane: windows that changed since the checkpoint before, and the watermark of the positions.
    pub states: Vec<(Arc<str>, State)>,
    /// Lanes whose windows are somebody else's. One of the same name may have begun since.
    pub gone: Vec<Arc<str>>,
    /// Nothing comes after it, and the source waits for it.
    pub is_last: bool,
    durable: Sender<Vec<Durable>>,
    is_under_way: Arc<AtomicBool>,
}

/// How far one input is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The input.
    pub input: Input,
    /// The input's name.
    pub name: Arc<str>,
    /// Where it is to be read on from, in its source's words.
    pub position: Box<str>,
    /// It brings nothing before this any more.
    pub settled: EventTime,
    /// What its next reader needs, where the input has a lane of its own.
    pub handover: Option<Handover>,
}

impl Checkpoint {
    /// It is where no crash reaches it: the source may tell its peer.
    pub fn is_durable(self) {
        let done = self.positions.into_iter().map(|kept| {
            let Kept { input, position, handover, .. } = kept;
            Durable { input, position, handover }
        });
        // Once the source has ended nobody listens, and nobody needs to.
        drop(self.durable.send(done.collect()));
        self.is_under_way.store(false, Ordering::Release);
    }
}

/// Whether each worker is in the middle of a batch: odd while it is.
#[derive(Debug)]
pub(super) struct Turns {
    turns: Vec<AtomicU64>,
    /// Workers that have not ended.
    left: AtomicUsize,
}

impl Turns {
    pub(super) fn of(workers: usize) -> Turns {
        let turns = (0..workers).map(|_| AtomicU64::new(0)).collect();
        Turns { turns, left: AtomicUsize::new(workers) }
    }

    /// A worker begins with a batch, or has handed its report over.
    pub(super) fn turn(&self, worker: usize) {
        if let Some(turn) = self.turns.get(worker) {
            turn.fetch_add(1, Ordering::AcqRel);
        }
    }

    pub(super) fn ended(&self) {
        self.left.fetch_sub(1, Ordering::AcqRel);
    }

    fn are_over(&self) -> bool {
        self.left.load(Ordering::Acquire) == 0
    }

    /// Waits until every batch that is under way now has been reported.
    fn pass(&self) {
        for turn in &self.turns {
            let now = turn.load(Ordering::Acquire);
            while now % 2 == 1 && turn.load(Ordering::Acquire) == now && !self.are_over() {
                std::thread::park_timeout(GRACE);
            }
        }
    }
}

/// What a keeper works with.
pub(super) struct Keeper<'f> {
    pub(super) lanes: &'f Lanes,
    pub(super) progress: &'f std::sync::Mutex<Progress>,
    pub(super) names: &'f std::sync::Mutex<BTreeMap<Input, Arc<str>>>,
    pub(super) turns: &'f Turns,
    /// How often, if at all.
    pub(super) interval: Option<Duration>,
    /// Whether time passes while every input has been caught up with, and by how much less.
    pub(super) lateness_secs: Option<i64>,
    pub(super) durable: Sender<Vec<Durable>>,
    pub(super) is_under_way: Arc<AtomicBool>,
}

impl Keeper<'_> {
    /// Works until the workers have ended. `wishes` asks for a checkpoint before its time.
    pub(super) fn run(&self, reports: &Sender<Heard>, wishes: &Receiver<()>) {
        if self.interval.is_none() && self.lateness_secs.is_none() {
            return;
        }
        let mut since = Stopwatch::start();
        let mut is_wished = false;
        while !self.turns.are_over() {
            match wishes.recv_timeout(LOOK) {
                Ok(()) => is_wished = true,
                Err(RecvTimeoutError::Timeout) => {}
                // The source has ended; the workers are about to.
                Err(RecvTimeoutError::Disconnected) => std::thread::park_timeout(GRACE),
            }
            self.let_time_pass(reports);
            let is_due = self.interval.is_some_and(|interval| since.elapsed() >= interval);
            if (is_due || is_wished) && !self.is_under_way.load(Ordering::Acquire) {
                let Some(checkpoint) = self.checkpoint(false) else { continue };
                (since, is_wished) = (Stopwatch::start(), false);
                let report = Report { checkpoint: Some(checkpoint), ..Report::default() };
                if reports.send(Heard::of_none(report)).is_err() {
                    return;
                }
            }
        }
    }

    /// Where no input holds anything more at present, time goes on with the clock.
    fn let_time_pass(&self, reports: &Sender<Heard>) {
        let Some(lateness_secs) = self.lateness_secs else { return };
        let now = clock::wall_time().plus(-lateness_secs);
        if let Some(lane) = self.lanes.of_all() {
            {
                let mut progress = lock(self.progress);
                if !progress.is_idle() {
                    return;
                }
                progress.passed(now);
            }
            advance(lane, now, reports);
            return;
        }
        for (input, lane) in self.lanes.each_own() {
            {
                let mut progress = lock(self.progress);
                if !progress.is_idle_alone(input) {
                    continue;
                }
                progress.has_passed(input, now);
            }
            advance(&lane, now, reports);
        }
    }

    /// Positions, then windows, then a wait for the alerts. Before the positions it is looked what
    /// windows rest on: what begins to matter later stands behind what is done by then.
    pub(super) fn checkpoint(&self, is_last: bool) -> Option<Checkpoint> {
        self.interval?;
        let (own, gone) = self.lanes.take();
        let needs: Vec<_> = own
            .iter()
            .map(|(input, lane)| {
                let done_count = lock(self.progress).done_count(*input);
                (*input, lane.engine().needs(), done_count)
            })
            .collect();
        let (positions, watermark, mut handovers) = {
            let mut progress = lock(self.progress);
            let handovers: BTreeMap<Input, Handover> = needs
                .into_iter()
                .filter_map(|(input, needs, done_count)| {
                    let from = needs.map(|needs| needs.from);
                    let handover = Handover {
                        reread_from: progress.reread_from(input, from, done_count)?,
                        settled: progress.settled(input).unwrap_or(EventTime::MIN),
                        judges_from: needs.map_or(EventTime::MIN, |needs| needs.judges_from),
                    };
                    Some((input, handover))
                })
                .collect();
            (progress.positions(), progress.watermark(), handovers)
        };
        let settled = |input: Input| {
            let position = positions.iter().find(|position| position.input == input);
            position.map_or(EventTime::MIN, |position| position.settled)
        };
        let mut states: Vec<(Arc<str>, State)> = own
            .iter()
            .map(|(input, lane)| (lane.name(), lane.engine().changes(settled(*input))))
            .collect();
        if let Some(lane) = self.lanes.of_all() {
            let state = lane.engine().changes(watermark.unwrap_or(EventTime::MIN));
            states.push((lane.name(), state));
        }
        self.turns.pass();
        let names = lock(self.names);
        let kept = positions.into_iter().filter_map(|Position { input, position, settled }| {
            let name = names.get(&input)?.clone();
            Some(Kept { input, name, position, settled, handover: handovers.remove(&input) })
        });
        self.is_under_way.store(true, Ordering::Release);
        Some(Checkpoint {
            positions: kept.collect(),
            states,
            gone,
            is_last,
            durable: self.durable.clone(),
            is_under_way: self.is_under_way.clone(),
        })
    }
}

fn advance(lane: &Arc<Lane>, now: EventTime, reports: &Sender<Heard>) {
    let mut report = Report::default();
    take(&mut report, lane.engine().advance(now));
    if !report.alerts.is_empty() {
        // If nobody listens any more, the flow is about to end.
        drop(reports.send(Heard::of(lane, report)));
    }
}

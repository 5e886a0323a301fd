//! Reads the source, and hands its batches out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};
use floodmark_detectors::time::EventTime;

use super::lanes::Lanes;
use super::{Heard, Settings, WAIT, Work, hear_durable, lock};
use crate::progress::{AHEAD_SECS_MAX, Input, Progress};
use crate::source::batch::{Durable, Next, Source, SourceError, Word};

/// How far ahead of the watermark an input may be in event time before it is not read for a while,
/// seconds. What it brings would wait in windows for the others.
const INPUT_AHEAD_SECS_MAX: i64 = 3_600;

/// Batches after which it is looked which inputs are ahead.
const BATCHES_BETWEEN_LOOKS: u32 = 256;

/// What reads the source, and hands its batches out.
pub(super) struct Feed<'f> {
    pub(super) source: Box<dyn Source>,
    pub(super) lanes: &'f Lanes,
    pub(super) progress: &'f Mutex<Progress>,
    pub(super) names: &'f Mutex<BTreeMap<Input, Arc<str>>>,
    pub(super) settings: &'f Settings,
    pub(super) batches: Vec<Sender<Work>>,
    pub(super) reports: Sender<Heard>,
    pub(super) wishes: Sender<()>,
    pub(super) durable: Receiver<Vec<Durable>>,
    pub(super) stop: &'f AtomicBool,
    /// Inputs that are not read for now.
    pub(super) ahead: BTreeSet<Input>,
}

impl Feed<'_> {
    pub(super) fn run(&mut self) -> Result<(), SourceError> {
        let mut batches: u32 = 0;
        while !self.stop.load(Ordering::Relaxed) {
            hear_durable(self.source.as_mut(), &self.durable)?;
            let is_time = batches.is_multiple_of(BATCHES_BETWEEN_LOOKS) || !self.ahead.is_empty();
            // An input with a lane of its own waits for no other.
            if is_time && !self.lanes.is_keyed() {
                self.look_ahead()?;
            }
            match self.source.next(WAIT)? {
                Next::Batch(batch) => {
                    batches = batches.wrapping_add(1);
                    let name = self.name(batch.input);
                    let lane = self.lanes.of(batch.input, &name);
                    let ticket = lock(self.progress).begin(batch.input);
                    if !self.hand_out(Work { ticket, lane, name, batch })? {
                        break;
                    }
                }
                Next::Overtaken(inputs) => {
                    for (input, judges_from) in inputs {
                        let name = self.name(input);
                        self.lanes.overtaken(&name, judges_from);
                    }
                }
                Next::Gained(inputs) => {
                    for input in inputs {
                        if !self.gained(input) {
                            return Ok(());
                        }
                    }
                }
                // One wish is enough, and it may be there already.
                Next::Leaving(_) => drop(self.wishes.try_send(())),
                Next::Lost(inputs) => {
                    for input in inputs {
                        lock(self.progress).lost(input);
                        self.lanes.lost(input);
                    }
                }
                Next::CaughtUp(input) => lock(self.progress).caught_up(input),
                Next::Unheard(inputs) => {
                    let mut progress = lock(self.progress);
                    inputs.into_iter().for_each(|input| progress.unheard(input));
                }
                Next::Ended(input) => lock(self.progress).ended(input),
                Next::Nothing => {}
                Next::End => break,
            }
        }
        Ok(())
    }

    /// Goes on with an input where it was left; whether anybody still listens.
    fn gained(&mut self, input: Input) -> bool {
        let name = self.name(input);
        let settings = self.settings;
        let resumed = settings.resumed.get(name.as_ref()).filter(|_| self.lanes.goes_on(&name));
        let mut settled = resumed.map_or(EventTime::MIN, |it| it.settled);
        {
            let mut progress = lock(self.progress);
            if !self.lanes.is_keyed() {
                // It may have been read here before, as another input.
                let names = lock(self.names);
                let same = names.iter().filter(|(_, other)| **other == name);
                let before = same.filter_map(|(other, _)| progress.settled(*other)).max();
                settled = settled.max(before.unwrap_or(EventTime::MIN));
            }
            progress.resumed(input, settled);
            if let Some(from) = resumed.and_then(|it| it.reread_from.clone()) {
                let newest = settled.plus(settings.lateness_secs + AHEAD_SECS_MAX);
                progress.has_brought(input, from, newest);
            }
        }
        // What was kept of it goes on, whether it brings anything or not.
        !self.lanes.is_keyed()
            || resumed.is_none()
            || self.reports.send(Heard::left(&self.lanes.of(input, &name))).is_ok()
    }

    /// Waits for room; whether anybody still works.
    fn hand_out(&mut self, work: Work) -> Result<bool, SourceError> {
        let queue = work.ticket.input() as usize % self.batches.len().max(1);
        let mut work = work;
        loop {
            let Some(batches) = self.batches.get(queue) else { return Ok(false) };
            match batches.send_timeout(work, WAIT) {
                Ok(()) => return Ok(true),
                Err(SendTimeoutError::Disconnected(_)) => return Ok(false),
                Err(SendTimeoutError::Timeout(back)) => {
                    work = back;
                    self.source.hear(Word::Hold)?;
                }
            }
        }
    }

    fn look_ahead(&mut self) -> Result<(), SourceError> {
        let ahead = lock(self.progress).ahead(INPUT_AHEAD_SECS_MAX);
        if ahead != self.ahead {
            self.ahead.clone_from(&ahead);
            self.source.hear(Word::Ahead(ahead))?;
        }
        Ok(())
    }

    fn name(&mut self, input: Input) -> Arc<str> {
        let mut names = lock(self.names);
        names.entry(input).or_insert_with(|| self.source.name_of(input).into()).clone()
    }
}

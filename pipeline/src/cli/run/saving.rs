//! A checkpoint on its way into the ledger: a little at a time, so that no alert waits for all of it.

use std::time::Duration;

use crate::clock::Stopwatch;
use crate::flow::Checkpoint;
use crate::ledger::{Ledger, LedgerError};

/// How long windows are written before what else is to be heard has its turn, which lasts at least as
/// long.
const TURN: Duration = Duration::from_millis(10);

/// A checkpoint, and how far it is saved.
pub(super) struct Saving {
    pub(super) checkpoint: Checkpoint,
    has_begun: bool,
    /// The lane whose windows come next, and how many of them are written.
    lane: usize,
    written: usize,
    /// Since the last step was done; none where it need not wait.
    rests: Option<Stopwatch>,
    pub(super) since_begun: Stopwatch,
}

impl Saving {
    pub(super) fn new(checkpoint: Checkpoint) -> Saving {
        Saving {
            checkpoint,
            has_begun: false,
            lane: 0,
            written: 0,
            rests: None,
            since_begun: Stopwatch::start(),
        }
    }

    /// Whether it has rested.
    pub(super) fn is_due(&self) -> bool {
        self.rests.is_none_or(|since| since.elapsed() >= TURN)
    }

    /// The next step need not wait. True, for there is one.
    pub(super) fn hurry(&mut self) -> bool {
        self.rests = None;
        true
    }

    /// Writes what there is time for; whether all is written, and durable.
    pub(super) fn step(&mut self, ledger: &Ledger) -> Result<bool, LedgerError> {
        let Checkpoint { positions, states, gone, .. } = &self.checkpoint;
        if !self.has_begun {
            ledger.forget_lanes(gone)?;
            self.has_begun = true;
        }
        let since = Stopwatch::start();
        while let Some((lane, state)) = states.get(self.lane) {
            let windows = state.windows.get(self.written..).unwrap_or_default();
            if windows.is_empty() {
                (self.lane, self.written) = (self.lane + 1, 0);
                continue;
            }
            let time = TURN.saturating_sub(since.elapsed());
            self.written += ledger.save_windows(lane, windows, time)?;
            if since.elapsed() >= TURN {
                self.rests = Some(Stopwatch::start());
                return Ok(false);
            }
        }
        ledger.save_positions(positions, states)?;
        Ok(true)
    }
}

//! Which records of a batch `silence` has to be told of.
//!
//! A silence asks of nearly every record, and most say nothing new: the key was heard from soon before
//! and soon after. What a batch says by itself is found here, without a window and without a lock, and
//! only the records at the edges of its gaps go on.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::record::EventId;
use crate::rule::{Kind, Tap};
use crate::sample::{Sample, WindowKey};
use crate::time::EventTime;
use crate::window::KeyIsHash;

/// The records of one batch that matched a `silence`.
#[derive(Debug, Default)]
pub(super) struct Heard<'t> {
    /// Each match, with its record's place in the batch.
    matched: Vec<(usize, &'t Tap)>,
    keys: HashMap<WindowKey, Moments, KeyIsHash>,
}

/// The moments of one key that others do not make needless, in order of time.
type Moments = SmallVec<[Moment; 4]>;

#[derive(Debug, Clone, Copy)]
struct Moment {
    time: EventTime,
    id: EventId,
    /// Of its match.
    at: usize,
}

impl<'t> Heard<'t> {
    /// Takes the samples of a match: of the record at `place`, for `tap`, whose rule is of `kind`.
    pub(super) fn add(
        &mut self,
        kind: &Kind,
        tap: &'t Tap,
        place: usize,
        samples: impl Iterator<Item = Sample>,
    ) {
        let at = self.matched.len();
        self.matched.push((place, tap));
        for sample in samples {
            let moment = Moment { time: sample.time, id: sample.id, at };
            note(kind, self.keys.entry(sample.window).or_default(), moment);
        }
    }

    /// The matches that say all there is to say, each once, and in order.
    pub(super) fn needed(&self) -> Vec<(usize, &'t Tap)> {
        let mut needed: Vec<usize> = self.keys.values().flatten().map(|moment| moment.at).collect();
        needed.sort_unstable();
        needed.dedup();
        needed.into_iter().filter_map(|at| self.matched.get(at).copied()).collect()
    }

    /// All matches.
    pub(super) fn all(self) -> Vec<(usize, &'t Tap)> {
        self.matched
    }
}

/// Puts a moment among those of its key, and takes out what it makes needless. Of one second the
/// least event id stands for all.
fn note(kind: &Kind, moments: &mut Moments, new: Moment) {
    let at = moments.partition_point(|moment| moment.time < new.time);
    if let Some(known) = moments.get_mut(at).filter(|moment| moment.time == new.time) {
        if new.id < known.id {
            *known = new;
        }
        return;
    }
    moments.insert(at, new);
    for place in [at, at + 1, at.wrapping_sub(1)] {
        if is_needless(kind, moments, place) {
            moments.remove(place);
            if place == at {
                return;
            }
        }
    }
}

/// Whether the moment at `place` lies between two that leave no gap without it, in the slot of one of
/// them.
fn is_needless(kind: &Kind, moments: &Moments, place: usize) -> bool {
    let Kind::Silence { quiet_secs, slot_secs, .. } = kind else { return false };
    let neighbour =
        |place: Option<usize>| place.and_then(|place| moments.get(place)).map(|m| m.time);
    let (before, behind) = (neighbour(place.checked_sub(1)), neighbour(place.checked_add(1)));
    let (Some(before), Some(this), Some(behind)) = (before, neighbour(Some(place)), behind) else {
        return false;
    };
    let slot = |time: EventTime| time.0.div_euclid(*slot_secs);
    behind <= before.plus(*quiet_secs) && [slot(before), slot(behind)].contains(&slot(this))
}

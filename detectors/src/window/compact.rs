//! Keeping a window small without touching what it says.
//!
//! A cold sample is never dropped by count: a late one may yet heat it. Once a window holds more
//! than [`SAMPLES_MAX`], samples are dropped that no window, now or later, will miss:
//! - counts and sums: a hot one that has enough on either side within half a window, so that every
//!   window that holds it keeps enough without it;
//! - distinct values and members: one between two of the same value that are at most W apart, since
//!   every window that holds it holds one of them.
//!
//! Counts stay exact up to the bound; past it the burst says "at least".

use super::samples::Held;
use super::{Consequences, Window, by_member};
use crate::rule::{Kind, Rule};

/// How many samples a window keeps in full.
pub const SAMPLES_MAX: usize = 4_096;

/// How many samples a window keeps at the very most; past it the oldest go, the window's verdicts
/// are outside the law, and that is counted.
pub const SAMPLES_HARD_MAX: usize = 16 * SAMPLES_MAX;

impl Window {
    /// Drops what will not be missed, if the window is over its bound.
    pub(super) fn compact(&mut self, rule: &Rule, out: &mut Consequences) {
        let held = self.samples.as_slice().len();
        // Compacting walks the window, so it waits until a quarter more has come.
        if held <= SAMPLES_MAX + SAMPLES_MAX / 4 || !held.is_multiple_of(SAMPLES_MAX / 4) {
            return;
        }
        let span = rule.marks.iter().map(|m| m.timespan_secs).fold(rule.timespan_secs, i64::min);
        let mut excess = held - SAMPLES_MAX;
        let mut floor_from = None;
        let dropped = self.samples.thin(by_member(rule), |held, place| {
            let drop = excess > 0 && is_spare(rule, span, held, place);
            if drop {
                excess -= 1;
                floor_from = floor_from.or(held.get(place).map(|h| h.time));
            }
            drop
        });
        if let Some(from) = floor_from {
            for burst in self.bursts.iter_mut().filter(|b| from <= b.last) {
                burst.count_is_floor = true;
            }
        }
        let mut over = self.samples.as_slice().len().saturating_sub(SAMPLES_HARD_MAX);
        if over > 0 {
            out.overflowed += over as u64;
            self.samples.thin(by_member(rule), |_, _| {
                let drop = over > 0;
                over = over.saturating_sub(1);
                drop
            });
        }
        out.compacted += dropped as u64;
    }
}

/// Whether every window that holds the sample at `place` says the same without it.
fn is_spare(rule: &Rule, span: i64, held: &[Held], place: usize) -> bool {
    let Some(this) = held.get(place) else {
        return false;
    };
    match &rule.kind {
        Kind::Count(mark) if mark.is_monotone() && this.hot => {
            let enough = most(rule, mark.gte) as usize;
            let half = span / 2;
            let before = place.checked_sub(enough).and_then(|p| held.get(p));
            let after = held.get(place + enough);
            before.is_some_and(|b| this.time.0 - b.time.0 <= half)
                && after.is_some_and(|a| a.time.0 - this.time.0 <= half)
        }
        Kind::Sum(mark) if mark.is_monotone() && this.hot => {
            let enough = u128::from(most(rule, mark.gte));
            let half = span / 2;
            let reaches = |side: &mut dyn Iterator<Item = &Held>| {
                side.take_while(|h| (h.time.0 - this.time.0).abs() <= half)
                    .scan(0_u128, |sum, h| {
                        *sum += u128::from(h.value);
                        Some(*sum)
                    })
                    .any(|sum| sum >= enough)
            };
            reaches(&mut held.iter().take(place).rev()) && reaches(&mut held.iter().skip(place + 1))
        }
        Kind::Distinct(mark) if mark.is_monotone() => has_twins(span, held, place),
        Kind::Temporal(_) if !rule.kind.waits() => has_twins(span, held, place),
        _ => false,
    }
}

/// Whether the same value stands on both sides, at most `span` from one to the other.
fn has_twins(span: i64, held: &[Held], place: usize) -> bool {
    let Some(this) = held.get(place) else {
        return false;
    };
    let is_twin = |h: &&Held| h.value == this.value;
    let before =
        held.iter().take(place).rev().take_while(|h| this.time.0 - h.time.0 <= span).find(is_twin);
    let after =
        held.iter().skip(place + 1).take_while(|h| h.time.0 - this.time.0 <= span).find(is_twin);
    matches!((before, after), (Some(b), Some(a)) if a.time.0 - b.time.0 <= span)
}

/// The highest mark of the rule: compaction must leave enough for it too.
fn most(rule: &Rule, gte: Option<u64>) -> u64 {
    rule.marks.iter().map(|m| m.gte).fold(gte.unwrap_or(1), u64::max)
}

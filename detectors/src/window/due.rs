//! When a window has something to do, and what of the past that rests on.

use super::burst::Burst;
use super::samples::Held;
use super::waiting::Waiting;
use super::{Window, longest_span};
use crate::rule::{Kind, Rule};
use crate::time::EventTime;

impl Window {
    /// The least watermark at which [`advance`](Window::advance) has something to do. Samples are
    /// forgotten together: one may stay for up to a quarter longer, so that a busy window is not
    /// called for each of them, and many windows are called at once.
    #[must_use]
    pub fn due(&self, rule: &Rule) -> Option<EventTime> {
        let samples = self.samples.as_slice();
        let forget = samples.first().zip(samples.last()).map(|(first, last)| {
            let span = longest_span(rule);
            let at = first.time.plus(span / 8).min(last.time).plus(span + 1);
            at.plus(at.0.wrapping_neg().rem_euclid((span / 8).max(1)))
        });
        let close = self.bursts.iter().map(|b| self.may_close_at(rule, b)).min();
        let decide = if rule.kind.waits() && matches!(self.waiting, Waiting::Nothing) {
            let undecided = samples.partition_point(|h| h.time < self.decided);
            samples.get(undecided).map(|h| h.time.plus(1))
        } else {
            self.waiting.due(&rule.kind)
        };
        let said = self.said.iter().map(|s| s.last.plus(2 * longest_span(rule) + 1)).min();
        let usual = self.usual.as_ref().map(|memory| memory.ends(rule));
        [forget, close, decide, said, usual].into_iter().flatten().min()
    }

    /// Whether a sample of this time, which was just put in, may be why the window is due sooner. One
    /// behind others puts off what they are due for, if anything, and is itself due later.
    #[must_use]
    pub fn may_hurry(&self, rule: &Rule, time: EventTime) -> bool {
        let first = match &self.waiting {
            Waiting::Nothing if rule.kind.waits() => None,
            Waiting::Nothing => self.samples.as_slice().first().map(|held| held.time),
            waiting => waiting.first_undecided(),
        };
        !self.bursts.is_empty() || first.is_none_or(|first| first >= time)
    }

    /// The watermark from which on nothing can join `burst` any more, by what is known now.
    ///
    /// A new sample may come within W of its last one until the watermark has passed that. A cold
    /// sample that stands there already may yet become hot, until its own windows are past.
    pub(super) fn may_close_at(&self, rule: &Rule, burst: &Burst) -> EventTime {
        let span = rule.timespan_secs;
        let reach = burst.last.plus(span);
        let now = self.horizon.plus(longest_span(rule));
        if now <= reach {
            return reach.plus(1);
        }
        if let (Some(undecided), Some(due)) =
            (self.waiting.first_undecided(), self.waiting.due(&rule.kind))
            && undecided <= reach
        {
            return due;
        }
        let cold = self.samples.between(burst.last.plus(1).max(now.plus(-span)), reach);
        match self.samples.as_slice().get(cold).and_then(<[Held]>::first) {
            Some(cold) => cold.time.plus(span + 1),
            None => now,
        }
    }

    /// The earliest event time of a sample that anything rests on which may yet be said of it: a window
    /// that is empty, given all from there on, becomes this one. What a rule remembers over its
    /// memory (`first_seen`) is not asked for.
    #[must_use]
    pub fn needs_from(&self, rule: &Rule) -> Option<EventTime> {
        let sample = self.samples.as_slice().first().map(|held| held.time);
        let before = match rule.kind {
            // What is hot is the end of a quiet, after slots that were not.
            Kind::Silence { quiet_secs, slot_secs, slots } => {
                quiet_secs + slot_secs * (i64::from(slots) + 1)
            }
            _ => 0,
        };
        let burst = self.bursts.iter().map(|burst| burst.first.plus(-before)).min();
        let waiting = self.waiting.needs_from(&rule.kind);
        [sample, burst, waiting].into_iter().flatten().min()
    }
}

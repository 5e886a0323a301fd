//! Samples that have become hot, and what that makes of the bursts.

use std::sync::Arc;

use super::burst::Burst;
use super::samples::Held;
use super::{Consequences, Window, usual, verdict};
use crate::alert::{AlertId, Evidence, Life};
use crate::rule::Rule;
use crate::time::EventTime;

impl Window {
    /// Makes the samples at `places` hot, and lets the bursts grow by those that were not.
    pub(super) fn heat(
        &mut self,
        rule: &Rule,
        places: std::ops::Range<usize>,
        crossing: Option<&Evidence>,
        next_opened: &dyn Fn() -> u64,
        out: &mut Consequences,
    ) {
        let mut touched: Option<(EventTime, EventTime)> = None;
        let tripping = self.samples.as_slice().get(places.start).map(|h| h.time);
        for place in places {
            let Some(held) = self.samples.as_mut_slice().get_mut(place) else { break };
            if std::mem::replace(&mut held.hot, true) {
                continue;
            }
            touched = Some(touched.map_or((held.time, held.time), |(f, _)| (f, held.time)));
            admit(
                &mut self.bursts,
                &self.key,
                rule,
                held,
                tripping.unwrap_or(held.time),
                crossing,
                next_opened,
                out,
            );
            // The burst has its record if that is evidence; nobody else will ask for it.
            if rule.taps.is_empty() || held.lifted {
                self.samples.set_record(place, None);
            }
        }
        let Some((from, to)) = touched else { return };
        if !self.said.is_empty() {
            self.meet_said(rule, from, to, out);
        }
        self.raise_levels(rule, from, to);
        if rule.speaks {
            let is_near = |burst: &Burst| burst.first <= to && from <= burst.last;
            if self.bursts.iter().any(|burst| is_near(burst) && burst.has_news()) {
                self.measure_bursts(rule);
            }
            for burst in self.bursts.iter_mut().filter(|burst| is_near(burst)) {
                out.alerts.extend(burst.tell(rule, &self.key));
            }
        }
    }

    /// Measures the windows that end in a burst, for what is told of it.
    ///
    /// A window is judged before any of its samples is forgotten, and no record comes then that
    /// belongs into it: so the greatest of all judgements is that of the definition, whenever they
    /// were made.
    pub(super) fn measure_bursts(&mut self, rule: &Rule) {
        if !rule.speaks {
            return;
        }
        let (span, held) = (rule.timespan_secs, self.samples.as_slice());
        for burst in &mut self.bursts {
            burst.note_peak(verdict::peak(&rule.kind, span, held, burst.first, burst.last));
            let first = burst.first;
            let usual = || usual::before(self.usual.as_deref(), rule, first, self.since);
            burst.note_past(|| (verdict::before(&rule.kind, span, held, first), usual()));
        }
    }

    /// Bursts that grew between `from` and `to` go on from what was said of them before a restart.
    /// One that has come within reach of two that were told goes on as the elder.
    fn meet_said(&mut self, rule: &Rule, from: EventTime, to: EventTime, out: &mut Consequences) {
        for burst in self.bursts.iter_mut().filter(|b| b.first <= to && from <= b.last) {
            while let Some(place) = self.said.iter().position(|said| {
                burst.first <= said.last.plus(rule.timespan_secs)
                    && said.first <= burst.last.plus(rule.timespan_secs)
            }) {
                let said = self.said.swap_remove(place);
                if !burst.was_told() {
                    burst.resume(rule, &said);
                    continue;
                }
                let mut younger = burst.clone();
                if (said.opened, said.id) < (burst.opened, burst.id) {
                    burst.resume(rule, &said);
                } else {
                    burst.reach(said.first, said.last);
                    younger.resume(rule, &said);
                }
                if rule.speaks {
                    out.alerts.push(younger.say(Life::Merged(burst.id), rule, &self.key));
                }
            }
        }
    }

    /// A burst's level is the highest mark that its hot samples satisfy.
    fn raise_levels(&mut self, rule: &Rule, from: EventTime, to: EventTime) {
        for mark in &rule.marks {
            for burst in &mut self.bursts {
                if burst.level >= mark.level || burst.last < from || to < burst.first {
                    continue;
                }
                let near = self.samples.between(
                    from.plus(-mark.timespan_secs).max(burst.first),
                    to.plus(mark.timespan_secs).min(burst.last),
                );
                let hot: Vec<&Held> = self
                    .samples
                    .as_slice()
                    .get(near)
                    .unwrap_or_default()
                    .iter()
                    .filter(|h| h.hot)
                    .collect();
                if verdict::reaches(&rule.kind, mark.gte, mark.timespan_secs, &hot) {
                    burst.level = mark.level;
                }
            }
        }
    }
}

/// Gives a hot sample to the burst within reach, to a new one, or joins the two it lies between.
#[allow(clippy::too_many_arguments, reason = "one step of `heat`, split for its length")]
fn admit(
    bursts: &mut Vec<Burst>,
    key: &Arc<[Box<str>]>,
    rule: &Rule,
    held: &Held,
    tripping: EventTime,
    crossing: Option<&Evidence>,
    next_opened: &dyn Fn() -> u64,
    out: &mut Consequences,
) {
    let within_reach = |burst: &Burst| {
        burst.first.plus(-rule.timespan_secs) <= held.time
            && held.time <= burst.last.plus(rule.timespan_secs)
    };
    let Some(place) = bursts.iter().position(within_reach) else {
        let id = AlertId::of(&rule.card.id, key, tripping);
        let level = rule.card.level.unwrap_or(crate::rule::Level::Medium);
        bursts.push(Burst::open(id, next_opened(), level, held, crossing.cloned()));
        return;
    };
    let Some(other) = bursts.iter().skip(place + 1).position(within_reach) else {
        if let Some(burst) = bursts.get_mut(place) {
            burst.admit(held);
        }
        return;
    };
    let other = bursts.swap_remove(place + 1 + other);
    let Some(burst) = bursts.get_mut(place) else {
        return;
    };
    let (mut elder, mut younger) = (other, burst.clone());
    if younger.is_elder_of(&elder) {
        std::mem::swap(&mut elder, &mut younger);
    }
    if rule.speaks && younger.was_told() {
        out.alerts.push(younger.say(Life::Merged(elder.id), rule, key));
    }
    elder.absorb(younger);
    elder.admit(held);
    *burst = elder;
}

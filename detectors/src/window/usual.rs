//! What is usual in a window: the most that one timespan held, over about a day.
//!
//! Time is cut into timespans of the rule, as a clock would. What one of them held is noted once all
//! of it is settled, so it is a function of the set of samples, whatever their order. Only the most of
//! some hours is kept, and nothing of a key that never does more than one at a time.

use serde::{Deserialize, Serialize};

use super::samples::Held;
use super::verdict;
use crate::alert::Usual;
use crate::rule::{Kind, Rule};
use crate::time::EventTime;

/// How many slots of time are remembered.
const SLOTS: usize = 8;

/// The shortest slot, seconds: with [`SLOTS`] of them, a day.
const SLOT_SECS_MIN: i64 = 3 * 3_600;

/// The most that a timespan held, by the slot in which it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The number of the newest slot.
    newest: i64,
    /// Of that and those before it, in the rule's own measure.
    most: [u64; SLOTS],
}

impl Memory {
    fn note(&mut self, slot: i64, measure: u64) {
        if slot > self.newest {
            let by = usize::try_from(slot - self.newest).unwrap_or(SLOTS).min(SLOTS);
            self.most.rotate_right(by);
            self.most.iter_mut().take(by).for_each(|most| *most = 0);
            self.newest = slot;
        }
        let place = usize::try_from(self.newest - slot).ok();
        if let Some(most) = place.and_then(|place| self.most.get_mut(place)) {
            *most = measure.max(*most);
        }
    }

    /// The most of the slots in the range.
    fn most(&self, slots: std::ops::RangeInclusive<i64>) -> u64 {
        let each = self.most.iter().zip((0..=self.newest).rev());
        each.filter(|(_, slot)| slots.contains(slot)).map(|(most, _)| *most).max().unwrap_or(0)
    }

    /// The event time from which on it has nothing to say.
    pub(super) fn ends(&self, rule: &Rule) -> EventTime {
        let slots = SLOTS.cast_signed() as i64;
        EventTime((self.newest + slots + 1) * slot_secs(rule)).plus(rule.timespan_secs)
    }
}

/// Whether anything is kept of the windows of this rule: where it speaks, measures, and asks for more
/// than one.
pub(super) fn is_kept(rule: &Rule) -> bool {
    let asks_for_more = match &rule.kind {
        Kind::Count(mark) | Kind::Distinct(mark) => mark.gte.is_some_and(|least| least > 1),
        _ => true,
    };
    rule.speaks && asks_for_more && verdict::measures(&rule.kind)
}

/// Notes what each timespan held that begins in [from, to), all of which is settled.
pub(super) fn learn(
    memory: &mut Option<Box<Memory>>,
    rule: &Rule,
    held: &[Held],
    from: EventTime,
    to: EventTime,
) {
    let span = rule.timespan_secs.max(1);
    let begin = |time: EventTime| EventTime(time.0.div_euclid(span).saturating_mul(span));
    let mut place = held.partition_point(|held| begin(held.time) < from);
    while let Some(at) = held.get(place).map(|held| begin(held.time)).filter(|at| *at < to) {
        let end = at.plus(span);
        place = held.partition_point(|held| held.time < end);
        let measure = verdict::before(&rule.kind, span, held, end).unwrap_or(0);
        if measure > rule.kind.unit() {
            let memory = memory.get_or_insert_default();
            memory.note(at.0.div_euclid(slot_secs(rule)), measure);
        }
    }
}

/// What was usual before a burst that begins at `first`, where that has been watched `since` for at
/// least a part of a slot. What is noted of the burst itself lies behind it.
pub(super) fn before(
    memory: Option<&Memory>,
    rule: &Rule,
    first: EventTime,
    since: EventTime,
) -> Option<Usual> {
    let secs = slot_secs(rule);
    let end = first.plus(-rule.timespan_secs).0.div_euclid(secs);
    let begin = end - SLOTS.cast_signed() as i64;
    let since = since.max(EventTime(begin * secs));
    let most = memory.map_or(0, |memory| memory.most(begin..=end - 1)) / rule.kind.unit();
    (is_kept(rule) && since < EventTime(end * secs)).then_some(Usual { most: most.max(1), since })
}

fn slot_secs(rule: &Rule) -> i64 {
    rule.timespan_secs.max(SLOT_SECS_MIN)
}

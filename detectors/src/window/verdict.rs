//! Which windows satisfy a rule: the only place where the kinds differ.
//!
//! A window is closed, [T-W, T]. Where more samples can only help, it is enough to look at windows
//! that end at a sample, and, when one sample is added, at those that hold it. They all hold it, so
//! the samples they make hot are one run.

use std::collections::HashMap;
use std::ops::Range;

use super::samples::Held;
use crate::alert::Peak;
use crate::rule::{Kind, Members, Threshold};
use crate::time::EventTime;

/// What the windows that hold one new sample say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Places of samples that may have become hot; the new one is among them if any is.
    pub hot: Option<Range<usize>>,
    /// Places at which a window ends that satisfies the rule.
    pub ends: Vec<Range<usize>>,
}

/// Judges the windows of `span` seconds that hold the sample at `place`, which has just come.
#[must_use]
pub fn around(kind: &Kind, span: i64, held: &[Held], place: usize) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(new) = held.get(place) else {
        return verdict;
    };
    if let Kind::Count(Threshold { gte, .. }) = kind {
        return around_of_count(gte.unwrap_or(0).max(1), span, held, place);
    }
    let (from, until) = (new.time.plus(-span), new.time.plus(span));
    let start = held.partition_point(|h| h.time < from);
    let stop = held.partition_point(|h| h.time <= until);
    let Some(near) = held.get(start..stop) else {
        return verdict;
    };
    let mut measure = Measure::of(kind);
    let mut low = 0;
    let mut group = 0;
    while group < near.len() {
        let time = near.get(group).map_or(until, |h| h.time);
        let end = near.partition_point(|h| h.time <= time);
        for entering in near.get(group..end).unwrap_or_default() {
            measure.enter(entering);
        }
        while let Some(leaving) = near.get(low).filter(|h| h.time < time.plus(-span)) {
            measure.leave(leaving);
            low += 1;
        }
        if start + end > place && measure.satisfies(kind, time.plus(-span).0) {
            verdict.ends.push(start + group..start + end);
            verdict.heat(start + low..start + end);
        }
        group = end;
    }
    verdict
}

impl Verdict {
    fn heat(&mut self, places: Range<usize>) {
        self.hot = Some(match self.hot.take() {
            None => places,
            Some(run) => run.start.min(places.start)..run.end.max(places.end),
        });
    }
}

/// The same for a plain count of at least `least`, whose windows are measured by their ends alone.
///
/// A window with more than enough had enough before the new sample came: it made all but that one
/// hot, and was told. So nothing is left to look at behind the next `least` samples, and a flood
/// costs no more than a trickle.
fn around_of_count(least: u64, span: i64, held: &[Held], place: usize) -> Verdict {
    let mut verdict = Verdict::default();
    let least = usize::try_from(least).unwrap_or(usize::MAX);
    let Some(new) = held.get(place) else { return verdict };
    let mut last = place;
    while let Some(time) = held.get(last).map(|h| h.time).filter(|t| *t <= new.time.plus(span)) {
        let first = held.partition_point(|h| h.time < time);
        let end = held.partition_point(|h| h.time <= time);
        let start = held.partition_point(|h| h.time < time.plus(-span));
        let is_exceeded = end - start > least;
        if end - start >= least {
            if !is_exceeded || last == place {
                verdict.ends.push(first..end);
            }
            verdict.heat(if is_exceeded { place..place + 1 } else { start..end });
        }
        if is_exceeded && last >= place.saturating_add(least) {
            break;
        }
        last = end;
    }
    verdict
}

/// Judges the one window of `span` seconds that ends with the sample at `place`, for kinds that
/// wait for the watermark. Gives the places it holds, if it satisfies the rule.
#[must_use]
pub fn ending_at(kind: &Kind, span: i64, held: &[Held], place: usize) -> Option<Range<usize>> {
    let last = held.get(place)?;
    let from = last.time.plus(-span);
    let window =
        held.partition_point(|h| h.time < from)..held.partition_point(|h| h.time <= last.time);
    let mut measure = Measure::of(kind);
    for entering in held.get(window.clone())? {
        measure.enter(entering);
    }
    measure.satisfies(kind, from.0).then_some(window)
}

/// Whether some window of `span` seconds within `held` reaches `gte`, as `kind` measures.
#[must_use]
pub fn reaches(kind: &Kind, gte: u64, span: i64, held: &[&Held]) -> bool {
    let threshold = Threshold::at_least(gte);
    let kind = match kind {
        Kind::Distinct(_) => Kind::Distinct(threshold),
        Kind::Sum(_) => Kind::Sum(threshold),
        _ => Kind::Count(threshold),
    };
    let mut measure = Measure::of(&kind);
    let mut low = 0;
    for entering in held {
        measure.enter(entering);
        let from = entering.time.plus(-span);
        while let Some(leaving) = held.get(low).filter(|h| h.time < from) {
            measure.leave(leaving);
            low += 1;
        }
        if measure.satisfies(&kind, from.0) {
            return true;
        }
    }
    false
}

/// Of the windows of `span` seconds that end at a sample of [from, to] the one that holds most, and
/// of several the earliest. None for kinds whose mark is no least measure.
#[must_use]
pub fn peak(kind: &Kind, span: i64, held: &[Held], from: EventTime, to: EventTime) -> Option<Peak> {
    let mut measure = measures(kind).then(|| Measure::of(kind))?;
    let held = held.get(held.partition_point(|h| h.time < from.plus(-span))..)?;
    let held = held.get(..held.partition_point(|h| h.time <= to))?;
    let mut peak: Option<Peak> = None;
    let mut low = 0;
    for (place, entering) in held.iter().enumerate() {
        measure.enter(entering);
        let at = entering.time;
        // Samples of one second are in the same windows.
        if at < from || held.get(place + 1).is_some_and(|next| next.time == at) {
            continue;
        }
        while let Some(leaving) = held.get(low).filter(|h| h.time < at.plus(-span)) {
            measure.leave(leaving);
            low += 1;
        }
        let found = Peak { measure: measure.amount(), at };
        if peak.is_none_or(|peak| found.measure > peak.measure) {
            peak = Some(found);
        }
    }
    peak
}

/// What the `span` seconds before `first` hold. None as for [`peak`].
#[must_use]
pub fn before(kind: &Kind, span: i64, held: &[Held], first: EventTime) -> Option<u64> {
    let mut measure = measures(kind).then(|| Measure::of(kind))?;
    let start = held.partition_point(|h| h.time < first.plus(-span));
    let end = held.partition_point(|h| h.time < first);
    held.get(start..end)?.iter().for_each(|held| measure.enter(held));
    Some(measure.amount())
}

/// Whether the kind measures its windows, and means that more is more.
pub(super) fn measures(kind: &Kind) -> bool {
    match kind {
        Kind::Count(mark) | Kind::Distinct(mark) | Kind::Sum(mark) => mark.is_monotone(),
        _ => false,
    }
}

/// The measure of a window that slides over samples in order of time.
enum Measure {
    Count(u64),
    Distinct(HashMap<u64, u32, foldhash::fast::RandomState>),
    Sum(u128),
    /// How many samples of each member.
    Members(Box<[u32; 64]>),
    /// Of each member, how many samples with each value that must differ.
    Apart(Vec<HashMap<u64, u32, foldhash::fast::RandomState>>),
    /// For each prefix of the sequence, the latest time at which a chain that completes it began.
    Ordered {
        members: u8,
        latest: Vec<i64>,
        group: (i64, u64),
    },
}

impl Measure {
    fn of(kind: &Kind) -> Measure {
        match kind {
            Kind::Distinct(_) => Measure::Distinct(HashMap::default()),
            Kind::Sum(_) => Measure::Sum(0),
            Kind::Temporal(Members::Apart(count)) => {
                Measure::Apart(vec![HashMap::default(); usize::from(*count)])
            }
            Kind::Temporal(_) => Measure::Members(Box::new([0; 64])),
            Kind::Ordered(members) => Measure::Ordered {
                members: *members,
                latest: vec![i64::MIN; usize::from(*members)],
                group: (i64::MIN, 0),
            },
            Kind::Count(_) | Kind::FirstSeen { .. } | Kind::Surge { .. } | Kind::Silence { .. } => {
                Measure::Count(0)
            }
        }
    }

    fn enter(&mut self, held: &Held) {
        match self {
            Measure::Count(count) => *count += 1,
            Measure::Distinct(values) => *values.entry(held.value).or_default() += 1,
            Measure::Sum(sum) => *sum += u128::from(held.value),
            Measure::Members(counts) => each_bit(held.value, |bit| counts[bit] += 1),
            Measure::Apart(members) => {
                let (member, value) = Members::of_apart(held.value);
                if let Some(values) = members.get_mut(member) {
                    *values.entry(value).or_default() += 1;
                }
            }
            Measure::Ordered { members, latest, group } => {
                let time = held.time.0;
                // Equal seconds count as ordered: the members of one second are chained together.
                *group =
                    if group.0 == time { (time, group.1 | held.value) } else { (time, held.value) };
                for member in 0..usize::from(*members) {
                    if group.1 >> member & 1 == 1 {
                        let begun = match member.checked_sub(1) {
                            None => time,
                            Some(before) => latest.get(before).copied().unwrap_or(i64::MIN),
                        };
                        if let Some(slot) = latest.get_mut(member) {
                            *slot = (*slot).max(begun);
                        }
                    }
                }
            }
        }
    }

    fn leave(&mut self, held: &Held) {
        match self {
            Measure::Count(count) => *count -= 1,
            Measure::Distinct(values) => take_one(values, held.value),
            Measure::Apart(members) => {
                let (member, value) = Members::of_apart(held.value);
                if let Some(values) = members.get_mut(member) {
                    take_one(values, value);
                }
            }
            Measure::Sum(sum) => *sum -= u128::from(held.value),
            Measure::Members(counts) => each_bit(held.value, |bit| counts[bit] -= 1),
            // A chain carries its own beginning, so leaving needs no bookkeeping.
            Measure::Ordered { .. } => {}
        }
    }

    /// How much it is; nothing for what is no amount.
    fn amount(&self) -> u64 {
        match self {
            Measure::Count(count) => *count,
            Measure::Distinct(values) => values.len() as u64,
            Measure::Sum(sum) => u64::try_from(*sum).unwrap_or(u64::MAX),
            Measure::Members(_) | Measure::Apart(_) | Measure::Ordered { .. } => 0,
        }
    }

    fn satisfies(&self, kind: &Kind, from: i64) -> bool {
        match (self, kind) {
            (Measure::Count(count), Kind::Count(threshold)) => threshold.holds(*count),
            (Measure::Distinct(values), Kind::Distinct(threshold)) => {
                threshold.holds(values.len() as u64)
            }
            (Measure::Sum(sum), Kind::Sum(threshold)) => {
                threshold.holds(u64::try_from(*sum).unwrap_or(u64::MAX))
            }
            (Measure::Members(counts), Kind::Temporal(members)) => present(members, counts),
            (Measure::Apart(members), _) => can_differ(members),
            (Measure::Ordered { latest, .. }, Kind::Ordered(_)) => {
                latest.last().is_some_and(|begun| *begun >= from)
            }
            (Measure::Count(count), _) => *count > 0,
            _ => false,
        }
    }
}

fn present(members: &Members, counts: &[u32; 64]) -> bool {
    match members {
        Members::One(bit) => counts.get(usize::from(*bit)).is_some_and(|count| *count > 0),
        Members::And(all) => all.iter().all(|m| present(m, counts)),
        Members::Or(any) => any.iter().any(|m| present(m, counts)),
        Members::Not(one) => !present(one, counts),
        // Has a measure of its own.
        Members::Apart(_) => false,
    }
}

fn take_one(values: &mut HashMap<u64, u32, foldhash::fast::RandomState>, value: u64) {
    if let Some(count) = values.get_mut(&value) {
        *count -= 1;
        if *count == 0 {
            values.remove(&value);
        }
    }
}

/// Whether each member can be given one of its values so that all differ: a matching in a bipartite
/// graph, grown along augmenting paths. Of a member with as many values as there are members, any so
/// many do: the others cannot take them all.
fn can_differ(members: &[HashMap<u64, u32, foldhash::fast::RandomState>]) -> bool {
    let choices: Vec<Vec<u64>> =
        members.iter().map(|values| values.keys().take(members.len()).copied().collect()).collect();
    let mut given: HashMap<u64, usize> = HashMap::new();
    (0..members.len()).all(|member| give(member, &choices, &mut given, &mut Vec::new()))
}

/// Gives `member` a value, for which others may change to another of theirs. Goes no deeper than
/// there are members.
fn give(
    member: usize,
    choices: &[Vec<u64>],
    given: &mut HashMap<u64, usize>,
    tried: &mut Vec<u64>,
) -> bool {
    for value in choices.get(member).into_iter().flatten() {
        if tried.contains(value) {
            continue;
        }
        tried.push(*value);
        let is_free = match given.get(value).copied() {
            None => true,
            Some(other) => give(other, choices, given, tried),
        };
        if is_free {
            given.insert(*value, member);
            return true;
        }
    }
    false
}

fn each_bit(mut bits: u64, mut visit: impl FnMut(usize)) {
    while bits != 0 {
        visit(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}

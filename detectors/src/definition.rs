//! What a burst is, written as the law defines it: slow, and plainly right.
//!
//! This is the oracle that the engine is held against, and the specification that another engine
//! can be held against. It knows nothing of arrival, watermarks, windows kept or alerts said: it
//! takes the whole set of samples of one (rule, key) at once. `docs/semantics.md` is its prose.

use std::collections::{BTreeMap, BTreeSet};

use crate::rule::{Kind, Level, Mark, Members};

/// A sample: event time in seconds, event id, value (see [`crate::sample::Sample::value`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// Event time.
    pub time: i64,
    /// Event id.
    pub id: u64,
    /// Value.
    pub value: u64,
}

/// A burst.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Extent {
    /// Time of its first hot sample.
    pub first: i64,
    /// Time of its last hot sample.
    pub last: i64,
    /// Hot samples.
    pub count: u64,
    /// Highest mark reached.
    pub level: Level,
}

/// The bursts of one (rule, key), given all its samples.
#[must_use]
pub fn bursts(
    kind: &Kind,
    span: i64,
    level: Level,
    marks: &[Mark],
    samples: &BTreeSet<Point>,
) -> Vec<Extent> {
    let hot = hot(kind, span, samples);
    let mut groups: Vec<Vec<Point>> = Vec::new();
    for point in hot {
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(|l| point.time - l.time <= span) => {
                group.push(point);
            }
            _ => groups.push(vec![point]),
        }
    }
    groups
        .into_iter()
        .map(|group| Extent {
            first: group.first().map_or(0, |p| p.time),
            last: group.last().map_or(0, |p| p.time),
            count: group.len() as u64,
            level: marks
                .iter()
                .filter(|mark| reaches(kind, mark, &group))
                .map(|mark| mark.level)
                .fold(level, Level::max),
        })
        .collect()
}

/// The greatest measure of a window that ends at a sample of the burst [first, last], and the earliest
/// such time; for rules whose mark is a least measure.
#[must_use]
pub fn peak(
    kind: &Kind,
    span: i64,
    samples: &BTreeSet<Point>,
    (first, last): (i64, i64),
) -> Option<(u128, i64)> {
    let ends = samples.iter().map(|p| p.time).filter(|time| (first..=last).contains(time));
    let measured = ends.map(|end| {
        let window = within(samples, end - span, end);
        (measure(kind, &window.iter().collect::<Vec<_>>()), end)
    });
    measured.max_by_key(|(measure, end)| (*measure, std::cmp::Reverse(*end)))
}

/// The most that a timespan holds, of those that time is cut into from zero on; for rules whose mark
/// is a least measure.
#[must_use]
pub fn usual(kind: &Kind, span: i64, samples: &BTreeSet<Point>) -> u128 {
    let starts = samples.iter().map(|p| p.time.div_euclid(span) * span);
    let held = starts.map(|start| within(samples, start, start + span - 1));
    held.map(|held| measure(kind, &held.iter().collect::<Vec<_>>())).max().unwrap_or(0)
}

/// The samples s whose own window [s-W, s] satisfies the rule: what a parent correlation is given.
#[must_use]
pub fn lifted(kind: &Kind, span: i64, samples: &BTreeSet<Point>) -> BTreeSet<Point> {
    match kind {
        Kind::FirstSeen { .. } | Kind::Surge { .. } | Kind::Silence { .. } => {
            hot(kind, span, samples)
        }
        Kind::Count(_)
        | Kind::Distinct(_)
        | Kind::Sum(_)
        | Kind::Temporal(_)
        | Kind::Ordered(_) => {
            let holds = |p: &Point| satisfied(kind, &within(samples, p.time - span, p.time));
            samples.iter().filter(|p| holds(p)).copied().collect()
        }
    }
}

/// The samples that lie in some window that satisfies the rule.
fn hot(kind: &Kind, span: i64, samples: &BTreeSet<Point>) -> BTreeSet<Point> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return BTreeSet::new();
    };
    match kind {
        Kind::FirstSeen { memory_secs, warmup_secs } => samples
            .iter()
            .filter(|s| first.time <= s.time - warmup_secs)
            .filter(|s| {
                !samples.iter().any(|o| {
                    o.value == s.value && s.time - memory_secs <= o.time && o.time < s.time
                })
            })
            .copied()
            .collect(),
        Kind::Surge { bucket_secs, buckets, buckets_min, factor_milli, floor } => {
            let mut bins: BTreeMap<i64, Vec<Point>> = BTreeMap::new();
            for point in samples {
                bins.entry(point.time.div_euclid(*bucket_secs)).or_default().push(*point);
            }
            let count = |bin: i64| bins.get(&bin).map_or(0, |b| b.len() as u128);
            bins.iter()
                .filter(|(bin, held)| {
                    let whole: Vec<i64> = (*bin - i64::from(*buckets)..**bin)
                        .filter(|b| b * bucket_secs >= first.time)
                        .collect();
                    let sum: u128 = whole.iter().map(|b| count(*b)).sum();
                    whole.len() >= (*buckets_min).max(1) as usize
                        && held.len() as u64 >= *floor
                        && held.len() as u128 * 1_000 * whole.len() as u128
                            >= u128::from(*factor_milli) * sum
                })
                .flat_map(|(_, held)| held.iter().copied())
                .collect()
        }
        Kind::Silence { quiet_secs, slot_secs, slots } => samples
            .iter()
            .filter(|s| within(samples, s.time + 1, s.time + quiet_secs).is_empty())
            .filter(|s| {
                let slot = s.time.div_euclid(*slot_secs);
                (slot - i64::from(*slots) + 1..=slot)
                    .all(|wanted| samples.iter().any(|o| o.time.div_euclid(*slot_secs) == wanted))
            })
            .filter(|s| samples.range(..*s).next_back().is_none_or(|before| before.time < s.time))
            .map(|s| Point { time: s.time + quiet_secs, ..*s })
            .collect(),
        Kind::Count(_)
        | Kind::Distinct(_)
        | Kind::Sum(_)
        | Kind::Temporal(_)
        | Kind::Ordered(_) => {
            let instants: Vec<i64> = if kind.waits() {
                samples.iter().map(|s| s.time).collect()
            } else {
                (first.time..=last.time + span).collect()
            };
            instants
                .into_iter()
                .map(|t| within(samples, t - span, t))
                .filter(|window| satisfied(kind, window))
                .flatten()
                .collect()
        }
    }
}

fn within(samples: &BTreeSet<Point>, from: i64, to: i64) -> Vec<Point> {
    samples.iter().filter(|s| from <= s.time && s.time <= to).copied().collect()
}

fn satisfied(kind: &Kind, window: &[Point]) -> bool {
    match kind {
        Kind::Count(threshold) => threshold.holds(window.len() as u64),
        Kind::Distinct(threshold) => {
            threshold.holds(window.iter().map(|p| p.value).collect::<BTreeSet<_>>().len() as u64)
        }
        Kind::Sum(threshold) => {
            let sum: u128 = window.iter().map(|p| u128::from(p.value)).sum();
            threshold.holds(u64::try_from(sum).unwrap_or(u64::MAX))
        }
        Kind::Temporal(Members::Apart(count)) => are_apart(*count, window, &mut Vec::new()),
        Kind::Temporal(members) => {
            let present = window.iter().fold(0, |bits, p| bits | p.value);
            has(members, present)
        }
        Kind::Ordered(members) => {
            // Some chain of samples, one of each member in order, with times that do not fall.
            let mut least = i64::MIN;
            (0..*members).all(|member| {
                let next = window
                    .iter()
                    .filter(|p| p.value >> member & 1 == 1 && p.time >= least)
                    .map(|p| p.time)
                    .min();
                least = next.unwrap_or(least);
                next.is_some()
            })
        }
        Kind::FirstSeen { .. } | Kind::Surge { .. } | Kind::Silence { .. } => false,
    }
}

fn has(members: &Members, present: u64) -> bool {
    match members {
        Members::One(bit) => present >> bit & 1 == 1,
        Members::And(all) => all.iter().all(|m| has(m, present)),
        Members::Or(any) => any.iter().any(|m| has(m, present)),
        Members::Not(one) => !has(one, present),
        // Asked of the samples themselves, in `are_apart`.
        Members::Apart(_) => false,
    }
}

/// Whether a sample of each member can be chosen so that no two have the same value to differ in;
/// `chosen` are those of the members before.
fn are_apart(count: u8, window: &[Point], chosen: &mut Vec<u64>) -> bool {
    if chosen.len() == usize::from(count) {
        return true;
    }
    let of_this = window.iter().map(|p| Members::of_apart(p.value));
    let values: BTreeSet<u64> =
        of_this.filter(|(member, _)| *member == chosen.len()).map(|(_, value)| value).collect();
    values.into_iter().any(|value| {
        if chosen.contains(&value) {
            return false;
        }
        chosen.push(value);
        let holds = are_apart(count, window, chosen);
        chosen.pop();
        holds
    })
}

fn reaches(kind: &Kind, mark: &Mark, hot: &[Point]) -> bool {
    hot.iter().any(|end| {
        let window: Vec<&Point> = hot
            .iter()
            .filter(|p| end.time - mark.timespan_secs <= p.time && p.time <= end.time)
            .collect();
        measure(kind, &window) >= u128::from(mark.gte)
    })
}

fn measure(kind: &Kind, window: &[&Point]) -> u128 {
    match kind {
        Kind::Distinct(_) => window.iter().map(|p| p.value).collect::<BTreeSet<_>>().len() as u128,
        Kind::Sum(_) => window.iter().map(|p| u128::from(p.value)).sum(),
        _ => window.len() as u128,
    }
}

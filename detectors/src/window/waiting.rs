//! What the kinds that speak only at the watermark keep beside the plain set of samples.
//!
//! Each takes samples in any order, and, once the watermark has passed the time that settles it,
//! yields the samples that are hot. From there on they are like all others.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::samples::Held;
use crate::record::EventId;
use crate::rule::Kind;
use crate::time::EventTime;

/// Most values remembered under one key of a `first_seen` rule; beyond it the longest unseen goes.
pub const VALUES_MAX: usize = 10_000;

/// Most undecided samples under one key; beyond it further ones are counted, not kept.
pub const UNDECIDED_MAX: usize = 65_536;

/// A sample's whole identity, in order of time.
type At = (EventTime, EventId, u64);

/// Samples in order of their identity; written as a plain list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Held>", into = "Vec<Held>")]
pub struct Undecided(BTreeMap<At, Held>);

impl From<Vec<Held>> for Undecided {
    fn from(list: Vec<Held>) -> Undecided {
        Undecided(list.into_iter().map(|h| ((h.time, h.id, h.value), h)).collect())
    }
}

impl From<Undecided> for Vec<Held> {
    fn from(undecided: Undecided) -> Vec<Held> {
        undecided.0.into_values().collect()
    }
}

/// State beside the samples.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub enum Waiting {
    /// Kinds that are judged on the samples alone.
    #[default]
    Nothing,
    /// `first_seen`.
    Seen {
        /// The key's first sample.
        since: Option<EventTime>,
        /// Values and when they were last seen, up to the watermark.
        values: HashMap<u64, EventTime>,
        /// Samples not yet passed by the watermark.
        undecided: Undecided,
    },
    /// `surge`.
    Bins {
        /// The key's first sample.
        since: Option<EventTime>,
        /// Samples by bin, until it is closed.
        open: BTreeMap<i64, Undecided>,
        /// Counts of closed bins within the baseline.
        closed: BTreeMap<i64, u64>,
    },
    /// `silence`.
    Slots {
        /// Slots that hold a sample.
        active: BTreeSet<i64>,
        /// Times with a sample for which the quiet after it is not yet decided.
        undecided: BTreeMap<EventTime, Held>,
    },
}

impl Waiting {
    /// The state that `kind` needs.
    #[must_use]
    pub fn of(kind: &Kind) -> Waiting {
        match kind {
            Kind::FirstSeen { .. } => Waiting::Seen {
                since: None,
                values: HashMap::new(),
                undecided: Undecided::default(),
            },
            Kind::Surge { .. } => {
                Waiting::Bins { since: None, open: BTreeMap::new(), closed: BTreeMap::new() }
            }
            Kind::Silence { .. } => {
                Waiting::Slots { active: BTreeSet::new(), undecided: BTreeMap::new() }
            }
            Kind::Count(_)
            | Kind::Distinct(_)
            | Kind::Sum(_)
            | Kind::Temporal(_)
            | Kind::Ordered(_) => Waiting::Nothing,
        }
    }

    /// Takes a sample in. False when it was known or there is no room.
    pub fn add(&mut self, kind: &Kind, new: Held) -> bool {
        let at = (new.time, new.id, new.value);
        match (self, kind) {
            (Waiting::Seen { since, undecided, .. }, _) => {
                *since = Some(since.map_or(new.time, |s| s.min(new.time)));
                undecided.0.len() < UNDECIDED_MAX && undecided.0.insert(at, new).is_none()
            }
            (Waiting::Bins { since, open, .. }, Kind::Surge { bucket_secs, .. }) => {
                *since = Some(since.map_or(new.time, |s| s.min(new.time)));
                let bin = open.entry(new.time.0.div_euclid(*bucket_secs)).or_default();
                bin.0.len() < UNDECIDED_MAX && bin.0.insert(at, new).is_none()
            }
            (Waiting::Slots { active, undecided }, Kind::Silence { slot_secs, .. }) => {
                active.insert(new.time.0.div_euclid(*slot_secs));
                // Of one second the least event id stands for all.
                match undecided.get_mut(&new.time) {
                    Some(known) if new.id < known.id => *known = new,
                    Some(_) => return false,
                    None => {
                        undecided.insert(new.time, new);
                    }
                }
                true
            }
            _ => false,
        }
    }

    /// Decides all that `watermark` settles, and yields what is hot, in order of time.
    pub fn decide(&mut self, kind: &Kind, watermark: EventTime) -> Vec<Held> {
        match (self, kind) {
            (
                Waiting::Seen { since, values, undecided },
                Kind::FirstSeen { memory_secs, warmup_secs },
            ) => {
                let rest = undecided.0.split_off(&(watermark, EventId(0), 0));
                let settled = std::mem::replace(&mut undecided.0, rest);
                let mut hot = Vec::new();
                // Samples of one second do not make each other known: nothing of [t-M, t) is at t.
                let mut this_second: Vec<(u64, EventTime)> = Vec::new();
                for held in settled.into_values() {
                    if this_second.last().is_some_and(|(_, time)| *time < held.time) {
                        values.extend(this_second.drain(..));
                    }
                    this_second.push((held.value, held.time));
                    let unknown = values
                        .get(&held.value)
                        .is_none_or(|last| *last < held.time.plus(-memory_secs));
                    if unknown && since.is_some_and(|s| s <= held.time.plus(-warmup_secs)) {
                        hot.push(held);
                    }
                }
                values.extend(this_second);
                values.retain(|_, last| *last >= watermark.plus(-memory_secs));
                while values.len() > VALUES_MAX {
                    let Some(oldest) =
                        values.iter().min_by_key(|(v, t)| (**t, **v)).map(|(v, _)| *v)
                    else {
                        break;
                    };
                    values.remove(&oldest);
                }
                hot
            }
            (
                Waiting::Bins { since, open, closed },
                kind @ Kind::Surge { bucket_secs, buckets, .. },
            ) => {
                let current = watermark.0.div_euclid(*bucket_secs);
                let rest = open.split_off(&current);
                let mut hot = Vec::new();
                for (bin, samples) in std::mem::replace(open, rest) {
                    if surges(kind, *since, bin, samples.0.len() as u64, closed) {
                        hot.extend(samples.0.values().cloned());
                    }
                    closed.insert(bin, samples.0.len() as u64);
                }
                let oldest = current - i64::from(*buckets);
                closed.retain(|bin, _| *bin >= oldest);
                hot
            }
            (
                Waiting::Slots { active, undecided },
                Kind::Silence { quiet_secs, slot_secs, slots },
            ) => {
                let rest = undecided.split_off(&watermark.plus(-quiet_secs));
                let settled = std::mem::replace(undecided, rest);
                let times: Vec<EventTime> =
                    settled.keys().copied().chain(undecided.keys().next().copied()).collect();
                let mut hot = Vec::new();
                for (place, (time, held)) in settled.into_iter().enumerate() {
                    let quiet =
                        times.get(place + 1).is_none_or(|next| *next > time.plus(*quiet_secs));
                    let slot = time.0.div_euclid(*slot_secs);
                    let filled = (slot - i64::from(*slots) + 1..=slot).all(|s| active.contains(&s));
                    if quiet && filled {
                        hot.push(Held { time: time.plus(*quiet_secs), ..held });
                    }
                }
                let oldest =
                    watermark.plus(-quiet_secs).0.div_euclid(*slot_secs) - i64::from(*slots);
                active.retain(|slot| *slot >= oldest);
                hot
            }
            _ => Vec::new(),
        }
    }

    /// The watermark from which on something more can be decided.
    #[must_use]
    pub fn due(&self, kind: &Kind) -> Option<EventTime> {
        match (self, kind) {
            (Waiting::Seen { undecided, .. }, _) => {
                undecided.0.keys().next().map(|(t, ..)| t.plus(1))
            }
            (Waiting::Bins { open, .. }, Kind::Surge { bucket_secs, .. }) => {
                open.keys().next().map(|bin| EventTime((bin + 1) * bucket_secs))
            }
            (Waiting::Slots { undecided, .. }, Kind::Silence { quiet_secs, .. }) => {
                undecided.keys().next().map(|time| time.plus(quiet_secs + 1))
            }
            _ => None,
        }
    }

    /// The earliest time at which something may yet be found hot that has come already.
    #[must_use]
    pub fn first_undecided(&self) -> Option<EventTime> {
        match self {
            Waiting::Nothing => None,
            Waiting::Seen { undecided, .. } => undecided.0.keys().next().map(|(time, ..)| *time),
            Waiting::Bins { open, .. } => {
                open.values().next().and_then(|bin| bin.0.keys().next()).map(|(time, ..)| *time)
            }
            Waiting::Slots { undecided, .. } => undecided.keys().next().copied(),
        }
    }

    /// Whether there is a memory that must outlive the samples.
    #[must_use]
    pub fn remembers(&self) -> bool {
        match self {
            Waiting::Nothing => false,
            Waiting::Seen { since, .. } | Waiting::Bins { since, .. } => since.is_some(),
            Waiting::Slots { active, undecided } => !active.is_empty() || !undecided.is_empty(),
        }
    }
}

/// Whether a closed bin of `count` samples towers over the whole bins of the baseline before it.
/// Bins count as whole when they begin at or after the key's first sample.
fn surges(
    kind: &Kind,
    since: Option<EventTime>,
    bin: i64,
    count: u64,
    closed: &BTreeMap<i64, u64>,
) -> bool {
    let Kind::Surge { bucket_secs, buckets, buckets_min, factor_milli, floor } = kind else {
        return false;
    };
    let Some(since) = since else { return false };
    let first_whole = (since.0 + bucket_secs - 1).div_euclid(*bucket_secs);
    let from = first_whole.max(bin - i64::from(*buckets));
    let whole = u64::try_from(bin - from).unwrap_or(0);
    if whole < u64::from(*buckets_min).max(1) || count < *floor {
        return false;
    }
    let sum: u64 = closed.range(from..bin).map(|(_, count)| count).sum();
    u128::from(count) * 1_000 * u128::from(whole) >= u128::from(*factor_milli) * u128::from(sum)
}

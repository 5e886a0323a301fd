//! What the kinds that speak only at the watermark keep beside the plain set of samples.
//!
//! Each takes samples in any order, and, once the watermark has passed the time that settles it,
//! yields the samples that are hot. From there on they are like all others.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::Inserted;
use super::burst::EVIDENCE_EACH_END;
use super::edges::Edges;
use super::offer::Offer;
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

/// Bytes of records that came to be held, and that are no longer.
#[derive(Debug, Default)]
pub(super) struct BytesHeld {
    pub(super) taken: u64,
    pub(super) freed: u64,
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
        /// Values and when they were last seen, up to the watermark, or since then while known.
        values: HashMap<u64, EventTime, foldhash::fast::RandomState>,
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
        /// Slots that hold a sample, in order.
        active: Vec<i64>,
        /// Times with a sample for which the quiet after it is not yet decided.
        undecided: Edges,
    },
}

impl Waiting {
    /// The state that `kind` needs.
    #[must_use]
    pub fn of(kind: &Kind) -> Waiting {
        match kind {
            Kind::FirstSeen { .. } => Waiting::Seen {
                since: None,
                values: HashMap::default(),
                undecided: Undecided::default(),
            },
            Kind::Surge { .. } => {
                Waiting::Bins { since: None, open: BTreeMap::new(), closed: BTreeMap::new() }
            }
            Kind::Silence { .. } => {
                Waiting::Slots { active: Vec::new(), undecided: Edges::default() }
            }
            Kind::Count(_)
            | Kind::Distinct(_)
            | Kind::Sum(_)
            | Kind::Temporal(_)
            | Kind::Ordered(_) => Waiting::Nothing,
        }
    }

    /// Takes a sample in, and its record where it may still be wanted: `keeps_all` says that every
    /// sample's may. None from before `floor` will come any more.
    pub(super) fn add(
        &mut self,
        kind: &Kind,
        mut new: Held,
        keeps_all: bool,
        floor: EventTime,
        record: &mut Offer<'_>,
        bytes: &mut BytesHeld,
    ) -> Inserted {
        let at = (new.time, new.id, new.value);
        match (self, kind) {
            (
                Waiting::Seen { since, values, undecided },
                Kind::FirstSeen { memory_secs, warmup_secs },
            ) => {
                let began = since.map_or(new.time, |s| s.min(new.time));
                *since = Some(began);
                // Known for good: a sample that is decided lies in the memory before it. All between
                // the two are then known by that one too, whenever they come, so that the value may
                // count as seen until now.
                if let Some(last) = values.get_mut(&new.value)
                    && *last < new.time
                    && *last >= new.time.plus(-memory_secs)
                {
                    *last = new.time;
                    return Inserted::Spare;
                }
                if undecided.0.len() >= UNDECIDED_MAX || undecided.0.contains_key(&at) {
                    return Inserted::Known;
                }
                // Nobody asks for what comes before the warm-up is over, however early a sample may
                // yet come.
                if began.min(floor) <= new.time.plus(-warmup_secs) {
                    new.take(record, bytes);
                }
                undecided.0.insert(at, new);
                Inserted::New
            }
            (Waiting::Bins { since, open, .. }, Kind::Surge { bucket_secs, .. }) => {
                *since = Some(since.map_or(new.time, |s| s.min(new.time)));
                let bin = open.entry(new.time.0.div_euclid(*bucket_secs)).or_default();
                bin.add_to_bin(new, keeps_all, record, bytes)
            }
            (
                Waiting::Slots { active, undecided },
                Kind::Silence { quiet_secs, slot_secs, slots },
            ) => {
                let slot = new.time.0.div_euclid(*slot_secs);
                if active.last() != Some(&slot)
                    && let Err(place) = active.binary_search(&slot)
                {
                    active.insert(place, slot);
                }
                // Nobody asks for what cannot end a time that was active throughout, whatever may yet
                // come.
                let open = slot.saturating_sub(floor.0.div_euclid(*slot_secs)).saturating_add(1);
                let is_wanted = open.saturating_add(active.len() as i64) >= i64::from(*slots);
                let record = is_wanted.then_some(record);
                undecided.add(new.time, new.id, *quiet_secs, record, bytes)
            }
            _ => Inserted::Known,
        }
    }

    /// Decides all that `watermark` settles, and yields what is hot, in order of time. A quiet that began
    /// before `judges_from` may be none: what broke it was not read again. `freed` counts bytes of
    /// records that are no longer held here.
    pub(super) fn decide(
        &mut self,
        kind: &Kind,
        watermark: EventTime,
        judges_from: EventTime,
        freed: &mut u64,
    ) -> Vec<Held> {
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
                    *freed += held.record_bytes();
                    if this_second.last().is_some_and(|(_, time)| *time < held.time) {
                        see(values, &mut this_second);
                    }
                    this_second.push((held.value, held.time));
                    let unknown = values
                        .get(&held.value)
                        .is_none_or(|last| *last < held.time.plus(-memory_secs));
                    if unknown && since.is_some_and(|s| s <= held.time.plus(-warmup_secs)) {
                        hot.push(held);
                    }
                }
                see(values, &mut this_second);
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
                    *freed += samples.0.values().map(Held::record_bytes).sum::<u64>();
                    if surges(kind, *since, bin, samples.0.len() as u64, closed) {
                        closed.insert(bin, samples.0.len() as u64);
                        hot.extend(samples.0.into_values());
                    } else {
                        closed.insert(bin, samples.0.len() as u64);
                    }
                }
                let oldest = current - i64::from(*buckets);
                closed.retain(|bin, _| *bin >= oldest);
                hot
            }
            (
                Waiting::Slots { active, undecided },
                Kind::Silence { quiet_secs, slot_secs, slots },
            ) => {
                let mut hot = Vec::new();
                for (held, next) in undecided.settle(watermark.plus(-quiet_secs)) {
                    *freed += held.record_bytes();
                    let end = held.time.plus(*quiet_secs);
                    let quiet = next.is_none_or(|next| next > end);
                    let slot = held.time.0.div_euclid(*slot_secs);
                    let first = slot - i64::from(*slots) + 1;
                    let filled = (first..=slot).all(|slot| active.binary_search(&slot).is_ok());
                    if quiet && filled && held.time >= judges_from {
                        hot.push(Held { time: end, ..held });
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

    /// What comes next of the key comes elsewhere, so the last time that it was heard begins no quiet:
    /// it is not the end of an active time then.
    pub(super) fn is_heard_elsewhere(&mut self) {
        if let Waiting::Slots { active, .. } = self {
            active.pop();
        }
    }

    /// The earliest event time of a sample that what is undecided rests on.
    pub(super) fn needs_from(&self, kind: &Kind) -> Option<EventTime> {
        match (self, kind) {
            (Waiting::Seen { undecided, .. }, _) => undecided.0.keys().next().map(|(t, ..)| *t),
            (Waiting::Bins { open, closed, .. }, Kind::Surge { bucket_secs, .. }) => {
                let bin = open.keys().chain(closed.keys()).min();
                bin.map(|bin| EventTime(bin * bucket_secs))
            }
            (Waiting::Slots { active, undecided }, Kind::Silence { slot_secs, .. }) => {
                let slot = active.first().map(|slot| EventTime(slot * slot_secs));
                undecided.first().into_iter().chain(slot).min()
            }
            _ => None,
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
                undecided.first().map(|time| time.plus(quiet_secs + 1))
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
            Waiting::Slots { undecided, .. } => undecided.first(),
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

impl Undecided {
    /// Takes a sample of a bin that is open. All of a bin become hot together or none, so no more
    /// of its records can be evidence than those of the ends.
    fn add_to_bin(
        &mut self,
        mut new: Held,
        keeps_all: bool,
        record: &mut Offer<'_>,
        bytes: &mut BytesHeld,
    ) -> Inserted {
        let at = (new.time, new.id, new.value);
        if self.0.len() >= UNDECIDED_MAX || self.0.contains_key(&at) {
            return Inserted::Known;
        }
        let is_least = self.0.keys().nth(EVIDENCE_EACH_END - 1).is_none_or(|kept| at < *kept);
        let is_greatest =
            self.0.keys().rev().nth(EVIDENCE_EACH_END - 1).is_none_or(|kept| at > *kept);
        if keeps_all || is_least || is_greatest {
            new.take(record, bytes);
        }
        self.0.insert(at, new);
        if !keeps_all && self.0.len() > 2 * EVIDENCE_EACH_END {
            let mut pushed_out = |held: Option<&mut Held>| {
                if let Some(held) = held {
                    bytes.freed += held.record_bytes();
                    held.record = None;
                }
            };
            if is_least {
                pushed_out(self.0.values_mut().nth(EVIDENCE_EACH_END));
            }
            if is_greatest {
                pushed_out(self.0.values_mut().rev().nth(EVIDENCE_EACH_END));
            }
        }
        Inserted::New
    }
}

impl Held {
    fn take(&mut self, record: &mut Offer<'_>, bytes: &mut BytesHeld) {
        self.record = record.take();
        bytes.taken += self.record_bytes();
    }
}

/// Notes when values were seen; the latest time counts.
fn see(
    values: &mut HashMap<u64, EventTime, foldhash::fast::RandomState>,
    seen: &mut Vec<(u64, EventTime)>,
) {
    for (value, time) in seen.drain(..) {
        let last = values.entry(value).or_insert(time);
        *last = time.max(*last);
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

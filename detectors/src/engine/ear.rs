//! Which records of a batch `silence` has to be told of.
//!
//! A silence asks of nearly every record, and most say nothing new: the key was heard from soon before
//! and soon after. What a batch says by itself is found here, without a window and without a lock, and
//! only the records at the edges of its gaps go on. Which window a key has is remembered from batch to
//! batch, so that a record costs one look-up of the key as it is written.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::field::Fields;
use crate::record::EventId;
use crate::rule::{Kind, Rule, Tap};
use crate::sample::{self, RuleIndex, Sample, WindowKey};
use crate::time::EventTime;

/// Most keys that are remembered; past it all are forgotten, which costs time and nothing else.
const KEYS_MAX: usize = 1 << 16;

/// Keys that were heard from, and what of the present batch.
#[derive(Debug, Default)]
pub(super) struct Ear {
    places: HashTable<Place>,
    keys: Vec<Key>,
    hasher: RandomState,
    /// Those that have something to say of this batch: each one's hash and place in `keys`.
    heard: Vec<(u64, usize)>,
}

/// Where a key is found: all that most moments ask of it, close together.
#[derive(Debug)]
struct Place {
    /// Of the rule and the group-by values.
    hash: u64,
    rule: RuleIndex,
    /// The group-by values, each behind its length.
    values: SmallVec<[u8; 36]>,
    /// Between these two times one more moment says nothing new.
    calm: (EventTime, EventTime),
    /// The place in `keys`.
    key: usize,
}

#[derive(Debug)]
struct Key {
    window: WindowKey,
    /// The moments that others do not make needless, in order of time: of this batch, and the last
    /// that the window was told of.
    moments: SmallVec<[Moment; TOLD_MAX]>,
    is_heard: bool,
}

/// How many moments of a key that its window knows are remembered.
const TOLD_MAX: usize = 3;

/// No two times lie so.
const NO_CALM: (EventTime, EventTime) = (EventTime::MAX, EventTime::MIN);

/// A moment at which a key was heard from.
#[derive(Debug, Clone, Copy)]
struct Moment {
    time: EventTime,
    id: EventId,
    /// The place of its match; none where the window was told of it.
    at: Option<usize>,
}

/// What became of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    /// It may have something to say.
    Noted,
    /// It says nothing new.
    Needless,
    /// The record has no key.
    Keyless,
}

impl Ear {
    /// Takes the match at `at`, of a record that has `fields`, for `tap`, whose rule is `rule`.
    pub(super) fn hear(
        &mut self,
        rule: &Rule,
        tap: &Tap,
        fields: &Fields<'_, '_>,
        at: usize,
        seed: u64,
    ) -> Hearing {
        let moment = (fields.record().time(), at);
        let id = || fields.id(seed);
        let mut plain: SmallVec<[&[u8]; 3]> = SmallVec::new();
        plain.extend(tap.group_by.iter().map_while(|path| fields.plain(path)));
        if plain.len() == tap.group_by.len()
            && let Some(hearing) = self.note(rule, tap.rule, &plain, moment, &id)
        {
            return hearing;
        }
        let keys = sample::keys(&tap.group_by, fields, &|_| None);
        let mut hearing = if keys.is_empty() { Hearing::Keyless } else { Hearing::Needless };
        for key in &keys {
            let values: SmallVec<[&[u8]; 3]> = key.iter().map(|value| value.as_bytes()).collect();
            let noted = self.note(rule, tap.rule, &values, moment, &id).or_else(|| {
                self.add(tap.rule, &values, WindowKey::of_key(seed, rule.tag, key));
                self.note(rule, tap.rule, &values, moment, &id)
            });
            if noted == Some(Hearing::Noted) {
                hearing = Hearing::Noted;
            }
        }
        hearing
    }

    /// Adds a key that is not known yet.
    fn add(&mut self, rule: RuleIndex, values: &[&[u8]], window: WindowKey) {
        let hash = self.hash(rule, values);
        let mut all = SmallVec::new();
        for value in values {
            all.extend_from_slice(&length(value));
            all.extend_from_slice(value);
        }
        let place = Place { hash, rule, values: all, calm: NO_CALM, key: self.keys.len() };
        self.keys.push(Key { window, moments: SmallVec::new(), is_heard: false });
        self.places.insert_unique(hash, place, |place| place.hash);
    }

    fn hash(&self, rule: RuleIndex, values: &[&[u8]]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_usize(rule);
        values.iter().for_each(|value| hasher.write(value));
        hasher.finish()
    }

    /// Notes a moment, which has this time and this match, of a key that is known.
    fn note(
        &mut self,
        rule: &Rule,
        index: RuleIndex,
        values: &[&[u8]],
        (time, at): (EventTime, usize),
        id: &dyn Fn() -> EventId,
    ) -> Option<Hearing> {
        let hash = self.hash(index, values);
        let place = self.places.find_mut(hash, |place| place.is_of(hash, index, values))?;
        if place.calm.0 < time && time < place.calm.1 {
            return Some(Hearing::Needless);
        }
        let key = self.keys.get_mut(place.key)?;
        if !std::mem::replace(&mut key.is_heard, true) {
            self.heard.push((hash, place.key));
        }
        note(&rule.kind, &mut key.moments, time, at, id);
        place.calm = calm(&rule.kind, &key.moments);
        Some(Hearing::Noted)
    }

    /// Samples that say all there is to say of the batch, each with its match. The next batch begins,
    /// and takes them for told.
    pub(super) fn needed(&mut self) -> Vec<(Sample, usize)> {
        let mut needed = Vec::new();
        for (hash, at) in self.heard.drain(..) {
            let place = self.places.find_mut(hash, |place| place.key == at);
            let (Some(place), Some(key)) = (place, self.keys.get_mut(at)) else { continue };
            key.is_heard = false;
            for Moment { time, id, at } in &mut key.moments {
                let Some(at) = at.take() else { continue };
                let (rule, window) = (place.rule, key.window);
                needed.push((Sample { rule, window, time: *time, id: *id, value: 0 }, at));
            }
            let old = key.moments.len().saturating_sub(TOLD_MAX);
            key.moments.drain(..old);
            if let Some(oldest) = key.moments.first() {
                place.calm.0 = place.calm.0.max(oldest.time);
            }
        }
        if self.keys.len() > KEYS_MAX {
            *self = Ear::default();
        }
        needed
    }
}

impl Place {
    fn is_of(&self, hash: u64, rule: RuleIndex, values: &[&[u8]]) -> bool {
        let mut rest = self.values.as_slice();
        let mut begins_with = |part: &[u8]| {
            let after = rest.strip_prefix(part);
            rest = after.unwrap_or_default();
            after.is_some()
        };
        self.hash == hash
            && self.rule == rule
            && values.iter().all(|value| begins_with(&length(value)) && begins_with(value))
            && rest.is_empty()
    }
}

/// How long a value is, as it stands before it.
fn length(value: &[u8]) -> [u8; 4] {
    // No record is as long as would not fit.
    u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// Puts a moment among those of its key, and takes out what it makes needless. Of one second the
/// least event id stands for all.
fn note(
    kind: &Kind,
    moments: &mut SmallVec<[Moment; TOLD_MAX]>,
    time: EventTime,
    at: usize,
    id: &dyn Fn() -> EventId,
) {
    let place = moments.partition_point(|moment| moment.time < time);
    if let Some(known) = moments.get_mut(place).filter(|moment| moment.time == time) {
        let id = id();
        if id < known.id {
            *known = Moment { time, id, at: Some(at) };
        }
        return;
    }
    let before = place.checked_sub(1).and_then(|place| moments.get(place));
    if is_needless(kind, before, time, moments.get(place)) {
        return;
    }
    moments.insert(place, Moment { time, id: id(), at: Some(at) });
    for place in [place + 1, place.wrapping_sub(1)] {
        let before = place.checked_sub(1).and_then(|place| moments.get(place));
        let behind = place.checked_add(1).and_then(|place| moments.get(place));
        if moments.get(place).is_some_and(|this| is_needless(kind, before, this.time, behind)) {
            moments.remove(place);
        }
    }
}

/// The last times between which the moments leave no gap, and a moment has the slot of one of them.
fn calm(kind: &Kind, moments: &[Moment]) -> (EventTime, EventTime) {
    let Kind::Silence { quiet_secs, slot_secs, .. } = kind else { return NO_CALM };
    let slot = |moment: &Moment| moment.time.0.div_euclid(*slot_secs);
    let leave_none = |before: &Moment, behind: &Moment| {
        behind.time <= before.time.plus(*quiet_secs) && slot(behind) - slot(before) <= 1
    };
    let Some(last) = moments.last() else { return NO_CALM };
    let pairs = moments.windows(2).rev();
    let pairs =
        pairs.take_while(|pair| matches!(pair, [before, behind] if leave_none(before, behind)));
    let first = pairs.last().and_then(|pair| pair.first());
    (first.unwrap_or(last).time, last.time)
}

/// Whether a moment lies between two that leave no gap without it, in the slot of one of them.
fn is_needless(
    kind: &Kind,
    before: Option<&Moment>,
    time: EventTime,
    behind: Option<&Moment>,
) -> bool {
    let (Kind::Silence { quiet_secs, slot_secs, .. }, Some(before), Some(behind)) =
        (kind, before, behind)
    else {
        return false;
    };
    let slot = |time: EventTime| time.0.div_euclid(*slot_secs);
    behind.time <= before.time.plus(*quiet_secs)
        && [slot(before.time), slot(behind.time)].contains(&slot(time))
}

//! Which records of a batch `silence` has to be told of.
//!
//! A silence asks of nearly every record, and most say nothing new: the key was heard from soon before
//! and soon after. What a batch says by itself is found here, without a window and without a lock, and
//! only the records at the edges of its gaps go on. Which window a key has is remembered from batch to
//! batch, so that a record costs one look-up of the key as it is written.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::field::Fields;
use crate::record::EventId;
use crate::rule::{Kind, Rule, Tap};
use crate::sample::{self, Sample, WindowKey};
use crate::time::EventTime;

/// Most keys that are remembered; past it all are forgotten, which costs time and nothing else.
const KEYS_MAX: usize = 1 << 16;

/// Keys that were heard from, and what of the present batch.
#[derive(Debug, Default)]
pub(super) struct Ear {
    /// Places in `keys`, by the rule and the key as bytes.
    places: HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>,
    keys: Vec<Key>,
    /// Places of keys that were heard from in this batch.
    heard: Vec<usize>,
    bytes: Vec<u8>,
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

/// A moment at which a key was heard from.
#[derive(Debug, Clone, Copy)]
struct Moment {
    time: EventTime,
    id: EventId,
    /// The place of its match; none where the window was told of it.
    at: Option<usize>,
}

impl Ear {
    /// Takes the match at `at`, of a record that has `fields`, for `tap`, whose rule is `rule`; false if
    /// the record has no key.
    pub(super) fn hear(
        &mut self,
        rule: &Rule,
        tap: &Tap,
        fields: &Fields<'_, '_>,
        at: usize,
        seed: u64,
    ) -> bool {
        self.bytes.clear();
        self.bytes.extend_from_slice(&tap.rule.to_le_bytes());
        let is_plain = tap.group_by.iter().all(|path| {
            let plain = fields.plain(path);
            plain.is_some_and(|plain| {
                add(&mut self.bytes, plain);
                true
            })
        });
        if is_plain && let Some(place) = self.places.get(self.bytes.as_slice()) {
            self.note(rule, *place, fields, at, seed);
            return true;
        }
        let keys = sample::keys(&tap.group_by, fields, &|_| None);
        for key in &keys {
            self.bytes.clear();
            self.bytes.extend_from_slice(&tap.rule.to_le_bytes());
            key.iter().for_each(|value| add(&mut self.bytes, value.as_bytes()));
            let known = self.places.get(self.bytes.as_slice()).copied();
            let place = known.unwrap_or_else(|| {
                let window = WindowKey::of_key(seed, rule.tag, key);
                self.places.insert(self.bytes.as_slice().into(), self.keys.len());
                self.keys.push(Key { window, moments: SmallVec::new(), is_heard: false });
                self.keys.len() - 1
            });
            self.note(rule, place, fields, at, seed);
        }
        !keys.is_empty()
    }

    fn note(&mut self, rule: &Rule, place: usize, fields: &Fields<'_, '_>, at: usize, seed: u64) {
        let Some(key) = self.keys.get_mut(place) else { return };
        if !std::mem::replace(&mut key.is_heard, true) {
            self.heard.push(place);
        }
        note(&rule.kind, &mut key.moments, fields.record().time(), at, &|| fields.id(seed));
    }

    /// Samples that say all there is to say of the batch, each with its match, in order of arrival;
    /// `rule_of` a match is its rule. The next batch begins, and takes them for told.
    pub(super) fn needed(
        &mut self,
        rule_of: &dyn Fn(usize) -> Option<usize>,
    ) -> Vec<(Sample, usize)> {
        let mut needed = Vec::new();
        for place in self.heard.drain(..) {
            let Some(key) = self.keys.get_mut(place) else { continue };
            key.is_heard = false;
            for Moment { time, id, at } in &mut key.moments {
                let Some((rule, at)) = at.take().and_then(|at| Some((rule_of(at)?, at))) else {
                    continue;
                };
                let sample = Sample { rule, window: key.window, time: *time, id: *id, value: 0 };
                needed.push((sample, at));
            }
            let old = key.moments.len().saturating_sub(TOLD_MAX);
            key.moments.drain(..old);
        }
        needed.sort_unstable_by_key(|(sample, at)| (*at, sample.window));
        if self.keys.len() > KEYS_MAX {
            *self = Ear::default();
        }
        needed
    }
}

/// Adds a value to a key's bytes, so that no two keys have the same.
fn add(bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.extend_from_slice(&value.len().to_le_bytes());
    bytes.extend_from_slice(value);
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

//! The samples of one window: a sorted set.
//!
//! Sorted by (time, event id, value), whatever the order of arrival. A sample that comes again is
//! known by its event id (and value, where one record gives several), so a duplicate changes
//! nothing.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::record::EventId;
use crate::rule::Kind;
use crate::time::EventTime;

/// From how many samples on a window keeps an index from event id to time.
const INDEX_FROM: usize = 32;

/// A sample as a window holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Held {
    /// Event time.
    pub time: EventTime,
    /// Event identity.
    pub id: EventId,
    /// What the rule's kind measures; see [`Sample`](crate::sample::Sample).
    pub value: u64,
    /// Whether it lies in some window that satisfies the rule.
    pub hot: bool,
    /// Whether the window that ends at it satisfies the rule, and the parents have been told.
    pub lifted: bool,
    /// The record, for evidence and for the parents of a correlation; none where neither can still
    /// ask for it.
    #[serde(serialize_with = "crate::bytes::serialize_option")]
    pub record: Option<Arc<[u8]>>,
}

impl Held {
    /// How many bytes of its record it holds.
    pub(super) fn record_bytes(&self) -> u64 {
        self.record.as_ref().map_or(0, |record| record.len() as u64)
    }
}

/// What became of a sample on its way into the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It was there already: nothing changed.
    Known,
    /// It is new, and stands at this place.
    At(usize),
}

/// A sorted set of samples.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Samples {
    held: Vec<Held>,
    /// Times by (event id, value); only once a scan would cost more.
    #[serde(skip)]
    index: Option<HashMap<(EventId, u64), EventTime, foldhash::fast::RandomState>>,
    /// How many samples have each value, by value: tells at sight that a mark is out of reach.
    values: SmallVec<[(u64, u32); 1]>,
    /// Bytes of the records that are held.
    #[serde(default)]
    record_bytes: u64,
}

impl Samples {
    /// All samples, least first.
    #[must_use]
    pub fn as_slice(&self) -> &[Held] {
        &self.held
    }

    /// All samples, to be marked. Times, identities and records must stay as they are.
    pub fn as_mut_slice(&mut self) -> &mut [Held] {
        &mut self.held
    }

    /// Bytes of the records that are held.
    #[must_use]
    pub fn record_bytes(&self) -> u64 {
        self.record_bytes
    }

    /// Gives the sample at `place` its record, or takes it away.
    pub fn set_record(&mut self, place: usize, record: Option<Arc<[u8]>>) {
        if let Some(held) = self.held.get_mut(place) {
            self.record_bytes -= held.record_bytes();
            held.record = record;
            self.record_bytes += held.record_bytes();
        }
    }

    /// Unites the set with one sample. With `by_member`, samples of one event id are one and their
    /// values (member bits) unite; else the value is a part of the identity.
    ///
    /// Where the same sample comes with another time, the smaller time holds. What was hot stays
    /// hot then: real duplicates are byte-identical, and their times never differ.
    pub fn add(&mut self, mut new: Held, by_member: bool) -> Added {
        let known = self.find(&new, by_member);
        if let Some(place) = known {
            let Some(old) = self.held.get_mut(place) else {
                return Added::Known;
            };
            let (time, before, united) = (old.time, old.value, old.value | new.value);
            let has_grown = by_member && united != before;
            if has_grown {
                old.value = united;
                self.count(before, false);
                self.count(united, true);
            }
            if new.time >= time {
                return if has_grown { Added::At(place) } else { Added::Known };
            }
            let old = self.held.remove(place);
            self.record_bytes -= old.record_bytes();
            self.count(old.value, false);
            new = Held { time: new.time, ..old };
        }
        let place = self.held.partition_point(|h| order(h) < order(&new));
        if let Some(index) = &mut self.index {
            index.insert(identity(&new, by_member), new.time);
        }
        self.count(new.value, true);
        self.record_bytes += new.record_bytes();
        self.held.insert(place, new);
        if self.index.is_none() && self.held.len() > INDEX_FROM {
            self.index = Some(self.held.iter().map(|h| (identity(h, by_member), h.time)).collect());
        }
        Added::At(place)
    }

    /// Whether some window could satisfy `kind`, as far as all samples together tell.
    #[must_use]
    pub fn could_satisfy(&self, kind: &Kind) -> bool {
        let reached = match kind {
            Kind::Count(mark) => mark.gte.map(|least| self.held.len() as u64 >= least),
            Kind::Distinct(mark) => mark.gte.map(|least| self.values.len() as u64 >= least),
            Kind::Sum(mark) => mark.gte.map(|least| {
                let sum = |(value, count): &(u64, u32)| u128::from(*value) * u128::from(*count);
                self.values.iter().map(sum).sum::<u128>() >= u128::from(least)
            }),
            _ => None,
        };
        reached.unwrap_or(true)
    }

    /// The places of the samples with times in the closed interval [from, to].
    #[must_use]
    pub fn between(&self, from: EventTime, to: EventTime) -> std::ops::Range<usize> {
        let start = self.held.partition_point(|h| h.time < from);
        let end = self.held.partition_point(|h| h.time <= to);
        start..end.max(start)
    }

    /// Forgets all samples before `horizon`.
    pub fn forget_before(&mut self, horizon: EventTime, by_member: bool) {
        let gone = self.held.partition_point(|h| h.time < horizon);
        if gone > 0 {
            self.drop_range(0..gone, by_member);
        }
    }

    /// Forgets the samples for which `drop` holds, asked once each, least first, of the set as it
    /// stands then (its place in it is given).
    pub fn thin(&mut self, by_member: bool, mut drop: impl FnMut(&[Held], usize) -> bool) -> usize {
        let before = self.held.len();
        let mut place = 0;
        while place < self.held.len() {
            if drop(&self.held, place) {
                self.drop_range(place..place + 1, by_member);
            } else {
                place += 1;
            }
        }
        before - self.held.len()
    }

    fn drop_range(&mut self, places: std::ops::Range<usize>, by_member: bool) {
        let gone: SmallVec<[Held; 1]> = self.held.drain(places).collect();
        for held in gone {
            self.record_bytes -= held.record_bytes();
            self.count(held.value, false);
            if let Some(index) = &mut self.index {
                index.remove(&identity(&held, by_member));
            }
        }
        if self.held.len() <= INDEX_FROM / 2 {
            self.index = None;
        }
    }

    /// Notes that a sample of `value` has come, or gone.
    fn count(&mut self, value: u64, has_come: bool) {
        match self.values.binary_search_by_key(&value, |(value, _)| *value) {
            Ok(place) => {
                let Some((_, count)) = self.values.get_mut(place) else { return };
                *count = if has_come { *count + 1 } else { *count - 1 };
                if *count == 0 {
                    self.values.remove(place);
                }
            }
            Err(place) if has_come => self.values.insert(place, (value, 1)),
            Err(_) => {}
        }
    }

    /// Where this sample stands already, under whatever time.
    fn find(&self, new: &Held, by_member: bool) -> Option<usize> {
        let wanted = identity(new, by_member);
        match &self.index {
            Some(index) => {
                let time = *index.get(&wanted)?;
                let places = self.between(time, time);
                let start = places.start;
                let place =
                    self.held.get(places)?.iter().position(|h| identity(h, by_member) == wanted)?;
                Some(start + place)
            }
            None => self.held.iter().position(|h| identity(h, by_member) == wanted),
        }
    }
}

fn identity(held: &Held, by_member: bool) -> (EventId, u64) {
    (held.id, if by_member { 0 } else { held.value })
}

fn order(held: &Held) -> (EventTime, EventId, u64) {
    (held.time, held.id, held.value)
}

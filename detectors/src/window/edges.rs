//! When a key was heard, as far as the quiet behind it is not decided yet.
//!
//! A busy key is heard all the time, and all but the first and the last time say nothing: so these are
//! few, the last is moved on again and again, and its record is copied over the one before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Inserted;
use super::offer::Offer;
use super::samples::Held;
use super::waiting::BytesHeld;
use crate::record::EventId;
use crate::time::EventTime;

/// Times at which a key was heard, least first, none of them twice; those that others make needless
/// are left out. Written as a map.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "BTreeMap<EventTime, Held>", into = "BTreeMap<EventTime, Held>")]
pub struct Edges(Vec<Edge>);

/// One time at which a key was heard.
#[derive(Debug, Clone)]
pub struct Edge {
    time: EventTime,
    /// The least event id of this second: it stands for all.
    id: EventId,
    /// Empty where nobody will ask for it, or there was no room for it.
    record: Vec<u8>,
}

impl Edges {
    /// Takes in a time at which the key was heard, and its record where that may be asked for.
    pub(super) fn add(
        &mut self,
        time: EventTime,
        id: EventId,
        quiet_secs: i64,
        record: Option<&mut Offer<'_>>,
        bytes: &mut BytesHeld,
    ) -> Inserted {
        let place = self.0.partition_point(|edge| edge.time < time);
        if let Some(known) = self.0.get_mut(place).filter(|edge| edge.time == time) {
            if id >= known.id {
                return Inserted::Known;
            }
            known.become_of(time, id, record, bytes);
            return Inserted::New;
        }
        let before = place.checked_sub(1);
        if is_bridged(self.time_at(before), self.time_at(Some(place)), quiet_secs) {
            return Inserted::Spare;
        }
        // Where the one before is needless from now on, this one takes its place; else behind it.
        let further = self.time_at(place.checked_sub(2));
        let place = match before.filter(|_| is_bridged(further, Some(time), quiet_secs)) {
            Some(before) => before,
            None => {
                self.0.insert(place, Edge { time, id, record: Vec::new() });
                place
            }
        };
        if let Some(edge) = self.0.get_mut(place) {
            edge.become_of(time, id, record, bytes);
        }
        if is_bridged(Some(time), self.time_at(Some(place + 2)), quiet_secs) {
            let needless = self.0.remove(place + 1);
            bytes.freed += needless.record.len() as u64;
        }
        Inserted::New
    }

    fn time_at(&self, place: Option<usize>) -> Option<EventTime> {
        place.and_then(|place| self.0.get(place)).map(|edge| edge.time)
    }

    /// Takes out those before `time`, each with the one that follows it.
    pub(super) fn settle(&mut self, time: EventTime) -> Vec<(Held, Option<EventTime>)> {
        let settled = self.0.partition_point(|edge| edge.time < time);
        let behind = self.0.iter().skip(1).map(|edge| Some(edge.time)).chain([None]);
        let behind: Vec<Option<EventTime>> = behind.take(settled).collect();
        self.0.drain(..settled).map(Held::from).zip(behind).collect()
    }

    /// The first of them.
    pub(super) fn first(&self) -> Option<EventTime> {
        self.time_at(Some(0))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Edge {
    fn become_of(
        &mut self,
        time: EventTime,
        id: EventId,
        record: Option<&mut Offer<'_>>,
        bytes: &mut BytesHeld,
    ) {
        bytes.freed += self.record.len() as u64;
        match record {
            Some(record) => record.take_over(&mut self.record),
            None => self.record = Vec::new(),
        }
        bytes.taken += self.record.len() as u64;
        (self.time, self.id) = (time, id);
    }
}

/// Whether the quiet of neither a sample nor the one before it depends on it: one behind it follows
/// even the one before soon enough.
fn is_bridged(before: Option<EventTime>, behind: Option<EventTime>, quiet_secs: i64) -> bool {
    before.zip(behind).is_some_and(|(before, behind)| behind <= before.plus(quiet_secs))
}

impl From<Edge> for Held {
    fn from(edge: Edge) -> Held {
        let record = (!edge.record.is_empty()).then(|| edge.record.into());
        Held { time: edge.time, id: edge.id, value: 0, hot: false, lifted: false, record }
    }
}

impl From<BTreeMap<EventTime, Held>> for Edges {
    fn from(map: BTreeMap<EventTime, Held>) -> Edges {
        let record = |held: &Held| held.record.as_deref().map(Vec::from).unwrap_or_default();
        let edge = |held: Held| Edge { time: held.time, id: held.id, record: record(&held) };
        Edges(map.into_values().map(edge).collect())
    }
}

impl From<Edges> for BTreeMap<EventTime, Held> {
    fn from(edges: Edges) -> BTreeMap<EventTime, Held> {
        edges.0.into_iter().map(|edge| (edge.time, edge.into())).collect()
    }
}

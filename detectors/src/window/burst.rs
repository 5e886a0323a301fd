//! Bursts of one window: maximal runs of hot samples with neighbours at most W apart.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::samples::Held;
use crate::alert::{Alert, AlertId, Evidence, Life, Peak, Usual};
use crate::record::EventId;
use crate::rule::{Level, Rule};
use crate::time::EventTime;

/// How many records a burst keeps as evidence at either end.
pub const EVIDENCE_EACH_END: usize = 5;

/// A burst as it stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Burst {
    /// Fixed when it opened.
    pub id: AlertId,
    /// Its place in the order of opening, over the whole engine.
    pub opened: u64,
    /// Event time of the first hot sample.
    pub first: EventTime,
    /// Event time of the last hot sample.
    pub last: EventTime,
    /// Hot samples.
    pub count: u64,
    /// Samples were compacted away, and one that comes again would count again.
    pub count_is_floor: bool,
    /// Highest mark reached.
    pub level: Level,
    /// How often it was spoken of.
    revision: u32,
    told_count: u64,
    told_level: Option<Level>,
    /// It was said to be over before a restart, and nothing is new since.
    #[serde(default)]
    was_closed: bool,
    /// The k least and the k greatest by (time, event id).
    least: Vec<Kept>,
    greatest: Vec<Kept>,
    crossing: Option<Evidence>,
    /// Of the windows judged so far, in the rule's own measure.
    #[serde(default)]
    peak: Option<Peak>,
    #[serde(default)]
    before: Option<u64>,
    #[serde(default)]
    usual: Option<Usual>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    at: (EventTime, EventId),
    #[serde(serialize_with = "crate::bytes::serialize")]
    record: Arc<[u8]>,
}

impl Burst {
    /// How often it was spoken of.
    #[must_use]
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// A burst that opens with its first hot sample, tripped by the record `crossing`.
    #[must_use]
    pub fn open(
        id: AlertId,
        opened: u64,
        level: Level,
        held: &Held,
        crossing: Option<Evidence>,
    ) -> Burst {
        let mut burst = Burst {
            id,
            opened,
            first: held.time,
            last: held.time,
            count: 0,
            count_is_floor: false,
            level,
            revision: 0,
            told_count: 0,
            told_level: None,
            was_closed: false,
            least: Vec::new(),
            greatest: Vec::new(),
            crossing,
            peak: None,
            before: None,
            usual: None,
        };
        burst.admit(held);
        burst
    }

    /// Takes a hot sample in.
    pub fn admit(&mut self, held: &Held) {
        self.first = self.first.min(held.time);
        self.last = self.last.max(held.time);
        self.count += 1;
        if let Some(record) = &held.record {
            let at = (held.time, held.id);
            if self.least.len() < EVIDENCE_EACH_END || self.least.last().is_some_and(|k| at < k.at)
            {
                keep(&mut self.least, Kept { at, record: record.clone() }, |k| k.at);
            }
            if self.greatest.len() < EVIDENCE_EACH_END
                || self.greatest.last().is_some_and(|k| at > k.at)
            {
                keep(&mut self.greatest, Kept { at, record: record.clone() }, |k| {
                    std::cmp::Reverse(k.at)
                });
            }
        }
    }

    /// Takes another burst in, of which a sample lies within reach of this one too.
    pub fn absorb(&mut self, other: Burst) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.count += other.count;
        self.count_is_floor |= other.count_is_floor;
        self.level = self.level.max(other.level);
        self.note_peak(other.peak);
        for kept in other.least {
            keep(&mut self.least, kept, |k| k.at);
        }
        for kept in other.greatest {
            keep(&mut self.greatest, kept, |k| std::cmp::Reverse(k.at));
        }
    }

    /// Notes the greatest of some windows in it.
    pub fn note_peak(&mut self, peak: Option<Peak>) {
        let rank = |peak: &Peak| (peak.measure, std::cmp::Reverse(peak.at));
        self.peak = self.peak.into_iter().chain(peak).max_by_key(rank);
    }

    /// Notes what the window before its first sample held, and what is usual, if it has not been told
    /// of yet.
    pub fn note_past(&mut self, past: impl FnOnce() -> (Option<u64>, Option<Usual>)) {
        if !self.was_told() {
            (self.before, self.usual) = past();
        }
    }

    /// Whether there is something new enough to say about a burst that goes on: its opening, a
    /// doubled count, a risen level.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.told_level.is_none_or(|level| {
            self.level > level || self.count >= self.told_count.saturating_mul(2)
        })
    }

    /// What there is to say about a burst that goes on, if it has news.
    pub fn tell(&mut self, rule: &Rule, key: &Arc<[Box<str>]>) -> Option<Alert> {
        let life = if self.told_level.is_none() { Life::Open } else { Life::Update };
        self.has_news().then(|| self.say(life, rule, key))
    }

    /// Says that it is over, unless that was said before a restart and nothing is new.
    pub fn close(&mut self, rule: &Rule, key: &Arc<[Box<str>]>) -> Option<Alert> {
        let is_known = self.was_closed
            && self.count <= self.told_count
            && self.told_level.is_some_and(|level| self.level <= level);
        (!is_known).then(|| self.say(Life::Closed, rule, key))
    }

    /// Says how it stands.
    pub fn say(&mut self, life: Life, rule: &Rule, key: &Arc<[Box<str>]>) -> Alert {
        self.revision += 1;
        self.told_count = self.told_count.max(self.count);
        self.told_level = self.told_level.max(Some(self.level));
        Alert {
            id: self.id,
            revision: self.revision,
            opened: self.opened,
            life,
            rule: rule.card.clone(),
            key: key.clone(),
            level: self.level,
            first: self.first,
            last: self.last,
            count: self.told_count,
            count_is_floor: self.count_is_floor,
            evidence: self.evidence(),
            crossing: self.crossing.clone(),
            peak: self.peak.filter(|_| !self.count_is_floor).map(|peak| in_units(rule, peak)),
            before: self.before.map(|measure| measure / rule.kind.unit()),
            usual: self.usual,
            incident: None,
        }
    }

    /// What was said of it last, as it stands now; none if nothing was.
    #[must_use]
    pub fn said(&self, rule: &Rule, key: &Arc<[Box<str>]>) -> Option<Alert> {
        let said = self.clone().say(Life::Update, rule, key);
        self.was_told().then_some(Alert { revision: self.revision, ..said })
    }

    /// Bytes of the records it keeps.
    #[must_use]
    pub fn record_bytes(&self) -> u64 {
        let kept = self.least.iter().chain(&self.greatest).map(|kept| kept.record.len());
        kept.chain(self.crossing.iter().map(|e| e.record.len())).sum::<usize>() as u64
    }

    /// Whether anything was said about it.
    #[must_use]
    pub fn was_told(&self) -> bool {
        self.revision > 0
    }

    /// Whether it was opened before the other: the one whose id goes on when they grow together.
    #[must_use]
    pub fn is_elder_of(&self, other: &Burst) -> bool {
        (self.opened, self.id) < (other.opened, other.id)
    }

    /// Goes on from what was said of it before a restart: under that id, from that revision, and
    /// never with less.
    pub fn resume(&mut self, rule: &Rule, said: &Alert) {
        self.id = said.id;
        self.opened = said.opened;
        self.first = self.first.min(said.first);
        self.last = self.last.max(said.last);
        self.level = self.level.max(said.level);
        self.revision = self.revision.max(said.revision);
        self.told_count = self.told_count.max(said.count);
        self.told_level = self.told_level.max(Some(said.level));
        self.count_is_floor |= said.count_is_floor;
        self.note_peak(
            said.peak.map(|peak| Peak { measure: peak.measure * rule.kind.unit(), ..peak }),
        );
        self.before = self.before.or(said.before.map(|measure| measure * rule.kind.unit()));
        self.usual = self.usual.or(said.usual);
        self.was_closed = said.life == Life::Closed;
    }

    /// Spans these times too: it has met a burst that was said to.
    pub fn reach(&mut self, first: EventTime, last: EventTime) {
        self.first = self.first.min(first);
        self.last = self.last.max(last);
    }

    fn evidence(&self) -> Vec<Evidence> {
        let mut all: Vec<&Kept> = self.least.iter().chain(&self.greatest).collect();
        all.sort_by_key(|k| k.at);
        all.dedup_by_key(|k| k.at);
        all.into_iter().map(|k| Evidence { time: k.at.0, record: k.record.clone() }).collect()
    }
}

fn in_units(rule: &Rule, peak: Peak) -> Peak {
    Peak { measure: peak.measure / rule.kind.unit(), ..peak }
}

/// Puts `new` into a list sorted by `rank`, without repeats, and cuts it to its length.
fn keep<R: Ord>(list: &mut Vec<Kept>, new: Kept, rank: impl Fn(&Kept) -> R) {
    match list.binary_search_by(|k| rank(k).cmp(&rank(&new))) {
        Ok(_) => {}
        Err(place) => {
            list.insert(place, new);
            list.truncate(EVIDENCE_EACH_END);
        }
    }
}

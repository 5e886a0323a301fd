//! One window: the samples of one (rule, key), and the bursts in it.
//!
//! The law it keeps is told in `docs/semantics.md`. What it holds is a function of the set of
//! samples alone; the order in which they came decides only when something is said.

pub mod burst;
pub mod compact;
mod due;
pub mod edges;
mod heat;
mod map;
pub mod offer;
pub mod samples;
pub mod usual;
pub mod verdict;
pub mod waiting;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Evidence, Life};
use crate::rule::{Kind, Members, Rule};
use crate::sample::Sample;
use crate::time::EventTime;
use burst::Burst;
pub use map::Windows;
use offer::Offer;
use samples::{Added, Held, Samples};
use waiting::{BytesHeld, Waiting};

/// The samples of one (rule, key), and the bursts in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Window {
    /// The rule's tag: a window of a rule that has changed starts afresh.
    pub rule_tag: u64,
    /// Group-by values.
    pub key: Arc<[Box<str>]>,
    samples: Samples,
    waiting: Waiting,
    /// Bytes of the records that wait.
    #[serde(default)]
    waiting_bytes: u64,
    bursts: Vec<Burst>,
    /// All before it is forgotten: a sample from there was here once, and is not taken again.
    horizon: EventTime,
    /// For kinds that wait: windows that end before it are decided.
    decided: EventTime,
    /// What is usual, and from which event time on what is not in it was not there.
    #[serde(default)]
    usual: Option<Box<usual::Memory>>,
    #[serde(default = "unknown")]
    since: EventTime,
    /// What was said before a restart of bursts that are not in it, and may come again.
    #[serde(skip)]
    said: Vec<Alert>,
    /// The watermark at which the agenda will call.
    #[serde(skip)]
    pub called_at: Option<EventTime>,
    /// Changed since it was last saved.
    #[serde(skip)]
    pub is_dirty: bool,
}

/// What a change to a window leads to, beside alerts.
#[derive(Debug, Default)]
pub struct Consequences {
    /// What is to be said.
    pub alerts: Vec<Alert>,
    /// Samples that parents of a correlation get.
    pub lifted: Vec<Held>,
    /// Samples compacted away.
    pub compacted: u64,
    /// Samples dropped over the hard bound: the window's verdicts are outside the law.
    pub overflowed: u64,
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is in the window now.
    New,
    /// It is in the window, which remembers it without holding it: it cannot become hot.
    Spare,
    /// It was there, or there is no room for it.
    Known,
    /// It is from a time that the window has forgotten.
    Forgotten,
}

impl Window {
    /// An empty window, for samples from `horizon` on. That the key did nothing is known from `since`
    /// on, or, where that is unknown (the greatest of all times), from the first watermark it meets.
    #[must_use]
    pub fn new(rule: &Rule, key: Arc<[Box<str>]>, horizon: EventTime, since: EventTime) -> Window {
        Window {
            rule_tag: rule.tag,
            key,
            samples: Samples::default(),
            waiting: Waiting::of(&rule.kind),
            waiting_bytes: 0,
            bursts: Vec::new(),
            horizon,
            decided: EventTime::MIN,
            usual: None,
            since,
            said: Vec::new(),
            called_at: None,
            is_dirty: false,
        }
    }

    /// Takes a sample in, and judges the windows that hold it. Its record is taken where it may be
    /// wanted: none from before `floor` is expected any more.
    pub fn insert(
        &mut self,
        rule: &Rule,
        sample: &Sample,
        floor: EventTime,
        record: &mut Offer<'_>,
        next_opened: &dyn Fn() -> u64,
        out: &mut Consequences,
    ) -> Inserted {
        if sample.time < self.horizon || (rule.kind.waits() && sample.time < self.decided) {
            return Inserted::Forgotten;
        }
        let held = Held {
            time: sample.time,
            id: sample.id,
            value: sample.value,
            hot: false,
            lifted: false,
            record: None,
        };
        if !matches!(self.waiting, Waiting::Nothing) {
            return self.wait(rule, held, floor, record);
        }
        let Added::At(place) = self.samples.add(held, by_member(rule)) else {
            return Inserted::Known;
        };
        if self.samples.as_slice().get(place).is_some_and(|held| held.record.is_none()) {
            self.samples.set_record(place, record.take());
        }
        if !rule.kind.waits() && self.samples.could_satisfy(&rule.kind) {
            let verdict =
                verdict::around(&rule.kind, rule.timespan_secs, self.samples.as_slice(), place);
            if !rule.taps.is_empty() {
                for end in verdict.ends {
                    self.lift(end, out);
                }
            }
            if let Some(hot) = verdict.hot {
                let crossing = self.samples.as_slice().get(place).and_then(|held| {
                    Some(Evidence { time: held.time, record: held.record.clone()? })
                });
                self.heat(rule, hot, crossing.as_ref(), next_opened, out);
            }
        }
        self.compact(rule, out);
        Inserted::New
    }

    /// Takes in a sample that only the watermark decides.
    fn wait(
        &mut self,
        rule: &Rule,
        held: Held,
        floor: EventTime,
        record: &mut Offer<'_>,
    ) -> Inserted {
        let mut bytes = BytesHeld::default();
        let keeps_all = !rule.taps.is_empty();
        let floor = floor.max(self.horizon).max(self.decided);
        let inserted = self.waiting.add(&rule.kind, held, keeps_all, floor, record, &mut bytes);
        self.waiting_bytes = (self.waiting_bytes + bytes.taken).saturating_sub(bytes.freed);
        inserted
    }

    /// Lets time pass: decides what waited, closes what is over, forgets what is too old. What lies
    /// before `judges_from` is there for the sake of what comes after it.
    pub fn advance(
        &mut self,
        rule: &Rule,
        watermark: EventTime,
        judges_from: EventTime,
        next_opened: &dyn Fn() -> u64,
        out: &mut Consequences,
    ) {
        if rule.kind.waits() {
            self.decide(rule, watermark, judges_from, next_opened, out);
        }
        let horizon = watermark.plus(-longest_span(rule));
        if horizon > self.horizon {
            self.measure_bursts(rule);
            self.learn_usual(rule, watermark, horizon);
            self.horizon = horizon;
            self.samples.forget_before(horizon, by_member(rule));
        }
        self.usual.take_if(|memory| memory.ends(rule) <= watermark);
        for mut burst in std::mem::take(&mut self.bursts) {
            if watermark < self.may_close_at(rule, &burst) {
                self.bursts.push(burst);
            } else if rule.speaks {
                out.alerts.extend(burst.close(rule, &self.key));
            }
        }
        for mut said in std::mem::take(&mut self.said) {
            if watermark <= said.last.plus(2 * longest_span(rule)) {
                self.said.push(said);
            } else if !said.life.is_last() && rule.speaks {
                // Its records did not come again: what was said of it stands.
                said.revision += 1;
                said.life = Life::Closed;
                out.alerts.push(said);
            }
        }
    }

    /// Notes what is usual by what is about to be forgotten.
    fn learn_usual(&mut self, rule: &Rule, watermark: EventTime, horizon: EventTime) {
        if !usual::is_kept(rule) || watermark == EventTime::MAX {
            return;
        }
        self.since = self.since.min(watermark);
        usual::learn(&mut self.usual, rule, self.samples.as_slice(), self.horizon, horizon);
    }

    /// Its key is heard elsewhere from here on: that nothing more comes is no quiet.
    pub(crate) fn is_heard_elsewhere(&mut self) {
        self.waiting.is_heard_elsewhere();
    }

    /// Takes in what was said of a burst before a restart: by the burst of that id, or by one that
    /// trips again near it.
    pub(crate) fn resume(&mut self, rule: &Rule, said: &Alert) {
        match self.bursts.iter_mut().find(|burst| burst.id == said.id) {
            Some(burst) => burst.resume(rule, said),
            None if matches!(said.life, Life::Merged(_)) => {}
            None => self.said.push(said.clone()),
        }
    }

    /// Whether nothing is left in it that matters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_idle() && self.usual.is_none()
    }

    /// Whether nothing is left in it that matters but what is usual.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.samples.as_slice().is_empty()
            && self.bursts.is_empty()
            && self.said.is_empty()
            && !self.waiting.remembers()
    }

    /// What was said of each burst in it that nothing says is over.
    pub(crate) fn said(&self, rule: &Rule) -> Vec<Alert> {
        let bursts = self.bursts.iter().filter_map(|burst| burst.said(rule, &self.key));
        bursts.chain(self.said.iter().cloned()).collect()
    }

    /// The same with nothing in it.
    pub(crate) fn emptied(self) -> Window {
        Window {
            samples: Samples::default(),
            waiting: Waiting::Nothing,
            waiting_bytes: 0,
            bursts: Vec::new(),
            usual: None,
            said: Vec::new(),
            ..self
        }
    }

    /// Whether a burst is open in it: then no bound may take it away.
    #[must_use]
    pub fn is_bursting(&self) -> bool {
        !self.bursts.is_empty()
    }

    /// Drops all but what a rule remembers of the key; false if that is nothing.
    pub(crate) fn keep_memory(&mut self) -> bool {
        self.samples = Samples::default();
        self.bursts.clear();
        self.waiting.remembers()
    }

    /// Bytes of the records it holds, one that is held twice counted twice.
    #[must_use]
    pub fn record_bytes(&self) -> u64 {
        let bursts: u64 = self.bursts.iter().map(Burst::record_bytes).sum();
        self.samples.record_bytes() + self.waiting_bytes + bursts
    }

    /// The samples in it, least first.
    #[must_use]
    pub fn samples(&self) -> &[Held] {
        self.samples.as_slice()
    }

    /// The bursts open in it.
    #[must_use]
    pub fn bursts(&self) -> &[Burst] {
        &self.bursts
    }

    fn decide(
        &mut self,
        rule: &Rule,
        watermark: EventTime,
        judges_from: EventTime,
        next_opened: &dyn Fn() -> u64,
        out: &mut Consequences,
    ) {
        if matches!(self.waiting, Waiting::Nothing) {
            let from = self.decided.max(judges_from);
            let places = self.samples.between(from, watermark.plus(-1));
            let mut hot = Vec::new();
            for place in places {
                let window = verdict::ending_at(
                    &rule.kind,
                    rule.timespan_secs,
                    self.samples.as_slice(),
                    place,
                );
                if let Some(window) = window {
                    hot.push(window);
                    if !rule.taps.is_empty() {
                        self.lift(place..place + 1, out);
                    }
                }
            }
            for window in hot {
                self.heat(rule, window, None, next_opened, out);
            }
        } else {
            let mut freed = 0;
            let hot = self.waiting.decide(&rule.kind, watermark, judges_from, &mut freed);
            self.waiting_bytes = self.waiting_bytes.saturating_sub(freed);
            for held in hot {
                if let Added::At(place) = self.samples.add(held, false) {
                    if !rule.taps.is_empty() {
                        self.lift(place..place + 1, out);
                    }
                    self.heat(rule, place..place + 1, None, next_opened, out);
                }
            }
        }
        self.decided = self.decided.max(watermark);
    }

    fn lift(&mut self, places: std::ops::Range<usize>, out: &mut Consequences) {
        for held in self.samples.as_mut_slice().get_mut(places).unwrap_or_default() {
            if !std::mem::replace(&mut held.lifted, true) {
                out.lifted.push(held.clone());
            }
        }
    }
}

/// Since when something is known of which that is not known.
pub(crate) fn unknown() -> EventTime {
    EventTime::MAX
}

/// Whether the samples of one event are one, and their values are bits that unite.
fn by_member(rule: &Rule) -> bool {
    match &rule.kind {
        Kind::Temporal(members) => !matches!(members, Members::Apart(_)),
        Kind::Ordered(_) => true,
        _ => false,
    }
}

/// How long samples matter: W for the rule itself, or until the bin of a surge is decided. One that
/// old may still become hot, and the windows of a further mark reach back from there by their own
/// length.
#[must_use]
pub fn longest_span(rule: &Rule) -> i64 {
    let settles = match rule.kind {
        Kind::Surge { bucket_secs, .. } => rule.timespan_secs.max(bucket_secs),
        _ => rule.timespan_secs,
    };
    settles + rule.marks.iter().map(|m| m.timespan_secs).max().unwrap_or(0)
}

//! The engine: records in, alerts out, windows between.
//!
//! One engine serves all workers. A call locks one window at a time and calls nothing that locks
//! while it holds it; what a window leads to elsewhere (samples for the parents of a correlation,
//! a place in the agenda) is carried out after the lock is gone.

mod agenda;
mod batch;
mod ear;
mod needs;
mod outcome;
mod reload;
mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::field::{Fields, Path};
use crate::record::Record;
use crate::rule::{Kind, Rule, RuleSet, Tap};
use crate::sample::{self, DrawnKey, RuleIndex, Sample, WindowKey};
use crate::time::EventTime;
use crate::window::samples::Held;
use crate::window::{Consequences, Inserted, Window, Windows, longest_span};
use agenda::Agenda;
use ear::Ear;
pub use needs::Needs;
pub use outcome::{Counts, Outcome};
use state::Dirty;
pub use state::State;

/// Most windows of one rule; past it the one that has been quiet for longest goes, unless a burst
/// is open in it.
pub const WINDOWS_MAX: usize = 1_000_000;

/// Most bytes of records that windows hold as evidence, over the whole engine; a record that is held
/// for several windows counts for each. Past it samples come without their record: verdicts stay as
/// they are, alerts show less. Correlations that are counted by others are not bound by it, because
/// a sample's record says where it goes from there.
pub const EVIDENCE_BYTES_MAX: u64 = 2 << 30;

/// How an engine is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Key of all hashes: random where a stranger chooses what is hashed, fixed where the same
    /// input must give the same bytes.
    pub seed: u64,
    /// Most windows of one rule.
    pub windows_max: usize,
    /// Whether [`Engine::changes`] will be asked for.
    pub keeps_changes: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { seed: 0, windows_max: WINDOWS_MAX, keeps_changes: false }
    }
}

/// Rules, windows and the watermark.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<RuleSet>,
    options: Options,
    windows: Windows,
    agendas: Vec<Mutex<Agenda>>,
    dirty: Mutex<Dirty>,
    /// One for each batch that was ever taken at the same time.
    ears: Mutex<Vec<Ear>>,
    watermark: AtomicI64,
    /// The watermark up to which a restored state had forgotten: a window that is not in it holds
    /// nothing from before.
    forgotten: AtomicI64,
    /// A key without a window has done nothing unusual since; unknown is the greatest of all times.
    since: AtomicI64,
    /// What is older is there for the sake of what comes after it.
    judges_from: EventTime,
    opened: AtomicU64,
    /// Bytes of the records that windows hold, and how many they may.
    evidence_bytes: AtomicI64,
    evidence_bytes_max: u64,
    advancing: Mutex<()>,
}

impl Engine {
    /// An engine without windows.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, options: Options) -> Engine {
        let agendas = rules.rules.iter().map(|_| Mutex::new(Agenda::default())).collect();
        Engine {
            rules,
            options,
            windows: Windows::default(),
            agendas,
            dirty: Mutex::default(),
            ears: Mutex::default(),
            watermark: AtomicI64::new(EventTime::MIN.0),
            forgotten: AtomicI64::new(EventTime::MIN.0),
            since: AtomicI64::new(EventTime::MAX.0),
            judges_from: EventTime::MIN,
            opened: AtomicU64::new(0),
            evidence_bytes: AtomicI64::new(0),
            evidence_bytes_max: EVIDENCE_BYTES_MAX,
            advancing: Mutex::new(()),
        }
    }

    /// The same with another bound than [`EVIDENCE_BYTES_MAX`].
    #[must_use]
    pub fn with_evidence_bytes_max(self, evidence_bytes_max: u64) -> Engine {
        Engine { evidence_bytes_max, ..self }
    }

    /// The same, to be given what another engine's windows rest on.
    #[must_use]
    pub fn judging_from(self, judges_from: EventTime) -> Engine {
        Engine { judges_from, ..self }
    }

    /// Bytes of the records that windows hold as evidence.
    #[must_use]
    pub fn evidence_bytes(&self) -> u64 {
        u64::try_from(self.evidence_bytes.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// No earlier event time is still expected.
    #[must_use]
    pub fn watermark(&self) -> EventTime {
        EventTime(self.watermark.load(Ordering::Acquire))
    }

    fn since(&self) -> EventTime {
        EventTime(self.since.load(Ordering::Acquire))
    }

    /// How many windows there are.
    #[must_use]
    pub fn window_count(&self) -> usize {
        self.windows.len()
    }

    /// Looks at the window of `rule` for these group-by values.
    pub fn with_window<T>(
        &self,
        rule: RuleIndex,
        key: &[&str],
        look: impl FnOnce(&Rule, &Window) -> T,
    ) -> Option<T> {
        let rule = self.rules.rules.get(rule)?;
        let key = WindowKey::of(self.options.seed, rule.tag, key.iter().copied());
        self.windows.get(&key).map(|window| look(rule, &window))
    }

    /// Takes samples that were drawn elsewhere, each with its key and its record.
    pub fn take(
        &self,
        samples: impl IntoIterator<Item = (Sample, Arc<[Box<str>]>, Arc<[u8]>)>,
    ) -> Outcome {
        let mut out = Outcome::default();
        let watermark = self.watermark();
        for (sample, key, record) in samples {
            out.newest = out.newest.max(Some(sample.time));
            if let Some(rule) = self.rules.rules.get(sample.rule) {
                self.insert(rule, &sample, || key, &mut || record.clone(), watermark, &mut out);
            }
        }
        out
    }

    /// Takes one sample, and all that follows from it in the parents of its rule.
    fn insert(
        &self,
        rule: &Rule,
        sample: &Sample,
        key: impl FnOnce() -> Arc<[Box<str>]>,
        record: &mut dyn FnMut() -> Arc<[u8]>,
        watermark: EventTime,
        out: &mut Outcome,
    ) {
        let is_late = is_late(rule, sample.time, watermark);
        let is_single = matches!(&rule.kind, Kind::Count(mark) if mark.is_monotone() && mark.gte.unwrap_or(0) <= 1);
        if is_late && !is_single {
            return;
        }
        let next_opened = || self.opened.fetch_add(1, Ordering::Relaxed);
        let mut consequences = Consequences::default();
        // A window that is not there holds nothing, so it has forgotten what every window has.
        let forgotten = EventTime(self.forgotten.load(Ordering::Acquire))
            .max(watermark)
            .plus(-rule.delay_secs - longest_span(rule));
        let mut call_at = None;
        let mut created = false;
        let mut is_news = false;
        let mut left_out = false;
        let mut record = || {
            left_out = rule.taps.is_empty() && self.evidence_bytes() >= self.evidence_bytes_max;
            (!left_out).then(&mut *record)
        };
        let (inserted, key, grown) = {
            let mut window = self.windows.entry(sample.window).or_insert_with(|| {
                created = true;
                Window::new(rule, key(), forgotten, self.since())
            });
            let before = window.record_bytes();
            let mut inserted =
                window.insert(rule, sample, &mut record, &next_opened, &mut consequences);
            if is_late && inserted == Inserted::Forgotten {
                // A single late record is still said, by itself.
                let key = window.key.clone();
                let mut alone = Window::new(rule, key, EventTime::MIN, EventTime::MAX);
                inserted = alone.insert(rule, sample, &mut record, &next_opened, &mut consequences);
                let judges_from = self.judges_from;
                alone.advance(rule, EventTime::MAX, judges_from, &next_opened, &mut consequences);
            }
            if matches!(inserted, Inserted::New | Inserted::Spare) {
                is_news = !std::mem::replace(&mut window.is_dirty, true);
                let due = window.due(rule);
                if window.called_at.is_none_or(|at| due.is_some_and(|due| due < at)) {
                    window.called_at = due;
                    call_at = due;
                }
            }
            // Only what goes on to parents needs the key again.
            let key = (!consequences.lifted.is_empty()).then(|| window.key.clone());
            (inserted, key, grown(before, window.record_bytes()))
        };
        self.hold(grown);
        out.counts.evidence_left_out += u64::from(left_out);
        match inserted {
            Inserted::New | Inserted::Spare => out.counts.samples += 1,
            Inserted::Known => out.counts.duplicates += 1,
            Inserted::Forgotten => out.counts.forgotten += 1,
        }
        if is_news {
            self.note_dirty(sample.window);
        }
        if (call_at.is_some() || created)
            && let Some(agenda) = self.agendas.get(sample.rule)
        {
            let mut agenda = agenda.lock();
            if let Some(at) = call_at {
                agenda.call(at, sample.window);
            }
            if created {
                agenda.windows += 1;
                if agenda.windows > self.options.windows_max {
                    drop(agenda);
                    self.evict_coldest(sample.rule, out);
                }
            }
        }
        self.follow(rule, key.as_ref(), consequences, watermark, out);
    }

    /// Carries on what a change to a window led to.
    fn follow(
        &self,
        rule: &Rule,
        key: Option<&Arc<[Box<str>]>>,
        consequences: Consequences,
        watermark: EventTime,
        out: &mut Outcome,
    ) {
        out.alerts.extend(consequences.alerts);
        out.counts.compacted += consequences.compacted;
        out.counts.overflowed += consequences.overflowed;
        let Some(key) = key else { return };
        for held in consequences.lifted {
            for tap in &rule.taps {
                self.lift(rule, key, tap, &held, watermark, out);
            }
        }
    }

    /// Gives a sample of a correlation to its parent.
    fn lift(
        &self,
        child: &Rule,
        key: &Arc<[Box<str>]>,
        tap: &Tap,
        held: &Held,
        watermark: EventTime,
        out: &mut Outcome,
    ) {
        let (Some(parent), Some(bytes)) = (self.rules.rules.get(tap.rule), &held.record) else {
            return;
        };
        let Ok(record) = Record::decode(bytes) else {
            return;
        };
        let fields = Fields::of(&record);
        // Where the child's key has a part of the parent's, that holds: an array in the record would
        // give others beside it.
        let known = |path: &Path| {
            let place = child.card.group_by.iter().position(|name| name == path.as_str())?;
            key.get(place).map(AsRef::as_ref)
        };
        let mut is_odd = false;
        let values = sample::values(tap, parent, &fields, self.options.seed, &mut is_odd);
        for parent_key in sample::keys(&tap.group_by, &fields, &known) {
            let parts = parent_key.iter().map(AsRef::as_ref);
            let window = WindowKey::of(self.options.seed, parent.tag, parts);
            let parent_key = owned(&parent_key);
            for value in &values {
                let (time, id) = (held.time, held.id);
                let sample = Sample { rule: tap.rule, window, time, id, value: *value };
                let mut bytes = || bytes.clone();
                let key = || parent_key.clone();
                self.insert(parent, &sample, key, &mut bytes, watermark, out);
            }
        }
        out.counts.odd_values += u64::from(is_odd);
    }

    /// Lets time pass: no event before `watermark` is expected any more. Never goes back.
    ///
    /// One caller at a time does the work; another that comes meanwhile leaves it to the next.
    pub fn advance(&self, watermark: EventTime) -> Outcome {
        match self.advancing.try_lock() {
            Some(_advancing) => self.advance_alone(watermark),
            None => Outcome::default(),
        }
    }

    fn advance_alone(&self, watermark: EventTime) -> Outcome {
        let mut out = Outcome::default();
        let before = EventTime(self.watermark.fetch_max(watermark.0, Ordering::AcqRel));
        if watermark <= before {
            return out;
        }
        if watermark < EventTime::MAX {
            self.since.fetch_min(watermark.0, Ordering::AcqRel);
        }
        // Children come before their parents, so a parent has all their samples when its time comes.
        for (index, (rule, agenda)) in self.rules.rules.iter().zip(&self.agendas).enumerate() {
            let until = watermark.plus(-rule.delay_secs);
            loop {
                let due = agenda.lock().due(until);
                if due.is_empty() {
                    break;
                }
                for key in due {
                    self.advance_one(index, rule, key, until, before, &mut out);
                }
            }
        }
        out
    }

    fn advance_one(
        &self,
        index: RuleIndex,
        rule: &Rule,
        window_key: WindowKey,
        until: EventTime,
        before: EventTime,
        out: &mut Outcome,
    ) {
        let next_opened = || self.opened.fetch_add(1, Ordering::Relaxed);
        let mut consequences = Consequences::default();
        let key;
        let due;
        let is_news;
        let is_idle;
        let grown = {
            let Some(mut window) = self.windows.get_mut(&window_key) else {
                return;
            };
            let before = window.record_bytes();
            window.advance(rule, until, self.judges_from, &next_opened, &mut consequences);
            due = window.due(rule);
            window.called_at = due;
            is_news = !std::mem::replace(&mut window.is_dirty, true);
            is_idle = window.is_idle();
            key = (!consequences.lifted.is_empty()).then(|| window.key.clone());
            grown(before, window.record_bytes())
        };
        self.hold(grown);
        if is_news {
            self.note_dirty(window_key);
        }
        let mut is_crowded = false;
        if let (Some(at), Some(agenda)) = (due, self.agendas.get(index)) {
            let mut agenda = agenda.lock();
            agenda.call(at, window_key);
            is_crowded = agenda.windows > self.options.windows_max / 2;
        }
        if due.is_none() {
            self.remove_if(index, window_key, Window::is_empty, |emptied| emptied);
        } else if is_idle && is_crowded {
            // Half of the room is for windows that matter to a verdict.
            self.remove_if(index, window_key, Window::is_idle, Window::emptied);
            self.forget_usual();
        }
        // What is lifted now was in time when it came: it is judged by the time before.
        self.follow(rule, key.as_ref(), consequences, before, out);
    }

    /// Ends all: decides what waits, closes every burst. For input that has an end.
    pub fn finish(&self) -> Outcome {
        let _advancing = self.advancing.lock();
        self.advance_alone(EventTime::MAX)
    }

    /// Ends all that came here, where keys go on elsewhere: as [`finish`](Engine::finish), but that a
    /// key was not heard again says nothing.
    pub fn finish_here(&self) -> Outcome {
        self.windows.iter_mut().for_each(|mut window| window.is_heard_elsewhere());
        self.finish()
    }

    fn evict_coldest(&self, index: RuleIndex, out: &mut Outcome) {
        let Some(agenda) = self.agendas.get(index) else {
            return;
        };
        let candidates = agenda.lock().soonest(64);
        for key in candidates {
            let emptied = |window: Window| {
                let rule = self.rules.rules.get(index);
                rule.map_or(window.clone(), |rule| {
                    Window::new(rule, window.key, self.watermark(), EventTime::MAX)
                })
            };
            if self.remove_if(index, key, |window| !window.is_bursting(), emptied) {
                self.forget_usual();
                out.counts.windows_evicted += 1;
                return;
            }
        }
    }

    /// Notes that what was usual in some window is not known any more.
    fn forget_usual(&self) {
        if self.since() < EventTime::MAX {
            self.since.fetch_max(self.watermark().0, Ordering::AcqRel);
        }
    }

    /// Notes that windows hold so many more bytes of records, or fewer.
    fn hold(&self, bytes: i64) {
        if bytes != 0 {
            self.evidence_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

/// Whether a sample of this time comes later than `rule` allows.
fn is_late(rule: &Rule, time: EventTime, watermark: EventTime) -> bool {
    time < watermark.plus(-rule.delay_secs)
}

/// A key to be kept with a window that is new.
fn owned(key: &DrawnKey<'_>) -> Arc<[Box<str>]> {
    key.iter().map(|value| Box::from(value.as_ref())).collect()
}

/// By how much a number of bytes has grown.
fn grown(before: u64, now: u64) -> i64 {
    now.cast_signed().wrapping_sub(before.cast_signed())
}

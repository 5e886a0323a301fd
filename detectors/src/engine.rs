//! The engine: records in, alerts out, windows between.
//!
//! One engine serves all workers. A call locks one window at a time and calls nothing that locks
//! while it holds it; what a window leads to elsewhere (samples for the parents of a correlation,
//! a place in the agenda) is carried out after the lock is gone.

mod advance;
mod agenda;
mod batch;
mod ear;
mod insert;
mod needs;
mod outcome;
mod reload;
mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::rule::{Rule, RuleSet};
use crate::sample::{DrawnKey, RuleIndex, Sample, WindowKey};
use crate::time::EventTime;
use crate::window::offer::Offer;
use crate::window::{Window, Windows};
use agenda::Agenda;
pub use batch::Batch;
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
                let mut record = Offer::shared(&record);
                self.insert(rule, &sample, || key, &mut record, watermark, &mut out);
            }
        }
        out
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

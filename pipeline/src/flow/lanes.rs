//! Which engine the records of an input go to.
//!
//! Ordinarily there is one for all, since a window counts whatever input it comes by. Where a stream
//! is keyed by what rules group by, all that one window counts comes by one input. Each input then
//! has an engine of its own, and with it a time of its own: what is held of it can be given up with
//! it, and made again by whoever reads it next, at its own pace.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use floodmark_detectors::alert::Alert;
use floodmark_detectors::engine::{EVIDENCE_BYTES_MAX, Engine, Options, State};
use floodmark_detectors::rule::RuleSet;
use floodmark_detectors::time::EventTime;

use super::order::Order;
use crate::feeds;
use crate::progress::Input;

/// The lanes of inputs that have their own.
pub(super) type Own = Vec<(Input, Arc<Lane>)>;

/// Of the bytes that one engine may hold as evidence, each lane may hold one part of so many.
const EVIDENCE_PARTS: u64 = 16;

/// An engine, and the order of what it says.
#[derive(Debug)]
pub struct Lane {
    /// The input's name; empty for the lane of all.
    name: Arc<str>,
    /// Written only to put one with other rules in its place.
    engine: RwLock<Arc<Engine>>,
    order: Mutex<Order>,
    /// What a stop, or other rules, had left unsaid.
    left: Mutex<Vec<Alert>>,
    is_over: AtomicBool,
}

/// What a lane goes on from.
#[derive(Debug, Default)]
pub struct Saved {
    /// Its windows.
    pub state: State,
    /// What was said last of each burst that may be spoken of again.
    pub said: Vec<Alert>,
}

impl Lane {
    fn new(name: Arc<str>, engine: Arc<Engine>, saved: Option<Saved>) -> Lane {
        let Saved { state, mut said } = saved.unwrap_or_default();
        said.retain(|alert| !feeds::says(alert));
        let order = Mutex::new(Order::after(&said, &state.windows));
        let left = engine.restore(state, &said).alerts;
        let (engine, left) = (RwLock::new(engine), Mutex::new(left));
        Lane { name, engine, order, left, is_over: AtomicBool::new(false) }
    }

    /// The input's name; empty for the lane of all.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        self.name.clone()
    }

    /// Its engine, which stays in its place for as long as this is held.
    pub(super) fn engine(&self) -> RwLockReadGuard<'_, Arc<Engine>> {
        self.engine.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for whoever works with the engine, and goes on with other rules.
    fn reload(&self, rules: &Arc<RuleSet>) {
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        let (next, outcome) = engine.hand_over(rules.clone());
        *engine = Arc::new(next);
        self.left.lock().unwrap_or_else(PoisonError::into_inner).extend(outcome.alerts);
    }

    /// What a stop, or other rules, had left unsaid.
    pub(super) fn left(&self) -> Vec<Alert> {
        std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What may be said now, in order. What `is_said` denies was said by another process; what
    /// comes of a lane that is over, another says.
    pub(super) fn put(&self, alerts: Vec<Alert>, is_said: bool) -> Vec<Alert> {
        if self.is_over.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.order.lock().unwrap_or_else(PoisonError::into_inner).put(alerts, is_said)
    }
}

/// All lanes.
#[derive(Debug)]
pub struct Lanes {
    /// The one of all inputs, unless each has its own.
    shared: Option<Arc<Lane>>,
    options: Options,
    each: Mutex<Each>,
    /// Rules have changed, and what follows is not said yet.
    is_reloaded: AtomicBool,
}

#[derive(Debug, Default)]
struct Each {
    rules: Arc<RuleSet>,
    lanes: BTreeMap<Input, Arc<Lane>>,
    /// Of inputs that are not read yet, by name.
    saved: BTreeMap<String, Saved>,
    /// Of inputs that somebody else has read on: from which event time on they are judged.
    anew: BTreeMap<String, EventTime>,
    /// Lanes whose windows are somebody else's, or over, until that is saved.
    gone: Vec<Arc<str>>,
}

impl Lanes {
    /// One lane for all inputs.
    #[must_use]
    pub fn shared(rules: Arc<RuleSet>, engine: Arc<Engine>) -> Lanes {
        let lane = Lane::new("".into(), engine, None);
        let options = Options::default();
        Lanes::of_parts(Some(lane), options, Each { rules, ..Each::default() })
    }

    /// What a process goes on with: one lane, or one for each input. Windows that were kept
    /// otherwise than they are from now on are dropped; how many is told.
    #[must_use]
    pub fn resumed(
        rules: Arc<RuleSet>,
        options: Options,
        is_keyed: bool,
        saved: BTreeMap<String, Saved>,
    ) -> (Lanes, usize) {
        let (mut kept, other): (BTreeMap<_, _>, BTreeMap<_, _>) =
            saved.into_iter().partition(|(name, _)| name.is_empty() != is_keyed);
        let windows = |saved: &Saved| saved.state.windows.len();
        let dropped = other.values().map(windows).sum();
        let other = other.into_iter().filter(|(_, saved)| windows(saved) > 0);
        let gone = other.map(|(name, _)| Arc::from(name)).collect();
        let shared = (!is_keyed).then(|| {
            let engine = Arc::new(Engine::new(rules.clone(), options.clone()));
            Lane::new("".into(), engine, kept.remove(""))
        });
        let each = Each { rules, saved: kept, gone, ..Each::default() };
        (Lanes::of_parts(shared, options, each), dropped)
    }

    fn of_parts(shared: Option<Lane>, options: Options, each: Each) -> Lanes {
        let (shared, each) = (shared.map(Arc::new), Mutex::new(each));
        Lanes { shared, options, each, is_reloaded: AtomicBool::new(false) }
    }

    /// Goes on with other rules from now on.
    pub fn reload(&self, rules: &Arc<RuleSet>) {
        // Held throughout, so that no lane is made meanwhile.
        let mut each = self.each();
        each.rules = rules.clone();
        self.shared.iter().chain(each.lanes.values()).for_each(|lane| lane.reload(rules));
        self.is_reloaded.store(true, Ordering::Release);
    }

    /// Whether rules have changed since this was last asked.
    pub(super) fn take_reloaded(&self) -> bool {
        self.is_reloaded.swap(false, Ordering::AcqRel)
    }

    /// Whether each input has its own.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        self.shared.is_none()
    }

    /// Whether an input's windows are those that its saved position belongs to.
    pub(super) fn goes_on(&self, name: &Arc<str>) -> bool {
        self.shared.is_some() || self.each().saved.contains_key(name.as_ref())
    }

    /// The lane of an input, made if there is none; goes on from what was saved of it.
    pub(super) fn of(&self, input: Input, name: &Arc<str>) -> Arc<Lane> {
        if let Some(lane) = &self.shared {
            return lane.clone();
        }
        let mut each = self.each();
        if let Some(lane) = each.lanes.get(&input) {
            return lane.clone();
        }
        let judges_from = each.anew.remove(name.as_ref()).unwrap_or(EventTime::MIN);
        let engine = Engine::new(each.rules.clone(), self.options.clone())
            .judging_from(judges_from)
            .with_evidence_bytes_max(EVIDENCE_BYTES_MAX / EVIDENCE_PARTS);
        let saved = each.saved.remove(name.as_ref());
        let lane = Arc::new(Lane::new(name.clone(), Arc::new(engine), saved));
        each.lanes.insert(input, lane.clone());
        lane
    }

    /// Another process has read on since: what was saved of this input is out of date.
    pub(super) fn overtaken(&self, name: &Arc<str>, judges_from: EventTime) {
        let mut each = self.each();
        each.anew.insert(name.to_string(), judges_from);
        if each.saved.remove(name.as_ref()).is_some() {
            each.gone.push(name.clone());
        }
    }

    /// An input is somebody else's now, or over, and with it its windows.
    pub(super) fn lost(&self, input: Input) {
        let mut each = self.each();
        if let Some(lane) = each.lanes.remove(&input) {
            lane.is_over.store(true, Ordering::Release);
            each.gone.push(lane.name());
        }
    }

    /// The lanes of inputs that have their own, and the names of those whose windows are to be
    /// forgotten before these are saved.
    pub(super) fn take(&self) -> (Own, Vec<Arc<str>>) {
        let mut each = self.each();
        let lanes = each.lanes.iter().map(|(input, lane)| (*input, lane.clone())).collect();
        (lanes, std::mem::take(&mut each.gone))
    }

    /// The lanes of inputs that have their own.
    pub(super) fn each_own(&self) -> Own {
        self.each().lanes.iter().map(|(input, lane)| (*input, lane.clone())).collect()
    }

    /// The lane of all inputs, if there is one.
    pub(super) fn of_all(&self) -> Option<&Arc<Lane>> {
        self.shared.as_ref()
    }

    /// All lanes there are.
    pub(super) fn all(&self) -> Vec<Arc<Lane>> {
        let each = self.each();
        self.shared.iter().chain(each.lanes.values()).cloned().collect()
    }

    /// The least watermark of all lanes that have one.
    #[must_use]
    pub fn watermark(&self) -> EventTime {
        let watermarks = self.all().into_iter().map(|lane| lane.engine().watermark());
        watermarks.filter(|time| *time > EventTime::MIN).min().unwrap_or(EventTime::MIN)
    }

    /// How many windows there are.
    #[must_use]
    pub fn window_count(&self) -> usize {
        self.all().into_iter().map(|lane| lane.engine().window_count()).sum()
    }

    /// Bytes of records that windows hold as evidence.
    #[must_use]
    pub fn evidence_bytes(&self) -> u64 {
        self.all().into_iter().map(|lane| lane.engine().evidence_bytes()).sum()
    }

    fn each(&self) -> MutexGuard<'_, Each> {
        self.each.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

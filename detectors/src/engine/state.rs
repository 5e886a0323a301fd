//! What an engine is saved as, and goes on from.
//!
//! Saving needs no pause. A window that changes is marked under its own lock, and its key noted
//! after that; whoever saves takes the keys, then each window as it stands, and clears its mark
//! under the same lock. So windows may be saved ahead of the positions beside them, never behind:
//! what is read again is united with them and changes nothing.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use super::{Engine, Outcome};
use crate::alert::{Alert, AlertId, Life};
use crate::sample::{RuleIndex, WindowKey};
use crate::time::EventTime;
use crate::window::{Window, longest_span, unknown};

/// Windows of an engine and its watermark, as they stand: what a restart goes on from.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct State {
    /// The watermark that belongs to the positions from which input is read again.
    pub watermark: EventTime,
    /// The watermark of the windows when the first of them was read: at or after the other.
    pub forgotten: EventTime,
    /// How many bursts were opened.
    pub opened: u64,
    /// From which event time on a key without a window has done nothing unusual.
    #[serde(default = "unknown")]
    pub since: EventTime,
    /// Windows by key. One that is empty stands for one that is gone, and tells what it forgot.
    pub windows: Vec<(WindowKey, Window)>,
}

/// Nothing.
impl Default for State {
    fn default() -> State {
        let (watermark, forgotten) = (EventTime::MIN, EventTime::MIN);
        State { watermark, forgotten, opened: 0, since: unknown(), windows: Vec::new() }
    }
}

impl State {
    /// What rules remember of keys beside samples and bursts: what is learnt from history. It is of
    /// no position and no watermark, so it may be put before any other input.
    #[must_use]
    pub fn into_memory(mut self) -> State {
        self.windows.retain_mut(|(_, window)| window.keep_memory());
        let (watermark, forgotten) = (EventTime::MIN, EventTime::MIN);
        State { watermark, forgotten, since: unknown(), ..self }
    }
}

/// Windows that changed since it was last asked.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    keys: Vec<WindowKey>,
    /// Windows that are gone from the map, as they were last: empty.
    emptied: HashMap<WindowKey, Window>,
}

impl Engine {
    /// All windows as they stand, beside the watermark of the positions they are saved with.
    #[must_use]
    pub fn export(&self, watermark: EventTime) -> State {
        let forgotten = self.watermark();
        let windows = self.windows.iter().map(|e| (*e.key(), e.value().clone())).collect();
        let opened = self.opened.load(Ordering::Relaxed);
        State { watermark, forgotten, opened, since: self.since(), windows }
    }

    /// The windows that changed since the last call, as they stand now and in order of their keys, so
    /// that they are written side by side, beside the watermark of the positions they are saved with. Positions are read before this is called.
    #[must_use]
    pub fn changes(&self, watermark: EventTime) -> State {
        let forgotten = self.watermark();
        let Dirty { mut keys, mut emptied } = std::mem::take(&mut *self.dirty.lock());
        keys.sort_unstable();
        let mut windows = Vec::with_capacity(keys.len());
        for key in keys {
            let here = self.windows.get_mut(&key).map(|mut window| {
                window.is_dirty = false;
                window.clone()
            });
            let gone =
                || emptied.remove(&key).or_else(|| self.dirty.lock().emptied.get(&key).cloned());
            windows.extend(here.or_else(gone).map(|window| (key, window)));
        }
        let opened = self.opened.load(Ordering::Relaxed);
        State { watermark, forgotten, opened, since: self.since(), windows }
    }

    /// Goes on from a saved state, and from what was said of bursts since: the last that was said
    /// of each whose samples may come again. A burst that trips again near one of these takes its
    /// id, and never lowers its count.
    ///
    /// Windows of rules that are gone or have changed are left out, and saved as empty. What comes
    /// out of it is what a stop between a child window and its parent had left undone, and the end
    /// of bursts whose rule is gone.
    pub fn restore(&self, state: State, said: &[Alert]) -> Outcome {
        self.watermark.fetch_max(state.watermark.0, Ordering::AcqRel);
        self.forgotten.fetch_max(state.forgotten.0, Ordering::AcqRel);
        self.opened.fetch_max(state.opened, Ordering::AcqRel);
        self.since.fetch_min(state.since.0, Ordering::AcqRel);
        let mut places = Vec::new();
        for (key, window) in state.windows {
            match self.rule_of(&window) {
                Some(index) => places.extend(self.take_up(index, key, window)),
                None if window.is_empty() => {}
                None => self.note_emptied(key, window),
            }
        }
        let mut out = Outcome::default();
        for alert in joined(said) {
            places.extend(self.resume(&alert, &mut out));
        }
        self.call(&places);
        self.lift_again(&places, &mut out);
        out
    }

    /// The rule that a window is of, if it is as it was.
    pub(super) fn rule_of(&self, window: &Window) -> Option<RuleIndex> {
        self.rules.rules.iter().position(|rule| rule.tag == window.rule_tag)
    }

    /// Takes a window of another engine in; its place, unless it was there.
    pub(super) fn take_up(
        &self,
        index: RuleIndex,
        key: WindowKey,
        window: Window,
    ) -> Option<(RuleIndex, WindowKey)> {
        for burst in window.bursts() {
            self.opened.fetch_max(burst.opened + 1, Ordering::AcqRel);
        }
        self.hold(super::grown(0, window.record_bytes()));
        self.windows.insert(key, window).is_none().then_some((index, key))
    }

    /// Puts windows that were taken up into the agendas of their rules.
    pub(super) fn call(&self, places: &[(RuleIndex, WindowKey)]) {
        for (index, key) in places {
            let (Some(rule), Some(agenda)) =
                (self.rules.rules.get(*index), self.agendas.get(*index))
            else {
                continue;
            };
            let Some(mut window) = self.windows.get_mut(key) else { continue };
            // An empty window is looked at as soon as time passes, and goes.
            let due = window.due(rule).or(Some(EventTime::MIN));
            window.called_at = due;
            drop(window);
            let mut agenda = agenda.lock();
            agenda.windows += 1;
            if let Some(at) = due {
                agenda.call(at, *key);
            }
        }
    }

    /// Puts what was said of a burst into its window; the window if it was not there. If there is no
    /// such rule any more, the burst is over.
    pub(super) fn resume(
        &self,
        alert: &Alert,
        out: &mut Outcome,
    ) -> Option<(RuleIndex, WindowKey)> {
        self.opened.fetch_max(alert.opened + 1, Ordering::AcqRel);
        let index = self.rules.rules.iter().position(|rule| {
            rule.card.id == alert.rule.id && rule.card.group_by == alert.rule.group_by
        });
        let Some(index) = index else {
            if !alert.life.is_last() {
                let revision = alert.revision + 1;
                out.alerts.push(Alert { revision, life: Life::Closed, ..alert.clone() });
            }
            return None;
        };
        let rule = self.rules.rules.get(index)?;
        let key = WindowKey::of(self.options.seed, rule.tag, alert.key.iter().map(AsRef::as_ref));
        if matches!(alert.life, Life::Merged(_)) {
            // It is over for good, unless the window was saved before that.
            if let Some(mut window) = self.windows.get_mut(&key) {
                window.resume(rule, alert);
            }
            return None;
        }
        let mut created = None;
        let mut window = self.windows.entry(key).or_insert_with(|| {
            created = Some((index, key));
            let forgotten = EventTime(self.forgotten.load(Ordering::Acquire));
            let horizon = forgotten.plus(-rule.delay_secs - longest_span(rule));
            Window::new(rule, alert.key.clone(), horizon, self.since())
        });
        window.resume(rule, alert);
        created
    }

    /// Gives the samples of correlations to their parents once more: a stop may have come between
    /// the mark in the child and the sample in the parent, and what the parent has stays as it is.
    fn lift_again(&self, places: &[(RuleIndex, WindowKey)], out: &mut Outcome) {
        for (index, key) in places {
            let Some(rule) = self.rules.rules.get(*index).filter(|rule| !rule.taps.is_empty())
            else {
                continue;
            };
            let Some((key, lifted)) = self.windows.get(key).map(|window| {
                let lifted = window.samples().iter().filter(|held| held.lifted).cloned();
                (window.key.clone(), lifted.collect::<Vec<_>>())
            }) else {
                continue;
            };
            for held in &lifted {
                for tap in &rule.taps {
                    self.lift(rule, &key, tap, held, self.watermark(), out);
                }
            }
        }
    }

    /// Notes that a window changed that had not since it was last saved. Called without a lock.
    pub(super) fn note_dirty(&self, key: WindowKey) {
        if self.options.keeps_changes {
            self.dirty.lock().keys.push(key);
        }
    }

    /// Notes that a window which is in no map is to be saved as empty.
    pub(super) fn note_emptied(&self, key: WindowKey, window: Window) {
        if self.options.keeps_changes {
            let mut dirty = self.dirty.lock();
            if !window.is_dirty {
                dirty.keys.push(key);
            }
            dirty.emptied.insert(key, window.emptied());
        }
    }

    /// Takes a window of this rule away if it is so, and notes what is to be saved in its place.
    pub(super) fn remove_if(
        &self,
        index: RuleIndex,
        key: WindowKey,
        is_so: impl FnOnce(&Window) -> bool,
        in_place: impl FnOnce(Window) -> Window,
    ) -> bool {
        // Held over the removal, so that whoever saves finds the window in one of the two.
        let dirty = self.options.keeps_changes.then(|| self.dirty.lock());
        let Some((_, window)) = self.windows.remove_if(&key, |_, window| is_so(window)) else {
            return false;
        };
        self.hold(super::grown(window.record_bytes(), 0));
        if let Some(mut dirty) = dirty {
            if !window.is_dirty {
                dirty.keys.push(key);
            }
            dirty.emptied.insert(key, in_place(window));
        }
        if let Some(agenda) = self.agendas.get(index) {
            let mut agenda = agenda.lock();
            agenda.windows = agenda.windows.saturating_sub(1);
        }
        true
    }
}

/// Each burst that others were merged into spans them too, so that a sample near one of them finds
/// the burst that goes on.
fn joined(said: &[Alert]) -> Vec<Alert> {
    let mut said = said.to_vec();
    let places: HashMap<AlertId, usize> =
        said.iter().enumerate().map(|(place, alert)| (alert.id, place)).collect();
    for place in 0..said.len() {
        let Some((first, last)) = said.get(place).map(|alert| (alert.first, alert.last)) else {
            continue;
        };
        let mut next = place;
        // A merge leads to an elder burst, so this ends; the bound is for a ledger that lies.
        for _ in 0..said.len() {
            let Some(alert) = said.get_mut(next) else { break };
            alert.first = alert.first.min(first);
            alert.last = alert.last.max(last);
            let Life::Merged(into) = alert.life else { break };
            let Some(into) = places.get(&into) else { break };
            next = *into;
        }
    }
    said
}

//! When which window of one rule has something to do.

use std::collections::BTreeMap;

use crate::sample::WindowKey;
use crate::time::EventTime;

/// Windows of one rule by the watermark at which they are to be looked at.
///
/// A window may be called more often than needed; each call looks at what is due, so that is
/// harmless.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    calls: BTreeMap<EventTime, Vec<WindowKey>>,
    /// How many windows the rule has.
    pub(super) windows: usize,
}

impl Agenda {
    /// Calls `window` once the watermark is at `at`.
    pub(super) fn call(&mut self, at: EventTime, window: WindowKey) {
        self.calls.entry(at).or_default().push(window);
    }

    /// Takes the windows that are first due at or before `watermark`.
    pub(super) fn due(&mut self, watermark: EventTime) -> Vec<WindowKey> {
        match self.calls.first_entry() {
            Some(first) if *first.key() <= watermark => first.remove(),
            _ => Vec::new(),
        }
    }

    /// The windows that are due soonest: those that have been quiet for longest.
    pub(super) fn soonest(&self, most: usize) -> Vec<WindowKey> {
        self.calls.values().flatten().take(most).copied().collect()
    }
}

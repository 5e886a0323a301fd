//! Puts the revisions of each burst in order: reports of two workers may overtake each other.

use std::collections::BTreeMap;

use floodmark_detectors::alert::{Alert, AlertId};
use floodmark_detectors::sample::WindowKey;
use floodmark_detectors::window::Window;

/// What was said of each burst that goes on, and what came too early.
#[derive(Debug, Default)]
pub(super) struct Order {
    said: BTreeMap<AlertId, u32>,
    /// Each with whether it is to be said at all.
    early: BTreeMap<(AlertId, u32), (Alert, bool)>,
}

impl Order {
    /// Goes on after what was said before a restart, and what windows took for said: where they were
    /// read again, another process had said it.
    pub(super) fn after(said: &[Alert], windows: &[(WindowKey, Window)]) -> Order {
        let mut order = Order::default();
        let bursts = windows.iter().flat_map(|(_, window)| window.bursts());
        let bursts = bursts.map(|burst| (burst.id, burst.revision()));
        for (id, revision) in said.iter().map(|alert| (alert.id, alert.revision)).chain(bursts) {
            let known = order.said.entry(id).or_default();
            *known = revision.max(*known);
        }
        order
    }

    /// What may be said now, in order. What `is_said` denies only takes its place.
    pub(super) fn put(&mut self, alerts: Vec<Alert>, is_said: bool) -> Vec<Alert> {
        let mut ready = Vec::with_capacity(alerts.len());
        for alert in alerts {
            let id = alert.id;
            self.early.insert((id, alert.revision), (alert, is_said));
            loop {
                let next = self.said.get(&id).copied().unwrap_or(0) + 1;
                let Some((alert, is_said)) = self.early.remove(&(id, next)) else { break };
                if alert.life.is_last() {
                    self.said.remove(&id);
                } else {
                    self.said.insert(id, next);
                }
                if is_said {
                    ready.push(alert);
                }
            }
        }
        ready
    }
}

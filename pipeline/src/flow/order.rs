//! Puts the revisions of each burst in order: reports of two workers may overtake each other.

use std::collections::BTreeMap;

use floodmark_detectors::alert::{Alert, AlertId};

/// What was said of each burst that goes on, and what came too early.
#[derive(Debug, Default)]
pub(super) struct Order {
    said: BTreeMap<AlertId, u32>,
    early: BTreeMap<(AlertId, u32), Alert>,
}

impl Order {
    /// Goes on after what was said before a restart.
    pub(super) fn after(said: &[Alert]) -> Order {
        let said = said.iter().map(|alert| (alert.id, alert.revision)).collect();
        Order { said, early: BTreeMap::new() }
    }

    /// What may be said now, in order.
    pub(super) fn put(&mut self, alerts: Vec<Alert>) -> Vec<Alert> {
        let mut ready = Vec::with_capacity(alerts.len());
        for alert in alerts {
            let id = alert.id;
            self.early.insert((id, alert.revision), alert);
            loop {
                let next = self.said.get(&id).copied().unwrap_or(0) + 1;
                let Some(alert) = self.early.remove(&(id, next)) else { break };
                if alert.life.is_last() {
                    self.said.remove(&id);
                } else {
                    self.said.insert(id, next);
                }
                ready.push(alert);
            }
        }
        ready
    }
}

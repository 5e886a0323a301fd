//! Other rules for the windows there are.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Engine, Outcome};
use crate::rule::RuleSet;

impl Engine {
    /// Hands all over to an engine with other rules, and what follows from that: bursts whose rule is
    /// gone are over, as after a restart ([`restore`](Engine::restore)). A rule that is new counts
    /// from now on. Nobody else may use this one meanwhile, and it is empty afterwards.
    pub fn hand_over(&self, rules: Arc<RuleSet>) -> (Engine, Outcome) {
        let next = Engine::new(rules, self.options.clone())
            .with_evidence_bytes_max(self.evidence_bytes_max)
            .judging_from(self.judges_from);
        for (from, to) in [
            (&self.watermark, &next.watermark),
            (&self.forgotten, &next.forgotten),
            (&self.since, &next.since),
        ] {
            to.store(from.load(Ordering::Acquire), Ordering::Release);
        }
        next.opened.store(self.opened.load(Ordering::Acquire), Ordering::Release);
        std::mem::swap(&mut *next.dirty.lock(), &mut *self.dirty.lock());
        let keys: Vec<_> = self.windows.iter().map(|window| *window.key()).collect();
        let (mut places, mut said) = (Vec::new(), Vec::new());
        for key in keys {
            let Some((_, window)) = self.windows.remove(&key) else { continue };
            if let Some(index) = next.rule_of(&window) {
                places.extend(next.take_up(index, key, window));
                continue;
            }
            let rule = self.rule_of(&window).and_then(|index| self.rules.rules.get(index));
            said.extend(rule.into_iter().flat_map(|rule| window.said(rule)));
            next.note_emptied(key, window);
        }
        let mut out = Outcome::default();
        for alert in &said {
            places.extend(next.resume(alert, &mut out));
        }
        next.call(&places);
        (next, out)
    }
}

//! What an engine's windows rest on: what another engine is to be given, to go on in its place.

use std::collections::HashMap;

use super::Engine;
use crate::rule::Rule;
use crate::time::EventTime;
use crate::window::Window;

/// What windows rest on: an engine that [judges](Engine::judging_from) from the one time on, and is
/// given all records from the other on, says the same from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// No sample of an earlier event time comes, or is one that anything rests on which may yet be said.
    pub judges_from: EventTime,
    /// The earliest event time of a record that any window of such samples holds.
    pub from: EventTime,
}

impl Engine {
    /// What its windows rest on; nothing where nothing may yet be said of what was.
    #[must_use]
    pub fn needs(&self) -> Option<Needs> {
        // What comes from now on is no older.
        let watermark = self.watermark();
        // A sample of a correlation above comes of records that are up to so much older. Children
        // come before their parents.
        let mut reaches = vec![0; self.rules.rules.len()];
        let mut before = 0;
        for (index, rule) in self.rules.rules.iter().enumerate() {
            let reach = reaches.get(index).map_or(0, |reach| reach + rule.timespan_secs);
            for tap in &rule.taps {
                if let Some(parent) = reaches.get_mut(tap.rule) {
                    *parent = reach.max(*parent);
                }
            }
            if rule.kind.waits() {
                before = reach.max(before);
            }
        }
        let rules: HashMap<u64, (&Rule, i64)> =
            self.rules.rules.iter().zip(reaches).map(|(rule, r)| (rule.tag, (rule, r))).collect();
        let needs = |window: &Window| {
            let (rule, reach) = rules.get(&window.rule_tag)?;
            Some(window.needs_from(rule)?.plus(-reach))
        };
        let earliest = self.windows.iter().filter_map(|entry| needs(entry.value())).min()?;
        Some(Needs { judges_from: earliest.min(watermark), from: earliest.plus(-before) })
    }
}

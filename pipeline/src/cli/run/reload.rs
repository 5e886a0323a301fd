//! Other rules while it runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use floodmark_detectors::rule::RuleSet;

use super::daemon::Daemon;
use crate::cli::check::Examined;
use crate::config::Settings;
use crate::encode::text::counted;
use crate::flow::Lanes;

/// Reads the configuration again and goes on with the rules that it names now; with those there are,
/// where anything in it has a fault.
pub(super) fn reload(
    config: &Path,
    settings: &Settings,
    rules: &mut Arc<RuleSet>,
    lanes: &Lanes,
    daemon: &mut Daemon,
) {
    let examined = Examined::of(Some(config), &[]);
    let (Some(now), Some(next)) = (examined.settings, examined.rules) else {
        let faults = counted(examined.faults.len(), "fault");
        let told = examined.faults.join("\n");
        eprintln!("floodmark: {faults}; the rules stay as they are\n{told}");
        return;
    };
    let next = Arc::new(next);
    eprintln!("floodmark: reloaded: {}", difference(rules, &next));
    lanes.reload(&next);
    daemon.now_needs(&next);
    *rules = next;
    let Settings { rules, environment, .. } = settings.clone();
    if (Settings { rules, environment, ..now }) != *settings {
        eprintln!(
            "floodmark: {} has changed in more than rules and their environment: that is taken up at \
             the next start",
            config.display()
        );
    }
}

/// How many rules there are, and what became of those before.
fn difference(before: &RuleSet, now: &RuleSet) -> String {
    fn versions(rules: &RuleSet) -> BTreeMap<&str, &str> {
        let speaking = rules.rules.iter().filter(|rule| rule.speaks);
        speaking.map(|rule| (&*rule.card.id, &*rule.card.version)).collect()
    }
    let (before, now) = (versions(before), versions(now));
    let gone = before.keys().filter(|id| !now.contains_key(*id)).count();
    let (known, new): (Vec<_>, Vec<_>) = now.iter().partition(|(id, _)| before.contains_key(*id));
    let changed = known.iter().filter(|(id, version)| before.get(*id) != Some(version)).count();
    let new = new.len();
    format!("{}, {new} new, {changed} changed, {gone} gone", counted(now.len(), "rule"))
}

//! Compiled rules: what the engine runs on. `rule::load` makes them from Sigma documents.

mod condition;
mod correlation;
mod detection;
mod document;
mod export;
mod extension;
mod fault;
mod filter;
mod index;
mod item;
mod keys;
mod kind;
mod link;
mod lists;
mod load;
mod members;
mod names;
mod overrides;
pub mod pack;
mod quantity;
mod special;
mod tag;
mod taps;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use correlation::SUM_UNIT;
pub use document::Document;
pub use export::export;
pub use extension::{CONTAINMENTS, SCENARIOS};
pub use fault::Fault;
pub use kind::{Kind, Mark, Members, Threshold};
pub use lists::{AWS_NETWORKS, ListUse, OWN_NETWORKS, SCPS_IN_FORCE, lists_named};
pub use load::LoadOptions;
pub use overrides::{MarkSetting, Override, SETTINGS, Setting, SettingSort, SettingValue};

use serde::{Deserialize, Serialize};

use crate::catalogue::{operation_set, operation_set_names};
use crate::derive::{Network, Networks};
use crate::field::{Fields, Path};
use crate::matcher::Matcher;

/// How grave, in Sigma's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For the record.
    Informational,
    /// Notable.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
    /// Wake somebody.
    Critical,
}

impl Level {
    /// Every level, the least grave first.
    pub const ALL: [Level; 5] =
        [Level::Informational, Level::Low, Level::Medium, Level::High, Level::Critical];

    /// Sigma's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Level::Informational => "informational",
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        }
    }
}

/// What becomes of a rule's bursts (`floodmark: {mode: ..}`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are alerts.
    #[default]
    Alert,
    /// They are counted and reported, and alert nobody.
    Observe,
    /// They add to other alerts of the same incident, and alert nobody.
    Enrich,
    /// They are findings about posture, not pages.
    Posture,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 4] = [Mode::Alert, Mode::Observe, Mode::Enrich, Mode::Posture];

    /// The word that rules write for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Mode::Alert => "alert",
            Mode::Observe => "observe",
            Mode::Enrich => "enrich",
            Mode::Posture => "posture",
        }
    }
}

/// What a rule says about itself; alerts hold it, so it outlives its rule.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Card {
    /// Sigma `id` (a UUID), else `name`, else the title.
    pub id: String,
    /// Sigma `name`.
    pub name: Option<String>,
    /// Own code, such as `DOS-01` (`floodmark.code`).
    pub code: Option<String>,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Sigma `level` (medium where it is silent).
    pub level: Option<Level>,
    /// `attack.t1496`, `atlas.aml-t0034` and others, as written.
    pub tags: Vec<String>,
    /// References.
    pub references: Vec<String>,
    /// Known false positives.
    pub falsepositives: Vec<String>,
    /// Scenario of the playbook it belongs to, one of [`SCENARIOS`].
    pub scenario: Option<String>,
    /// What to contain first, each one of [`CONTAINMENTS`]; empty where the record decides.
    pub containment: Vec<String>,
    /// What becomes of its bursts.
    pub mode: Mode,
    /// Feeds it lives on (`management`, `data:AWS::SageMaker::Endpoint`).
    pub needs: Vec<String>,
    /// Paths whose values are copied into the alert.
    pub evidence: Vec<String>,
    /// Names of the group-by fields, in order.
    pub group_by: Vec<String>,
    /// Window length, seconds.
    pub timespan_secs: i64,
    /// The mark in words, for people: `at least 20 events in 600 s`.
    pub mark: String,
    /// File it stands in, as given to the loader.
    pub file: String,
    /// Line at which its document begins, from 1.
    pub line: usize,
    /// Revision: a hash of what it samples, of its marks and of what it says. The same on every
    /// machine; empty where the rule was put together by hand.
    #[serde(default)]
    pub version: String,
}

/// Where what matched goes: into the windows of `rule`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tap {
    /// The rule whose windows take it.
    pub rule: usize,
    /// Which member of it this is (bit for temporal rules; 0 else).
    pub member: u8,
    /// Group-by paths, aliases resolved for this member; an empty list is one window for all.
    pub group_by: Vec<Path>,
    /// The field whose values are counted or summed. For `first_seen` its `value` paths, of which
    /// each combination is one value.
    pub value: Vec<Path>,
}

/// A rule that has windows.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What it says about itself.
    pub card: Arc<Card>,
    /// Hash of all that decides what is sampled and when windows hold; windows remember it.
    pub tag: u64,
    /// What its windows must hold.
    pub kind: Kind,
    /// Window length W, seconds.
    pub timespan_secs: i64,
    /// Further marks.
    pub marks: Vec<Mark>,
    /// Whether its bursts are said at all (a member of a correlation says nothing by itself).
    pub speaks: bool,
    /// How much later than the lateness bound its samples may come, seconds: 0 unless it is fed
    /// by a rule that waits for the watermark.
    pub delay_secs: i64,
    /// Correlations fed by this rule.
    pub taps: Vec<Tap>,
    /// For `silence`: keys that fall silent together are one burst.
    pub together: bool,
    /// The fields in which members must differ, all together one value (`floodmark.differ`); the kind
    /// is then [`Members::Apart`].
    pub differ: Vec<Path>,
}

/// Lists that rules name as `%allowed_buckets%`. What is not among them is looked up in the
/// [catalogue](crate::catalogue)'s sets of operations (`%compute%`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Values by list name, from `[environment]` of the configuration.
    pub lists: BTreeMap<String, Vec<String>>,
}

impl Environment {
    /// The values of a list; `None` if there is no such list.
    #[must_use]
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        let own = self.lists.get(name).cloned();
        own.or_else(|| Some(operation_set(name)?.into_iter().map(str::to_owned).collect()))
    }

    /// Every name that is known.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let sets = operation_set_names().map(str::to_owned);
        self.lists.keys().cloned().chain(sets).collect()
    }
}

/// A compiled Sigma detection rule, and where what it matches goes.
#[derive(Debug)]
pub struct Detection {
    /// Sigma `id`, else `name`, else the title: what other tools call it.
    pub id: String,
    /// Sigma `name`, else `id`, else title: for faults and `explain`.
    pub name: String,
    /// The condition.
    pub matcher: Matcher,
    /// Where a match goes. A detection that speaks for itself has its own single-record rule.
    pub taps: Vec<Tap>,
}

/// Where keys that fall silent together are to be one burst, each key's silence becomes a sample of
/// one more rule, whose only window is for all of them: an outage is one alert, not thousands.
fn speak_together(rules: &mut Vec<Rule>, index: usize) {
    let parent = rules.len();
    let Some(rule) = rules.get_mut(index).filter(|rule| rule.together) else { return };
    let card = Card { group_by: Vec::new(), ..Card::clone(&rule.card) };
    let together = Rule {
        card: Arc::new(card),
        tag: rule.tag ^ 1,
        kind: Kind::Count(Threshold::at_least(1)),
        taps: Vec::new(),
        together: false,
        delay_secs: rule.delay_secs + rule.timespan_secs,
        ..rule.clone()
    };
    rule.speaks = false;
    rule.together = false;
    rule.taps.push(Tap { rule: parent, member: 0, group_by: Vec::new(), value: Vec::new() });
    rules.push(together);
}

/// All rules in force.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// Rules that have windows. A rule's taps lead only to rules after it.
    pub rules: Vec<Rule>,
    /// Detections.
    pub detections: Vec<Detection>,
    /// The lists of the environment that rules name.
    pub lists: Vec<ListUse>,
    /// The networks that are our own, and AWS's.
    pub networks: Networks,
    /// What is left to ask of a record, by its event source and name.
    index: index::Index,
}

impl RuleSet {
    /// Rules and detections, put together by hand. Rules are as [`RuleSet::load`] makes them: taps
    /// lead only to later rules.
    #[must_use]
    pub fn of(mut rules: Vec<Rule>, detections: Vec<Detection>) -> RuleSet {
        for index in 0..rules.len() {
            speak_together(&mut rules, index);
        }
        for rule in &mut rules {
            let version = tag::version(rule);
            Arc::make_mut(&mut rule.card).version = version;
        }
        RuleSet { rules, detections, ..RuleSet::default() }
    }

    /// The same rules among the networks that the environment names. What is no network is left
    /// out: who reads the environment refuses it.
    fn within(self, environment: &Environment) -> RuleSet {
        let networks = |list: &str| {
            let texts = environment.lists.get(list).map(Vec::as_slice).unwrap_or_default();
            texts.iter().filter_map(|text| Network::parse(text).ok()).collect()
        };
        let networks = Networks { own: networks(OWN_NETWORKS), aws: networks(AWS_NETWORKS) };
        RuleSet { networks, ..self }
    }

    /// Visits each detection that matches, in order.
    pub fn matching<'s>(&'s self, fields: &Fields<'_, '_>, visit: &mut dyn FnMut(&'s Detection)) {
        self.index.matching(&self.detections, fields, &mut |place| {
            if let Some(detection) = self.detections.get(place) {
                visit(detection);
            }
        });
    }
}

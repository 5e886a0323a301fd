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
mod link;
mod lists;
mod load;
mod members;
mod names;
mod overrides;
pub mod pack;
mod quantity;
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

/// A comparison of a window's measure with numbers, Sigma's `condition: {gte: 5, lt: 9}`: all hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Threshold {
    /// At least (for sums in millionths).
    pub gte: Option<u64>,
    /// At most.
    pub lte: Option<u64>,
    /// Exactly.
    pub eq: Option<u64>,
    /// Anything but.
    pub neq: Option<u64>,
}

impl Threshold {
    /// `gte: n`.
    #[must_use]
    pub fn at_least(n: u64) -> Threshold {
        Threshold { gte: Some(n), ..Threshold::default() }
    }
    /// Whether `measure` satisfies it.
    #[must_use]
    pub fn holds(&self, measure: u64) -> bool {
        self.gte.is_none_or(|n| measure >= n)
            && self.lte.is_none_or(|n| measure <= n)
            && self.eq.is_none_or(|n| measure == n)
            && self.neq.is_none_or(|n| measure != n)
    }
    /// Whether more samples can only help: then it is decided at once, else at the watermark.
    #[must_use]
    pub fn is_monotone(&self) -> bool {
        self.lte.is_none() && self.eq.is_none() && self.neq.is_none()
    }
}

/// Which members of a temporal rule must be in the window; members by bit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Members {
    /// The member with this bit (0 to 63).
    One(u8),
    /// All of these.
    And(Vec<Members>),
    /// Any of these.
    Or(Vec<Members>),
    /// Not this (decided at the watermark).
    Not(Box<Members>),
    /// All of the members 0 to n, each with a value that no other of them has
    /// (`floodmark.differ`). A sample's value is then made by [`Members::apart`].
    Apart(u8),
}

impl Members {
    /// Most members of which each must differ from all others.
    pub const APART_MAX: u8 = 8;

    /// A sample's value for [`Members::Apart`]: the member, and a hash of what must differ.
    #[must_use]
    pub fn apart(member: u8, hash: u64) -> u64 {
        hash << 6 | u64::from(member & 63)
    }

    /// Which member, and what must differ, of such a value.
    #[must_use]
    pub fn of_apart(value: u64) -> (usize, u64) {
        ((value & 63) as usize, value >> 6)
    }
}

/// What a window must hold, and how it is measured.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// `event_count`, and a single-record rule (at least 1).
    Count(Threshold),
    /// `value_count`.
    Distinct(Threshold),
    /// `value_sum`, in millionths.
    Sum(Threshold),
    /// `temporal`.
    Temporal(Members),
    /// `temporal_ordered` over members 0..n, in this order.
    Ordered(u8),
    /// A value not seen under the key in `memory_secs`, once the key is `warmup_secs` old.
    FirstSeen {
        /// How long a value is remembered.
        memory_secs: i64,
        /// How old a key's history must be before it speaks.
        warmup_secs: i64,
    },
    /// A closed bin that towers over the bins before it.
    Surge {
        /// Bin length; bins are aligned to the epoch.
        bucket_secs: i64,
        /// How many whole bins before it make the baseline.
        buckets: u32,
        /// How many of them must lie after the key's first sample.
        buckets_min: u32,
        /// Thousandths: 10_000 is ten times the mean.
        factor_milli: u64,
        /// Least count that is a surge.
        floor: u64,
    },
    /// A key active in every slot, then nothing.
    Silence {
        /// How long nothing.
        quiet_secs: i64,
        /// Slot length; slots are aligned to the epoch.
        slot_secs: i64,
        /// How many slots before the last sample must each hold one.
        slots: u32,
    },
}

impl Kind {
    /// Whether a late sample could undo what this kind says, so that it waits for the watermark.
    #[must_use]
    pub fn waits(&self) -> bool {
        match self {
            Kind::Count(t) | Kind::Distinct(t) | Kind::Sum(t) => !t.is_monotone(),
            Kind::Temporal(members) => has_not(members),
            Kind::Ordered(_) => false,
            Kind::FirstSeen { .. } | Kind::Surge { .. } | Kind::Silence { .. } => true,
        }
    }
}

fn has_not(members: &Members) -> bool {
    match members {
        Members::One(_) | Members::Apart(_) => false,
        Members::And(all) | Members::Or(all) => all.iter().any(has_not),
        Members::Not(_) => true,
    }
}

/// A further mark on the same samples: raises the level of a burst, makes no further burst.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// Level of a burst that satisfies it.
    pub level: Level,
    /// At least so much (for sums in millionths).
    pub gte: u64,
    /// Within so many seconds.
    pub timespan_secs: i64,
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

//! The `floodmark:` key: what Sigma has no word for.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Entry, Node};
use super::fault::Problem;
use super::keys::{self, LEVELS, required};
use super::quantity::{TIMESPAN_SECS_MAX, span, truth, whole};
use super::special::{Special, special};
use super::{Level, Mode};

const DETECTION_KEYS: [&str; 15] = [
    "code",
    "scenario",
    "containment",
    "mode",
    "needs",
    "marks",
    "evidence",
    "environment",
    "all_services",
    "group-by",
    "timespan",
    "first_seen",
    "surge",
    "silence",
    "differ",
];
const MODES: [&str; 4] = ["alert", "observe", "enrich", "posture"];

/// Scenarios that a rule may belong to: the nine of AWS's incident response playbook for SageMaker,
/// and beside them what only a posture or a policy tells.
pub const SCENARIOS: [&str; 11] = [
    "exfiltration",
    "poisoning",
    "resource_abuse",
    "cryptojacking",
    "dos",
    "config_change",
    "log_tampering",
    "malware",
    "credential_theft",
    "config_rule",
    "scp",
];

/// What can be contained, as a rule names it: each has its own steps.
pub const CONTAINMENTS: [&str; 21] = [
    "access_key",
    "role_session",
    "presigned_url",
    "notebook",
    "lifecycle_config",
    "training_job",
    "tuning_job",
    "job",
    "pipeline",
    "endpoint",
    "model",
    "model_package",
    "resource_policy",
    "domain",
    "cluster",
    "feature_group",
    "execution_role",
    "bucket",
    "trail",
    "account",
    "network",
];

const FEEDS: [&str; 4] = ["management", "management_read", "insight", "network"];

/// What a rule says under `floodmark:`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extension {
    pub(crate) code: Option<String>,
    pub(crate) scenario: Option<String>,
    pub(crate) containment: Vec<String>,
    pub(crate) mode: Mode,
    pub(crate) needs: Vec<String>,
    pub(crate) evidence: Vec<String>,
    pub(crate) evidence_lines: Vec<usize>,
    pub(crate) marks: Vec<Further>,
    /// Field and line.
    pub(crate) differ: Vec<(String, usize)>,
    pub(crate) all_services: bool,
    /// Of a single-record rule: fields and lines.
    pub(crate) group_by: Option<Vec<(String, usize)>>,
    /// Of a single-record rule, seconds.
    pub(crate) timespan_secs: Option<i64>,
    pub(crate) special: Option<Special>,
    /// By list: what the rule becomes while the list is empty.
    pub(crate) empty: BTreeMap<String, Meaning>,
}

/// What a rule becomes while a list is empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meaning {
    pub(crate) line: usize,
    /// The window of its own that a detection has then.
    pub(crate) special: Option<Special>,
    pub(crate) level: Option<Level>,
    pub(crate) mode: Option<Mode>,
}

/// A further mark as written.
#[derive(Debug, Clone)]
pub(crate) struct Further {
    pub(crate) line: usize,
    pub(crate) level: Level,
    pub(crate) gte: u64,
    pub(crate) timespan_secs: Option<i64>,
}

impl Extension {
    /// Reads and checks the key's value.
    pub(crate) fn read(node: &Node, sort: keys::Sort, problems: &mut Vec<Problem>) -> Extension {
        let mut extension = Extension::default();
        let Some(entries) = node.map() else {
            let reason = format!("`floodmark` must be a map, not {}", node.sort_name());
            problems.push(Problem::new(node.line, reason));
            return extension;
        };
        keys::known(entries, &DETECTION_KEYS, "floodmark", problems);
        let is_detection = sort == keys::Sort::Detection;
        for entry in entries {
            let only = match entry.key.as_str() {
                "all_services" | "group-by" | "timespan" | "first_seen" | "surge" | "silence"
                    if !is_detection =>
                {
                    "detection"
                }
                "environment" => {
                    extension.environment(&entry.value, is_detection, problems);
                    continue;
                }
                "differ" if is_detection => "correlation",
                _ => {
                    extension.entry(entry, problems);
                    continue;
                }
            };
            let reason = format!("`floodmark.{}` belongs to a {only}", entry.key);
            problems.push(Problem::new(entry.line, reason));
        }
        if extension.special.is_some() {
            for key in ["group-by", "timespan", "marks"] {
                if let Some(entry) = node.entry(key) {
                    let reason =
                        format!("`floodmark.{key}` does not go with another kind of window");
                    problems.push(Problem::new(entry.line, reason));
                }
            }
        }
        extension
    }

    /// Lists that may be empty.
    pub(crate) fn may_be_empty(&self) -> BTreeSet<String> {
        self.empty.keys().cloned().collect()
    }

    fn entry(&mut self, entry: &Entry, problems: &mut Vec<Problem>) {
        let node = &entry.value;
        let names = |nodes: Vec<(String, usize)>| nodes.into_iter().map(|(name, _)| name).collect();
        match entry.key.as_str() {
            "code" => match node.text() {
                Some(code) if !code.is_empty() => self.code = Some(code.to_owned()),
                _ => problems.push(Problem::new(node.line, "`code` must be a text")),
            },
            "scenario" => {
                let scenario = keys::one_of(node, "scenario", &SCENARIOS, problems);
                self.scenario = scenario.map(str::to_owned);
            }
            "containment" => {
                let steps = keys::texts(node, "containment", problems);
                for (step, line) in &steps {
                    if !CONTAINMENTS.contains(&step.as_str()) {
                        let problem = Problem::new(*line, format!("unknown containment `{step}`"));
                        problems.push(problem.nearest(step, CONTAINMENTS));
                    }
                }
                self.containment = names(steps);
            }
            "mode" => self.mode = mode(node, problems),
            "needs" => {
                let needs = keys::texts(node, "needs", problems);
                for (feed, line) in &needs {
                    if !feed.starts_with("data:") && !FEEDS.contains(&feed.as_str()) {
                        let problem = Problem::new(*line, format!("unknown feed `{feed}`"));
                        problems.push(problem.nearest(feed, FEEDS));
                    }
                }
                self.needs = names(needs);
            }
            "evidence" => {
                let evidence = keys::texts(node, "evidence", problems);
                self.evidence_lines = evidence.iter().map(|(_, line)| *line).collect();
                self.evidence = names(evidence);
            }
            "differ" => self.differ = keys::texts(node, "differ", problems),
            "group-by" => self.group_by = Some(keys::texts(node, "group-by", problems)),
            "timespan" => {
                self.timespan_secs = span(node, "timespan", TIMESPAN_SECS_MAX, problems);
            }
            "all_services" => {
                self.all_services = truth(node, "all_services", problems).unwrap_or_default();
            }
            "marks" => {
                self.marks =
                    node.elements().iter().filter_map(|node| mark(node, problems)).collect();
            }
            "first_seen" | "surge" | "silence" => {
                if self.special.is_some() {
                    let reason = "only one of `first_seen`, `surge`, `silence` may stand in a rule";
                    problems.push(Problem::new(entry.line, reason));
                }
                self.special = special(entry, problems);
            }
            // Said to be unknown already.
            _ => {}
        }
    }

    fn environment(&mut self, node: &Node, is_detection: bool, problems: &mut Vec<Problem>) {
        let Some(lists) = node.map() else {
            let reason = "`environment` is a map of lists, each `{empty: ..}`";
            problems.push(Problem::new(node.line, reason));
            return;
        };
        for list in lists {
            let within = format!("floodmark.environment.{}", list.key);
            let entries = list.value.map().unwrap_or_default();
            keys::known(entries, &["empty"], &within, problems);
            let entries = list.value.get("empty").and_then(Node::map).unwrap_or_default();
            let before = problems.len();
            let meaning = meaning(list.line, entries, &within, is_detection, problems);
            let is_told =
                if is_detection { meaning.special.is_some() } else { !entries.is_empty() };
            if is_told {
                self.empty.insert(list.key.clone(), meaning);
            } else if problems.len() == before {
                let wanted = if is_detection { "first_seen: .." } else { "level: .." };
                let reason = format!(
                    "`{within}` must say `empty: {{{wanted}}}`: what the rule means while the \
                     list is empty"
                );
                problems.push(Problem::new(list.line, reason));
            }
        }
    }
}

/// What stands under `empty`: of a detection one kind of window, and of any rule a level or a mode.
fn meaning(
    line: usize,
    entries: &[Entry],
    within: &str,
    is_detection: bool,
    problems: &mut Vec<Problem>,
) -> Meaning {
    let allowed = ["level", "mode", "first_seen", "surge", "silence"];
    let allowed = if is_detection { &allowed[..] } else { &allowed[..2] };
    keys::known(entries, allowed, &format!("{within}.empty"), problems);
    let mut meaning = Meaning { line, ..Meaning::default() };
    for entry in entries {
        match entry.key.as_str() {
            "level" => {
                let name = keys::one_of(&entry.value, "level", &LEVELS, problems);
                meaning.level = name.map(level);
            }
            "mode" => meaning.mode = Some(mode(&entry.value, problems)),
            _ if meaning.special.is_some() => {
                let reason = "only one of `first_seen`, `surge`, `silence` may stand under `empty`";
                problems.push(Problem::new(entry.line, reason));
            }
            _ => meaning.special = special(entry, problems),
        }
    }
    meaning
}

fn mode(node: &Node, problems: &mut Vec<Problem>) -> Mode {
    match keys::one_of(node, "mode", &MODES, problems) {
        Some("observe") => Mode::Observe,
        Some("enrich") => Mode::Enrich,
        Some("posture") => Mode::Posture,
        _ => Mode::Alert,
    }
}

fn mark(node: &Node, problems: &mut Vec<Problem>) -> Option<Further> {
    let Some(entries) = node.map() else {
        let reason = "`marks` is a list of `{level, gte, timespan}`";
        problems.push(Problem::new(node.line, reason));
        return None;
    };
    keys::known(entries, &["level", "gte", "timespan"], "marks", problems);
    let level = required(node, "level", "marks", problems)
        .and_then(|node| keys::one_of(node, "level", &LEVELS, problems))
        .map(level);
    let gte =
        required(node, "gte", "marks", problems).and_then(|node| whole(node, "gte", problems));
    let timespan_secs =
        node.get("timespan").and_then(|node| span(node, "timespan", TIMESPAN_SECS_MAX, problems));
    Some(Further { line: node.line, level: level?, gte: gte?, timespan_secs })
}

/// The level of this name, out of [`LEVELS`].
pub(crate) fn level(name: &str) -> Level {
    match name {
        "informational" => Level::Informational,
        "low" => Level::Low,
        "high" => Level::High,
        "critical" => Level::Critical,
        _ => Level::Medium,
    }
}

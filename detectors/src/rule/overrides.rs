//! What a deployment changes of rules without touching their files.
//!
//! A change is made in the tree of the document, before the rule is read: so a changed rule passes
//! every check that a written one does, and is exported as it is in force. What the checks refuse is
//! told at the place of the change.

use super::document::{Content, Document, Entry, Node, Page, Scalar, Sort};
use super::extension::level;
use super::fault::{Fault, Problem};
use super::quantity::{MEMORY_SECS_MAX, TIMESPAN_SECS_MAX};
use super::{Level, Mode};

/// Changes of the rules of one code.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// The rule's code, in any letter case; else its id or name.
    pub rule: String,
    /// The file in which the change stands, for faults.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is changed, each with its line.
    pub settings: Vec<(usize, Setting)>,
}

/// One change: a key out of [`SETTINGS`] and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// What it is set to, of the sort that [`SETTINGS`] says.
    pub value: SettingValue,
}

/// What a setting is set to.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingValue {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Whole(u64),
    /// A number in thousandths.
    Thousandths(u64),
    /// A span of time, seconds.
    Secs(i64),
    /// A level.
    Level(Level),
    /// What becomes of bursts.
    Mode(Mode),
    /// Further marks, instead of those of the rule.
    Marks(Vec<MarkSetting>),
}

/// A further mark, as set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkSetting {
    /// Level of a burst that satisfies it.
    pub level: Level,
    /// At least so much.
    pub gte: u64,
    /// Within so many seconds; the rule's own window where it is not said.
    pub timespan_secs: Option<i64>,
}

/// What a setting may be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingSort {
    /// `true` or `false`.
    Flag,
    /// A whole number, at least 1.
    Whole,
    /// A number of at most three places, more than 1.
    Decimal,
    /// A span of time from one second to so many.
    Span(i64),
    /// A level's word.
    Level,
    /// A mode's word.
    Mode,
    /// A list of marks.
    Marks,
}

/// What can be changed of a rule, and what to.
pub const SETTINGS: [(&str, SettingSort); 14] = [
    ("enabled", SettingSort::Flag),
    ("mode", SettingSort::Mode),
    ("level", SettingSort::Level),
    ("gte", SettingSort::Whole),
    ("timespan", SettingSort::Span(TIMESPAN_SECS_MAX)),
    ("marks", SettingSort::Marks),
    ("memory", SettingSort::Span(MEMORY_SECS_MAX)),
    ("warmup", SettingSort::Span(MEMORY_SECS_MAX)),
    ("bucket", SettingSort::Span(TIMESPAN_SECS_MAX)),
    ("baseline", SettingSort::Span(MEMORY_SECS_MAX)),
    ("factor", SettingSort::Decimal),
    ("floor", SettingSort::Whole),
    ("min_buckets", SettingSort::Whole),
    ("quiet", SettingSort::Span(TIMESPAN_SECS_MAX)),
];

/// One document on its way to a draft.
#[derive(Debug)]
pub(crate) struct Candidate<'d> {
    pub(crate) document: &'d Document,
    pub(crate) page: Page,
    /// The document with what is changed of it, and by which override.
    pub(crate) changed: Option<(Node, usize)>,
    /// Whether it may speak for itself.
    pub(crate) enabled: bool,
}

impl Candidate<'_> {
    pub(crate) fn root(&self) -> &Node {
        self.changed.as_ref().map_or(&self.page.root, |(root, _)| root)
    }

    fn code(&self) -> Option<&str> {
        self.page.root.get("floodmark")?.get("code")?.text()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let own = |key| self.page.root.get(key).and_then(Node::text);
        [self.code(), own("id"), own("name")].into_iter().flatten()
    }

    fn is_called(&self, name: &str) -> bool {
        self.names().any(|own| own.eq_ignore_ascii_case(name))
    }
}

/// Makes all changes; what cannot be changed is told, at the change's place.
pub(crate) fn apply(
    candidates: &mut [Candidate<'_>],
    overrides: &[Override],
    faults: &mut Vec<Fault>,
) {
    for (by, change) in overrides.iter().enumerate() {
        let named: Vec<usize> = (0..candidates.len())
            .filter(|at| candidates.get(*at).is_some_and(|c| c.is_called(&change.rule)))
            .collect();
        if named.is_empty() {
            let known = candidates.iter().flat_map(Candidate::names);
            let problem = Problem::new(change.line, format!("there is no rule `{}`", change.rule));
            faults.push(told(change, "", problem.nearest(&change.rule, known)));
        }
        for (line, setting) in &change.settings {
            if named.is_empty() {
                break;
            }
            if let Err(problem) = set(candidates, &named, by, *line, setting) {
                faults.push(told(change, setting.key, problem));
            }
        }
    }
}

/// A fault of a change.
pub(crate) fn told(change: &Override, key: &str, problem: Problem) -> Fault {
    let dot = if key.is_empty() { "" } else { "." };
    Fault {
        path: change.path.clone(),
        line: problem.line,
        rule: Some(change.rule.clone()),
        reason: format!("rules.{}{dot}{key}: {}", change.rule, problem.reason),
        fix: problem.fix,
    }
}

/// Sets one value in the documents of one name. Level, mode and `enabled` are for all of them; a
/// number must have one place to go.
fn set(
    candidates: &mut [Candidate<'_>],
    named: &[usize],
    by: usize,
    line: usize,
    setting: &Setting,
) -> Result<(), Problem> {
    let root_at = |candidates: &[Candidate<'_>], at: usize| {
        candidates.get(at).map(|candidate| candidate.root().clone())
    };
    if let SettingValue::Flag(enabled) = setting.value {
        for at in named {
            if let Some(candidate) = candidates.get_mut(*at) {
                candidate.enabled = enabled;
            }
        }
        return Ok(());
    }
    let mut changed: Vec<(usize, Node)> = Vec::new();
    for at in named {
        let Some(mut root) = root_at(candidates, *at) else { continue };
        if change(&mut root, line, setting)? {
            changed.push((*at, root));
        }
    }
    let is_for_all = matches!(setting.key, "level" | "mode");
    match changed.len() {
        0 => return Err(Problem::new(line, goes_with(setting.key))),
        1 => {}
        _ if is_for_all => {}
        count => {
            let ids = changed.iter().filter_map(|(at, _)| candidates.get(*at));
            let ids: Vec<&str> =
                ids.filter_map(|c| c.page.root.get("id").and_then(Node::text)).collect();
            let reason = format!("{count} documents have this code and a place for it");
            return Err(Problem::new(line, reason).fix(format!("name one: {}", ids.join(", "))));
        }
    }
    for (at, root) in changed {
        if let Some(candidate) = candidates.get_mut(at) {
            candidate.changed = Some((root, by));
        }
    }
    Ok(())
}

/// What kind of rule has a place for a key.
fn goes_with(key: &str) -> String {
    let kind = match key {
        "gte" => "a correlation whose condition has `gte` or `gt`",
        "timespan" => "a correlation, or a detection that speaks of single records",
        "marks" => "a rule that counts or sums up to `gte`",
        "memory" | "warmup" => "`first_seen`",
        "quiet" => "`silence`",
        _ => "`surge`",
    };
    format!("goes with {kind}, and this rule is none")
}

/// Writes a setting into a document. False where the document has no place for it.
fn change(root: &mut Node, line: usize, setting: &Setting) -> Result<bool, Problem> {
    let at = root.line;
    let node = node(&setting.value, at);
    match setting.key {
        "level" => {
            set_while_empty(root, "level", &node);
            root.set("level", node);
            if let SettingValue::Level(level) = setting.value {
                drop_marks(root, level);
            }
        }
        "mode" => {
            set_while_empty(root, "mode", &node);
            root.within("floodmark").set("mode", node);
        }
        "gte" => {
            let Some(condition) = root.at(&["correlation", "condition"]) else {
                return Ok(false);
            };
            let has = |key: &str| condition.entry(key).is_some();
            let key = match (has("gte"), has("gt")) {
                (true, _) => "gte",
                (_, true) => "gt",
                _ => return Ok(false),
            };
            condition.rename(key, "gte");
            condition.set("gte", node);
        }
        "timespan" => {
            if let Some(correlation) = root.at(&["correlation"]) {
                correlation.set("timespan", node);
            } else if is_single(root) {
                root.within("floodmark").set("timespan", node);
            } else {
                return Ok(false);
            }
        }
        "marks" => {
            if !counts(root) {
                return Ok(false);
            }
            if let SettingValue::Marks(marks) = &setting.value {
                let own = root.get("level").and_then(Node::text).map_or(Level::Medium, level);
                if let Some(low) = marks.iter().find(|mark| mark.level <= own) {
                    let reason = format!(
                        "a mark's level must be above the rule's, which is {}: {} is not",
                        own.word(),
                        low.level.word()
                    );
                    return Err(Problem::new(line, reason));
                }
            }
            root.within("floodmark").set("marks", node);
        }
        "memory" | "warmup" => return Ok(set_in(root, "first_seen", setting.key, &node)),
        "quiet" => return Ok(set_in(root, "silence", setting.key, &node)),
        key => return Ok(set_in(root, "surge", key, &node)),
    }
    Ok(true)
}

/// Sets a key of a kind of window of ours, wherever the rule has one: its own, or what it becomes
/// while a list is empty.
fn set_in(root: &mut Node, kind: &str, key: &str, value: &Node) -> bool {
    let mut is_set = false;
    if let Some(special) = root.at(&["floodmark", kind]) {
        special.set(key, value.clone());
        is_set = true;
    }
    let lists = root.at(&["floodmark", "environment"]);
    for list in lists.into_iter().flat_map(Node::values_mut) {
        if let Some(special) = list.at(&["empty", kind]) {
            special.set(key, value.clone());
            is_set = true;
        }
    }
    is_set
}

/// Sets a key that the rule has another value for while a list is empty: what a deployment says
/// holds then too.
fn set_while_empty(root: &mut Node, key: &str, value: &Node) {
    let lists = root.at(&["floodmark", "environment"]);
    for list in lists.into_iter().flat_map(Node::values_mut) {
        if let Some(own) = list.at(&["empty", key]) {
            *own = Node { line: own.line, ..value.clone() };
        }
    }
}

/// Whether it is a detection that speaks of single records.
fn is_single(root: &Node) -> bool {
    let special = |floodmark: &Node| {
        ["first_seen", "surge", "silence"].iter().any(|key| floodmark.entry(key).is_some())
    };
    root.entry("detection").is_some() && !root.get("floodmark").is_some_and(special)
}

/// Whether it has a measure that further marks can be laid on.
fn counts(root: &Node) -> bool {
    match root.get("correlation") {
        None => is_single(root),
        Some(correlation) => {
            let sort = correlation.get("type").and_then(Node::text).unwrap_or_default();
            let condition = correlation.get("condition").and_then(Node::map).unwrap_or_default();
            ["event_count", "value_count", "value_sum"].contains(&sort)
                && condition.iter().all(|e| ["gt", "gte", "field"].contains(&e.key.as_str()))
        }
    }
}

/// Takes out marks that say no more than the rule's own level.
fn drop_marks(root: &mut Node, own: Level) {
    let Some(floodmark) = root.at(&["floodmark"]) else { return };
    if let Some(Node { content: Content::List(marks), .. }) = floodmark.at(&["marks"]) {
        marks.retain(|mark| mark.get("level").and_then(Node::text).is_some_and(|m| level(m) > own));
        if marks.is_empty()
            && let Content::Map(entries) = &mut floodmark.content
        {
            entries.retain(|entry| entry.key != "marks");
        }
    }
}

/// A value as a rule would write it.
fn node(value: &SettingValue, line: usize) -> Node {
    let scalar = |text: String, sort| Content::Scalar(Scalar { text, sort });
    let word = |word: &str| scalar(word.to_owned(), Sort::Text);
    let content = match value {
        SettingValue::Flag(flag) => scalar(flag.to_string(), Sort::Bool(*flag)),
        SettingValue::Whole(number) => scalar(number.to_string(), Sort::Number),
        SettingValue::Thousandths(number) => {
            scalar(format!("{}.{:03}", number / 1_000, number % 1_000), Sort::Number)
        }
        SettingValue::Secs(secs) => word(&format!("{secs}s")),
        SettingValue::Level(level) => word(level.word()),
        SettingValue::Mode(mode) => word(mode.word()),
        SettingValue::Marks(marks) => Content::List(
            marks
                .iter()
                .map(|mark| {
                    let mut entries = vec![
                        ("level", SettingValue::Level(mark.level)),
                        ("gte", SettingValue::Whole(mark.gte)),
                    ];
                    entries.extend(mark.timespan_secs.map(|s| ("timespan", SettingValue::Secs(s))));
                    let entry = |(key, value): (&str, SettingValue)| Entry {
                        key: key.to_owned(),
                        line,
                        value: node(&value, line),
                    };
                    Node { line, content: Content::Map(entries.into_iter().map(entry).collect()) }
                })
                .collect(),
        ),
    };
    Node { line, content }
}

impl Node {
    /// The node that these keys lead to.
    pub(crate) fn at(&mut self, keys: &[&str]) -> Option<&mut Node> {
        let Some((key, rest)) = keys.split_first() else { return Some(self) };
        let Content::Map(entries) = &mut self.content else { return None };
        entries.iter_mut().find(|entry| entry.key == *key)?.value.at(rest)
    }

    /// Sets the value of a key of a map.
    fn set(&mut self, key: &str, value: Node) {
        if let Some(node) = self.at(&[key]) {
            *node = Node { line: node.line, ..value };
        } else if let Content::Map(entries) = &mut self.content {
            entries.push(Entry { key: key.to_owned(), line: self.line, value });
        }
    }

    /// The map under a key, made where there is none.
    fn within(&mut self, key: &str) -> &mut Node {
        if self.entry(key).is_none() {
            let line = self.line;
            self.set(key, Node { line, content: Content::Map(Vec::new()) });
        }
        self.at(&[key]).expect("a document with a name is a map, and has the key now")
    }

    fn rename(&mut self, from: &str, to: &str) {
        if let Content::Map(entries) = &mut self.content {
            entries.iter_mut().filter(|entry| entry.key == from).for_each(|entry| {
                to.clone_into(&mut entry.key);
            });
        }
    }

    fn values_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        let entries = match &mut self.content {
            Content::Map(entries) => entries.as_mut_slice(),
            _ => &mut [],
        };
        entries.iter_mut().map(|entry| &mut entry.value)
    }
}

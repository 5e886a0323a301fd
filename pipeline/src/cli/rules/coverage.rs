//! `floodmark rules coverage`: which rule sees which operation that matters.
//!
//! Specific is a rule that knows what the operation is; generic one that watches a great many alike.
//! A rule sees an operation when one of the detections that lead to it asks for operations by name,
//! and could match a record of this one. Rules that ask for no name (a flood of errors, whatever the
//! call) see every operation, in one state only: they are told apart and cover nothing.

use std::collections::{BTreeMap, BTreeSet};

use floodmark_detectors::catalogue::{Critical, Operation};
use floodmark_detectors::rule::{Rule, RuleSet};
use serde_json::json;

use super::label;

/// More critical operations than this, and a detection that names them knows nothing of each: it
/// sees them in one state only, such as refused. All of `%compute%` are fewer.
const SPECIFIC_OPERATIONS_MAX: usize = 64;

/// The folder of rules that see many operations at once, and know nothing of each.
const GENERIC_FOLDER: &str = "generic";

/// Which rule sees what.
pub(super) struct Coverage {
    /// The catalogue's critical writes and sensitive reads, by name.
    rows: Vec<Row>,
    /// Rules that see any call of SageMaker.
    any: BTreeSet<String>,
    techniques: BTreeMap<String, BTreeSet<String>>,
}

struct Row {
    operation: &'static Operation,
    specific: BTreeSet<String>,
    generic: BTreeSet<String>,
}

impl Row {
    fn seen(&self) -> &'static str {
        match (self.specific.is_empty(), self.generic.is_empty()) {
            (false, _) => "specific",
            (true, false) => "generic",
            (true, true) => "uncovered",
        }
    }

    fn sort(&self) -> &'static str {
        match self.operation.critical {
            Critical::Read => "read",
            _ => "write",
        }
    }
}

impl Coverage {
    pub(super) fn of(rules: &RuleSet) -> Coverage {
        let speakers: Vec<Vec<&Rule>> = rules
            .detections
            .iter()
            .map(|detection| speakers(rules, detection.taps.iter().map(|tap| tap.rule)))
            .collect();
        let critical: Vec<&'static Operation> = Operation::all()
            .iter()
            .filter(|o| matches!(o.critical, Critical::Write | Critical::Read))
            .collect();
        // Of each detection, which of the operations it could match.
        let could: Vec<Vec<bool>> = rules
            .detections
            .iter()
            .map(|detection| {
                let could = |o: &&Operation| detection.matcher.could_fit(o.event_source, o.name);
                critical.iter().map(could).collect()
            })
            .collect();
        let mut any = BTreeSet::new();
        let mut rows = Vec::new();
        for (place, operation) in critical.into_iter().enumerate() {
            let mut row = Row { operation, specific: BTreeSet::new(), generic: BTreeSet::new() };
            for ((detection, speakers), could) in rules.detections.iter().zip(&speakers).zip(&could)
            {
                if could.get(place) != Some(&true) {
                    continue;
                }
                let is_broad =
                    could.iter().filter(|could| **could).count() > SPECIFIC_OPERATIONS_MAX;
                for rule in speakers {
                    let seen_by = if !detection.matcher.names_operations() {
                        &mut any
                    } else if is_broad || is_generic(rule) {
                        &mut row.generic
                    } else {
                        &mut row.specific
                    };
                    seen_by.insert(label(rule));
                }
            }
            rows.push(row);
        }
        Coverage { rows, any, techniques: techniques(rules) }
    }

    /// Operations that no rule sees.
    pub(super) fn uncovered(&self) -> impl Iterator<Item = &'static str> {
        self.rows.iter().filter(|row| row.seen() == "uncovered").map(|row| row.operation.name)
    }

    fn count(&self, sort: &str, seen: &str) -> usize {
        self.rows.iter().filter(|row| row.sort() == sort && row.seen() == seen).count()
    }

    pub(super) fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.operation.name.len()).max().unwrap_or_default();
        let mut text = format!("{:<width$}  {:<5}  {:<9}  rules\n", "operation", "", "seen");
        for row in &self.rows {
            let rules: Vec<&str> =
                row.specific.iter().chain(&row.generic).map(String::as_str).collect();
            text += &format!(
                "{:<width$}  {:<5}  {:<9}  {}\n",
                row.operation.name,
                row.sort(),
                row.seen(),
                rules.join(", ")
            );
        }
        for (sort, what) in [("write", "critical writes"), ("read", "sensitive reads")] {
            text += &format!(
                "{what}: {} specific, {} generic, {} uncovered\n",
                self.count(sort, "specific"),
                self.count(sort, "generic"),
                self.count(sort, "uncovered")
            );
        }
        if !self.any.is_empty() {
            let any: Vec<&str> = self.any.iter().map(String::as_str).collect();
            text += &format!("any call, by its outcome alone: {}\n", any.join(", "));
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let operations: Vec<serde_json::Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "operation": row.operation.name,
                    "event_source": row.operation.event_source,
                    "category": row.operation.category,
                    "critical": row.sort(),
                    "seen": row.seen(),
                    "specific": row.specific,
                    "generic": row.generic
                })
            })
            .collect();
        let summary = |sort| {
            json!({
                "specific": self.count(sort, "specific"),
                "generic": self.count(sort, "generic"),
                "uncovered": self.count(sort, "uncovered")
            })
        };
        let all = json!({
            "operations": operations,
            "critical_writes": summary("write"),
            "sensitive_reads": summary("read"),
            "any_call": self.any
        });
        format!("{all:#}\n")
    }

    /// A layer for the ATT&CK Navigator: the techniques that rules are tagged with, each scored by
    /// how many rules there are.
    pub(super) fn navigator(&self) -> String {
        let techniques: Vec<serde_json::Value> = self
            .techniques
            .iter()
            .map(|(technique, rules)| {
                let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
                json!({
                    "techniqueID": technique,
                    "score": rules.len(),
                    "comment": rules.join(", "),
                    "enabled": true,
                    "showSubtechniques": technique.contains('.')
                })
            })
            .collect();
        let most = self.techniques.values().map(BTreeSet::len).max().unwrap_or(1);
        let layer = json!({
            "name": "Floodmark",
            "versions": {"attack": "19", "navigator": "5.2.0", "layer": "4.5"},
            "domain": "enterprise-attack",
            "description": "Techniques that the rules in force are tagged with; the score is the \
                            number of rules.",
            "techniques": techniques,
            "gradient": {"colors": ["#ffe9b3", "#b30000"], "minValue": 0, "maxValue": most},
            "hideDisabled": false,
            "legendItems": []
        });
        format!("{layer:#}\n")
    }
}

fn is_generic(rule: &Rule) -> bool {
    rule.card.file.split(['/', '\\']).any(|part| part == GENERIC_FOLDER)
}

/// The rules that speak by what comes to `first`, themselves and those above them.
fn speakers(rules: &RuleSet, first: impl Iterator<Item = usize>) -> Vec<&Rule> {
    let mut reached = vec![false; rules.rules.len()];
    first.for_each(|at| {
        if let Some(reached) = reached.get_mut(at) {
            *reached = true;
        }
    });
    let mut speakers = Vec::new();
    // Taps lead only to later rules, so one pass sees every way.
    for at in 0..rules.rules.len() {
        let Some(rule) = rules.rules.get(at).filter(|_| reached.get(at) == Some(&true)) else {
            continue;
        };
        if rule.speaks {
            speakers.push(rule);
        }
        for tap in &rule.taps {
            if let Some(reached) = reached.get_mut(tap.rule) {
                *reached = true;
            }
        }
    }
    speakers
}

/// The rules that speak, by the ATT&CK technique they are tagged with: `attack.t1496.001`.
fn techniques(rules: &RuleSet) -> BTreeMap<String, BTreeSet<String>> {
    let mut techniques: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for rule in rules.rules.iter().filter(|rule| rule.speaks) {
        for tag in &rule.card.tags {
            let technique = tag.strip_prefix("attack.t");
            let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            if let Some(number) = technique.filter(|number| is_number(number)) {
                techniques.entry(format!("T{number}")).or_default().insert(label(rule));
            }
        }
    }
    techniques
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::LazyLock;

    use super::*;
    use crate::cli::Chosen;

    fn shipped() -> &'static Coverage {
        static SHIPPED: LazyLock<Coverage> =
            LazyLock::new(|| Coverage::of(&Chosen::default().load().unwrap()));
        &SHIPPED
    }

    #[test]
    fn every_operation_that_matters_is_seen() {
        let coverage = shipped();
        let uncovered: Vec<&str> = coverage.uncovered().collect();
        assert!(uncovered.is_empty(), "{} are not: {}", uncovered.len(), uncovered.join(", "));
    }

    #[test]
    fn the_rule_that_names_an_operation_sees_it() {
        let coverage = shipped();
        let row = |name| coverage.rows.iter().find(|row| row.operation.name == name).unwrap();
        assert!(row("CreateTrainingJob").specific.contains("DOS-01"));
        assert!(row("DeleteModel").specific.contains("DOS-04"));
        assert!(!row("DeleteModel").specific.contains("DOS-01"));
        // It counts errors of any call, and so sees none in particular.
        assert!(coverage.any.contains("DOS-03"));
        assert!(coverage.rows.iter().all(|row| !row.specific.contains("DOS-03")));
    }

    #[test]
    fn the_layer_has_techniques_and_scores() {
        let layer: serde_json::Value = serde_json::from_str(&shipped().navigator()).unwrap();
        let techniques = layer["techniques"].as_array().unwrap();
        let of = |id: &str| techniques.iter().find(|t| t["techniqueID"] == id).unwrap();
        assert!(of("T1499")["comment"].as_str().unwrap().contains("DOS-01"));
        assert!(of("T1496.001")["score"].as_u64().unwrap() > 1);
        assert!(techniques.iter().all(|t| t["techniqueID"] != "impact"));
    }
}

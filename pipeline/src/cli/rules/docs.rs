//! `floodmark rules docs`: the playbook, written from prose and from the shipped rules.
//!
//! Prose stands in `docs/playbook/*.md`. Where it says `{{rules}}` the table of the scenario's rules
//! is put, where `{{operations}}` what AWS's document names, where `{{sample}}` an alert that one of
//! the rules' own tests gives, where `{{corrections}}` what the document got wrong. What can be told
//! from rules and catalogue is told from them, so that the page cannot rot: a test compares it.

use std::collections::{BTreeMap, BTreeSet};

use floodmark_detectors::catalogue::Operation;
use floodmark_detectors::rule::{Card, Environment, Level, LoadOptions, Mode, Rule, RuleSet, pack};

use super::{shown, sorted};
use crate::cli::Chosen;
use crate::encode::ocsf::View;
use crate::encode::text;
use crate::rule_tests;

/// A chapter: its prose, and the scenarios whose rules stand in it.
struct Chapter {
    prose: &'static str,
    scenarios: &'static [&'static str],
}

macro_rules! chapter {
    ($file:literal, $($scenario:literal),*) => {
        Chapter {
            prose: include_str!(concat!("../../../../docs/playbook/", $file)),
            scenarios: &[$($scenario),*],
        }
    };
}

const CHAPTERS: [Chapter; 13] = [
    chapter!("introduction.md",),
    chapter!("exfiltration.md", "exfiltration"),
    chapter!("poisoning.md", "poisoning"),
    chapter!("resource_abuse.md", "resource_abuse"),
    chapter!("cryptojacking.md", "cryptojacking"),
    chapter!("dos.md", "dos"),
    chapter!("config_change.md", "config_change"),
    chapter!("log_tampering.md", "log_tampering"),
    chapter!("malware.md", "malware"),
    chapter!("credential_theft.md", "credential_theft"),
    chapter!("posture.md", "config_rule", "scp"),
    chapter!("delivery.md",),
    chapter!("log_entries.md",),
];

const OPERATIONS: &str = include_str!("../../../../docs/playbook/operations.tsv");

/// Said at the top of the page.
const HEAD: &str = "<!-- Written by `floodmark rules docs docs/playbook.md`; change docs/playbook/ or \
                    the rules, not this. -->\n\n";

/// The page.
pub(super) fn playbook() -> anyhow::Result<String> {
    let rules = Chosen::default().load()?;
    let levels = levels_with_lists(&rules);
    let mut text = HEAD.to_owned();
    for (place, chapter) in CHAPTERS.iter().enumerate() {
        if place > 0 {
            text.push('\n');
        }
        let own = of(&rules, chapter.scenarios);
        for line in chapter.prose.lines() {
            match line {
                "{{rules}}" => text += &table(&own, &levels),
                "{{operations}}" => text += &operations(chapter.scenarios),
                "{{sample}}" => text += &sample(&own),
                "{{corrections}}" => text += &corrections(),
                line => text += &format!("{line}\n"),
            }
        }
    }
    Ok(text)
}

/// The rules of some scenarios that speak, by code.
fn of<'r>(rules: &'r RuleSet, scenarios: &[&str]) -> Vec<&'r Rule> {
    let belongs = |card: &Card| scenario(card).is_some_and(|it| scenarios.contains(&it));
    sorted(rules).filter(|rule| rule.speaks && belongs(&rule.card)).collect()
}

/// The scenario that a rule names, else that of its folder.
fn scenario(card: &Card) -> Option<&str> {
    card.scenario.as_deref().or_else(|| card.file.rsplit('/').nth(1))
}

/// The level of each rule, by id, where every list of the environment has a value.
fn levels_with_lists(rules: &RuleSet) -> BTreeMap<String, Level> {
    let lists = rules.lists.iter().map(|used| (used.list.clone(), vec!["listed".to_owned()]));
    let environment = Environment { lists: lists.collect() };
    let filled = RuleSet::load(&pack::documents(), &environment).unwrap_or_default();
    let cards = filled.rules.iter().map(|rule| &rule.card);
    cards.filter_map(|card| Some((card.id.clone(), card.level?))).collect()
}

fn table(rules: &[&Rule], levels: &BTreeMap<String, Level>) -> String {
    if rules.is_empty() {
        return "No rule is shipped for it yet.\n".to_owned();
    }
    let mut text =
        "| code | title | level | mark | by | needs |\n|---|---|---|---|---|---|\n".to_owned();
    for rule in rules {
        let card = &rule.card;
        let mut level = card.level.map_or("medium", Level::word).to_owned();
        if let Some(with_lists) = levels.get(&card.id).filter(|level| card.level != Some(**level)) {
            level = format!("{}; {level} while its list is empty", with_lists.word());
        }
        if card.mode != Mode::Alert {
            level += &format!(", {}", card.mode.word());
        }
        let mut marks = card.mark.clone();
        for mark in &rule.marks {
            let least = shown(&rule.kind, mark.gte);
            marks += &format!("; {} from {least} in {} s", mark.level.word(), mark.timespan_secs);
        }
        let fields = [
            card.code.as_deref().unwrap_or("-"),
            &card.title,
            &level,
            &marks,
            &listed(&card.group_by),
            &listed(&card.needs),
        ]
        .map(cell);
        text += &format!("| {} |\n", fields.join(" | "));
    }
    text
}

/// Names as code, `floodmark.` left out: `account`, `principal`.
fn listed(names: &[String]) -> String {
    let short = |name: &String| format!("`{}`", name.strip_prefix("floodmark.").unwrap_or(name));
    names.iter().map(short).collect::<Vec<_>>().join(", ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// What the document names under a scenario, and what to watch in its place.
fn operations(scenarios: &[&str]) -> String {
    let mut text =
        "| the document names | which is | to watch | because |\n|---|---|---|---|\n".to_owned();
    for [scenario, written, watch, why] in rows() {
        if scenarios.contains(&scenario) {
            let written_as = match written {
                "-" => "(nothing)".to_owned(),
                name => format!("`{name}`"),
            };
            let cells = [&written_as, standing(written), watch, why].map(cell);
            text += &format!("| {} |\n", cells.join(" | "));
        }
    }
    text
}

/// Whether there is such an operation.
fn standing(written: &str) -> &'static str {
    let known = |same: &dyn Fn(&str) -> bool| Operation::all().iter().any(|o| same(o.name));
    if written == "-" || written.contains(':') {
        // Operations of other services are not in the catalogue.
        ""
    } else if known(&|name| name == written) {
        "an operation"
    } else if known(&|name| name.eq_ignore_ascii_case(written)) {
        "in the wrong letter case"
    } else {
        "no operation"
    }
}

/// The names that are no operation, or written otherwise.
fn corrections() -> String {
    let mut text = "| the document says | is | to watch |\n|---|---|---|\n".to_owned();
    let mut told = BTreeSet::new();
    for [_, written, watch, _] in rows() {
        let standing = standing(written);
        let is_right = matches!(standing, "" | "an operation");
        if !is_right && told.insert(written) {
            text += &format!("| `{written}` | {standing} | {} |\n", cell(watch));
        }
    }
    text
}

fn rows() -> impl Iterator<Item = [&'static str; 4]> {
    let lines = OPERATIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| line.split('\t').collect::<Vec<_>>().try_into().ok())
}

/// An alert of the first rule whose own tests give one.
fn sample(rules: &[&Rule]) -> String {
    let (documents, tests) = (pack::documents(), pack::tests());
    let options = LoadOptions { strict_services: true };
    let example = |rule: &&Rule| {
        let alert = rule_tests::example(&documents, &tests, options, &rule.card.file)?;
        (alert.rule.code == rule.card.code).then_some(alert)
    };
    match rules.iter().find_map(example) {
        Some(alert) => {
            format!(
                "An alert, from the rule's own test:\n\n```\n{}```\n",
                text::lines(&alert, View::Final, false)
            )
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_page_is_as_rules_and_prose_make_it() {
        let written = include_str!("../../../../docs/playbook.md");
        let made = playbook().unwrap();
        let differs = made.lines().zip(written.lines()).find(|(made, written)| made != written);
        assert!(
            made == written,
            "docs/playbook.md is out of date: run `floodmark rules docs docs/playbook.md`\n{differs:?}"
        );
    }

    #[test]
    fn three_names_are_no_operation_and_two_are_miswritten() {
        let standing_of = |wanted: &str| -> BTreeSet<&str> {
            let names = rows().map(|[_, written, ..]| written);
            names.filter(|name| standing(name) == wanted).collect()
        };
        let none =
            ["GetModelPackageModelMetrics", "PutModelPackageModelMetrics", "UpdateEndpointConfig"];
        assert_eq!(standing_of("no operation"), BTreeSet::from(none));
        let other_case =
            ["CreateNotebookInstanceLifeCycleConfig", "UpdateNotebookInstanceLifeCycleConfig"];
        assert_eq!(standing_of("in the wrong letter case"), BTreeSet::from(other_case));
        let lines = OPERATIONS.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(rows().count(), lines, "a line has not four columns");
    }

    #[test]
    fn every_scenario_has_a_chapter() {
        let told: BTreeSet<&str> = CHAPTERS.iter().flat_map(|c| c.scenarios).copied().collect();
        let all = floodmark_detectors::rule::SCENARIOS;
        assert_eq!(told, all.into_iter().collect());
    }
}

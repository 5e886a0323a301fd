//! `floodmark rules`: what is loaded, what it sees, and what is written of it.

mod coverage;
mod docs;
mod export;
mod matches;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use floodmark_detectors::rule::{Kind, Level, Rule, RuleSet};
use floodmark_detectors::time::EventTime;
use serde_json::json;

use coverage::Coverage;

use super::check::Examined;
use super::{Chosen, print};
use crate::clock;
use crate::feeds::Feeds;
use crate::ledger::Ledger;

/// List the rules that are loaded: what each counts, by which fields, when it speaks, and where it
/// stands. A rule that others count says nothing by itself, unless its document says so. With a
/// configuration it is also told which rules are blind: the daemon has not seen a feed that they
/// need for a day.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  floodmark rules                                  the shipped rules
  floodmark rules --config floodmark.toml          as a configuration has them
  floodmark rules --rules my-rules/                those of your own
  floodmark rules --json | jq -r '.[] | select(.speaks) | .code'
  floodmark rules coverage                         which rule sees which operation")]
pub(super) struct Args {
    #[command(flatten)]
    chosen: Chosen,
    /// As JSON: a list of objects, with more of what each rule says about itself.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Which rule sees which of SageMaker's critical writes and sensitive reads; exit code 1 if one
    /// is seen by none.
    Coverage {
        /// `table`, `json`, or `navigator`: a layer for the ATT&CK Navigator.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Write the rules as they are in force, lists filled in, as Sigma that other tools load.
    Export {
        /// A folder that is empty or not there.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Say of each detection which records it matches, as tab-parted lines: `detection`, its id, the
    /// ids of the events.
    Matches {
        /// Files and folders of CloudTrail, or `-` for standard input.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Write the playbook: scenario by scenario what AWS's document says, what is true, and what
    /// the shipped rules see.
    Docs {
        /// The file; standard output where it is not given.
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Json,
    Navigator,
}

pub(super) fn run(args: &Args) -> anyhow::Result<bool> {
    let (written, rules) = args.chosen.read()?;
    match &args.action {
        None => {
            let blind = blind(args.chosen.config.as_deref(), &rules)?;
            print(&if args.json { json(&rules, &blind) } else { table(&rules, &blind) })?;
        }
        Some(Action::Coverage { format }) => {
            let coverage = Coverage::of(&rules);
            print(&match format {
                Format::Table => coverage.table(),
                Format::Json => coverage.json(),
                Format::Navigator => coverage.navigator(),
            })?;
            return Ok(coverage.uncovered().next().is_none());
        }
        Some(Action::Export { folder }) => print(&export::export(&written, folder)?)?,
        Some(Action::Matches { paths }) => print(&matches::matches(&rules, paths)?)?,
        Some(Action::Docs { file: None }) => print(&docs::playbook()?)?,
        Some(Action::Docs { file: Some(file) }) => std::fs::write(file, docs::playbook()?)
            .with_context(|| format!("cannot write {}", file.display()))?,
    }
    Ok(true)
}

/// The feeds that the daemon of a configuration has not seen for a day, and when it saw them last.
/// None without a configuration, or before its daemon has kept anything.
fn blind(config: Option<&Path>, rules: &RuleSet) -> anyhow::Result<BTreeMap<String, EventTime>> {
    let settings = config.and_then(|config| Examined::of(Some(config), &[]).settings);
    let path = config.zip(settings).and_then(|(config, settings)| settings.ledger_path(config));
    let Some(path) = path.filter(|path| path.exists()) else { return Ok(BTreeMap::new()) };
    let now_ms = clock::wall_ms();
    let feeds = Feeds::needed_by(rules, Ledger::read(&path)?.feeds()?, now_ms);
    let missing = feeds.missing(now_ms);
    Ok(missing
        .map(|(feed, _, seen_ms)| (feed.to_owned(), EventTime(seen_ms.div_euclid(1_000))))
        .collect())
}

fn table(rules: &RuleSet, blind: &BTreeMap<String, EventTime>) -> String {
    let mut text = format!("{:<10} {:<13} {:<8} title\n", "code", "level", "mode");
    for rule in sorted(rules) {
        let card = &rule.card;
        text += &format!(
            "{:<10} {:<13} {:<8} {}\n",
            card.code.as_deref().unwrap_or("-"),
            card.level.map_or("-", Level::word),
            if rule.speaks { card.mode.word() } else { "silent" },
            card.title
        );
        let mut says = vec![card.mark.clone()];
        for mark in &rule.marks {
            let least = shown(&rule.kind, mark.gte);
            says.push(format!("{} from {least} in {} s", mark.level.word(), mark.timespan_secs));
        }
        if !card.group_by.is_empty() {
            says.push(format!("by {}", card.group_by.join(", ")));
        }
        if !card.needs.is_empty() {
            says.push(format!("needs {}", card.needs.join(", ")));
        }
        for (feed, seen) in blind.iter().filter(|(feed, _)| card.needs.contains(feed)) {
            says.push(format!("blind: nothing by {feed} since {seen}"));
        }
        let counted_by = parents(rules, rule);
        if !counted_by.is_empty() {
            says.push(format!("counted by {}", counted_by.join(", ")));
        }
        text += &format!("{:11}{}\n{:11}{}:{}\n", "", says.join("; "), "", card.file, card.line);
    }
    let speaking = rules.rules.iter().filter(|rule| rule.speaks).count();
    text + &format!(
        "{} rules, of which {speaking} speak, on {} detections\n",
        rules.rules.len(),
        rules.detections.len()
    )
}

fn json(rules: &RuleSet, blind: &BTreeMap<String, EventTime>) -> String {
    let all: Vec<serde_json::Value> =
        sorted(rules).map(|rule| object(rules, rule, blind)).collect();
    format!("{:#}\n", serde_json::Value::from(all))
}

fn object(rules: &RuleSet, rule: &Rule, blind: &BTreeMap<String, EventTime>) -> serde_json::Value {
    let card = &rule.card;
    let blind: Vec<&String> = card.needs.iter().filter(|feed| blind.contains_key(*feed)).collect();
    let marks: Vec<serde_json::Value> = rule
        .marks
        .iter()
        .map(|mark| {
            json!({
                "level": mark.level,
                "gte": shown(&rule.kind, mark.gte),
                "timespan_secs": mark.timespan_secs
            })
        })
        .collect();
    json!({
        "code": card.code,
        "id": card.id,
        "name": card.name,
        "title": card.title,
        "level": card.level,
        "mode": card.mode,
        "speaks": rule.speaks,
        "kind": kind_word(&rule.kind),
        "mark": card.mark,
        "marks": marks,
        "timespan_secs": rule.timespan_secs,
        "group_by": card.group_by,
        "needs": card.needs,
        "blind_without": blind,
        "counted_by": parents(rules, rule),
        "tags": card.tags,
        "file": card.file,
        "line": card.line
    })
}

/// The rules by code, those without one last, by file and line.
fn sorted(rules: &RuleSet) -> impl Iterator<Item = &Rule> {
    let mut sorted: Vec<&Rule> = rules.rules.iter().collect();
    sorted.sort_by_key(|rule| {
        let card = &rule.card;
        (card.code.is_none(), card.code.as_deref(), card.file.as_str(), card.line)
    });
    sorted.into_iter()
}

/// The rules that count `rule`.
fn parents(rules: &RuleSet, rule: &Rule) -> Vec<String> {
    let parents = rule.taps.iter().filter_map(|tap| rules.rules.get(tap.rule));
    parents.map(label).collect()
}

/// Code, name or title: what people call a rule.
pub(super) fn label(rule: &Rule) -> String {
    let card = &rule.card;
    card.code.clone().or_else(|| card.name.clone()).unwrap_or_else(|| card.title.clone())
}

/// A measure as people write it: sums are kept in millionths.
pub(super) fn shown(kind: &Kind, measure: u64) -> String {
    let (whole, part) = match kind {
        Kind::Sum(_) => (measure / 1_000_000, measure % 1_000_000),
        _ => (measure, 0),
    };
    if part == 0 { whole.to_string() } else { format!("{whole}.{part:06}") }
}

fn kind_word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Count(_) => "event_count",
        Kind::Distinct(_) => "value_count",
        Kind::Sum(_) => "value_sum",
        Kind::Temporal(_) => "temporal",
        Kind::Ordered(_) => "temporal_ordered",
        Kind::FirstSeen { .. } => "first_seen",
        Kind::Surge { .. } => "surge",
        Kind::Silence { .. } => "silence",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_shipped_rules_are_listed() {
        let rules = Chosen::default().load().unwrap();
        let listed: serde_json::Value =
            serde_json::from_str(&json(&rules, &BTreeMap::new())).unwrap();
        let all = listed.as_array().unwrap();
        assert_eq!(all.len(), rules.rules.len());
        let dos = all.iter().find(|rule| rule["code"] == "DOS-01").unwrap();
        assert_eq!(dos["kind"], "event_count");
        assert_eq!(dos["speaks"], true);
        assert_eq!(dos["timespan_secs"], 600);
        let table = table(&rules, &BTreeMap::new());
        for code in ["DOS-01", "CRY-01", "AWS-07", "EXF-01"] {
            assert!(table.lines().any(|line| line.starts_with(code)), "{code}");
        }
    }

    #[test]
    fn blind_rules_are_listed_as_the_daemon_saw_it() {
        let folder = tempfile::tempdir().unwrap();
        let (config, ledger) =
            (folder.path().join("floodmark.toml"), folder.path().join("floodmark.ledger"));
        let text = format!(
            "[[source]]\ntype = \"stdin\"\n[[sink]]\ntype = \"stdout\"\n[ledger]\npath = {ledger:?}\n"
        );
        std::fs::write(&config, text).unwrap();
        let rules = Chosen::default().load().unwrap();
        assert!(blind(None, &rules).unwrap().is_empty());
        assert!(blind(Some(&config), &rules).unwrap().is_empty(), "no ledger yet");
        let feed = "data:AWS::S3::Object";
        let seen = [(feed.into(), 1_767_225_600_000), ("management".into(), clock::wall_ms())];
        Ledger::open(&ledger, false).unwrap().keep_feeds(&seen.into()).unwrap();
        let blind = blind(Some(&config), &rules).unwrap();
        assert_eq!(blind.keys().collect::<Vec<_>>(), [feed]);
        let table = table(&rules, &blind);
        assert!(
            table.contains("blind: nothing by data:AWS::S3::Object since 2026-01-01T00:00:00Z")
        );
        let listed: serde_json::Value = serde_json::from_str(&json(&rules, &blind)).unwrap();
        let listed = listed.as_array().unwrap();
        let exf = listed.iter().find(|rule| rule["code"] == "EXF-06").unwrap();
        assert_eq!(exf["blind_without"], json!([feed]));
        let dos = listed.iter().find(|rule| rule["code"] == "DOS-01").unwrap();
        assert_eq!(dos["blind_without"], json!([]));
    }
}

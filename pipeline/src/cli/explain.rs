//! `floodmark explain`: why a rule fired, or did not.

mod key;
mod record;

use std::path::{Path, PathBuf};

use floodmark_detectors::rule::{Rule, RuleSet};

use super::rules::label;
use super::{Chosen, print};

/// Say why a rule fired or did not. Of a record it tells, test by test, what each detection that
/// feeds the rule asked for and found, and under which key the record counts. Of a key it tells,
/// from history, what its window held and how near it came to the mark.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  floodmark explain DOS-01                          what the rule counts
  floodmark explain DOS-01 record.json              one record, in a file
  zcat a.json.gz | jq -c '.Records[7]' | floodmark explain DOS-01 -
  floodmark explain DOS-01 '{\"eventTime\": ..}'      one record, here
  floodmark explain DOS-01 111122223333,arn:aws:iam::111122223333:role/train --records logs/
  floodmark explain DOS-01 account=111122223333,principal=arn:aws:iam::111122223333:role/train \\
      --records logs/

A key is the values of the rule's group-by in order, joined by commas, or field=value; the last
part of a field's name will do.")]
pub(super) struct Args {
    /// Code, id, name or title of a rule; for a record, the name of a detection too.
    rule: String,
    /// A file that holds one record, `-` for standard input, the record itself, or a key.
    #[arg(value_name = "KEY | RECORD")]
    what: Option<String>,
    /// History for a KEY: files and folders of CloudTrail, as `floodmark replay` reads them.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    records: Vec<PathBuf>,
    #[command(flatten)]
    chosen: Chosen,
}

pub(super) fn run(args: &Args) -> anyhow::Result<bool> {
    let rules = args.chosen.load()?;
    let target = Target::find(&rules, &args.rule)?;
    let text = match &args.what {
        None if args.records.is_empty() => target.describe(&rules),
        Some(what) if is_record(what, &args.records) => {
            let bytes = record::read(what)?;
            record::explain(&rules, &target, &bytes)?
        }
        what => {
            anyhow::ensure!(
                !args.records.is_empty(),
                "there is no file `{}`; for a key, name its history with --records",
                what.as_deref().unwrap_or_default()
            );
            let Target::Rules(places) = target else {
                anyhow::bail!("`{}` is a detection: name a rule that counts it", args.rule);
            };
            let mut text = String::new();
            for place in places {
                // Each rule is told by a set of its own, from which all else is left out.
                let rules = args.chosen.load()?;
                let what = what.as_deref().unwrap_or_default();
                text += &key::explain(rules, place, what, &args.records)?;
            }
            text
        }
    };
    print(&text)?;
    Ok(true)
}

fn is_record(what: &str, records: &[PathBuf]) -> bool {
    what == "-"
        || what.trim_start().starts_with('{')
        || (records.is_empty() && Path::new(what).is_file())
}

/// What is to be explained.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// Rules by place: one, or the several documents that share a code.
    Rules(Vec<usize>),
    /// A detection by place.
    Detection(usize),
}

impl Target {
    /// By code, id, name or title, in any letter case.
    fn find(rules: &RuleSet, wanted: &str) -> anyhow::Result<Target> {
        let is_it = |name: &str| name.eq_ignore_ascii_case(wanted);
        let places: Vec<usize> = (0..rules.rules.len())
            .filter(|place| rules.rules.get(*place).is_some_and(|r| names(r).any(is_it)))
            .collect();
        if !places.is_empty() {
            return Ok(Target::Rules(places));
        }
        if let Some(place) = rules.detections.iter().position(|d| is_it(&d.name)) {
            return Ok(Target::Detection(place));
        }
        let lower = wanted.to_lowercase();
        let known = rules.rules.iter().flat_map(names);
        let known = known.chain(rules.detections.iter().map(|d| d.name.as_str()));
        let nearest = known
            .map(|name| (strsim::osa_distance(&lower, &name.to_lowercase()), name))
            .filter(|(distance, name)| *distance <= name.len() / 3)
            .min();
        match nearest {
            Some((_, name)) => anyhow::bail!("no rule `{wanted}`: did you mean `{name}`?"),
            None => anyhow::bail!("no rule `{wanted}`: `floodmark rules` lists what there is"),
        }
    }

    /// What it counts, where nothing is asked of a record or a key.
    fn describe(&self, rules: &RuleSet) -> String {
        let places = match self {
            Target::Detection(place) => {
                let Some(detection) = rules.detections.get(*place) else { return String::new() };
                let taps = detection.taps.iter().filter_map(|tap| rules.rules.get(tap.rule));
                let counted = taps.map(label).collect::<Vec<_>>().join(", ");
                return format!("detection {}, counted by {counted}\n", detection.name);
            }
            Target::Rules(places) => places,
        };
        let mut text = String::new();
        for (place, rule) in places.iter().filter_map(|p| Some((*p, rules.rules.get(*p)?))) {
            let feeds = feeding(rules, place);
            text += &head(rule);
            if !rule.card.description.is_empty() {
                text += &format!("{}\n", rule.card.description.trim_end());
            }
            for (fed, child) in rules.rules.iter().enumerate() {
                if fed != place && feeds.get(fed) == Some(&true) {
                    text += &format!("fed by rule       {}: {}\n", label(child), child.card.mark);
                }
            }
            for detection in &rules.detections {
                if detection.taps.iter().any(|tap| feeds.get(tap.rule) == Some(&true)) {
                    text += &format!("fed by detection  {}\n", detection.name);
                }
            }
        }
        text
    }
}

fn names(rule: &Rule) -> impl Iterator<Item = &str> {
    let card = &rule.card;
    let short = [card.code.as_deref(), card.name.as_deref()];
    short.into_iter().flatten().chain([card.id.as_str(), card.title.as_str()])
}

/// Which rules lead to the one at `place`, itself included.
fn feeding(rules: &RuleSet, place: usize) -> Vec<bool> {
    let mut feeds = vec![false; rules.rules.len()];
    // Taps lead only to later rules, so one pass from the end sees every way.
    for (at, rule) in rules.rules.iter().enumerate().rev() {
        let leads = at == place || rule.taps.iter().any(|tap| feeds.get(tap.rule) == Some(&true));
        if let Some(slot) = feeds.get_mut(at) {
            *slot = leads;
        }
    }
    feeds
}

/// The rule in three lines.
fn head(rule: &Rule) -> String {
    let card = &rule.card;
    let by = match card.group_by.as_slice() {
        [] => "over everything".to_owned(),
        fields => format!("by {}", fields.join(", ")),
    };
    let code = card.code.as_ref().map(|code| format!("{code} ")).unwrap_or_default();
    format!("{code}{} ({}:{})\n{}, {by}\n", card.title, card.file, card.line, card.mark)
}

#[cfg(test)]
mod tests;

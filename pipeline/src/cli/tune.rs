//! `floodmark tune`: marks proposed from history, with the evidence.
//!
//! History is replayed once for each rung of a ladder: every rule that counts to a mark with half of
//! it, itself, and its doubles. So what is told of a mark is what would have been, not an estimate.
//! The proposal is the lowest rung, from the present mark up, that trips no more often than is
//! bearable; a rule is never made more sensitive without a person saying so.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use floodmark_detectors::alert::Alert;
use floodmark_detectors::rule::{Kind, Mode, Rule, RuleSet};

use super::replay::past::{Past, past};
use super::replay::workers;
use super::rules::shown;
use super::{Chosen, print, signals};
use crate::config::parse_duration;
use crate::encode::redact::printable;

/// The rungs, as halves of the present mark.
const RUNGS_HALVES: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];

/// The rung that is the present mark.
const PRESENT: usize = 1;

/// Keys that are named as evidence.
const WHO_MAX: usize = 3;

/// Seconds of a day.
const DAY_SECS: i64 = 86_400;

/// Propose marks from history. For each rule it tells how often the mark, its half and its doubles
/// would have tripped, and for whom, and writes a table to put into the configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  floodmark tune logs/                             with at most one burst a week for each rule
  floodmark tune logs/ --bursts-a-week 10 > changes.toml
  floodmark replay logs/ --compare shipped changes.toml

Tune on history in which nothing bad happened: what is in it is taken for usual.")]
pub(super) struct Args {
    /// Files and folders of CloudTrail, as `floodmark replay` reads them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    chosen: Chosen,
    /// How many bursts of one rule are bearable in a week.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    bursts_a_week: u64,
    /// How late a record may come.
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = parse_duration)]
    lateness: i64,
    /// Threads; as many as there are cores, if not given.
    #[arg(long)]
    workers: Option<usize>,
    /// Do not show progress.
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<bool> {
    let from_stdin = args.paths.iter().any(|path| path.as_os_str() == "-");
    anyhow::ensure!(!from_stdin, "standard input can be read once only: name files to tune on");
    let stopped = signals::stop()?;
    let workers = args.workers.unwrap_or_else(workers);
    let mut rungs = Vec::new();
    for halves in RUNGS_HALVES {
        if !args.quiet {
            eprintln!("floodmark: replaying with {} times the marks", times(halves));
        }
        let rules = Arc::new(raised(args.chosen.load()?, halves));
        rungs.push(past(rules, &args.paths, args.lateness, workers, &stopped)?);
    }
    print(&told(&args.chosen.load()?, &rungs, args.bursts_a_week))?;
    Ok(rungs.iter().all(|past| past.faults.is_empty()))
}

fn times(halves: u64) -> String {
    if halves.is_multiple_of(2) { (halves / 2).to_string() } else { format!("{}.5", halves / 2) }
}

/// The rules with so many halves of their marks. Rules that say nothing themselves stay as they
/// are.
fn raised(mut rules: RuleSet, halves: u64) -> RuleSet {
    for rule in rules.rules.iter_mut().filter(|rule| rule.speaks) {
        let unit = unit(&rule.kind);
        if let Some(gte) = gte_mut(&mut rule.kind) {
            *gte = rung(*gte, halves, unit);
        }
        for mark in &mut rule.marks {
            mark.gte = rung(mark.gte, halves, unit);
        }
    }
    rules
}

/// A mark times so many halves, whole and at least one, in the unit of its measure.
fn rung(gte: u64, halves: u64, unit: u64) -> u64 {
    let whole = (gte / unit).saturating_mul(halves).div_ceil(2).max(1);
    whole.saturating_mul(unit)
}

/// Sums are kept in millionths.
fn unit(kind: &Kind) -> u64 {
    if matches!(kind, Kind::Sum(_)) { 1_000_000 } else { 1 }
}

fn gte_mut(kind: &mut Kind) -> Option<&mut u64> {
    match kind {
        Kind::Count(threshold) | Kind::Distinct(threshold) | Kind::Sum(threshold)
            if threshold.is_monotone() && threshold.gte > Some(1) =>
        {
            threshold.gte.as_mut()
        }
        _ => None,
    }
}

fn told(rules: &RuleSet, rungs: &[Past], bursts_a_week: u64) -> String {
    let Some(present) = rungs.get(PRESENT) else { return String::new() };
    let mut text = format!("# Proposed by floodmark from {} records", present.records);
    let mut days = 1;
    if let Some((from, to)) = present.span {
        text += &format!(", {from} to {to}");
        days = u64::try_from((to.0 - from.0) / DAY_SECS + 1).unwrap_or(1);
    }
    let bearable = bursts_a_week.saturating_mul(days) / 7;
    text += &format!(".\n# Bearable: {bursts_a_week} a week for each rule, so {bearable} in it.\n");
    for fault in &present.faults {
        text += &format!("# not read whole: {}\n", printable(fault));
    }
    let mut proposed = 0;
    for rule in rules.rules.iter().filter(|rule| rule.speaks && rule.card.mode != Mode::Enrich) {
        let of = |past: &'_ Past| -> Vec<Alert> {
            past.bursts.iter().filter(|burst| burst.rule.id == rule.card.id).cloned().collect()
        };
        let bursts: Vec<Vec<Alert>> = rungs.iter().map(of).collect();
        let first = bursts.first().map_or(0, Vec::len);
        if first == 0 {
            continue;
        }
        text += &format!("\n{}", evidence(rule, &bursts));
        let counts: Vec<usize> = bursts.iter().map(Vec::len).collect();
        if let Some(change) = proposal(rule, &counts, bearable, is_shared(rules, rule)) {
            text += &change;
            proposed += 1;
        }
    }
    text + &match proposed {
        0 => "\n# Nothing to change: every rule is quiet enough.\n".to_owned(),
        _ => String::new(),
    }
}

/// How often each rung would have tripped, and for whom.
fn evidence(rule: &Rule, bursts: &[Vec<Alert>]) -> String {
    let code = rule.card.code.as_deref().unwrap_or("-");
    let mut text = format!("# {code} {}: {}\n", printable(&rule.card.title), rule.card.mark);
    let mut kind = rule.kind.clone();
    let is_counted = gte_mut(&mut kind).is_some();
    for (place, (halves, bursts)) in RUNGS_HALVES.into_iter().zip(bursts).enumerate() {
        if !is_counted && place != PRESENT {
            continue;
        }
        let mut kind = rule.kind.clone();
        let unit = unit(&kind);
        let mark = match gte_mut(&mut kind).map(|gte| rung(*gte, halves, unit)) {
            Some(gte) => format!("gte {:>6}", shown(&rule.kind, gte)),
            None => "as it is".to_owned(),
        };
        let present = if place == PRESENT { "  <- now" } else { "" };
        let mut levels: BTreeMap<_, usize> = BTreeMap::new();
        let mut by_key: BTreeMap<&[Box<str>], usize> = BTreeMap::new();
        for burst in bursts {
            *levels.entry(burst.level).or_default() += 1;
            *by_key.entry(&burst.key).or_default() += 1;
        }
        let levels: Vec<String> =
            levels.iter().rev().map(|(level, count)| format!("{count} {}", level.word())).collect();
        text += &format!(
            "#   {mark}: {} bursts of {} keys{}{}{present}\n",
            bursts.len(),
            by_key.len(),
            if levels.is_empty() { "" } else { ": " },
            levels.join(", ")
        );
        if place == PRESENT {
            text += &who(&by_key);
        }
        if bursts.is_empty() {
            break;
        }
    }
    text
}

fn who(by_key: &BTreeMap<&[Box<str>], usize>) -> String {
    let mut loudest: Vec<(&&[Box<str>], &usize)> = by_key.iter().collect();
    loudest.sort_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
    let line = |(key, count): (&&[Box<str>], &usize)| {
        let key: Vec<&str> = key.iter().map(AsRef::as_ref).collect();
        format!("#     {count} of {}\n", printable(&key.join(", ")))
    };
    loudest.into_iter().take(WHO_MAX).map(line).collect()
}

/// The table to put into the configuration; none where the rule is quiet enough.
fn proposal(rule: &Rule, counts: &[usize], bearable: u64, is_shared: bool) -> Option<String> {
    let is_bearable = |count: &usize| u64::try_from(*count).is_ok_and(|count| count <= bearable);
    if counts.get(PRESENT).is_none_or(is_bearable) {
        return None;
    }
    let name = match rule.card.code.as_deref().filter(|_| !is_shared) {
        Some(code) => quoted(code),
        None => quoted(&rule.card.id),
    };
    let mut kind = rule.kind.clone();
    let unit = unit(&kind);
    let fitting = counts.iter().enumerate().skip(PRESENT).find(|(_, count)| is_bearable(count));
    let rung_of = |gte| fitting.and_then(|(at, _)| Some(rung(gte, *RUNGS_HALVES.get(at)?, unit)));
    let Some(gte) = gte_mut(&mut kind).and_then(|gte| rung_of(*gte)) else {
        return Some(format!(
            "# No mark makes it quiet enough: observe it, or give its filter what is usual.\n\
             [rules.{name}]\nmode = \"observe\"\n"
        ));
    };
    let mut text = format!("[rules.{name}]\ngte = {}\n", gte / unit);
    if !rule.marks.is_empty() {
        let marks: Vec<String> = rule
            .marks
            .iter()
            .map(|mark| {
                format!(
                    "{{ level = \"{}\", gte = {}, timespan = \"{}s\" }}",
                    mark.level.word(),
                    rung_of(mark.gte).unwrap_or(mark.gte) / unit,
                    mark.timespan_secs
                )
            })
            .collect();
        text += &format!("marks = [{}]\n", marks.join(", "));
    }
    Some(text)
}

/// Whether another rule has the same code: then a number has two places to go.
fn is_shared(rules: &RuleSet, rule: &Rule) -> bool {
    rules.rules.iter().filter(|other| other.card.code == rule.card.code).count() > 1
}

/// A key of TOML, in quotes where it wants them.
fn quoted(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_bare) {
        name.to_owned()
    } else {
        serde_json::Value::from(name).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_are_whole_and_never_nothing() {
        assert_eq!([1, 2, 4].map(|halves| rung(5, halves, 1)), [3, 5, 10]);
        assert_eq!(rung(1, 1, 1), 1);
        assert_eq!(rung(32_000_000, 1, 1_000_000), 16_000_000);
        assert_eq!(rung(u64::MAX, 64, 1), u64::MAX / 2 + 1);
        assert_eq!(times(1), "0.5");
        assert_eq!(times(64), "32");
    }

    #[test]
    fn names_are_keys_of_toml() {
        assert_eq!(quoted("DOS-01"), "DOS-01");
        assert_eq!(quoted("a \"b\""), r#""a \"b\"""#);
    }
}

//! `floodmark replay --compare OLD NEW`: which bursts a change of rules adds and takes away.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use floodmark_detectors::alert::Alert;
use floodmark_detectors::rule::RuleSet;

use super::past::{Past, past};
use crate::cli::Chosen;
use crate::encode::redact::printable;

/// The word for the shipped rules.
const SHIPPED: &str = "shipped";

/// Replays `paths` through both, and tells the differences; whether every file was read whole.
pub(super) fn compare(
    paths: &[PathBuf],
    sides: &[PathBuf],
    lateness_secs: i64,
    workers: usize,
    stopped: &Arc<AtomicBool>,
) -> anyhow::Result<(String, bool)> {
    let [old, new] = sides else { anyhow::bail!("--compare wants two: OLD and NEW") };
    let from_stdin = paths.iter().any(|path| path.as_os_str() == "-");
    anyhow::ensure!(!from_stdin, "standard input can be read once only: name files to compare on");
    let run = |side: &Path| past(rules(side)?, paths, lateness_secs, workers, stopped);
    let (old, new) = (run(old)?, run(new)?);
    let mut text = String::new();
    for fault in &new.faults {
        text += &format!("{fault}\n");
    }
    Ok((text + &told(&old, &new), new.faults.is_empty()))
}

/// The shipped rules, those of a configuration (`*.toml`), or those of a file or folder.
fn rules(side: &Path) -> anyhow::Result<Arc<RuleSet>> {
    let chosen = if side.as_os_str() == SHIPPED {
        Chosen::default()
    } else if side.extension().is_some_and(|ending| ending == "toml") {
        Chosen { config: Some(side.to_owned()), ..Chosen::default() }
    } else {
        Chosen { rules: vec![side.to_owned()], ..Chosen::default() }
    };
    chosen.load().map(Arc::new)
}

fn told(old: &Past, new: &Past) -> String {
    let mut text = String::new();
    let (mut added, mut changed, mut same) = (0, 0, 0);
    let mut left: Vec<&Alert> = old.bursts.iter().collect();
    for burst in &new.bursts {
        let Some(place) = left.iter().position(|twin| is_twin(twin, burst)) else {
            added += 1;
            text += &format!("+ {}\n", line(burst));
            continue;
        };
        let twin = left.remove(place);
        let shape = |burst: &Alert| (burst.first, burst.last, burst.count, burst.level);
        if shape(twin) == shape(burst) {
            same += 1;
        } else {
            changed += 1;
            text += &format!("< {}\n> {}\n", line(twin), line(burst));
        }
    }
    for burst in &left {
        text += &format!("- {}\n", line(burst));
    }
    text + &format!(
        "{} records; {} bursts before, {} after: {added} added, {} gone, {changed} changed, \
         {same} as they were\n",
        new.records,
        old.bursts.len(),
        new.bursts.len(),
        left.len()
    )
}

/// Whether two bursts are one before and after: of one rule and key, at overlapping times.
fn is_twin(one: &Alert, other: &Alert) -> bool {
    let name = |burst: &Alert| burst.rule.code.clone().unwrap_or_else(|| burst.rule.id.clone());
    (one.rule.id == other.rule.id || name(one) == name(other))
        && one.key == other.key
        && one.first <= other.last
        && other.first <= one.last
}

fn line(burst: &Alert) -> String {
    let code = burst.rule.code.as_deref().unwrap_or("-");
    let key: Vec<&str> = burst.key.iter().map(AsRef::as_ref).collect();
    printable(&format!(
        "{code} {} {} events, {} to {}, {}: {}",
        burst.level.word(),
        burst.count,
        burst.first,
        burst.last,
        burst.rule.mode.word(),
        key.join(", ")
    ))
}

//! History through some rules, for the bursts alone.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::engine::{Engine, Options};
use floodmark_detectors::rule::RuleSet;
use floodmark_detectors::time::EventTime;

use crate::flow::{self, Lanes, Report};
use crate::replay::{Merged, Seen, Settings};
use crate::source::files::walk;
use crate::source::history::{Aside, History};

/// What history came to.
#[derive(Debug, Default)]
pub(in crate::cli) struct Past {
    /// Each burst once, in its final state, by (first, rule, key).
    pub(in crate::cli) bursts: Vec<Alert>,
    pub(in crate::cli) records: u64,
    pub(in crate::cli) late: u64,
    pub(in crate::cli) unreadable: u64,
    /// Event times of the first and last record.
    pub(in crate::cli) span: Option<(EventTime, EventTime)>,
    /// Files that could not be read whole, and why.
    pub(in crate::cli) faults: Vec<String>,
}

/// Puts the files under `paths` through `rules`.
///
/// # Errors
/// There is no file, or it was stopped.
pub(in crate::cli) fn past(
    rules: Arc<RuleSet>,
    paths: &[PathBuf],
    lateness_secs: i64,
    workers: usize,
    stopped: &Arc<AtomicBool>,
) -> anyhow::Result<Past> {
    let walked = walk(paths);
    anyhow::ensure!(!walked.files.is_empty(), "no file of records in what was named");
    let faults = walked.faults.iter();
    let mut past = Past {
        faults: faults.map(|(path, fault)| format!("{}: {fault}", path.display())).collect(),
        ..Past::default()
    };
    let settings = Settings { lateness_secs, ..Settings::default() };
    let merged = Merged::open(&walked.files, settings, &mut |seen| match seen {
        Seen::Unopened { path, error } => past.faults.push(format!("{}: {error}", path.display())),
        Seen::Reject { .. } => past.unreadable += 1,
        Seen::Read { .. } => {}
    })
    .context("cannot sort on disk: is there room in the temporary folder?")?;
    past.span = merged.summary().span;
    let (aside_in, asides) = crossbeam_channel::unbounded();
    let tell = Box::new(move |aside| {
        if let Aside::Fault(path, why) = aside {
            // Nobody listens any more only once all is read.
            drop(aside_in.send(format!("{}: {why}", path.display())));
        }
    });
    let source = Box::new(History::surveyed("replay", merged, tell));
    let engine = Arc::new(Engine::new(rules.clone(), Options::default()));
    let lanes = Lanes::shared(rules, engine);
    let settings =
        flow::Settings { lateness_secs, workers, has_end: true, ..flow::Settings::default() };
    flow::run(&lanes, source, &settings, stopped, &mut |report: Report| {
        past.records += report.counts.records;
        past.late += report.late;
        let over = report.alerts.into_iter().filter(|alert| alert.life == Life::Closed);
        past.bursts.extend(over.map(Alert::into_final));
    })?;
    anyhow::ensure!(!stopped.load(Ordering::Relaxed), "stopped before all of it was read");
    past.faults.extend(asides.try_iter());
    past.bursts.sort_by(|a, b| order(a).cmp(&order(b)));
    Ok(past)
}

fn order(burst: &Alert) -> (EventTime, &str, &[Box<str>], EventTime) {
    (burst.first, &burst.rule.id, &burst.key, burst.last)
}

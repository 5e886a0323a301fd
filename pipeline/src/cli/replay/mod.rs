//! `floodmark replay`: history through the rules.

mod compare;
pub(super) mod past;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::engine::{Counts, Engine, Options, State};
use floodmark_detectors::rule::Mode;
use floodmark_detectors::time::EventTime;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::{Chosen, print, signals};
use crate::clock::{self, Stopwatch};
use crate::config::parse_duration;
use crate::encode::ocsf::{View, ocsf};
use crate::flow::{self, Lanes, Report};
use crate::incident;
use crate::replay::{Merged, Seen, Settings, Summary};
use crate::source::files::walk;
use crate::source::history::{Aside, History, Tell, rejected};

/// Put history through the rules. Event time drives: what comes out depends on the records alone,
/// not on the order of files or lines, nor on how many workers there are.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  floodmark replay logs/                          a table of what would have fired
  floodmark replay logs/ --alerts found.ndjson    each burst once, as an OCSF finding
  zcat day.json.gz | floodmark replay - --alerts - --rules my-rules/
  floodmark replay logs/ --compare shipped floodmark.toml")]
pub(super) struct Args {
    /// Files and folders of CloudTrail (plain or gzip; NDJSON, arrays, `{\"Records\": [..]}`,
    /// pretty-printed), or `-` for standard input.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    chosen: Chosen,
    /// Write the bursts as NDJSON of OCSF findings to this file; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    alerts: Option<PathBuf>,
    /// Write every opening, update and close as it would have been sent, instead of each burst
    /// once in its final state.
    #[arg(long, requires = "alerts")]
    life: bool,
    /// Write what could not be read, and why, as NDJSON to this file.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// How late a record may come: a file disordered beyond it is sorted first.
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = parse_duration)]
    lateness: i64,
    /// Threads; as many as there are cores, if not given.
    #[arg(long)]
    workers: Option<usize>,
    /// Memory of `first_seen` rules: read from this file if it is there, and saved to it.
    #[arg(long, value_name = "FILE")]
    learn: Option<PathBuf>,
    /// Tell which bursts a change of rules adds and takes away, and nothing else. Each is a file or
    /// folder of rules, a configuration (`*.toml`), or the word `shipped`.
    #[arg(long, value_names = ["OLD", "NEW"], num_args = 2,
        conflicts_with_all = ["alerts", "learn", "rejects", "rules", "config"])]
    compare: Vec<PathBuf>,
    /// Do not show progress.
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<bool> {
    if !args.compare.is_empty() {
        let stopped = signals::stop()?;
        let workers = args.workers.unwrap_or_else(workers);
        let (text, is_whole) =
            compare::compare(&args.paths, &args.compare, args.lateness, workers, &stopped)?;
        print(&text)?;
        return Ok(is_whole);
    }
    let rules = Arc::new(args.chosen.load()?);
    let walked = walk(&args.paths);
    for (path, fault) in &walked.faults {
        eprintln!("floodmark: {}: {fault}", path.display());
    }
    anyhow::ensure!(!walked.files.is_empty(), "no file of records in what was named");
    let engine = Arc::new(Engine::new(rules.clone(), Options::default()));
    if let Some(state) = args.learn.as_ref().map(read_memory).transpose()?.flatten() {
        let _nothing_to_say = engine.restore(state, &[]);
    }
    let bar = progress_bar(args.quiet);
    bar.set_message("surveying");
    let settings = Settings { lateness_secs: args.lateness, ..Settings::default() };
    let mut faults = walked.faults.len();
    let mut tally = Tally::default();
    let mut rejects = args.rejects.as_ref().map(create).transpose()?;
    let mut unread = Vec::new();
    let merged = Merged::open(&walked.files, settings, &mut |seen| match seen {
        Seen::Unopened { path, error } => {
            faults += 1;
            bar.suspend(|| eprintln!("floodmark: {}: {error}", path.display()));
        }
        Seen::Reject { path, reject } => unread.push(rejected(path, reject)),
        Seen::Read { .. } => bar.tick(),
    })
    .context("cannot sort on disk: is there room in the temporary folder?")?;
    let summary = merged.summary().clone();
    bar.set_length(summary.records);
    bar.set_message("replaying");
    let files = walked.files.clone();
    let changed = Arc::new(AtomicUsize::new(0));
    let tell: Tell = {
        let (changed, bar) = (changed.clone(), bar.clone());
        Box::new(move |aside| {
            if let Aside::Fault(path, why) = aside {
                changed.fetch_add(1, Ordering::Relaxed);
                bar.suspend(|| eprintln!("floodmark: {}: {why}", path.display()));
            }
        })
    };
    let source = Box::new(History::surveyed("replay", merged, tell));
    let settings = flow::Settings {
        lateness_secs: args.lateness,
        workers: args.workers.unwrap_or_else(workers),
        has_end: args.learn.is_none(),
        ..flow::Settings::default()
    };
    let stopped = signals::stop()?;
    let stopwatch = Stopwatch::start();
    let mut fault = None;
    let mut hear = |report: Report| {
        if let Some(out) = &mut rejects {
            for reject in &report.rejects {
                let line = serde_json::to_string(reject).map_err(anyhow::Error::from);
                if let Err(error) = line.and_then(|line| Ok(writeln!(out, "{line}")?)) {
                    fault.get_or_insert(error);
                }
            }
        }
        tally.hear(report);
    };
    hear(Report { rejects: unread, ..Report::default() });
    let lanes = Lanes::shared(rules, engine.clone());
    flow::run(&lanes, source, &settings, &stopped, &mut |report| {
        bar.inc(report.counts.records);
        hear(report);
    })?;
    if let Some(path) = &args.learn {
        save_memory(path, &engine)?;
        tally.hear(finished(&engine));
    }
    bar.finish_and_clear();
    if let Some(error) = fault {
        return Err(error.context("cannot write the rejects"));
    }
    let elapsed = stopwatch.elapsed();
    if let Some(path) = &args.alerts {
        let lines = if args.life { tally.lives() } else { tally.finals() };
        if path.as_os_str() == "-" {
            print(&lines)?;
        } else {
            std::fs::write(path, lines)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    if !args.quiet {
        eprint!("{}", tally.table(&summary, files.len(), elapsed));
    }
    faults += changed.load(Ordering::Relaxed);
    Ok(!stopped.load(Ordering::Relaxed) && faults == 0)
}

pub(super) fn finished(engine: &Engine) -> Report {
    let outcome = engine.finish();
    Report { alerts: outcome.alerts, counts: outcome.counts, ..Report::default() }
}

/// The cores there are.
pub(super) fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn create(path: &PathBuf) -> anyhow::Result<std::io::BufWriter<std::fs::File>> {
    let file =
        std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(std::io::BufWriter::new(file))
}

fn progress_bar(quiet: bool) -> ProgressBar {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    let style =
        ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn read_memory(path: &PathBuf) -> anyhow::Result<Option<State>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).with_context(|| {
            format!("{} is no memory that `--learn` saved; remove it to learn anew", path.display())
        }),
    }
}

/// Saves what `first_seen` and `surge` rules remember; windows with samples are not history.
fn save_memory(path: &PathBuf, engine: &Engine) -> anyhow::Result<()> {
    let state = engine.export(EventTime::MIN).into_memory();
    let bytes = serde_json::to_vec(&state).context("cannot write the memory")?;
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Whether a burst of this rule would be sent: what only observes or enriches is counted.
fn is_sent(alert: &Alert) -> bool {
    matches!(alert.rule.mode, Mode::Alert | Mode::Posture)
}

/// What a replay came to.
#[derive(Default)]
struct Tally {
    counts: Counts,
    bytes: u64,
    late: u64,
    unreadable: BTreeMap<String, u64>,
    said: Vec<(i64, Alert)>,
    bursts: Vec<Alert>,
}

impl Tally {
    fn hear(&mut self, report: Report) {
        self.counts.add(report.counts);
        self.bytes += report.bytes;
        self.late += report.late;
        for reject in report.rejects {
            *self.unreadable.entry(reject.reason).or_default() += 1;
        }
        for alert in report.alerts {
            if alert.life == Life::Closed {
                self.bursts.push(alert.clone().into_final());
            }
            self.said.push((clock::wall_ms(), alert));
        }
    }

    /// Each burst once, in its final state, by (first, rule, key).
    fn finals(&mut self) -> String {
        self.bursts.sort_by(|a, b| {
            (a.first, &a.rule.id, &a.key, a.last).cmp(&(b.first, &b.rule.id, &b.key, b.last))
        });
        incident::of_bursts(&mut self.bursts);
        let shown = self.bursts.iter().filter(|burst| is_sent(burst));
        shown.map(|burst| format!("{}\n", ocsf(burst, View::Final))).collect()
    }

    fn lives(&self) -> String {
        let line = |(now_ms, alert): &(i64, Alert)| {
            format!("{}\n", ocsf(alert, View::Life { now_ms: *now_ms }))
        };
        self.said.iter().filter(|(_, alert)| is_sent(alert)).map(line).collect()
    }

    fn table(&self, summary: &Summary, files: usize, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64().max(1e-9);
        let records = self.counts.records;
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let rate = (records as f64 / seconds) as u64;
        let mut text = format!(
            "{} records of {files} inputs in {seconds:.1} s ({}/s)",
            HumanCount(records),
            HumanCount(rate)
        );
        if let Some((from, to)) = summary.span {
            text += &format!(", event times {from} to {to}");
        }
        text.push('\n');
        for (path, why) in &summary.sorted {
            text += &format!("sorted first: {}: {}\n", path.display(), why);
        }
        text += &match self.late {
            0 => "none late\n".to_owned(),
            late => format!("{late} late: older than the watermark, they changed no window\n"),
        };
        for (reason, count) in &self.unreadable {
            text += &format!("{count} rejected: {reason}\n");
        }
        if self.counts.keyless > 0 {
            text += &format!("{} matches without a key, not counted\n", self.counts.keyless);
        }
        let mut by_rule: BTreeMap<(String, String), (u64, u64, u64)> = BTreeMap::new();
        for burst in &self.bursts {
            let code = burst.rule.code.clone().unwrap_or_else(|| "-".into());
            let title = match burst.rule.mode {
                Mode::Alert => burst.rule.title.clone(),
                mode => format!("{} ({})", burst.rule.title, mode.word()),
            };
            let row = by_rule.entry((code, title)).or_default();
            *row = (row.0 + 1, row.1 + burst.count, row.2.max(burst.count));
        }
        if by_rule.is_empty() {
            return text + "no burst\n";
        }
        text +=
            &format!("\n{:<10} {:>7} {:>9} {:>8}  title\n", "rule", "bursts", "events", "largest");
        for ((code, title), (bursts, events, largest)) in by_rule {
            text += &format!("{code:<10} {bursts:>7} {events:>9} {largest:>8}  {title}\n");
        }
        text
    }
}

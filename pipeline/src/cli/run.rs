//! `floodmark run`: the daemon.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use crossbeam_channel::{Receiver, bounded};
use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::engine::{Counts, Engine, Options};
use floodmark_detectors::rule::Mode;
use floodmark_detectors::time::EventTime;

use super::check::{Examined, counted};
use super::replay::workers;
use super::stop;
use crate::clock::{self, Stopwatch};
use crate::config::{self, Property, Settings, SinkKind, SourceKind, Start};
use crate::flow::{self, Report};
use crate::ledger::{Ledger, LedgerError, Resumed};
use crate::open::Reject;
use crate::sink::{self, Courier};
use crate::source::batch::Source;
use crate::source::combined::{Combined, Part};
use crate::source::history::{Aside, History, Tell};
use crate::source::kafka::{self, Kafka};
use crate::source::kinesis;
use crate::source::tail::Tail;

/// How often the daemon says how it is.
const STATUS: Duration = Duration::from_secs(30);

/// What sources met beside records and is not yet noted, at most.
const ASIDES_WAITING_MAX: usize = 1_024;

/// Reasons of rejects that are told apart; further ones are counted together.
const REASONS_MAX: usize = 64;

/// Run the daemon on the sources and sinks of a configuration file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each burst is sent to all sinks the moment it opens, when it doubles or becomes graver, and when it
is over. Rules with `mode: observe` or `enrich` are counted and not sent. Files and folders are read
as they are now, merged by event time; standard input and Kafka as they come.

With Kafka as a source, positions, open windows and alerts are kept in a ledger, one file
beside the configuration unless [ledger] says otherwise: stopped or killed at any moment, it goes on
where it was, and loses and renames nothing. An alert is on the disk before it is sent.

It runs until every source has ended (with Kafka: for ever) or until SIGINT or SIGTERM: then it
sends what is on its way, and ends. Bursts that are open then stay open: nothing says that they are
over, unless --until-idle is given. A second signal ends it where it stands.

Exit code 0: ended or stopped, all well; 1: an alert could not be delivered, or a file could not be
read; 2: it could not run, or a source failed.

Examples:
  floodmark run --config floodmark.toml
  zcat day.json.gz | floodmark run --config stdin.toml --until-idle

deploy/floodmark.example.toml has every key of the configuration.")]
pub(super) struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// End when all that the sources hold at present has been read (files and standard input to
    /// their end, Kafka to the end of each partition), and say of every burst that it is over.
    #[arg(long)]
    until_idle: bool,
    /// Append what could not be read, and what came too late, as NDJSON to this file; without it,
    /// rejects are counted, and the first of each reason is shown.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Wait until another floodmark lets go of the ledger, and take over.
    #[arg(long)]
    standby: bool,
}

/// Reasons a ledger cannot be written now, told again at most so often.
const COMPLAIN: Duration = Duration::from_secs(30);

/// How long a ledger that cannot be written is left alone before it is tried again.
const LEDGER_PAUSE: Duration = Duration::from_millis(500);

/// How often old alerts are forgotten.
const PRUNE: Duration = Duration::from_secs(600);

/// Alerts of bursts that ended less than this before the watermark are never forgotten, seconds.
const PRUNE_BEFORE_SECS: i64 = 3 * 86_400;

pub(super) fn run(args: &Args) -> anyhow::Result<bool> {
    let examined = Examined::of(Some(&args.config), &[]);
    let (Some(settings), Some(rules)) = (examined.settings, examined.rules) else {
        let faults = counted(examined.faults.len(), "fault");
        anyhow::bail!("{faults}; nothing was started\n{}", examined.faults.join("\n"));
    };
    let rejects = args.rejects.as_ref().map(append).transpose()?;
    let rules = Arc::new(rules);
    let stopped = stop::on_signal()?;
    let ledger = ledger(&settings, &args.config, args.standby)?;
    let options = Options {
        seed: ledger.seed()?,
        windows_max: settings.engine.windows_max,
        keeps_changes: true,
    };
    let engine = Engine::new(rules.clone(), options);
    let Resumed { inputs, state, said, unreadable } = ledger.resume()?;
    let resumed = counted(state.windows.len(), "window");
    let left = engine.restore(state, &said).alerts;
    let couriers = couriers(&settings, &ledger, &stopped)?;
    let (asides_in, asides) = bounded(ASIDES_WAITING_MAX);
    let positions = inputs.iter().map(|(name, (to, _))| (name.clone(), to.clone())).collect();
    let source = Combined::new(parts(&settings, &positions, &asides_in)?, args.until_idle);
    drop(asides_in);
    let flow_settings = flow::Settings {
        lateness_secs: settings.engine.lateness_secs,
        workers: settings.engine.workers.map_or_else(workers, std::num::NonZero::get),
        has_end: args.until_idle,
        checkpoint_interval: Some(settings.ledger.checkpoint_interval),
        is_live: !args.until_idle,
        resumed: inputs.into_iter().map(|(name, (_, settled))| (name, settled)).collect(),
        said,
    };
    let speaking = rules.rules.iter().filter(|rule| rule.speaks).count();
    eprintln!(
        "floodmark: reads {}; {}; sends to {}; {}; ledger {}",
        names(settings.sources.iter().map(|source| &source.name)),
        counted(speaking, "rule"),
        names(settings.sinks.iter().map(|sink| &sink.name)),
        counted(flow_settings.workers, "worker"),
        ledger.path().display(),
    );
    if !flow_settings.resumed.is_empty() {
        let inputs = counted(flow_settings.resumed.len(), "input");
        eprintln!("floodmark: goes on with {inputs} and {resumed}");
    }
    if unreadable > 0 {
        let windows = counted(usize::try_from(unreadable).unwrap_or(usize::MAX), "window");
        eprintln!("floodmark: {windows} of another version start afresh");
    }
    let mut daemon = Daemon::new(&settings, ledger, stopped.clone(), couriers, asides, rejects);
    daemon.say(&left);
    let ran = flow::run(&engine, Box::new(source), &flow_settings, &stopped, &mut |report| {
        daemon.hear(report);
        daemon.tell_status(&engine);
    });
    let is_well = daemon.close(&engine, stopped.load(Ordering::Relaxed))?;
    ran?;
    Ok(is_well)
}

/// The ledger that is configured; without a path, beside the configuration where a source goes on
/// after a stop, and in memory where all is read again from its beginning.
fn ledger(settings: &Settings, config: &Path, standby: bool) -> Result<Ledger, LedgerError> {
    let goes_on = |kind: &SourceKind| match kind {
        SourceKind::File { .. } | SourceKind::Stdin => false,
        SourceKind::Kafka(_) | SourceKind::Kinesis(_) => true,
    };
    let path = match &settings.ledger.path {
        Some(path) => path.clone(),
        None if settings.sources.iter().any(|source| goes_on(&source.kind)) => {
            config.with_extension("ledger")
        }
        None => return Ledger::in_memory(),
    };
    let waits = standby || settings.ledger.standby;
    match Ledger::open(&path, false) {
        Err(LedgerError::Taken(_)) if waits => {
            eprintln!("floodmark: stands by until {} is let go of", path.display());
            Ledger::open(&path, true)
        }
        opened => opened,
    }
}

fn append(path: &PathBuf) -> anyhow::Result<BufWriter<std::fs::File>> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    Ok(BufWriter::new(file.with_context(|| format!("cannot write {}", path.display()))?))
}

fn names<'n>(names: impl Iterator<Item = &'n String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn couriers(
    settings: &Settings,
    ledger: &Ledger,
    stopped: &Arc<AtomicBool>,
) -> anyhow::Result<Vec<Courier>> {
    let mut opened: Vec<(String, Box<dyn sink::Sink>)> = Vec::new();
    for it in &settings.sinks {
        let sink: Box<dyn sink::Sink> = match &it.kind {
            SinkKind::Stdout => Box::new(sink::Stdout::new(it.format)),
            SinkKind::Kafka { kafka } => {
                let properties = properties(kafka)
                    .with_context(|| format!("sink {} cannot be set up", it.name))?;
                let topic = kafka.topics.first().map_or("", String::as_str);
                let brokers = kafka.brokers.join(",");
                Box::new(sink::Kafka::new(&brokers, topic, &properties, it.format)?)
            }
            SinkKind::File { path, rotation } => {
                Box::new(sink::File::open(path, it.format, *rotation).with_context(|| {
                    format!("sink {}: cannot write {}", it.name, path.display())
                })?)
            }
        };
        opened.push((it.name.clone(), sink));
    }
    let mut couriers = Vec::with_capacity(opened.len());
    for (name, sink) in opened {
        let cursor = ledger.cursor(&name)?;
        couriers.push(Courier::start(name, sink, cursor, stopped.clone()));
    }
    Ok(couriers)
}

fn parts(
    settings: &Settings,
    positions: &BTreeMap<String, Box<str>>,
    asides: &crossbeam_channel::Sender<Aside>,
) -> anyhow::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for it in &settings.sources {
        let tell = || -> Tell {
            let asides = asides.clone();
            // Once the daemon has closed, nobody counts any more.
            Box::new(move |aside| drop(asides.send(aside)))
        };
        let name = it.name.clone();
        let mut own = BTreeMap::new();
        for (input, to) in positions {
            let inside = input.strip_prefix(&name).and_then(|rest| rest.strip_prefix(' '));
            own.extend(inside.map(|inside| (inside.to_owned(), to.clone())));
        }
        parts.push(match &it.kind {
            SourceKind::File { paths } => {
                let lateness_secs = settings.engine.lateness_secs;
                let source = History::new(&name, paths.clone(), lateness_secs, tell());
                Part { name, source: Box::new(source), has_end: true }
            }
            SourceKind::Stdin => {
                let source = Tail::new(&name, std::io::stdin(), tell());
                Part { name, source: Box::new(source), has_end: true }
            }
            SourceKind::Kafka(kafka) => {
                let settings = kafka::Settings {
                    brokers: kafka.brokers.join(","),
                    topics: kafka.topics.clone(),
                    group: kafka.group.clone(),
                    is_from_start: kafka.start == Start::Earliest,
                    is_keyed: !kafka.keyed_by.is_empty(),
                    positions: own,
                    properties: properties(kafka)
                        .with_context(|| format!("source {name} cannot be set up"))?,
                };
                let source = Kafka::subscribe(&settings)?;
                Part { name, source: Box::new(source), has_end: false }
            }
            SourceKind::Kinesis(kinesis) => {
                Part { name, source: open_kinesis(kinesis, &own)?, has_end: false }
            }
        });
    }
    Ok(parts)
}

#[cfg(feature = "kinesis")]
fn open_kinesis(
    settings: &kinesis::Settings,
    positions: &BTreeMap<String, Box<str>>,
) -> anyhow::Result<Box<dyn Source>> {
    let tell = Box::new(|what: &str| eprintln!("floodmark: {what}"));
    Ok(Box::new(kinesis::Kinesis::start(settings.clone(), positions, tell)?))
}

#[cfg(not(feature = "kinesis"))]
fn open_kinesis(
    settings: &kinesis::Settings,
    _: &BTreeMap<String, Box<str>>,
) -> anyhow::Result<Box<dyn Source>> {
    anyhow::bail!("kinesis {}: this build is without the feature kinesis", settings.stream_name())
}

fn properties(kafka: &config::Kafka) -> anyhow::Result<BTreeMap<String, String>> {
    if let Some(what) = kafka.beyond_build() {
        anyhow::bail!(what);
    }
    let mut properties = BTreeMap::new();
    for (property, value) in &kafka.properties {
        let value = match value {
            Property::Plain(value) => value.clone(),
            Property::Secret(secret) => {
                let hidden =
                    secret.fetch(&|name| std::env::var(name).ok()).context(property.clone())?;
                hidden.reveal().to_owned()
            }
        };
        properties.insert(property.clone(), value);
    }
    Ok(properties)
}

/// What the daemon knows of itself.
struct Daemon {
    ledger: Ledger,
    alerts_max: u64,
    stopped: Arc<AtomicBool>,
    /// The sinks' names, in the order of their couriers.
    sinks: Vec<String>,
    couriers: Vec<Courier>,
    asides: Receiver<Aside>,
    reject_file: Option<BufWriter<std::fs::File>>,
    /// Why rejects cannot be written any more.
    reject_fault: Option<std::io::Error>,
    reasons: BTreeMap<String, u64>,
    rejects: u64,
    late: u64,
    counts: Counts,
    /// Bursts that opened and are not over, of rules that alert.
    open: i64,
    sent: u64,
    /// Bursts of rules that only observe or enrich, by rule.
    observed: BTreeMap<String, u64>,
    file_faults: u64,
    since_start: Stopwatch,
    since_status: Stopwatch,
    since_pruned: Stopwatch,
    /// When it was last told that the ledger cannot be written, while that is so.
    complained: Option<Stopwatch>,
    records_at_status: u64,
}

impl Daemon {
    fn new(
        settings: &Settings,
        ledger: Ledger,
        stopped: Arc<AtomicBool>,
        couriers: Vec<Courier>,
        asides: Receiver<Aside>,
        reject_file: Option<BufWriter<std::fs::File>>,
    ) -> Daemon {
        Daemon {
            ledger,
            alerts_max: settings.ledger.alerts_max,
            stopped,
            sinks: settings.sinks.iter().map(|sink| sink.name.clone()).collect(),
            couriers,
            asides,
            reject_file,
            reject_fault: None,
            reasons: BTreeMap::new(),
            rejects: 0,
            late: 0,
            counts: Counts::default(),
            open: 0,
            sent: 0,
            observed: BTreeMap::new(),
            file_faults: 0,
            since_start: Stopwatch::start(),
            since_status: Stopwatch::start(),
            since_pruned: Stopwatch::start(),
            complained: None,
            records_at_status: 0,
        }
    }

    fn hear(&mut self, report: Report) {
        self.counts.add(report.counts);
        self.late += report.late;
        for reject in &report.rejects {
            self.reject(reject);
        }
        self.hear_asides();
        self.say(&report.alerts);
        if let Some(checkpoint) = report.checkpoint {
            let ledger = self.ledger.clone();
            if self.write(|| ledger.save(&checkpoint.positions, &checkpoint.state)) {
                checkpoint.is_durable();
            }
        }
    }

    /// Puts alerts into the ledger, and rings for the sinks once they are on the disk.
    fn say(&mut self, alerts: &[Alert]) {
        if alerts.is_empty() {
            return;
        }
        let ledger = self.ledger.clone();
        let said_ms = clock::wall_ms();
        if !self.write(|| ledger.say(alerts, said_ms)) {
            return;
        }
        for alert in alerts {
            if matches!(alert.rule.mode, Mode::Observe | Mode::Enrich) {
                if alert.life == Life::Open {
                    let name = alert.rule.code.clone().unwrap_or_else(|| alert.rule.title.clone());
                    *self.observed.entry(name).or_default() += 1;
                }
                continue;
            }
            self.open += match alert.life {
                Life::Open => 1,
                Life::Update => 0,
                Life::Closed | Life::Merged(_) => -1,
            };
            self.sent += 1;
        }
        self.couriers.iter().for_each(Courier::ring);
    }

    /// Writes to the ledger, and while that is impossible waits: nothing is read meanwhile, and
    /// nothing is lost. False where the daemon is to stop before that; then the sources bring again
    /// what was not written.
    fn write(&mut self, work: impl Fn() -> Result<(), LedgerError>) -> bool {
        while let Err(error) = work() {
            if self.complained.as_ref().is_none_or(|told| told.elapsed() > COMPLAIN) {
                eprintln!("floodmark: {error}; reading waits until the ledger can be written");
                self.complained = Some(Stopwatch::start());
            }
            if self.stopped.load(Ordering::Relaxed) {
                return false;
            }
            std::thread::park_timeout(LEDGER_PAUSE);
        }
        if self.complained.take().is_some() {
            eprintln!("floodmark: the ledger can be written again");
        }
        true
    }

    fn hear_asides(&mut self) {
        while let Ok(aside) = self.asides.try_recv() {
            match aside {
                Aside::Reject(reject) => self.reject(&reject),
                Aside::Fault(path, why) => {
                    self.file_faults += 1;
                    eprintln!("floodmark: {}: {why}", path.display());
                }
            }
        }
    }

    fn reject(&mut self, reject: &Reject) {
        self.rejects += 1;
        if let Some(file) = &mut self.reject_file
            && self.reject_fault.is_none()
        {
            let line = serde_json::to_string(reject).map_err(std::io::Error::from);
            if let Err(error) = line.and_then(|line| writeln!(file, "{line}")) {
                eprintln!("floodmark: rejects are only counted from here on: {error}");
                self.reject_fault = Some(error);
            }
        }
        let is_known = self.reasons.contains_key(&reject.reason);
        if !is_known && self.reasons.len() >= REASONS_MAX {
            *self.reasons.entry("for other reasons".into()).or_default() += 1;
            return;
        }
        *self.reasons.entry(reject.reason.clone()).or_default() += 1;
        if !is_known && self.reject_file.is_none() {
            eprintln!(
                "floodmark: rejected: {} at {}: {}: {}",
                reject.input, reject.offset, reject.reason, reject.excerpt
            );
        }
    }

    /// Every [`STATUS`], one line.
    fn tell_status(&mut self, engine: &Engine) {
        if self.since_pruned.elapsed() >= PRUNE {
            self.since_pruned = Stopwatch::start();
            self.prune();
        }
        let elapsed = self.since_status.elapsed();
        if elapsed < STATUS {
            return;
        }
        let since = self.counts.records - self.records_at_status;
        eprintln!("floodmark: {}", self.status(engine, rate(since, elapsed)));
        self.records_at_status = self.counts.records;
        self.since_status = Stopwatch::start();
        if let Some(file) = &mut self.reject_file
            && let Err(error) = file.flush()
        {
            self.reject_fault.get_or_insert(error);
        }
    }

    /// Forgets old alerts that every sink has.
    fn prune(&self) {
        let sinks: Vec<&str> = self.sinks.iter().map(String::as_str).collect();
        if let Err(error) = self.ledger.prune(&sinks, self.alerts_max, PRUNE_BEFORE_SECS) {
            eprintln!("floodmark: {error}");
        }
    }

    fn status(&self, engine: &Engine, rate: u64) -> String {
        let watermark = match engine.watermark() {
            EventTime::MIN => "none yet".to_owned(),
            EventTime::MAX => "at the end".to_owned(),
            time => time.to_string(),
        };
        // Bounds that were hit: from here on verdicts may be too low, and whoever looks should know.
        let mut bounds = String::new();
        for (count, what) in [
            (self.counts.windows_evicted, "windows given up for windows_max"),
            (self.counts.overflowed, "samples beyond what a window keeps"),
        ] {
            if count > 0 {
                bounds += &format!(", {count} {what}");
            }
        }
        format!(
            "{} records, {rate}/s, {} late, {} rejected, {} windows, {} open bursts, {} alerts sent, \
             {} observed, watermark {watermark}{bounds}",
            self.counts.records,
            self.late,
            self.rejects,
            engine.window_count(),
            self.open,
            self.sent,
            self.observed.values().sum::<u64>(),
        )
    }

    /// Sends what is on its way, closes the sinks, and says how it went; whether all went well.
    fn close(mut self, engine: &Engine, is_stopped: bool) -> anyhow::Result<bool> {
        self.hear_asides();
        let mut undelivered = 0;
        for courier in std::mem::take(&mut self.couriers) {
            undelivered += courier.close();
        }
        let mut waiting = 0;
        for sink in &self.sinks {
            waiting += self.ledger.undelivered(sink)?;
        }
        self.prune();
        let how = if is_stopped { "stopped" } else { "ended" };
        let elapsed = self.since_start.elapsed();
        eprintln!("floodmark: {how}: {}", self.status(engine, rate(self.counts.records, elapsed)));
        for (reason, count) in &self.reasons {
            eprintln!("floodmark: {count} rejected: {reason}");
        }
        for (rule, bursts) in &self.observed {
            eprintln!("floodmark: {rule}: {bursts} bursts, not sent: it observes or enriches");
        }
        if self.open > 0 {
            let how = if self.ledger.is_kept() {
                "and go on at the next start"
            } else {
                "and nothing says that they are over"
            };
            eprintln!("floodmark: {} bursts stay open, {how}", self.open);
        }
        if waiting > 0 && self.ledger.is_kept() {
            eprintln!("floodmark: {waiting} alerts wait in the ledger for their sinks");
        } else {
            undelivered += waiting;
        }
        if undelivered > 0 {
            eprintln!("floodmark: {undelivered} alerts were not delivered");
        }
        if let Some(mut file) = self.reject_file
            && let Err(error) = file.flush()
        {
            self.reject_fault.get_or_insert(error);
        }
        if let Some(error) = self.reject_fault {
            return Err(anyhow::Error::from(error).context("cannot write the rejects"));
        }
        Ok(undelivered == 0 && self.file_faults == 0)
    }
}

fn rate(records: u64, elapsed: Duration) -> u64 {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    records.saturating_mul(1_000) / millis
}

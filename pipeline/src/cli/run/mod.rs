//! `floodmark run`: the daemon.

mod daemon;
mod ends;
mod reload;
mod saving;

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Context;
use crossbeam_channel::bounded;
use floodmark_detectors::engine::Options;

use super::check::Examined;
use super::replay::workers;
use super::signals;
use crate::clock;
use crate::config::{Http, Settings};
use crate::encode::text::counted;
use crate::feeds::Feeds;
use crate::flow::{self, Lanes};
use crate::http;
use crate::ledger::{Ledger, LedgerError, Resumed};
use crate::source::combined::Combined;
use daemon::Daemon;
use ends::{couriers, parts};

/// What sources met beside records and is not yet noted, at most.
const ASIDES_WAITING_MAX: usize = 1_024;

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

SIGHUP reads the configuration again and goes on with the rules and the environment that it names
now, without a pause; where anything in it has a fault, with those there are. Windows of rules that
are unchanged go on, bursts of rules that are gone are over.

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
    /// Append what could not be read, what came too late, and which alerts a sink would not take, as
    /// NDJSON to this file; without it, rejects are counted, and the first of each reason is shown.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Wait until another floodmark lets go of the ledger, and take over.
    #[arg(long)]
    standby: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<bool> {
    let examined = Examined::of(Some(&args.config), &[]);
    let (Some(settings), Some(rules)) = (examined.settings, examined.rules) else {
        let faults = counted(examined.faults.len(), "fault");
        anyhow::bail!("{faults}; nothing was started\n{}", examined.faults.join("\n"));
    };
    let rejects = args.rejects.as_ref().map(append).transpose()?;
    let mut rules = Arc::new(rules);
    let (stopped, reloads) = signals::stop_and_reload()?;
    let ledger = ledger(&settings, &args.config, args.standby)?;
    let options = Options {
        seed: ledger.seed()?,
        windows_max: settings.engine.windows_max,
        keeps_changes: true,
    };
    let resumed = ledger.resume()?;
    let said = resumed.said();
    let Resumed { inputs, lanes, unreadable } = resumed;
    let windows: usize = lanes.values().map(|saved| saved.state.windows.len()).sum();
    let (lanes, dropped) = Lanes::resumed(rules.clone(), options, settings.is_keyed(), lanes);
    let mut feeds = Feeds::needed_by(&rules, ledger.feeds()?, clock::wall_ms());
    feeds.recall(&said);
    if let Some(http) = &settings.http {
        listen(http)?;
    }
    let couriers = couriers(&settings, &ledger, &stopped)?;
    let (asides_in, asides) = bounded(ASIDES_WAITING_MAX);
    let positions = inputs.iter().map(|(name, it)| (name.clone(), it.position.clone())).collect();
    let source = Combined::new(parts(&settings, &positions, &asides_in)?, args.until_idle);
    drop(asides_in);
    let flow_settings = flow::Settings {
        lateness_secs: settings.engine.lateness_secs,
        workers: settings.engine.workers.map_or_else(workers, std::num::NonZero::get),
        has_end: args.until_idle,
        checkpoint_interval: Some(settings.ledger.checkpoint_interval),
        is_live: !args.until_idle && settings.engine.follows_clock,
        resumed: inputs,
        said,
        watches_feeds: true,
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
        let windows = counted(windows - dropped, "window");
        eprintln!("floodmark: goes on with {inputs} and {windows}");
    }
    if dropped > 0 {
        let windows = counted(dropped, "window");
        eprintln!("floodmark: {windows} start afresh: keyed_by has come or gone");
    }
    if unreadable > 0 {
        let windows = counted(usize::try_from(unreadable).unwrap_or(usize::MAX), "window");
        eprintln!("floodmark: {windows} of another version start afresh");
    }
    let mut daemon =
        Daemon::new(&settings, (ledger, feeds), stopped.clone(), couriers, asides, rejects)?;
    let ran = flow::run(&lanes, Box::new(source), &flow_settings, &stopped, &mut |report| {
        daemon.hear(report);
        daemon.tell_status(&lanes);
        if reloads.swap(false, Ordering::Relaxed) {
            reload::reload(&args.config, &settings, &mut rules, &lanes, &mut daemon);
        }
    });
    let is_well = daemon.close(&lanes, stopped.load(Ordering::Relaxed))?;
    ran?;
    Ok(is_well)
}

/// The ledger that is configured, or one in memory.
fn ledger(settings: &Settings, config: &Path, standby: bool) -> Result<Ledger, LedgerError> {
    let Some(path) = settings.ledger_path(config) else { return Ledger::in_memory() };
    let waits = standby || settings.ledger.standby;
    match Ledger::open(&path, false) {
        Err(LedgerError::Taken(_)) if waits => {
            eprintln!("floodmark: stands by until {} is let go of", path.display());
            Ledger::open(&path, true)
        }
        opened => opened,
    }
}

/// Has metrics and health served.
fn listen(http: &Http) -> anyhow::Result<()> {
    let token = http.token.as_ref().map(|it| it.fetch(&|name| std::env::var(name).ok()));
    let token = token.transpose().context("http.token")?;
    let at = http::serve(http.listen, token)
        .with_context(|| format!("cannot listen on {} (http.listen)", http.listen))?;
    eprintln!("floodmark: metrics at http://{at}/metrics, health at http://{at}/health");
    Ok(())
}

fn append(path: &PathBuf) -> anyhow::Result<BufWriter<std::fs::File>> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    Ok(BufWriter::new(file.with_context(|| format!("cannot write {}", path.display()))?))
}

fn names<'n>(names: impl Iterator<Item = &'n String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

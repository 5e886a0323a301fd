//! What the daemon does with what it hears: into the ledger, to the sinks, and a line now and then.

mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;
use floodmark_detectors::alert::{Alert, AlertId, Life};
use floodmark_detectors::engine::Counts;
use floodmark_detectors::rule::{Mode, RuleSet};
use hdrhistogram::Histogram;

use crate::clock::{self, Stopwatch};
use crate::config::Settings;
use crate::envelope;
use crate::feeds::Feeds;
use crate::flow::{Lanes, Report};
use crate::ledger::{Ledger, LedgerError};
use crate::metrics::{self, Reason, Rule, metrics};
use crate::open::Reject;
use crate::sink::{Courier, Leaving};
use crate::source::history::Aside;

use super::saving::Saving;

/// Longest latency that is told apart: a day.
const LATENCY_MS_MAX: u64 = 86_400_000;

/// Reasons of rejects that are told apart; further ones are counted together.
const REASONS_MAX: usize = 64;

/// Reasons a ledger cannot be written now, told again at most so often.
const COMPLAIN: Duration = Duration::from_secs(30);

/// How long a ledger that cannot be written is left alone before it is tried again.
const LEDGER_PAUSE: Duration = Duration::from_millis(500);

/// What the daemon knows of itself.
pub(super) struct Daemon {
    ledger: Ledger,
    feeds: Feeds,
    alerts_max: u64,
    lateness_secs: i64,
    stopped: Arc<AtomicBool>,
    /// The sinks' names, in the order of their couriers.
    sinks: Vec<String>,
    couriers: Vec<Courier>,
    asides: Receiver<Aside>,
    /// What sinks would not take.
    refused: Receiver<Reject>,
    /// The checkpoint that is being saved.
    saving: Option<Saving>,
    reject_file: Option<BufWriter<std::fs::File>>,
    /// Why rejects cannot be written any more.
    reject_fault: Option<std::io::Error>,
    reasons: BTreeMap<String, u64>,
    /// Alerts that sinks would not take.
    refusals: u64,
    rejects: u64,
    late: u64,
    counts: Counts,
    envelopes: envelope::Counts,
    /// Bursts that were told of and are not over, of rules that alert.
    open: BTreeSet<AlertId>,
    /// From handing a record to the broker until the alerts that it led to were on the disk.
    latency_ms: Histogram<u64>,
    sent: u64,
    /// Bursts of rules that only observe or enrich, by rule.
    observed: BTreeMap<String, u64>,
    file_faults: u64,
    since_start: Stopwatch,
    since_status: Stopwatch,
    since_pruned: Stopwatch,
    since_measured: Stopwatch,
    /// When it was last told that the ledger cannot be written, while that is so.
    complained: Option<Stopwatch>,
    records_at_status: u64,
}

impl Daemon {
    pub(super) fn new(
        settings: &Settings,
        (ledger, feeds): (Ledger, Feeds),
        stopped: Arc<AtomicBool>,
        (couriers, refused): (Vec<Courier>, Receiver<Reject>),
        asides: Receiver<Aside>,
        reject_file: Option<BufWriter<std::fs::File>>,
    ) -> anyhow::Result<Daemon> {
        Ok(Daemon {
            ledger,
            feeds,
            alerts_max: settings.ledger.alerts_max,
            lateness_secs: settings.engine.lateness_secs,
            stopped,
            sinks: settings.sinks.iter().map(|sink| sink.name.clone()).collect(),
            couriers,
            asides,
            refused,
            saving: None,
            reject_file,
            reject_fault: None,
            reasons: BTreeMap::new(),
            refusals: 0,
            rejects: 0,
            late: 0,
            counts: Counts::default(),
            envelopes: envelope::Counts::default(),
            open: BTreeSet::new(),
            latency_ms: Histogram::new_with_bounds(1, LATENCY_MS_MAX, 2)?,
            sent: 0,
            observed: BTreeMap::new(),
            file_faults: 0,
            since_start: Stopwatch::start(),
            since_status: Stopwatch::start(),
            since_pruned: Stopwatch::start(),
            since_measured: Stopwatch::start(),
            complained: None,
            records_at_status: 0,
        })
    }

    pub(super) fn hear(&mut self, report: Report) {
        metrics().add(&report);
        self.counts.add(report.counts);
        self.envelopes.add(&report.envelopes);
        self.late += report.late;
        if !report.feeds.is_empty() {
            self.feeds.see(&report.feeds, clock::wall_ms());
        }
        for reject in &report.rejects {
            self.reject(reject);
        }
        self.hear_asides();
        while let Ok(reject) = self.refused.try_recv() {
            self.refusals += 1;
            self.keep(&reject);
        }
        self.say(&report.lane, &report.alerts);
        if let Some(sent_ms) = report.sent_ms {
            let waited_ms = u64::try_from(clock::wall_ms() - sent_ms).unwrap_or(0);
            let waited_ms = waited_ms.clamp(1, LATENCY_MS_MAX);
            // It is within the bounds.
            self.latency_ms.record_n(waited_ms, report.alerts.len() as u64).ok();
            for _ in &report.alerts {
                metrics().alert_latency.observe(waited_ms as f64 / 1_000.0);
            }
        }
        if let Some(checkpoint) = report.checkpoint {
            // One is asked for only after the one before, but for the last.
            self.save_all();
            let is_last = checkpoint.is_last;
            self.saving = Some(Saving::new(checkpoint));
            if is_last {
                self.save_all();
            }
        }
        self.save_some();
    }

    /// Goes on with the checkpoint that is being saved, for a moment, unless it has just done so:
    /// what else is to be heard has its turn.
    fn save_some(&mut self) {
        let Some(mut saving) = self.saving.take_if(|saving| saving.is_due()) else { return };
        let ledger = self.ledger.clone();
        match self.write(|| saving.step(&ledger)) {
            Some(false) => self.saving = Some(saving),
            Some(true) => {
                metrics().checkpoints.inc();
                metrics().checkpoint_seconds.set(saving.since_begun.elapsed().as_secs_f64());
                saving.checkpoint.is_durable();
            }
            None => {}
        }
    }

    fn save_all(&mut self) {
        while self.saving.as_mut().is_some_and(Saving::hurry) {
            self.save_some();
        }
    }

    /// Puts alerts into the ledger, and rings for the sinks once they are on the disk.
    fn say(&mut self, lane: &str, alerts: &[Alert]) {
        if alerts.is_empty() {
            return;
        }
        let ledger = self.ledger.clone();
        let (said_ms, lateness_secs) = (clock::wall_ms(), self.lateness_secs);
        if self.write(|| ledger.say(lane, alerts, said_ms, lateness_secs)).is_none() {
            return;
        }
        for alert in alerts {
            if matches!(alert.rule.mode, Mode::Observe | Mode::Enrich) {
                if alert.life == Life::Open {
                    let rule = metrics::rule(alert);
                    metrics().observed_bursts.get_or_create(&Rule { rule: rule.clone() }).inc();
                    *self.observed.entry(rule).or_default() += 1;
                }
                continue;
            }
            match alert.life {
                Life::Open | Life::Update => self.open.insert(alert.id),
                Life::Closed | Life::Merged(_) => self.open.remove(&alert.id),
            };
            self.sent += 1;
            metrics().said(alert);
        }
        self.couriers.iter().for_each(Courier::ring);
    }

    /// Writes to the ledger, and while that is impossible waits: nothing is read meanwhile, and
    /// nothing is lost. None where the daemon is to stop before that; then the sources bring again
    /// what was not written.
    fn write<T>(&mut self, mut work: impl FnMut() -> Result<T, LedgerError>) -> Option<T> {
        let done = loop {
            let error = match work() {
                Ok(done) => break done,
                Err(error) => error,
            };
            if self.complained.as_ref().is_none_or(|told| told.elapsed() > COMPLAIN) {
                eprintln!("floodmark: {error}; reading waits until the ledger can be written");
                metrics().ledger_writable.set(0);
                self.complained = Some(Stopwatch::start());
            }
            if self.stopped.load(Ordering::Relaxed) {
                return None;
            }
            std::thread::park_timeout(LEDGER_PAUSE);
        };
        if self.complained.take().is_some() {
            metrics().ledger_writable.set(1);
            eprintln!("floodmark: the ledger can be written again");
        }
        Some(done)
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

    /// Writes a reject to the file, if there is one.
    fn keep(&mut self, reject: &Reject) {
        if let Some(file) = &mut self.reject_file
            && self.reject_fault.is_none()
        {
            let line = serde_json::to_string(reject).map_err(std::io::Error::from);
            if let Err(error) = line.and_then(|line| writeln!(file, "{line}")) {
                eprintln!("floodmark: rejects are only counted from here on: {error}");
                self.reject_fault = Some(error);
            }
        }
    }

    fn reject(&mut self, reject: &Reject) {
        self.rejects += 1;
        self.keep(reject);
        let is_known = self.reasons.contains_key(&reject.reason);
        let is_apart = is_known || self.reasons.len() < REASONS_MAX;
        let reason = if is_apart { reject.reason.clone() } else { "for other reasons".to_owned() };
        metrics().rejects.get_or_create(&Reason { reason: reason.clone() }).inc();
        *self.reasons.entry(reason).or_default() += 1;
        if !is_apart {
            return;
        }
        if !is_known && self.reject_file.is_none() {
            eprintln!(
                "floodmark: rejected: {} at {}: {}: {}",
                reject.input, reject.offset, reject.reason, reject.excerpt
            );
        }
    }

    /// Goes on for other rules.
    pub(super) fn now_needs(&mut self, rules: &RuleSet) {
        self.feeds = std::mem::take(&mut self.feeds).now_needed_by(rules, clock::wall_ms());
    }

    /// Sends what is on its way, closes the sinks, and says how it went; whether all went well.
    pub(super) fn close(mut self, lanes: &Lanes, is_stopped: bool) -> anyhow::Result<bool> {
        self.hear_asides();
        let couriers = std::mem::take(&mut self.couriers);
        let leaving: Vec<Leaving> = couriers.into_iter().map(Courier::last_call).collect();
        // Ends with the last courier.
        for reject in self.refused.clone() {
            self.refusals += 1;
            self.keep(&reject);
        }
        let mut undelivered: u64 = leaving.into_iter().map(Leaving::wait).sum();
        let mut waiting = 0;
        for sink in &self.sinks {
            waiting += self.ledger.waiting(sink)?.count;
        }
        self.prune();
        self.keep_feeds();
        let how = if is_stopped { "stopped" } else { "ended" };
        let elapsed = self.since_start.elapsed();
        eprintln!("floodmark: {how}: {}", self.status(lanes, self.counts.records, elapsed));
        for (reason, count) in &self.reasons {
            eprintln!("floodmark: {count} rejected: {reason}");
        }
        for (rule, bursts) in &self.observed {
            eprintln!("floodmark: {rule}: {bursts} bursts, not sent: it observes or enriches");
        }
        if !self.open.is_empty() {
            let how = if self.ledger.is_kept() {
                "and go on at the next start"
            } else {
                "and nothing says that they are over"
            };
            eprintln!("floodmark: {} bursts stay open, {how}", self.open.len());
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

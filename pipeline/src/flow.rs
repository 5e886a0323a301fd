//! The whole wiring on one screen: a source, workers around one engine, and whoever listens.
//!
//! ```text
//! source (a thread) -> batches -> workers -> reports -> listener (the caller's thread)
//!                                   |  ^
//!                                  engine, progress
//! ```
//! Queues between them are bounded, so a slow listener slows the source and nothing grows. A part
//! that fails stops the others; the first cause is what is reported.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use floodmark_detectors::alert::{Alert, AlertId};
use floodmark_detectors::engine::{Counts, Engine, Outcome};
use floodmark_detectors::record::Record;

use crate::clock;
use crate::open::{Opened, Reject};
use crate::progress::{AHEAD_SECS_MAX, Progress, Ticket};
use crate::source::batch::{Batch, Next, Source, SourceError};

/// Batches that wait for a worker, at most.
const BATCHES_WAITING_MAX: usize = 32;

/// Reports that wait for the listener, at most.
const REPORTS_WAITING_MAX: usize = 1_024;

/// How long a source waits for something before it looks whether it should stop.
const WAIT: Duration = Duration::from_millis(50);

/// How a flow is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Lateness bound L, seconds.
    pub lateness_secs: i64,
    /// Threads that decode, match and keep windows.
    pub workers: usize,
    /// Whether the input has an end, so that at that point every burst is closed. A daemon that is
    /// stopped leaves them open.
    pub has_end: bool,
}

/// What one batch came to.
#[derive(Debug, Default)]
pub struct Report {
    /// What is to be said, each burst's revisions in order.
    pub alerts: Vec<Alert>,
    /// Payloads and records that could not be read, or came too late.
    pub rejects: Vec<Reject>,
    /// In numbers.
    pub counts: Counts,
    /// Bytes of records.
    pub bytes: u64,
    /// Records that came later than the bound.
    pub late: u64,
    /// Records with an event time far ahead of their arrival.
    pub ahead: u64,
    /// From handing the first record to the broker to the end of the batch, microseconds, and for
    /// how many records that stands.
    pub latency: Option<(u64, u64)>,
}

/// Runs until the source ends, `stop` is set, or something fails. `listen` gets every report, and
/// now and then none, so that it can look at the clock.
pub fn run(
    engine: &Engine,
    source: Box<dyn Source>,
    settings: &Settings,
    stop: &AtomicBool,
    listen: &mut dyn FnMut(Report),
) -> Result<(), SourceError> {
    let progress = Mutex::new(Progress::default());
    let (batches_in, batches_out) = bounded(BATCHES_WAITING_MAX);
    let (reports_in, reports_out) = bounded(REPORTS_WAITING_MAX);
    std::thread::scope(|scope| {
        let feed = scope.spawn(|| feed(source, &progress, batches_in, stop));
        for _ in 0..settings.workers.max(1) {
            let (batches, reports) = (batches_out.clone(), reports_in.clone());
            scope.spawn(|| work(engine, &progress, settings.lateness_secs, batches, reports));
        }
        drop((batches_out, reports_in));
        let mut order = Order::default();
        loop {
            match reports_out.recv_timeout(WAIT) {
                Ok(mut report) => {
                    report.alerts = order.put(report.alerts);
                    listen(report);
                }
                Err(RecvTimeoutError::Timeout) => listen(Report::default()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let ended = feed.join().expect("a source returns its error and does not panic");
        if settings.has_end && !stop.load(Ordering::Relaxed) && ended.is_ok() {
            let mut report = Report::default();
            take(&mut report, engine.finish());
            report.alerts = order.put(report.alerts);
            listen(report);
        }
        ended
    })
}

/// Reads the source, and hands its batches out.
fn feed(
    mut source: Box<dyn Source>,
    progress: &Mutex<Progress>,
    batches: Sender<(Ticket, Arc<str>, Batch)>,
    stop: &AtomicBool,
) -> Result<(), SourceError> {
    let mut names: BTreeMap<u32, Arc<str>> = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        match source.next(WAIT)? {
            Next::Batch(batch) => {
                let ticket = lock(progress).begin(batch.input);
                let name =
                    names.entry(batch.input).or_insert_with(|| source.name_of(batch.input).into());
                if batches.send((ticket, name.clone(), batch)).is_err() {
                    break;
                }
            }
            Next::Gained(inputs) => {
                let mut progress = lock(progress);
                for input in inputs {
                    progress.gained(input);
                }
            }
            Next::CaughtUp(input) => lock(progress).caught_up(input),
            Next::Ended(input) => lock(progress).ended(input),
            Next::Nothing => {}
            Next::End => break,
        }
    }
    Ok(())
}

/// Takes batches from bytes to outcome, without waiting for anything else.
fn work(
    engine: &Engine,
    progress: &Mutex<Progress>,
    lateness_secs: i64,
    batches: Receiver<(Ticket, Arc<str>, Batch)>,
    reports: Sender<Report>,
) {
    let mut opened = Opened::default();
    for (ticket, name, batch) in batches {
        let mut report = Report::default();
        opened.open(&name, &batch, &mut report.rejects);
        let mut records = Vec::with_capacity(batch.len());
        for (offset, bytes) in opened.records(&batch) {
            report.bytes += bytes.len() as u64;
            match Record::decode(bytes) {
                Ok(record) => records.push(record),
                Err(reason) => {
                    report.rejects.push(Reject::of(&name, offset, &reason.to_string(), bytes));
                }
            }
        }
        // An event time far ahead of its arrival does not move time.
        let latest = clock::wall_time().plus(AHEAD_SECS_MAX);
        report.ahead = records.iter().filter(|r| r.time() > latest).count() as u64;
        let outcome = engine.apply(&records);
        let settled = batch.settled.or_else(|| {
            let newest = records.iter().map(Record::time).filter(|time| *time <= latest).max();
            newest.map(|time| time.plus(-lateness_secs))
        });
        report.late = outcome.late.len() as u64;
        for place in outcome.late.iter().filter_map(|place| records.get(*place)) {
            report.rejects.push(Reject::of(
                &name,
                0,
                "late: older than the watermark",
                place.bytes(),
            ));
        }
        take(&mut report, outcome);
        let watermark = {
            let mut progress = lock(progress);
            progress.done(ticket, settled);
            progress.watermark()
        };
        if let Some(watermark) = watermark {
            take(&mut report, engine.advance(watermark));
        }
        report.latency = batch.sent_ms.map(|sent| {
            let waited_ms = u64::try_from(clock::wall_ms() - sent).unwrap_or(0);
            (waited_ms * 1_000, records.len() as u64)
        });
        if reports.send(report).is_err() {
            return;
        }
    }
}

fn take(report: &mut Report, outcome: Outcome) {
    report.alerts.extend(outcome.alerts);
    report.counts.add(outcome.counts);
}

fn lock(progress: &Mutex<Progress>) -> std::sync::MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts the revisions of each burst in order: reports of two workers may overtake each other.
#[derive(Debug, Default)]
struct Order {
    said: BTreeMap<AlertId, u32>,
    early: BTreeMap<(AlertId, u32), Alert>,
}

impl Order {
    fn put(&mut self, alerts: Vec<Alert>) -> Vec<Alert> {
        let mut ready = Vec::with_capacity(alerts.len());
        for alert in alerts {
            let id = alert.id;
            self.early.insert((id, alert.revision), alert);
            loop {
                let next = self.said.get(&id).copied().unwrap_or(0) + 1;
                let Some(alert) = self.early.remove(&(id, next)) else { break };
                if alert.life.is_last() {
                    self.said.remove(&id);
                } else {
                    self.said.insert(id, next);
                }
                ready.push(alert);
            }
        }
        ready
    }
}

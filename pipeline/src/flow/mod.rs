//! The whole wiring on one screen: a source, workers around one engine, and whoever listens.
//!
//! ```text
//! source (a thread) -> batches -> workers -> reports -> listener (the caller's thread)
//!                                   |  ^
//!                                  engine, progress
//! ```
//! Beside them a keeper reads checkpoints and lets time pass. Queues between them are bounded, so a
//! slow listener slows the source and nothing grows. A part that fails stops the others; the first
//! cause is what is reported.

mod feed;
mod keeper;
mod lanes;
mod order;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, unbounded};
use floodmark_detectors::alert::Alert;
use floodmark_detectors::engine::{Counts, Outcome};
use floodmark_detectors::time::EventTime;

use crate::envelope;
use crate::incident::Incidents;
use crate::open::Reject;
use crate::progress::{Progress, Ticket};
use crate::source::batch::{Batch, Durable, Source, SourceError, Word};
use feed::Feed;
pub use keeper::{Checkpoint, Kept};
use keeper::{Keeper, Turns};
pub use lanes::{Lane, Lanes, Saved};
use worker::work;

/// Batches that wait for a worker, at most.
const BATCHES_WAITING_MAX: usize = 32;

/// Reports that wait for the listener, at most.
const REPORTS_WAITING_MAX: usize = 1_024;

/// How long a source waits for something before it looks whether it should stop.
const WAIT: Duration = Duration::from_millis(50);

/// How a flow is set up.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Lateness bound L, seconds.
    pub lateness_secs: i64,
    /// Threads that decode, match and keep windows.
    pub workers: usize,
    /// Whether the input has an end, so that at that point every burst is closed. A daemon that is
    /// stopped leaves them open.
    pub has_end: bool,
    /// How often a checkpoint is read; none where nothing is kept.
    pub checkpoint_interval: Option<Duration>,
    /// Whether time goes on with the clock while all inputs have been caught up with: for a daemon,
    /// never for history.
    pub is_live: bool,
    /// Inputs that are gone on with.
    pub resumed: BTreeMap<String, Resumed>,
    /// What was said last of bursts that may be spoken of again.
    pub said: Vec<Alert>,
    /// Whether reports say which feeds batches came by.
    pub watches_feeds: bool,
}

/// How far an input is that is gone on with.
#[derive(Debug, Clone)]
pub struct Resumed {
    /// Where it is to be read on from, in its source's words.
    pub position: Box<str>,
    /// What it had settled.
    pub settled: EventTime,
    /// Windows hold something of what stands from here on.
    pub reread_from: Option<Box<str>>,
}

/// What one batch came to.
#[derive(Debug, Default)]
pub struct Report {
    /// The lane that the alerts are of, by name.
    pub lane: Arc<str>,
    /// What is to be said, each burst's revisions in order.
    pub alerts: Vec<Alert>,
    /// Payloads and records that could not be read, or came too late.
    pub rejects: Vec<Reject>,
    /// In numbers.
    pub counts: Counts,
    /// What payloads were wrapped in.
    pub envelopes: envelope::Counts,
    /// The feeds that the batch came by, where that is wanted.
    pub feeds: BTreeSet<Box<str>>,
    /// Bytes of records.
    pub bytes: u64,
    /// Records that came later than the bound.
    pub late: u64,
    /// Records with an event time far ahead of their arrival.
    pub ahead: u64,
    /// From handing the first record to the broker to the end of the batch, microseconds, and for
    /// how many records that stands.
    pub latency: Option<(u64, u64)>,
    /// When the first record was handed to the broker, milliseconds of wall-clock time.
    pub sent_ms: Option<i64>,
    /// What a restart goes on from, once everything heard before this is durable.
    pub checkpoint: Option<Checkpoint>,
}

/// A report, and where it comes from.
struct Heard {
    /// None where it is of no lane.
    lane: Option<Arc<Lane>>,
    /// Another process has said what it says.
    is_reread: bool,
    report: Report,
}

/// A batch on its way to a worker.
struct Work {
    ticket: Ticket,
    lane: Arc<Lane>,
    name: Arc<str>,
    batch: Batch,
}

/// Runs until the source ends, `stop` is set, or something fails. `listen` gets every report, and
/// now and then none, so that it can look at the clock.
pub fn run(
    lanes: &Lanes,
    source: Box<dyn Source>,
    settings: &Settings,
    stop: &AtomicBool,
    listen: &mut dyn FnMut(Report),
) -> Result<(), SourceError> {
    let workers = settings.workers.max(1);
    let progress = Mutex::new(Progress::default());
    let names = Mutex::new(BTreeMap::new());
    let turns = Turns::of(workers);
    // A lane of one input is worked on in the input's order, so that whoever reads the input again
    // gives its bursts the same names.
    let queues = if lanes.is_keyed() { workers } else { 1 };
    let (batches_in, batches_out): (Vec<_>, Vec<_>) =
        (0..queues).map(|_| bounded(BATCHES_WAITING_MAX.div_ceil(queues))).unzip();
    let (reports_in, reports_out) = bounded(REPORTS_WAITING_MAX);
    let (wishes_in, wishes) = bounded(1);
    let (durable_in, durable) = unbounded();
    let keeper = Keeper {
        lanes,
        progress: &progress,
        names: &names,
        turns: &turns,
        interval: settings.checkpoint_interval,
        lateness_secs: settings.is_live.then_some(settings.lateness_secs),
        durable: durable_in,
        is_under_way: Arc::default(),
    };
    std::thread::scope(|scope| {
        let mut feed = Feed {
            source,
            lanes,
            progress: &progress,
            names: &names,
            settings,
            batches: batches_in,
            reports: reports_in.clone(),
            wishes: wishes_in,
            durable,
            stop,
            ahead: BTreeSet::new(),
        };
        let feed = scope.spawn(move || {
            let ended = feed.run();
            // No batch comes any more; the source stays for the last word.
            let Feed { source, durable, .. } = feed;
            (ended, source, durable)
        });
        for (worker, batches) in (0..workers).zip(batches_out.iter().cycle()) {
            let (batches, reports) = (batches.clone(), reports_in.clone());
            let (progress, turns) = (&progress, &turns);
            let is_keyed = lanes.is_keyed();
            scope.spawn(move || {
                work(progress, is_keyed, turns, worker, settings, &batches, &reports);
                turns.ended();
            });
        }
        let reports = reports_in.clone();
        let keeper = &keeper;
        scope.spawn(move || keeper.run(&reports, &wishes));
        drop((batches_out, reports_in));
        let mut incidents = Incidents::after(&settings.said);
        let mut tell = |heard: Heard| {
            let Heard { lane, is_reread, mut report } = heard;
            if let Some(lane) = lane {
                report.alerts = lane.put(report.alerts, !is_reread);
                report.lane = lane.name();
            }
            report.alerts = incidents.put(report.alerts);
            listen(report);
        };
        if let Some(lane) = lanes.of_all() {
            tell(Heard::left(lane));
        }
        loop {
            if lanes.take_reloaded() {
                lanes.all().iter().for_each(|lane| tell(Heard::left(lane)));
            }
            match reports_out.recv_timeout(WAIT) {
                Ok(heard) => tell(heard),
                Err(RecvTimeoutError::Timeout) => tell(Heard::of_none(Report::default())),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let (ended, mut source, durable) =
            feed.join().expect("a source returns its error and does not panic");
        if settings.has_end && !stop.load(Ordering::Relaxed) && ended.is_ok() {
            for lane in lanes.all() {
                let mut report = Report::default();
                take(&mut report, lane.engine().finish());
                tell(Heard::of(&lane, report));
            }
        }
        if let Some(checkpoint) = keeper.checkpoint(true) {
            tell(Heard::of_none(Report { checkpoint: Some(checkpoint), ..Report::default() }));
        }
        ended.and_then(|()| hear_durable(source.as_mut(), &durable))
    })
}

impl Heard {
    fn of(lane: &Arc<Lane>, report: Report) -> Heard {
        Heard { lane: Some(lane.clone()), is_reread: false, report }
    }

    fn of_none(report: Report) -> Heard {
        Heard { lane: None, is_reread: false, report }
    }

    /// What a stop, or other rules, had left unsaid.
    fn left(lane: &Arc<Lane>) -> Heard {
        Heard::of(lane, Report { alerts: lane.left(), ..Report::default() })
    }
}

/// Tells the source the newest positions that are durable.
fn hear_durable(
    source: &mut dyn Source,
    durable: &Receiver<Vec<Durable>>,
) -> Result<(), SourceError> {
    match durable.try_iter().last() {
        Some(done) => source.hear(Word::Durable(done)),
        None => Ok(()),
    }
}

fn take(report: &mut Report, outcome: Outcome) {
    report.alerts.extend(outcome.alerts);
    report.counts.add(outcome.counts);
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

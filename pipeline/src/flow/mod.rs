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

mod keeper;
mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded, unbounded};
use floodmark_detectors::alert::Alert;
use floodmark_detectors::engine::{Counts, Engine, Outcome};
use floodmark_detectors::record::Record;
use floodmark_detectors::time::EventTime;

use crate::clock;
use crate::envelope;
use crate::feeds;
use crate::incident::Incidents;
use crate::open::{Opened, Reject};
use crate::progress::{AHEAD_SECS_MAX, Input, Progress, Ticket};
use crate::source::batch::{Batch, Next, Source, SourceError, Word};
pub use keeper::{Checkpoint, Kept};
use keeper::{Keeper, Turns};
use order::Order;

/// Batches that wait for a worker, at most.
const BATCHES_WAITING_MAX: usize = 32;

/// Reports that wait for the listener, at most.
const REPORTS_WAITING_MAX: usize = 1_024;

/// Records that are decoded before they are matched: few enough to be in the processor's cache then.
const RECORDS_AT_ONCE: usize = 64;

/// How long a source waits for something before it looks whether it should stop.
const WAIT: Duration = Duration::from_millis(50);

/// How far ahead of the watermark an input may be in event time before it is not read for a while,
/// seconds. What it brings would wait in windows for the others.
const INPUT_AHEAD_SECS_MAX: i64 = 3_600;

/// Batches after which it is looked which inputs are ahead.
const BATCHES_BETWEEN_LOOKS: u32 = 256;

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
    /// Inputs that are gone on with, and what they had settled.
    pub resumed: BTreeMap<String, EventTime>,
    /// What was said last of bursts that may be spoken of again.
    pub said: Vec<Alert>,
    /// What a stop had left unsaid.
    pub left: Vec<Alert>,
    /// Whether reports say which feeds batches came by.
    pub watches_feeds: bool,
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
    /// What a restart goes on from, once everything heard before this is durable.
    pub checkpoint: Option<Checkpoint>,
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
    let workers = settings.workers.max(1);
    let progress = Mutex::new(Progress::default());
    let names = Mutex::new(BTreeMap::new());
    let turns = Turns::of(workers);
    let (batches_in, batches_out) = bounded(BATCHES_WAITING_MAX);
    let (reports_in, reports_out) = bounded(REPORTS_WAITING_MAX);
    let (wishes_in, wishes) = bounded(1);
    let (durable_in, durable) = unbounded();
    let keeper = Keeper {
        engine,
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
            progress: &progress,
            names: &names,
            resumed: &settings.resumed,
            batches: batches_in,
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
        for worker in 0..workers {
            let (batches, reports) = (batches_out.clone(), reports_in.clone());
            let (progress, turns) = (&progress, &turns);
            scope.spawn(move || {
                work(engine, progress, turns, worker, settings, &batches, &reports);
                turns.ended();
            });
        }
        let reports = reports_in.clone();
        let keeper = &keeper;
        scope.spawn(move || keeper.run(&reports, &wishes));
        drop((batches_out, reports_in));
        let mut order = Order::after(&settings.said);
        let mut incidents = Incidents::after(&settings.said);
        let mut tell = |mut report: Report| {
            report.alerts = incidents.put(order.put(report.alerts));
            listen(report);
        };
        tell(Report { alerts: settings.left.clone(), ..Report::default() });
        loop {
            match reports_out.recv_timeout(WAIT) {
                Ok(report) => tell(report),
                Err(RecvTimeoutError::Timeout) => tell(Report::default()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let (ended, mut source, durable) =
            feed.join().expect("a source returns its error and does not panic");
        if settings.has_end && !stop.load(Ordering::Relaxed) && ended.is_ok() {
            let mut report = Report::default();
            take(&mut report, engine.finish());
            tell(report);
        }
        if let Some(checkpoint) = keeper.checkpoint() {
            tell(Report { checkpoint: Some(checkpoint), ..Report::default() });
        }
        ended.and_then(|()| hear_durable(source.as_mut(), &durable))
    })
}

/// Tells the source the newest positions that are durable.
fn hear_durable(
    source: &mut dyn Source,
    durable: &Receiver<Vec<(Input, Box<str>)>>,
) -> Result<(), SourceError> {
    match durable.try_iter().last() {
        Some(positions) => source.hear(Word::Durable(positions)),
        None => Ok(()),
    }
}

/// What reads the source, and hands its batches out.
struct Feed<'f> {
    source: Box<dyn Source>,
    progress: &'f Mutex<Progress>,
    names: &'f Mutex<BTreeMap<Input, Arc<str>>>,
    resumed: &'f BTreeMap<String, EventTime>,
    batches: Sender<(Ticket, Arc<str>, Batch)>,
    wishes: Sender<()>,
    durable: Receiver<Vec<(Input, Box<str>)>>,
    stop: &'f AtomicBool,
    /// Inputs that are not read for now.
    ahead: BTreeSet<Input>,
}

impl Feed<'_> {
    fn run(&mut self) -> Result<(), SourceError> {
        let mut batches: u32 = 0;
        while !self.stop.load(Ordering::Relaxed) {
            hear_durable(self.source.as_mut(), &self.durable)?;
            if batches.is_multiple_of(BATCHES_BETWEEN_LOOKS) || !self.ahead.is_empty() {
                self.look_ahead()?;
            }
            match self.source.next(WAIT)? {
                Next::Batch(batch) => {
                    batches = batches.wrapping_add(1);
                    let name = self.name(batch.input);
                    let ticket = lock(self.progress).begin(batch.input);
                    if !self.hand_out((ticket, name, batch))? {
                        break;
                    }
                }
                Next::Gained(inputs) => {
                    for input in inputs {
                        let name = self.name(input);
                        let settled = self.resumed.get(name.as_ref()).copied();
                        lock(self.progress).resumed(input, settled.unwrap_or(EventTime::MIN));
                    }
                }
                // One wish is enough, and it may be there already.
                Next::Leaving(_) => drop(self.wishes.try_send(())),
                Next::Lost(inputs) => {
                    let mut progress = lock(self.progress);
                    inputs.into_iter().for_each(|input| progress.lost(input));
                }
                Next::CaughtUp(input) => lock(self.progress).caught_up(input),
                Next::Unheard(inputs) => {
                    let mut progress = lock(self.progress);
                    inputs.into_iter().for_each(|input| progress.unheard(input));
                }
                Next::Ended(input) => lock(self.progress).ended(input),
                Next::Nothing => {}
                Next::End => break,
            }
        }
        Ok(())
    }

    /// Waits for room; whether anybody still works.
    fn hand_out(&mut self, batch: (Ticket, Arc<str>, Batch)) -> Result<bool, SourceError> {
        let mut batch = batch;
        loop {
            match self.batches.send_timeout(batch, WAIT) {
                Ok(()) => return Ok(true),
                Err(SendTimeoutError::Disconnected(_)) => return Ok(false),
                Err(SendTimeoutError::Timeout(back)) => {
                    batch = back;
                    self.source.hear(Word::Hold)?;
                }
            }
        }
    }

    fn look_ahead(&mut self) -> Result<(), SourceError> {
        let ahead = lock(self.progress).ahead(INPUT_AHEAD_SECS_MAX);
        if ahead != self.ahead {
            self.ahead.clone_from(&ahead);
            self.source.hear(Word::Ahead(ahead))?;
        }
        Ok(())
    }

    fn name(&mut self, input: Input) -> Arc<str> {
        let mut names = lock(self.names);
        names.entry(input).or_insert_with(|| self.source.name_of(input).into()).clone()
    }
}

/// Takes batches from bytes to outcome, without waiting for anything else.
fn work(
    engine: &Engine,
    progress: &Mutex<Progress>,
    turns: &Turns,
    worker: usize,
    settings: &Settings,
    batches: &Receiver<(Ticket, Arc<str>, Batch)>,
    reports: &Sender<Report>,
) {
    let mut opened = Opened::default();
    for (ticket, name, batch) in batches {
        turns.turn(worker);
        let mut report = Report::default();
        // An event time far ahead of its arrival does not move time.
        let latest = clock::wall_time().plus(AHEAD_SECS_MAX);
        let (mut next, mut newest) = (0, None);
        while next < batch.len() {
            next = opened.open(next, &name, &batch, &mut report.rejects);
            report.envelopes.add(opened.counts());
            let came = Came { input: &name, opened: &opened, batch: &batch, latest };
            newest = newest.max(came.apply(engine, settings.watches_feeds, &mut report));
        }
        let settled = batch.settled.or(newest.map(|time| time.plus(-settings.lateness_secs)));
        let watermark = {
            let mut progress = lock(progress);
            progress.done(ticket, settled, batch.position.clone());
            progress.watermark()
        };
        if let Some(watermark) = watermark {
            take(&mut report, engine.advance(watermark));
        }
        report.latency = batch.sent_ms.map(|sent| {
            let waited_ms = u64::try_from(clock::wall_ms() - sent).unwrap_or(0);
            (waited_ms * 1_000, report.counts.records)
        });
        if reports.send(report).is_err() {
            return;
        }
        turns.turn(worker);
    }
}

/// What was opened of a batch.
struct Came<'c> {
    input: &'c str,
    opened: &'c Opened,
    batch: &'c Batch,
    /// An event time later than this is far ahead of its arrival.
    latest: EventTime,
}

impl Came<'_> {
    /// Gives the records to the engine; the greatest event time that is not far ahead.
    fn apply(
        &self,
        engine: &Engine,
        watches_feeds: bool,
        report: &mut Report,
    ) -> Option<EventTime> {
        let mut all = self.opened.records(self.batch);
        let count = all.len();
        let mut newest = None;
        while all.len() > 0 {
            let mut records = Vec::with_capacity(RECORDS_AT_ONCE);
            for (offset, bytes) in all.by_ref().take(RECORDS_AT_ONCE) {
                report.bytes += bytes.len() as u64;
                match Record::decode(bytes) {
                    Ok(record) => records.push(record),
                    Err(reason) => {
                        report.rejects.push(Reject::of(
                            self.input,
                            offset,
                            &reason.to_string(),
                            bytes,
                        ));
                    }
                }
            }
            report.ahead += records.iter().filter(|r| r.time() > self.latest).count() as u64;
            if watches_feeds {
                feeds::add(&mut report.feeds, &records, count);
            }
            let outcome = engine.apply(&records);
            report.late += outcome.late.len() as u64;
            for record in outcome.late.iter().filter_map(|place| records.get(*place)) {
                let reason = "late: older than the watermark";
                report.rejects.push(Reject::of(self.input, 0, reason, record.bytes()));
            }
            take(report, outcome);
            let in_time = records.iter().map(Record::time).filter(|time| *time <= self.latest);
            newest = newest.max(in_time.max());
        }
        newest
    }
}

fn take(report: &mut Report, outcome: Outcome) {
    report.alerts.extend(outcome.alerts);
    report.counts.add(outcome.counts);
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

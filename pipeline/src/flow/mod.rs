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
mod lanes;
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
use crate::progress::{AHEAD_SECS_MAX, Input, Progress, Ticket, Worked};
use crate::source::batch::{Batch, Durable, Next, Source, SourceError, Word};
pub use keeper::{Checkpoint, Kept};
use keeper::{Keeper, Turns};
pub use lanes::{Lane, Lanes, Saved};

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
        if let Some(checkpoint) = keeper.checkpoint() {
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

    /// What a stop had left unsaid.
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

/// What reads the source, and hands its batches out.
struct Feed<'f> {
    source: Box<dyn Source>,
    lanes: &'f Lanes,
    progress: &'f Mutex<Progress>,
    names: &'f Mutex<BTreeMap<Input, Arc<str>>>,
    settings: &'f Settings,
    batches: Vec<Sender<Work>>,
    reports: Sender<Heard>,
    wishes: Sender<()>,
    durable: Receiver<Vec<Durable>>,
    stop: &'f AtomicBool,
    /// Inputs that are not read for now.
    ahead: BTreeSet<Input>,
}

impl Feed<'_> {
    fn run(&mut self) -> Result<(), SourceError> {
        let mut batches: u32 = 0;
        while !self.stop.load(Ordering::Relaxed) {
            hear_durable(self.source.as_mut(), &self.durable)?;
            let is_time = batches.is_multiple_of(BATCHES_BETWEEN_LOOKS) || !self.ahead.is_empty();
            // An input with a lane of its own waits for no other.
            if is_time && !self.lanes.is_keyed() {
                self.look_ahead()?;
            }
            match self.source.next(WAIT)? {
                Next::Batch(batch) => {
                    batches = batches.wrapping_add(1);
                    let name = self.name(batch.input);
                    let lane = self.lanes.of(batch.input, &name);
                    let ticket = lock(self.progress).begin(batch.input);
                    if !self.hand_out(Work { ticket, lane, name, batch })? {
                        break;
                    }
                }
                Next::Overtaken(inputs) => {
                    for (input, judges_from) in inputs {
                        let name = self.name(input);
                        self.lanes.overtaken(&name, judges_from);
                    }
                }
                Next::Gained(inputs) => {
                    for input in inputs {
                        if !self.gained(input) {
                            return Ok(());
                        }
                    }
                }
                // One wish is enough, and it may be there already.
                Next::Leaving(_) => drop(self.wishes.try_send(())),
                Next::Lost(inputs) => {
                    for input in inputs {
                        lock(self.progress).lost(input);
                        self.lanes.lost(input);
                    }
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

    /// Goes on with an input where it was left; whether anybody still listens.
    fn gained(&mut self, input: Input) -> bool {
        let name = self.name(input);
        let settings = self.settings;
        let resumed = settings.resumed.get(name.as_ref()).filter(|_| self.lanes.goes_on(&name));
        let mut settled = resumed.map_or(EventTime::MIN, |it| it.settled);
        {
            let mut progress = lock(self.progress);
            if !self.lanes.is_keyed() {
                // It may have been read here before, as another input.
                let names = lock(self.names);
                let same = names.iter().filter(|(_, other)| **other == name);
                let before = same.filter_map(|(other, _)| progress.settled(*other)).max();
                settled = settled.max(before.unwrap_or(EventTime::MIN));
            }
            progress.resumed(input, settled);
            if let Some(from) = resumed.and_then(|it| it.reread_from.clone()) {
                let newest = settled.plus(settings.lateness_secs + AHEAD_SECS_MAX);
                progress.has_brought(input, from, newest);
            }
        }
        // What was kept of it goes on, whether it brings anything or not.
        !self.lanes.is_keyed()
            || resumed.is_none()
            || self.reports.send(Heard::left(&self.lanes.of(input, &name))).is_ok()
    }

    /// Waits for room; whether anybody still works.
    fn hand_out(&mut self, work: Work) -> Result<bool, SourceError> {
        let queue = work.ticket.input() as usize % self.batches.len().max(1);
        let mut work = work;
        loop {
            let Some(batches) = self.batches.get(queue) else { return Ok(false) };
            match batches.send_timeout(work, WAIT) {
                Ok(()) => return Ok(true),
                Err(SendTimeoutError::Disconnected(_)) => return Ok(false),
                Err(SendTimeoutError::Timeout(back)) => {
                    work = back;
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
    progress: &Mutex<Progress>,
    is_keyed: bool,
    turns: &Turns,
    worker: usize,
    settings: &Settings,
    batches: &Receiver<Work>,
    reports: &Sender<Heard>,
) {
    let mut opened = Opened::default();
    for Work { ticket, lane, name, mut batch } in batches {
        turns.turn(worker);
        let mut report = Report::default();
        // An event time far ahead of its arrival does not move time.
        let latest = clock::wall_time().plus(AHEAD_SECS_MAX);
        let (mut next, mut newest) = (0, Newest::default());
        while next < batch.len() {
            next = opened.open(next, &name, &batch, &mut report.rejects);
            report.envelopes.add(opened.counts());
            let came = Came { input: &name, opened: &opened, batch: &batch, latest };
            newest = newest.max(came.apply(lane.engine(), settings.watches_feeds, &mut report));
        }
        let in_time = newest.in_time.map(|time| time.plus(-settings.lateness_secs));
        let worked = Worked {
            settled: batch.settled.or(in_time),
            position: batch.position.take(),
            from: batch.from.take(),
            newest: newest.of_all,
        };
        let watermark = {
            let mut progress = lock(progress);
            progress.done(ticket, worked);
            if is_keyed { progress.settled(ticket.input()) } else { progress.watermark() }
        };
        if let Some(watermark) = watermark {
            take(&mut report, lane.engine().advance(watermark));
        }
        if batch.is_reread {
            // Whoever read it first has told of it; what it did is all that counts.
            report = Report { alerts: report.alerts, ..Report::default() };
        } else {
            report.latency = batch.sent_ms.map(|sent| {
                let waited_ms = u64::try_from(clock::wall_ms() - sent).unwrap_or(0);
                (waited_ms * 1_000, report.counts.records)
            });
        }
        let heard = Heard { lane: Some(lane), is_reread: batch.is_reread, report };
        if reports.send(heard).is_err() {
            return;
        }
        turns.turn(worker);
    }
}

/// The greatest event times of some records.
#[derive(Clone, Copy, Default)]
struct Newest {
    /// Of those that are not far ahead of their arrival.
    in_time: Option<EventTime>,
    of_all: Option<EventTime>,
}

impl Newest {
    fn max(self, other: Newest) -> Newest {
        Newest { in_time: self.in_time.max(other.in_time), of_all: self.of_all.max(other.of_all) }
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
    /// Gives the records to the engine.
    fn apply(&self, engine: &Engine, watches_feeds: bool, report: &mut Report) -> Newest {
        let mut all = self.opened.records(self.batch);
        let count = all.len();
        let mut newest = Newest::default();
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
            let times = records.iter().map(Record::time);
            newest = newest.max(Newest {
                in_time: times.clone().filter(|time| *time <= self.latest).max(),
                of_all: times.max(),
            });
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

//! From the bytes of a batch to what it led to.

use std::sync::Mutex;

use crossbeam_channel::{Receiver, Sender};
use floodmark_detectors::engine::Engine;
use floodmark_detectors::record::Record;
use floodmark_detectors::time::EventTime;

use super::keeper::Turns;
use super::{Heard, Report, Settings, Work, lock, take};
use crate::clock;
use crate::feeds;
use crate::open::{Opened, Reject};
use crate::progress::{AHEAD_SECS_MAX, Progress, Worked};
use crate::source::batch::Batch;

/// Records that are decoded before they are matched: few enough to be in the processor's cache then.
const RECORDS_AT_ONCE: usize = 64;

/// Takes batches from bytes to outcome, without waiting for anything else.
pub(super) fn work(
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
            newest = newest.max(came.apply(&lane.engine(), settings.watches_feeds, &mut report));
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
            if is_keyed && batch.is_last {
                // Under the lock: whoever sees the position finds the lane at its end.
                take(&mut report, lane.engine().finish_here());
            }
            if is_keyed { progress.settled(ticket.input()) } else { progress.watermark() }
        };
        if let Some(watermark) = watermark {
            take(&mut report, lane.engine().advance(watermark));
        }
        if batch.is_reread {
            // Whoever read it first has told of it; what it did is all that counts.
            report = Report { alerts: report.alerts, ..Report::default() };
        } else {
            report.sent_ms = batch.sent_ms;
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
        let mut whole = engine.begin();
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
            let outcome = whole.apply(&records);
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
        take(report, whole.end());
        newest
    }
}

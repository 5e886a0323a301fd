//! Drives one sink: a thread that takes from the ledger what comes next for it, sends, and tries
//! again.
//!
//! A sink has a cursor of its own, so one that is down holds back nobody: what it misses waits in
//! the ledger, also over a restart. What is to be sent again is sent again after a pause that doubles up
//! to [`PAUSE_MAX`], with jitter, so that many do not come back at once. Two revisions of one burst
//! never travel together: a close does not overtake its open. What a receiver will never take is
//! noted in the ledger with its reason, told to whoever keeps rejects, and passed over.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::{Sink, Told, Verdict};
use crate::clock::Stopwatch;
use crate::encode::redact::printable;
use crate::ledger::{Cursor, Entry, LedgerError};
use crate::metrics::{self, metrics};
use crate::open::Reject;

/// Alerts sent at once, at most.
const BATCH_ALERTS_MAX: usize = 64;

/// The first pause before sending again.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest pause before sending again, unless the receiver asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long a stopping daemon goes on trying.
const DRAIN: Duration = Duration::from_secs(10);

/// How often it looks into the ledger although nobody rang, and whether the daemon is stopping.
const LOOK: Duration = Duration::from_millis(100);

/// A sink with its thread.
#[derive(Debug)]
pub struct Courier {
    bell: Sender<()>,
    thread: JoinHandle<u64>,
}

impl Courier {
    /// Starts it where its cursor is. `stopped` says that the daemon is stopping; `rejects` gets what
    /// the sink would not take, and is waited for: somebody takes from it until the thread has ended.
    #[must_use]
    pub fn start(
        name: String,
        sink: Box<dyn Sink>,
        cursor: Cursor,
        stopped: Arc<AtomicBool>,
        rejects: Sender<Reject>,
    ) -> Courier {
        let (bell, rings) = bounded(1);
        let mut round = Round {
            name,
            sink,
            cursor,
            rings,
            stopped,
            rejects,
            is_last_call: false,
            since_stop: None,
            refused: 0,
            last_reason: String::new(),
        };
        Courier { bell, thread: std::thread::spawn(move || round.run()) }
    }

    /// There is something new in the ledger.
    pub fn ring(&self) {
        // A full bell has rung already.
        self.bell.try_send(()).unwrap_or_default();
    }

    /// Has it send what waits, close the sink, and end.
    #[must_use]
    pub fn last_call(self) -> Leaving {
        Leaving(self.thread)
    }
}

/// A courier on its last way.
#[derive(Debug)]
pub struct Leaving(JoinHandle<u64>);

impl Leaving {
    /// Waits until it has ended; how many alerts the sink would not take.
    #[must_use]
    pub fn wait(self) -> u64 {
        self.0.join().expect("a sink returns its errors and does not panic")
    }
}

struct Round {
    name: String,
    sink: Box<dyn Sink>,
    cursor: Cursor,
    /// Closed with the last call.
    rings: Receiver<()>,
    stopped: Arc<AtomicBool>,
    rejects: Sender<Reject>,
    is_last_call: bool,
    since_stop: Option<Stopwatch>,
    refused: u64,
    /// Why the last alert that was refused was.
    last_reason: String,
}

impl Round {
    fn run(&mut self) -> u64 {
        loop {
            match self.cursor.next(BATCH_ALERTS_MAX) {
                Ok(entries) if !entries.is_empty() => {
                    if !self.deliver(entries) {
                        break;
                    }
                }
                Ok(_) if self.is_last_call => break,
                Ok(_) => self.wait_for_ring(LOOK * 10),
                Err(error) => {
                    eprintln!("floodmark: sink {}: {error}", self.name);
                    if self.is_last_call {
                        break;
                    }
                    self.wait_for_ring(LOOK * 10);
                }
            }
        }
        if let Err(error) = self.sink.close() {
            eprintln!("floodmark: sink {}: cannot close: {error}", self.name);
            self.refused = self.refused.max(1);
        }
        self.refused
    }

    /// Delivers all of these, or runs out of time; false then.
    fn deliver(&mut self, entries: Vec<Entry>) -> bool {
        let last = entries.last().map_or(self.cursor.sequence, |entry| entry.sequence);
        let mut batch: Vec<(i64, Told)> = entries
            .into_iter()
            .filter(Entry::is_sent)
            .map(|entry| (entry.sequence, Told { view: entry.view(), alert: entry.alert }))
            .collect();
        let mut refused = Vec::new();
        let mut pause = PAUSE;
        let mut trouble = String::new();
        while !batch.is_empty() {
            let (places, told): (Vec<i64>, Vec<Told>) = batch.into_iter().unzip();
            let verdicts = self.sink.send(&told);
            let (mut asked, mut first) = (None, None);
            batch = Vec::new();
            for ((place, told), verdict) in places.into_iter().zip(told).zip(verdicts) {
                match verdict {
                    Verdict::Delivered => {
                        metrics().sink_delivered.get_or_create(&self.label()).inc();
                    }
                    Verdict::Again { why, after } => {
                        first.get_or_insert(why);
                        asked = asked.max(after);
                        batch.push((place, told));
                    }
                    Verdict::Refused(why) => {
                        self.refuse(place, &told, &why);
                        refused.push((place, why));
                    }
                }
            }
            if batch.is_empty() {
                break;
            }
            metrics().sink_retries.get_or_create(&self.label()).inc();
            if let Some(why) = first.filter(|why| *why != trouble) {
                eprintln!("floodmark: sink {}: cannot send now, tries again: {why}", self.name);
                trouble = why;
            }
            if !self.wait(asked.unwrap_or_else(|| jittered(pause))) {
                return false;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
        if !trouble.is_empty() {
            eprintln!("floodmark: sink {}: sends again", self.name);
        }
        self.note(last, &refused)
    }

    /// Moves the cursor on; while the ledger cannot take it, waits.
    fn note(&mut self, sequence: i64, refused: &[(i64, String)]) -> bool {
        let mut pause = PAUSE;
        loop {
            match self.cursor.advance(sequence, refused) {
                Ok(()) => return true,
                Err(error @ LedgerError::Damaged { .. }) => {
                    eprintln!("floodmark: sink {}: {error}", self.name);
                    return false;
                }
                Err(error) => eprintln!("floodmark: sink {}: {error}", self.name),
            }
            if !self.wait(jittered(pause)) {
                return false;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn label(&self) -> metrics::Sink {
        metrics::Sink { sink: self.name.clone() }
    }

    /// Counts an alert that will not be taken. A reason is shown when it is new.
    fn refuse(&mut self, place: i64, told: &Told, why: &str) {
        self.refused += 1;
        metrics().sink_refused.get_or_create(&self.label()).inc();
        let alert = &told.alert;
        let excerpt =
            format!("alert {} revision {}: {}", alert.id, alert.revision, alert.rule.title);
        let reject = Reject {
            input: self.name.clone(),
            offset: place.cast_unsigned(),
            reason: why.to_owned(),
            excerpt: printable(&excerpt),
        };
        // Without a listener it is in the ledger all the same.
        drop(self.rejects.send(reject));
        if self.last_reason != why {
            eprintln!("floodmark: sink {}: {} refused: {why}", self.name, told.alert.id);
            why.clone_into(&mut self.last_reason);
        }
    }

    /// Waits before sending again; whether there is time to.
    fn wait(&mut self, pause: Duration) -> bool {
        let paused = Stopwatch::start();
        loop {
            if self.is_last_call || self.stopped.load(Ordering::Relaxed) {
                let since = self.since_stop.get_or_insert_with(Stopwatch::start);
                if since.elapsed() > DRAIN {
                    return false;
                }
            }
            match pause.checked_sub(paused.elapsed()) {
                None | Some(Duration::ZERO) => return true,
                Some(left) => self.wait_for_ring(left.min(LOOK)),
            }
        }
    }

    fn wait_for_ring(&mut self, at_most: Duration) {
        if self.is_last_call {
            std::thread::park_timeout(at_most);
            return;
        }
        match self.rings.recv_timeout(at_most) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.is_last_call = true,
        }
    }
}

/// Between half of it and all of it.
fn jittered(pause: Duration) -> Duration {
    let random = std::hash::RandomState::new().hash_one(pause) % 512;
    pause.mul_f64(0.5 + f64::from(u32::try_from(random).unwrap_or(0)) / 1_024.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Mutex;

    use floodmark_detectors::alert::{AlertId, Life};

    use super::*;
    use crate::encode::ocsf::tests::burst;
    use crate::ledger::Ledger;

    /// Takes each alert at the second attempt, and refuses what counts 13.
    struct Reluctant {
        attempts: u64,
        got: Arc<Mutex<Vec<(u64, u32)>>>,
    }

    impl Sink for Reluctant {
        fn send(&mut self, alerts: &[Told]) -> Vec<Verdict> {
            self.attempts += 1;
            let verdict = |told: &Told| {
                if told.alert.count == 13 {
                    Verdict::Refused("unlucky".into())
                } else if self.attempts % 2 == 1 {
                    Verdict::Again { why: "busy".into(), after: Some(Duration::ZERO) }
                } else {
                    self.got.lock().unwrap().push((told.alert.count, told.alert.revision));
                    Verdict::Delivered
                }
            };
            alerts.iter().map(verdict).collect()
        }

        fn close(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn sends_again_in_order_and_counts_what_is_refused() {
        let got = Arc::new(Mutex::new(Vec::new()));
        let ledger = Ledger::in_memory().unwrap();
        let cursor = ledger.cursor("test").unwrap();
        for count in 10..20 {
            let open = floodmark_detectors::alert::Alert {
                id: AlertId(u128::from(count)),
                count,
                life: Life::Open,
                ..burst()
            };
            let closed = floodmark_detectors::alert::Alert {
                revision: 2,
                life: Life::Closed,
                ..open.clone()
            };
            ledger.say("", &[open, closed], 0, 0).unwrap();
        }
        let sink = Box::new(Reluctant { attempts: 0, got: got.clone() });
        let (rejects_in, rejects) = bounded(1);
        let courier = Courier::start("test".into(), sink, cursor, Arc::default(), rejects_in);
        let leaving = courier.last_call();
        let rejects: Vec<Reject> = rejects.iter().collect();
        assert_eq!(leaving.wait(), 2);
        assert_eq!(rejects.len(), 2);
        for reject in rejects {
            assert_eq!((reject.input.as_str(), reject.reason.as_str()), ("test", "unlucky"));
            assert!(reject.excerpt.contains(&AlertId(13).to_string()), "{reject:?}");
        }
        let expected: Vec<(u64, u32)> =
            (10..20).filter(|n| *n != 13).flat_map(|n| [(n, 1), (n, 2)]).collect();
        assert_eq!(*got.lock().unwrap(), expected);
        assert_eq!(ledger.waiting("test").unwrap().count, 0);
    }
}

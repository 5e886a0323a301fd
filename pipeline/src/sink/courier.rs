//! Drives one sink: a thread that sends, and tries again.
//!
//! Alerts wait in a bounded queue, so a sink that cannot send slows whoever brings alerts, and
//! nothing is dropped. What is to be sent again is sent again, alone and in its order, after a pause
//! that doubles up to [`PAUSE_MAX`]. Once the daemon is stopping there are [`DRAIN`] for what is on
//! its way; what is left then is counted as not delivered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, after, bounded};

use super::{Sink, Told, Verdict};
use crate::clock::Stopwatch;

/// Alerts that wait for a sink, at most.
const ALERTS_WAITING_MAX: usize = 1_024;

/// Alerts sent at once, at most.
const BATCH_ALERTS_MAX: usize = 64;

/// The first pause before sending again.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest pause before sending again, unless the receiver asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long a stopping daemon goes on trying.
const DRAIN: Duration = Duration::from_secs(10);

/// How often a pause looks whether the daemon is stopping.
const LOOK: Duration = Duration::from_millis(100);

/// A sink with its thread.
#[derive(Debug)]
pub struct Courier {
    alerts: Sender<Told>,
    is_last_call: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Courier {
    /// Starts it. `stopped` says that the daemon is stopping.
    #[must_use]
    pub fn start(name: String, sink: Box<dyn Sink>, stopped: Arc<AtomicBool>) -> Courier {
        let (alerts, waiting) = bounded(ALERTS_WAITING_MAX);
        let is_last_call = Arc::new(AtomicBool::new(false));
        let mut round = Round {
            name,
            sink,
            stopping: [stopped, is_last_call.clone()],
            since_stop: None,
            undelivered: 0,
            last_reason: String::new(),
        };
        let thread = std::thread::spawn(move || round.run(&waiting));
        Courier { alerts, is_last_call, thread }
    }

    /// Hands an alert over; waits while the queue is full.
    pub fn take(&self, told: Told) {
        self.alerts.send(told).expect("the thread takes alerts until the queue is closed");
    }

    /// Sends what waits and closes the sink; how many alerts were not delivered.
    #[must_use]
    pub fn close(self) -> u64 {
        self.is_last_call.store(true, Ordering::Relaxed);
        drop(self.alerts);
        self.thread.join().expect("a sink returns its errors and does not panic")
    }
}

struct Round {
    name: String,
    sink: Box<dyn Sink>,
    stopping: [Arc<AtomicBool>; 2],
    since_stop: Option<Stopwatch>,
    undelivered: u64,
    /// Why the last alert that was refused was.
    last_reason: String,
}

impl Round {
    fn run(&mut self, waiting: &Receiver<Told>) -> u64 {
        while let Ok(first) = waiting.recv() {
            let mut batch = vec![first];
            batch.extend(waiting.try_iter().take(BATCH_ALERTS_MAX - 1));
            self.deliver(batch);
        }
        if let Err(error) = self.sink.close() {
            eprintln!("floodmark: sink {}: cannot close: {error}", self.name);
            self.undelivered = self.undelivered.max(1);
        }
        self.undelivered
    }

    fn deliver(&mut self, mut batch: Vec<Told>) {
        let mut pause = PAUSE;
        while !batch.is_empty() {
            let verdicts = self.sink.send(&batch);
            let mut asked = None;
            let mut again = Vec::new();
            for (told, verdict) in batch.into_iter().zip(verdicts) {
                match verdict {
                    Verdict::Delivered => {}
                    Verdict::Again(after) => {
                        asked = asked.max(after);
                        again.push(told);
                    }
                    Verdict::Refused(why) => self.refused(&told, why),
                }
            }
            batch = again;
            if batch.is_empty() {
                return;
            }
            if pause == PAUSE {
                eprintln!("floodmark: sink {}: cannot send now, trying again", self.name);
            }
            if !self.wait(asked.unwrap_or(pause)) {
                self.undelivered += batch.len() as u64;
                return;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Counts an alert that will not be taken. A reason is shown when it is new.
    fn refused(&mut self, told: &Told, why: String) {
        self.undelivered += 1;
        if self.last_reason != why {
            eprintln!("floodmark: sink {}: {} refused: {why}", self.name, told.alert.id);
            self.last_reason = why;
        }
    }

    /// Waits before sending again; whether there is time to.
    fn wait(&mut self, pause: Duration) -> bool {
        let paused = Stopwatch::start();
        loop {
            if self.stopping.iter().any(|flag| flag.load(Ordering::Relaxed)) {
                let since = self.since_stop.get_or_insert_with(Stopwatch::start);
                if since.elapsed() > DRAIN {
                    return false;
                }
            }
            match pause.checked_sub(paused.elapsed()) {
                None | Some(Duration::ZERO) => return true,
                // A channel that tells when so long has passed: nothing can be received earlier.
                Some(left) => drop(after(left.min(LOOK)).recv()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Mutex;

    use super::*;
    use crate::encode::ocsf::{View, tests::burst};

    /// Takes each alert at the second attempt, and refuses what counts 13.
    struct Reluctant {
        attempts: u64,
        got: Arc<Mutex<Vec<u64>>>,
    }

    impl Sink for Reluctant {
        fn send(&mut self, alerts: &[Told]) -> Vec<Verdict> {
            self.attempts += 1;
            let verdict = |told: &Told| {
                if told.alert.count == 13 {
                    Verdict::Refused("unlucky".into())
                } else if self.attempts % 2 == 1 {
                    Verdict::Again(Some(Duration::ZERO))
                } else {
                    self.got.lock().unwrap().push(told.alert.count);
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
        let sink = Box::new(Reluctant { attempts: 0, got: got.clone() });
        let courier = Courier::start("test".into(), sink, Arc::default());
        for count in 10..20 {
            let mut alert = burst();
            alert.count = count;
            courier.take(Told { alert, view: View::Final });
        }
        assert_eq!(courier.close(), 1);
        assert_eq!(*got.lock().unwrap(), [10, 11, 12, 14, 15, 16, 17, 18, 19]);
    }
}

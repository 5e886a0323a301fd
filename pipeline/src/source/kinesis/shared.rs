//! What the loops and the readers of one stream share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore, mpsc, watch};

use super::access::Trouble;
use super::lease::{Change, Leases};
use super::position::Position;
use super::row::{Answer, Write};
use super::settings::Settings;
use super::stream::Stream;
use super::table::Table;
use crate::clock::Stopwatch;
use crate::metrics::{Event, metrics};
use crate::progress::Input;
use crate::source::batch::{Next, SourceError};

/// Calls of `GetRecords` whose records are not yet handed on, at most; each may bring 10 MB.
pub(super) const FETCHES_AT_ONCE_MAX: usize = 16;

/// Writes to the table that wait for an answer at once, at most, beside renewals.
const WRITES_AT_ONCE_MAX: usize = 16;

/// Failover time of a process that is alone: nobody takes over, and nothing can be refused.
pub(super) const ALONE_FAILOVER_MS: i64 = 3_600_000;

/// How often trouble with the table is told: many leases have it at once.
const TABLE_TOLD_MS: i64 = 10_000;

/// Nobody takes what is read any more.
#[derive(Debug)]
pub(super) struct Gone;

/// Whatever a person should know.
pub type Tell = Box<dyn Fn(&str) + Send + Sync>;

/// What the loops and the readers share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) stream: Stream,
    pub(super) table: Table,
    pub(super) leases: Mutex<Leases>,
    pub(super) me: String,
    /// Positions from the ledger, by shard, until another process has it.
    pub(super) known: Mutex<BTreeMap<String, Position>>,
    pub(super) names: Mutex<Names>,
    pub(super) news: mpsc::Sender<Result<Next, SourceError>>,
    pub(super) fetches: Semaphore,
    /// Inputs that are not to be read for now: too far ahead of others in time.
    pub(super) ahead: watch::Sender<BTreeSet<Input>>,
    pub(super) clock: Stopwatch,
    pub(super) tell: Tell,
    /// When trouble with the table was last told.
    pub(super) table_told_ms: AtomicI64,
    pub(super) running: Mutex<BTreeMap<String, watch::Sender<bool>>>,
    pub(super) starting: AsyncMutex<()>,
    pub(super) readers_due: Notify,
    pub(super) look_due: Notify,
    /// No lease is taken any more.
    pub(super) is_leaving: AtomicBool,
    /// Shards that nothing can be put into any more, as last listed.
    pub(super) closed: Mutex<BTreeSet<String>>,
    pub(super) consumer_arn: Mutex<Option<String>>,
}

/// Shards that were read here, by number.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<String>,
    inputs: BTreeMap<String, Input>,
}

impl Names {
    pub(super) fn input(&mut self, shard: &str) -> Input {
        if let Some(input) = self.inputs.get(shard) {
            return *input;
        }
        let input = Input::try_from(self.names.len()).unwrap_or(Input::MAX);
        self.names.push(shard.to_owned());
        self.inputs.insert(shard.to_owned(), input);
        input
    }

    /// The shard is somebody else's: should it come back, it is another input.
    pub(super) fn lost(&mut self, shard: &str) {
        self.inputs.remove(shard);
    }

    pub(super) fn shard(&self, input: Input) -> Option<&str> {
        self.names.get(input as usize).map(String::as_str)
    }

    /// The shard of an input, unless it is somebody else's by now.
    pub(super) fn own(&self, input: Input) -> Option<&str> {
        self.shard(input).filter(|shard| self.inputs.get(*shard) == Some(&input))
    }

    /// Shards that are or were read here, and are not somebody else's.
    pub(super) fn all_own(&self) -> impl Iterator<Item = (&str, Input)> {
        self.inputs.iter().map(|(shard, input)| (shard.as_str(), *input))
    }
}

impl Shared {
    pub(super) fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn running(&self) -> MutexGuard<'_, BTreeMap<String, watch::Sender<bool>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn known(&self) -> MutexGuard<'_, BTreeMap<String, Position>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A shard is read here no more: whoever has it next knows better how far it is.
    pub(super) async fn lost(&self, shard: &str, input: Input) -> Result<(), Gone> {
        self.names().lost(shard);
        self.known().remove(shard);
        metrics().befell("kinesis", Event::Lost, 1);
        self.send(Next::Lost(vec![input])).await
    }

    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.clock.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    pub(super) fn failover_ms(&self) -> i64 {
        self.settings.leases.as_ref().map_or(ALONE_FAILOVER_MS, |leases| leases.failover_ms)
    }

    /// Longest wait for an answer of the table: a third of the failover time.
    pub(super) fn answer_wait(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.failover_ms() / 3).unwrap_or(0))
    }

    pub(super) async fn send(&self, next: Next) -> Result<(), Gone> {
        self.news.send(Ok(next)).await.map_err(|_| Gone)
    }

    /// Tells of one shard, or of the stream as a whole.
    pub(super) fn tell(&self, shard: &str, what: &str) {
        let stream = self.settings.stream_name();
        let slash = if shard.is_empty() { "" } else { "/" };
        (self.tell)(&format!("kinesis {stream}{slash}{shard}: {what}"));
    }

    pub(super) fn tell_of_table(&self, trouble: &Trouble) {
        let now_ms = self.now_ms();
        let before_ms = self.table_told_ms.load(Ordering::Relaxed);
        if now_ms - before_ms >= TABLE_TOLD_MS {
            self.table_told_ms.store(now_ms, Ordering::Relaxed);
            self.tell("", &format!("{trouble}; tries again"));
        }
    }

    /// Whether nothing can be put into a shard any more, as far as is known.
    pub(super) fn is_closed(&self, shard: &str) -> bool {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).contains(shard)
    }

    /// The consumer for enhanced fan-out; all readers ask for the same.
    pub(super) async fn consumer(&self, name: &str) -> Result<String, Trouble> {
        let known = self.consumer_arn.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(arn) = known {
            return Ok(arn);
        }
        let arn = self.stream.consumer(name).await?;
        let mut known = self.consumer_arn.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(arn.clone());
        Ok(arn)
    }

    /// The consumer was not found: it is looked for again.
    pub(super) fn forget_consumer(&self) {
        *self.consumer_arn.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Writes, takes in how it went, and stops the reader of a lease that is lost.
    pub(super) async fn write(&self, write: Write) -> Answer {
        let asked_ms = self.now_ms();
        let answer = tokio::time::timeout(self.answer_wait(), self.table.write(&write, &self.me));
        let answer = match answer.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(trouble)) => {
                self.tell_of_table(&trouble);
                Answer::Unknown
            }
            Err(_) => Answer::Unknown,
        };
        let change = self.leases().written(&write, answer.clone(), asked_ms, self.now_ms());
        match change {
            Change::Lost(shard) => self.stop(&shard, "its lease was taken by another worker"),
            Change::Gained => self.readers_due.notify_one(),
            Change::Finished => {
                self.look_due.notify_one();
                self.readers_due.notify_one();
            }
            Change::None => {}
        }
        answer
    }

    /// Writes some at a time: one after another would make a start with many shards slow.
    pub(super) async fn write_all(&self, writes: Vec<Write>) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(writes.len());
        let mut left = writes.into_iter().peekable();
        while left.peek().is_some() {
            let some = left.by_ref().take(WRITES_AT_ONCE_MAX).map(|write| self.write(write));
            answers.extend(join_all(some.collect()).await);
        }
        answers
    }

    pub(super) fn stop(&self, shard: &str, why: &str) {
        match self.running().get(shard) {
            Some(stop) => {
                self.tell(shard, why);
                stop.send_replace(true);
            }
            // It may have been read to its end.
            None => self.readers_due.notify_one(),
        }
    }
}

/// Waits for all of some few.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs = Vec::with_capacity(waiting.len());
    std::future::poll_fn(|context| {
        waiting.retain_mut(|future| match future.as_mut().poll(context) {
            Poll::Ready(output) => {
                outputs.push(output);
                false
            }
            Poll::Pending => true,
        });
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs
}

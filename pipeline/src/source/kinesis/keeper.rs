//! Keeps the leases and the readers in step.
//!
//! Three loops that never wait for each other: one renews, one looks at the table and the stream,
//! one starts readers. Only readers wait for room in the queue to the workers, so a renewal never
//! waits for work; and a reader whose lease is lost is stopped wherever it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore, mpsc, watch};

use super::access::{Kind, Trouble};
use super::lease::{Answer, Change, Leases, Write};
use super::position::Position;
use super::reader::{Backoff, Reader, chance};
use super::settings::{Fetch, Settings};
use super::shards::{self, Shard};
use super::stream::Stream;
use super::table::Table;
use crate::clock::Stopwatch;
use crate::progress::Input;
use crate::source::batch::{Batch, Next, SourceError};

/// Calls of `GetRecords` whose records are not yet handed on, at most; each may bring 10 MB.
pub(super) const FETCHES_AT_ONCE_MAX: usize = 16;

/// How often the stream is asked for shards that nobody told of.
const SHARDS_LOOK_MS: i64 = 30_000;

/// How often a process that is alone looks at its own table.
const ALONE_LOOK: Duration = Duration::from_secs(1);

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
    /// Positions from the ledger, by shard.
    pub(super) known: BTreeMap<String, Position>,
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

    pub(super) fn shard(&self, input: Input) -> Option<&str> {
        self.names.get(input as usize).map(String::as_str)
    }
}

impl Shared {
    pub(super) fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, watch::Sender<bool>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.clock.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn failover_ms(&self) -> i64 {
        self.settings.leases.as_ref().map_or(ALONE_FAILOVER_MS, |leases| leases.failover_ms)
    }

    /// Longest wait for an answer of the table: a third of the failover time.
    fn answer_wait(&self) -> Duration {
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

    fn tell_of_table(&self, trouble: &Trouble) {
        let now_ms = self.now_ms();
        let before_ms = self.table_told_ms.load(Ordering::Relaxed);
        if now_ms - before_ms >= TABLE_TOLD_MS {
            self.table_told_ms.store(now_ms, Ordering::Relaxed);
            self.tell("", &format!("leases: {trouble}; tries again"));
        }
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
    pub(super) async fn write(&self, write: Write) -> Change {
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
        let change = self.leases().written(&write, answer, asked_ms, self.now_ms());
        match &change {
            Change::Lost(shard) => self.stop(shard, "its lease was taken by another worker"),
            Change::Gained(_) => self.readers_due.notify_one(),
            Change::Finished(_) => self.look_due.notify_one(),
            Change::None => {}
        }
        change
    }

    async fn write_all(&self, writes: Vec<Write>) {
        // One after another would make a start with many shards slow.
        const AT_ONCE: usize = 16;
        let mut left = writes.into_iter().peekable();
        while left.peek().is_some() {
            let some: Vec<_> = left.by_ref().take(AT_ONCE).map(|write| self.write(write)).collect();
            join_all(some).await;
        }
    }

    fn stop(&self, shard: &str, why: &str) {
        if let Some(stop) = self.running().get(shard) {
            self.tell(shard, why);
            stop.send_replace(true);
        }
    }
}

/// Waits for all; the futures here are few, and all make progress by themselves.
async fn join_all<F: Future>(futures: Vec<F>) {
    let mut pinned: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        pinned.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if pinned.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// Renews, and stops readers whose leases cannot be renewed in time. Never waits for an answer.
pub(super) async fn renew(shared: Arc<Shared>) {
    let tick = Duration::from_millis(u64::try_from(shared.failover_ms() / 40).unwrap_or(0))
        .clamp(Duration::from_millis(20), Duration::from_millis(500));
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now_ms = shared.now_ms();
        let (expired, due) = {
            let mut leases = shared.leases();
            // A process that is alone loses nothing, however long it sleeps.
            let expired = match shared.table {
                Table::Dynamo(_) => leases.expired(now_ms),
                Table::Memory(_) => Vec::new(),
            };
            (expired, leases.due(now_ms))
        };
        for shard in expired {
            shared.stop(&shard, "its lease could not be renewed in time");
        }
        for write in due {
            let shared = shared.clone();
            tokio::spawn(async move { shared.write(write).await });
        }
    }
}

/// Looks at the table and the stream: takes leases, and makes those that are missing.
pub(super) async fn look(shared: Arc<Shared>) {
    let every = match shared.table {
        Table::Dynamo(_) => {
            Duration::from_millis(u64::try_from(shared.failover_ms() / 5).unwrap_or(0))
        }
        Table::Memory(_) => ALONE_LOOK,
    };
    let mut backoff = Backoff::default();
    let mut is_first = true;
    let mut shards_at: Option<i64> = None;
    loop {
        let looks_for_shards = shards_at.is_none_or(|at| shared.now_ms() - at >= SHARDS_LOOK_MS);
        match look_once(&shared, is_first, looks_for_shards).await {
            Ok(()) => {
                is_first = false;
                backoff.reset();
                if looks_for_shards {
                    shards_at = Some(shared.now_ms());
                }
            }
            Err(trouble) => {
                if is_first && matches!(trouble.kind, Kind::Denied | Kind::NotFound) {
                    let error = SourceError {
                        source_name: format!("kinesis {}", shared.settings.stream_name()),
                        reason: trouble.to_string(),
                    };
                    // Whether anybody listens or not: there is nothing to be done here.
                    drop(shared.news.send(Err(error)).await);
                    return;
                }
                shared.tell_of_table(&trouble);
                tokio::time::sleep(backoff.next(trouble.kind)).await;
                continue;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = shared.look_due.notified() => {}
        }
    }
}

async fn look_once(
    shared: &Arc<Shared>,
    is_first: bool,
    looks_for_shards: bool,
) -> Result<(), Trouble> {
    if is_first {
        shared.table.prepare().await?;
    }
    look_at_table(shared).await?;
    if looks_for_shards {
        let shards = shared.stream.shards().await?;
        let writes = {
            let leases = shared.leases();
            let rows: Vec<_> = leases.rows().cloned().collect();
            shards::plan(&shards, &rows, &shared.settings.start, &shared.known)
        };
        if !writes.is_empty() {
            shared.write_all(writes).await;
            look_at_table(shared).await?;
        }
    }
    let wanted = shared.leases().wanted(shared.now_ms(), chance());
    shared.write_all(wanted).await;
    shared.readers_due.notify_one();
    Ok(())
}

async fn look_at_table(shared: &Shared) -> Result<(), Trouble> {
    let rows = tokio::time::timeout(shared.answer_wait(), shared.table.rows());
    let rows = rows.await.map_err(|_| Trouble::timed_out())??;
    let now_ms = shared.now_ms();
    shared.leases().look(rows, now_ms);
    Ok(())
}

/// Starts readers as leases come.
pub(super) async fn start(shared: Arc<Shared>) {
    loop {
        shared.readers_due.notified().await;
        if let Err(Gone) = start_readable(&shared).await {
            return;
        }
    }
}

/// Starts a reader for each shard that may be read and has none: time waits for all of them before
/// any of them brings anything.
async fn start_readable(shared: &Arc<Shared>) -> Result<(), Gone> {
    let _one_at_a_time = shared.starting.lock().await;
    let readable = shared.leases().readable();
    let mut readers = Vec::new();
    for (shard, position) in readable {
        if shared.running().contains_key(&shard) {
            continue;
        }
        let (stop, stopped) = watch::channel(false);
        shared.running().insert(shard.clone(), stop);
        let input = shared.names().input(&shard);
        let reader = Reader {
            shared: shared.clone(),
            position: from(shared, &shard, position),
            shard,
            input,
            has_caught_up: false,
        };
        readers.push((reader, stopped));
    }
    if readers.is_empty() {
        return Ok(());
    }
    let gained = readers.iter().map(|(reader, _)| reader.input).collect();
    shared.send(Next::Gained(gained)).await?;
    for (reader, stopped) in readers {
        tokio::spawn(tend(reader, stopped));
    }
    Ok(())
}

/// Where to read from: as far as the table or the ledger says, whichever is further.
fn from(shared: &Shared, shard: &str, position: Position) -> Position {
    let further = match shared.known.get(shard) {
        Some(known) => position.further(known.clone()),
        None => position,
    };
    // The table says that the shard begins at a time, the settings at which.
    match (&further, &shared.settings.start) {
        (Position::At(0), Position::At(_)) => shared.settings.start.clone(),
        _ => further,
    }
}

/// Reads one shard until it ends or is stopped. Boxed, for it may start readers like itself.
fn tend(
    mut reader: Reader,
    mut stopped: watch::Receiver<bool>,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let shared = reader.shared.clone();
        let children = tokio::select! {
            children = read(&mut reader) => Some(children),
            _ = stopped.wait_for(|stopped| *stopped) => None,
        };
        let over = match children {
            Some(Ok(children)) => end(&reader, children).await,
            Some(Err(Gone)) => Err(Gone),
            None => shared.send(Next::Ended(reader.input)).await,
        };
        shared.running().remove(&reader.shard);
        if over.is_ok() {
            // It may have been taken again meanwhile.
            shared.readers_due.notify_one();
        }
    })
}

async fn read(reader: &mut Reader) -> Result<Vec<Shard>, Gone> {
    match reader.shared.settings.fetch.clone() {
        Fetch::Poll { per_second } => reader.poll(per_second).await,
        Fetch::FanOut { consumer } => reader.fan_out(&consumer).await,
    }
}

/// A shard has been read to its end. Its children are begun before it ends, so that time does not
/// run ahead of what they hold.
async fn end(reader: &Reader, children: Vec<Shard>) -> Result<(), Gone> {
    let shared = &reader.shared;
    let mut backoff = Backoff::default();
    loop {
        let is_known = {
            let leases = shared.leases();
            children.iter().all(|child| leases.rows().any(|row| row.key == child.id))
        };
        if is_known {
            break;
        }
        let creates = children.iter().map(|child| {
            let start = match &shared.settings.start {
                Position::At(_) => shared.settings.start.clone(),
                _ => Position::Oldest,
            };
            Write::Create(shards::row_of(child, start))
        });
        shared.write_all(creates.collect()).await;
        if let Err(trouble) = look_at_table(shared).await {
            reader.wait(&mut backoff, &trouble).await;
        }
    }
    let names = children.iter().map(|child| child.id.clone()).collect();
    shared.leases().drained(&reader.shard, names);
    for child in &children {
        let take = shared.leases().wanted_child(&child.id);
        if let Some(take) = take {
            shared.write(take).await;
        }
    }
    start_readable(shared).await?;
    let mut last = Batch::of(reader.input);
    last.position = Some(Position::End.to_string().into());
    shared.send(Next::Batch(last)).await?;
    shared.send(Next::Ended(reader.input)).await
}

/// Stops all readers and gives every lease back.
pub(super) async fn leave(shared: &Shared) {
    for stop in shared.running().values() {
        stop.send_replace(true);
    }
    let releases = shared.leases().release_all();
    shared.write_all(releases).await;
}

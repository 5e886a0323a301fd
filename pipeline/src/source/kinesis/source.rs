//! The stream as a source: the runtime, and what passes between it and the caller's thread.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::access;
use super::driver;
use super::lease::Leases;
use super::position::Position;
use super::reader::chance;
use super::row::Done;
use super::settings::Settings;
use super::shared::{ALONE_FAILOVER_MS, FETCHES_AT_ONCE_MAX, Names, Shared, Tell};
use super::stream::Stream;
use super::table::{Dynamo, Table};
use crate::clock::Stopwatch;
use crate::progress::Input;
use crate::source::batch::{Durable, Handover, Next, Source, SourceError, Word};

/// Batches and other news that wait to be taken.
const NEWS_WAITING_MAX: usize = 16;

/// Threads of the runtime: fetching and leases are waiting for answers, mostly.
const THREADS: usize = 2;

/// Longest that giving back leases may take.
const LEAVE: Duration = Duration::from_secs(5);

/// A stream being read.
pub struct Kinesis {
    runtime: Option<Runtime>,
    loops: Vec<JoinHandle<()>>,
    /// What takes leases.
    looking: JoinHandle<()>,
    news: mpsc::Receiver<Result<Next, SourceError>>,
    shared: Arc<Shared>,
}

impl Kinesis {
    /// Begins to read. `positions` are those of the ledger, by the name of the input; `tell` gets
    /// what a person should know, such as a call that fails again and again.
    ///
    /// # Errors
    /// What cannot be used of the settings or positions. That the stream is not there, or not to be
    /// read, [`Source::next`] tells.
    pub fn start(
        settings: Settings,
        positions: &BTreeMap<String, Box<str>>,
        tell: Tell,
    ) -> Result<Kinesis, SourceError> {
        let fail = |reason: String| SourceError {
            source_name: format!("kinesis {}", settings.stream_name()),
            reason,
        };
        let known = known(&settings, positions).map_err(fail)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("kinesis")
            .enable_all()
            .build()
            .map_err(|error| fail(error.to_string()))?;
        let clients = runtime.block_on(access::connect(&settings.access)).map_err(fail)?;
        let stream = Stream::new(clients.kinesis, settings.stream_name(), settings.stream_arn());
        let (table, me, failover_ms) = match &settings.leases {
            Some(it) => {
                let table = Table::Dynamo(Dynamo::new(clients.dynamodb, &it.table));
                (table, unique(it.worker.as_deref()), it.failover_ms)
            }
            None => (Table::memory(), "floodmark".to_owned(), ALONE_FAILOVER_MS),
        };
        let (sender, news) = mpsc::channel(NEWS_WAITING_MAX);
        let shared = Arc::new(Shared {
            leases: Mutex::new(Leases::new(me.clone(), failover_ms)),
            settings,
            stream,
            table,
            me,
            known: Mutex::new(known),
            names: Mutex::new(Names::default()),
            news: sender,
            fetches: Semaphore::new(FETCHES_AT_ONCE_MAX),
            ahead: watch::channel(BTreeSet::new()).0,
            clock: Stopwatch::start(),
            tell,
            table_told_ms: AtomicI64::new(i64::MIN / 2),
            running: Mutex::new(BTreeMap::new()),
            starting: AsyncMutex::new(()),
            readers_due: Notify::new(),
            look_due: Notify::new(),
            is_leaving: AtomicBool::new(false),
            closed: Mutex::new(BTreeSet::new()),
            consumer_arn: Mutex::new(None),
        });
        let loops = vec![
            runtime.spawn(driver::renew(shared.clone())),
            runtime.spawn(driver::start(shared.clone())),
        ];
        let looking = runtime.spawn(driver::look(shared.clone()));
        Ok(Kinesis { runtime: Some(runtime), loops, looking, news, shared })
    }

    /// This much of an input is durable: it may go into the lease table, with what the shard's next
    /// reader needs.
    fn durable(&self, input: Input, position: &str, handover: Option<Handover>) {
        let shard = self.shared.names().own(input).map(str::to_owned);
        let Some((shard, checkpoint)) = shard.zip(Position::parse(position)) else { return };
        // The library has no way to say which time: that stays in the ledger.
        if matches!(checkpoint, Position::At(_)) {
            return;
        }
        // After the end nobody reads on.
        let handover = handover.filter(|_| checkpoint != Position::End);
        self.shared.leases().durable(&shard, Done { checkpoint, handover });
    }
}

/// A name that no other worker has or had: one that came back under its old name would take its own
/// former self for the same.
fn unique(worker: Option<&str>) -> String {
    let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = worker.map(str::to_owned).or_else(host);
    let name = name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    format!("{}-{:016x}", name.unwrap_or("floodmark"), chance())
}

/// The positions of this stream's shards. Those of other inputs are not looked at.
fn known(
    settings: &Settings,
    positions: &BTreeMap<String, Box<str>>,
) -> Result<BTreeMap<String, Position>, String> {
    let mut known = BTreeMap::new();
    let prefix = format!("{}/", settings.stream_name());
    for (name, text) in positions {
        let Some(shard) = name.strip_prefix(&prefix) else { continue };
        let position = Position::parse(text).ok_or_else(|| {
            format!("the ledger's position of {name} is none of Kinesis: {text:?}")
        })?;
        known.insert(shard.to_owned(), position);
    }
    Ok(known)
}

impl Source for Kinesis {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        let Some(runtime) = &self.runtime else { return Ok(Next::End) };
        let news = &mut self.news;
        match runtime.block_on(async { tokio::time::timeout(wait, news.recv()).await }) {
            Ok(Some(next)) => next,
            Ok(None) => Ok(Next::End),
            Err(_) => Ok(Next::Nothing),
        }
    }

    fn hear(&mut self, word: Word) -> Result<(), SourceError> {
        match word {
            Word::Durable(done) => {
                for Durable { input, position, handover } in done {
                    self.durable(input, &position, handover);
                }
            }
            Word::Ahead(inputs) => drop(self.shared.ahead.send_replace(inputs)),
            // Leases are renewed whether anybody takes what is read or not.
            Word::Hold => {}
        }
        Ok(())
    }

    fn name_of(&self, input: Input) -> String {
        let names = self.shared.names();
        let shard = names.shard(input).unwrap_or("unknown");
        format!("{}/{shard}", self.shared.settings.stream_name())
    }
}

/// Gives the leases back, with the last positions that are durable, so that others need not wait.
impl Drop for Kinesis {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        let shared = self.shared.clone();
        for it in &self.loops {
            it.abort();
        }
        shared.is_leaving.store(true, Ordering::Release);
        shared.look_due.notify_one();
        let looking = &mut self.looking;
        let left = runtime.block_on(async {
            // It hears the answers to what it has asked for: what is ours by then is given back too.
            drop(tokio::time::timeout(LEAVE, looking).await);
            tokio::time::timeout(LEAVE, driver::leave(&shared)).await
        });
        if left.is_err() {
            shared.tell("", "leases could not be given back; they run out");
        }
        runtime.shutdown_background();
    }
}

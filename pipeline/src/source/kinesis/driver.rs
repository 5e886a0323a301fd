//! Drives the leases and the readers.
//!
//! Three loops that never wait for each other: one renews, one looks at the table and the stream,
//! one starts readers. Only readers wait for room in the queue to the workers, so a renewal never
//! waits for work; and a reader whose lease is lost is stopped wherever it stands.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use floodmark_detectors::time::EventTime;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::access::{Kind, Trouble};
use super::handover::{self, Begin};
use super::position::Position;
use super::reader::{Backoff, Reader, chance};
use super::row::{Answer, Done, Row};
use super::settings::Fetch;
use super::shards;
use super::shared::{Gone, Shared};
use super::table::Table;
use crate::metrics::{Event, metrics};
use crate::progress::Input;
use crate::source::batch::{Batch, Next, SourceError};

/// How often the stream is asked for shards that nobody told of.
const SHARDS_LOOK_MS: i64 = 10_000;

/// How often a process that is alone looks at its own table.
const ALONE_LOOK: Duration = Duration::from_secs(1);

/// Renews, and stops readers whose leases cannot be renewed in time. Never waits for an answer.
pub(super) async fn renew(shared: Arc<Shared>) {
    let tick = Duration::from_millis(u64::try_from(shared.failover_ms() / 40).unwrap_or(0))
        .clamp(Duration::from_millis(20), Duration::from_millis(500));
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
        let wait = match look_once(&shared, is_first, looks_for_shards).await {
            Ok(()) => {
                is_first = false;
                backoff.reset();
                if looks_for_shards {
                    shards_at = Some(shared.now_ms());
                }
                every
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
                backoff.next(trouble.kind)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shared.look_due.notified() => {}
        }
        if shared.is_leaving.load(Ordering::Acquire) {
            return;
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
        make_leases(shared).await?;
    }
    if shared.is_leaving.load(Ordering::Acquire) {
        return Ok(());
    }
    let wanted = shared.leases().wanted(shared.now_ms(), chance());
    shared.write_all(wanted).await;
    shared.readers_due.notify_one();
    Ok(())
}

/// Makes the leases that are missing, and takes away those of shards that are long gone.
async fn make_leases(shared: &Shared) -> Result<(), Trouble> {
    let listed = shared.stream.shards().await?;
    {
        let closed = listed.iter().filter(|shard| !shard.is_open).map(|shard| shard.id.clone());
        *shared.closed.lock().unwrap_or_else(PoisonError::into_inner) = closed.collect();
    }
    let writes = {
        let leases = shared.leases();
        let rows: Vec<_> = leases.rows().cloned().collect();
        shards::plan(&listed, &rows, &shared.settings.start, &shared.known())
    };
    if writes.is_empty() {
        return Ok(());
    }
    for generation in writes {
        for answer in shared.write_all(generation).await {
            if answer == Answer::Unknown {
                return Err(Trouble::other("a lease could not be made"));
            }
        }
    }
    look_at_table(shared).await
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
    for (shard, input) in left(shared) {
        shared.lost(&shard, input).await?;
    }
    for shard in over(shared) {
        let input = shared.names().input(&shard);
        shared.send(Next::Overtaken(vec![(input, EventTime::MIN)])).await?;
        shared.lost(&shard, input).await?;
    }
    let readable = shared.leases().readable();
    let (mut readers, mut overtaken) = (Vec::new(), Vec::new());
    for (shard, done) in readable {
        if shared.running().contains_key(&shard) {
            continue;
        }
        let (stop, stopped) = watch::channel(false);
        shared.running().insert(shard.clone(), stop);
        let input = shared.names().input(&shard);
        let begin = begin(shared, &shard, done);
        if shared.settings.rereads && begin.is_overtaken {
            let judges_from = begin.again.as_ref().map(|again| again.judges_from);
            overtaken.push((input, judges_from.unwrap_or(EventTime::MIN)));
        }
        readers.push((Reader::new(shared.clone(), shard, input, begin), stopped));
    }
    if readers.is_empty() {
        return Ok(());
    }
    if !overtaken.is_empty() {
        shared.send(Next::Overtaken(overtaken)).await?;
    }
    let gained = readers.iter().map(|(reader, _)| reader.input).collect();
    metrics().befell("kinesis", Event::Gained, readers.len());
    shared.send(Next::Gained(gained)).await?;
    for (reader, stopped) in readers {
        tokio::spawn(tend(reader, stopped));
    }
    Ok(())
}

/// Shards that were read here to their end, and are ours no more: the end is on record, or their
/// leases are lost and somebody else reads what is not.
fn left(shared: &Shared) -> Vec<(String, Input)> {
    let (names, running, leases) = (shared.names(), shared.running(), shared.leases());
    let is_left = |shard: &str| !running.contains_key(shard) && !leases.is_ending(shard);
    let left = names.all_own().filter(|(shard, _)| is_left(shard));
    left.map(|(shard, input)| (shard.to_owned(), input)).collect()
}

/// Shards that the ledger has windows of, and that are over for good: others have come to their ends.
fn over(shared: &Shared) -> Vec<String> {
    if !shared.settings.rereads {
        return Vec::new();
    }
    let (names, leases, known) = (shared.names(), shared.leases(), shared.known());
    let is_read = |shard: &str| names.all_own().any(|(own, _)| own == shard);
    let goes_on = |row: &&Row| row.checkpoint != Position::End;
    let going_on: BTreeSet<&str> =
        leases.rows().filter(goes_on).map(|row| row.key.as_str()).collect();
    let is_over = |shard: &&String| !going_on.contains(shard.as_str()) && !is_read(shard);
    known.keys().filter(is_over).cloned().collect()
}

/// Where to read from: as far as the table or the ledger says, whichever is further.
fn begin(shared: &Shared, shard: &str, done: Done) -> Begin {
    let handover = done.handover.as_ref().filter(|_| shared.settings.rereads);
    let mut begin = handover::begin(shared.known().get(shard), done.checkpoint, handover);
    // The table says that the shard begins at a time, the settings at which.
    if let (Position::At(0), start @ Position::At(_)) = (&begin.at, &shared.settings.start) {
        begin.at = start.clone();
    }
    begin
}

/// Reads one shard until it ends or is stopped. Boxed, for it may start readers like itself.
fn tend(
    mut reader: Reader,
    mut stopped: watch::Receiver<bool>,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let shared = reader.shared.clone();
        let to_the_end = async {
            let children = read(&mut reader).await?;
            end(&reader, children).await
        };
        let over = tokio::select! {
            over = to_the_end => Some(over),
            _ = stopped.wait_for(|stopped| *stopped) => None,
        };
        let over = match over {
            Some(over) => over,
            None => shared.lost(&reader.shard, reader.input).await,
        };
        shared.running().remove(&reader.shard);
        if over.is_ok() {
            // It may have been taken again meanwhile.
            shared.readers_due.notify_one();
        }
    })
}

async fn read(reader: &mut Reader) -> Result<Vec<String>, Gone> {
    if reader.position == Position::End {
        // The ledger has it, and a stop came before the table had.
        return Ok(reader.known_children());
    }
    let children = match reader.shared.settings.fetch.clone() {
        Fetch::Poll { per_second } => reader.poll(per_second).await,
        Fetch::FanOut { consumer } => reader.fan_out(&consumer).await,
    }?;
    reader.has_read_again().await?;
    Ok(children)
}

/// A shard has been read to its end. Its children are begun before it ends, so that time does not
/// run ahead of what they hold.
async fn end(reader: &Reader, children: Vec<String>) -> Result<(), Gone> {
    let shared = &reader.shared;
    let mut backoff = Backoff::default();
    let are_known = |children: &[String]| {
        let leases = shared.leases();
        children.iter().all(|child| leases.rows().any(|row| row.key == *child))
    };
    // The stream tells of a child's other parent too, which must not be passed over.
    while !are_known(&children) {
        let made = make_leases(shared).await;
        if let Err(trouble) = made {
            reader.wait(&mut backoff, &trouble).await;
        } else if !are_known(&children) {
            reader.wait(&mut backoff, &Trouble::other("its children are not listed yet")).await;
        }
    }
    shared.leases().drained(&reader.shard, children.clone());
    for child in &children {
        let take = shared.leases().wanted_child(child);
        if let Some(take) = take {
            shared.write(take).await;
        }
    }
    // By itself: what it begins is not left half begun where this reader is stopped meanwhile.
    let starting = shared.clone();
    let started = tokio::spawn(async move { start_readable(&starting).await });
    started.await.map_err(|_| Gone)??;
    let mut last = Batch::of(reader.input);
    last.is_last = true;
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

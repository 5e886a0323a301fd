//! A stream that is filled, and may be made for that and removed again: for showing what Floodmark does
//! on a real one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, StreamStatus};
use tokio::runtime::{Handle, Runtime};

use super::access::{self, Kind, Trouble};
use super::settings::Settings;
use crate::clock::Stopwatch;

/// How long a stream may take until it can be used.
const CREATE: Duration = Duration::from_secs(180);

/// How often it is looked whether it can be.
const LOOK: Duration = Duration::from_millis(200);

/// Records and bytes of one `PutRecords`: Kinesis allows 500 and 5 MiB.
const CALL_RECORDS_MAX: usize = 400;
const CALL_BYTES_MAX: usize = 2 << 20;

/// How long a record may wait for others to share a call with.
const LINGER: Duration = Duration::from_millis(100);

/// How long Kinesis may take nothing at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause before what was throttled is put again.
const PAUSE: Duration = Duration::from_millis(250);

/// A stream to write to.
pub struct OwnStream {
    runtime: Runtime,
    client: Client,
    name: String,
    shards: u32,
    /// It is to be removed.
    is_there: bool,
}

impl OwnStream {
    /// Makes the stream that `settings` names, with so many shards, and waits until it can be used.
    ///
    /// # Errors
    /// In words; one that is there already is refused, and left alone.
    pub fn make(settings: &Settings, shards: u32) -> Result<OwnStream, String> {
        let (runtime, client) = connect(settings)?;
        let name = settings.stream_name().to_owned();
        let fault = |trouble: &Trouble| format!("cannot create the stream {name}: {trouble}");
        let create = client.create_stream().stream_name(&name);
        let create = create.shard_count(i32::try_from(shards).unwrap_or(i32::MAX));
        match runtime.block_on(create.send()).map_err(|error| Trouble::of(&error)) {
            Ok(_) => {}
            Err(trouble) if trouble.kind == Kind::Taken => {
                return Err(format!(
                    "stream {name} is there already; name another: the demo makes one of its own, \
                     and removes it"
                ));
            }
            Err(trouble) => return Err(fault(&trouble)),
        }
        let own = OwnStream { runtime, client, name, shards, is_there: true };
        own.until_active()?;
        Ok(own)
    }

    /// The stream that `settings` names, which is somebody's: it is written to, and stays.
    ///
    /// # Errors
    /// In words.
    pub fn find(settings: &Settings) -> Result<OwnStream, String> {
        let (runtime, client) = connect(settings)?;
        let name = settings.stream_name().to_owned();
        let look = client.describe_stream_summary().stream_name(&name);
        let looked = runtime.block_on(look.send()).map_err(|error| Trouble::of(&error));
        let found =
            looked.map_err(|trouble| format!("cannot find the stream {name}: {trouble}"))?;
        let shards = found.stream_description_summary.map_or(1, |it| it.open_shard_count);
        let shards = u32::try_from(shards).unwrap_or(1).max(1);
        Ok(OwnStream { runtime, client, name, shards, is_there: false })
    }

    /// How many shards it has that can be written to.
    #[must_use]
    pub fn shards(&self) -> u32 {
        self.shards
    }

    fn until_active(&self) -> Result<(), String> {
        let since = Stopwatch::start();
        loop {
            let look = self.client.describe_stream_summary().stream_name(&self.name);
            let looked = self.runtime.block_on(look.send()).map_err(|error| Trouble::of(&error));
            let trouble = match looked {
                Ok(answer) => {
                    let summary = answer.stream_description_summary;
                    match summary.map(|it| it.stream_status) {
                        Some(StreamStatus::Active) => return Ok(()),
                        status => format!("it is {status:?}"),
                    }
                }
                Err(trouble) => trouble.to_string(),
            };
            if since.elapsed() > CREATE {
                return Err(format!("stream {} cannot be used: {trouble}", self.name));
            }
            self.runtime.block_on(async { tokio::time::sleep(LOOK).await });
        }
    }

    /// A way in, that gives up once `stopped` is set.
    #[must_use]
    pub fn writer(&self, stopped: Arc<AtomicBool>) -> OwnWriter {
        OwnWriter {
            stopped,
            runtime: self.runtime.handle().clone(),
            client: self.client.clone(),
            name: self.name.clone(),
            shards: self.shards,
            waiting: Vec::new(),
            bytes: 0,
            since: Stopwatch::start(),
        }
    }

    /// Removes the stream, with all that is in it.
    ///
    /// # Errors
    /// In words.
    pub fn remove(&mut self) -> Result<(), String> {
        if !std::mem::take(&mut self.is_there) {
            return Ok(());
        }
        let remove = self.client.delete_stream().stream_name(&self.name);
        let removed = self.runtime.block_on(remove.enforce_consumer_deletion(true).send());
        let trouble = removed.map_err(|error| Trouble::of(&error)).err();
        trouble.map_or(Ok(()), |why| Err(format!("cannot remove the stream {}: {why}", self.name)))
    }
}

fn connect(settings: &Settings) -> Result<(Runtime, Client), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("kinesis-own")
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let client = runtime.block_on(access::connect(&settings.access))?.kinesis;
    Ok((runtime, client))
}

/// Whatever happens, a stream that was made does not stay, and costs nothing.
impl Drop for OwnStream {
    fn drop(&mut self) {
        if let Err(why) = self.remove() {
            eprintln!("floodmark: {why}; remove it yourself");
        }
    }
}

/// Puts records into the stream, several in one call. Its stream outlives it.
pub struct OwnWriter {
    stopped: Arc<AtomicBool>,
    runtime: Handle,
    client: Client,
    name: String,
    shards: u32,
    waiting: Vec<PutRecordsRequestEntry>,
    bytes: usize,
    /// Since when something waits.
    since: Stopwatch,
}

impl OwnWriter {
    /// Adds a record to the shard of this number, from 0.
    ///
    /// # Errors
    /// In words, once Kinesis takes nothing for long.
    pub fn put(&mut self, shard: u64, data: Vec<u8>) -> Result<(), String> {
        // The middle of its range: shards are made even, and keys hashed would leave some empty.
        let range = u128::MAX / u128::from(self.shards.max(1));
        let hash = u128::from(shard) * range + range / 2;
        if self.waiting.is_empty() {
            self.since = Stopwatch::start();
        }
        self.bytes += data.len();
        let entry = PutRecordsRequestEntry::builder()
            .data(Blob::new(data))
            .partition_key(format!("floodmark-{shard}"))
            .explicit_hash_key(hash.to_string())
            .build()
            .map_err(|error| error.to_string())?;
        self.waiting.push(entry);
        if self.waiting.len() >= CALL_RECORDS_MAX || self.bytes >= CALL_BYTES_MAX {
            self.send()?;
        }
        Ok(())
    }

    /// Sends what has waited long enough.
    ///
    /// # Errors
    /// As there.
    pub fn tend(&mut self) -> Result<(), String> {
        let is_due = !self.waiting.is_empty() && self.since.elapsed() >= LINGER;
        if is_due { self.send() } else { Ok(()) }
    }

    /// Sends all that waits, and what was throttled again until it is taken.
    ///
    /// # Errors
    /// As there.
    pub fn send(&mut self) -> Result<(), String> {
        let mut quiet = Stopwatch::start();
        while !self.waiting.is_empty() {
            if self.stopped.load(Ordering::Relaxed) {
                return Err("stopped".to_owned());
            }
            let call = self.client.put_records().stream_name(&self.name);
            let call = call.set_records(Some(self.waiting.clone()));
            let put = self.runtime.block_on(call.send()).map_err(|error| Trouble::of(&error));
            let why = match put {
                Ok(answer) => {
                    let before = self.waiting.len();
                    let mut why = None;
                    let mut results = answer.records.into_iter();
                    self.waiting.retain(|_| {
                        let code = results.next().and_then(|result| result.error_code);
                        let is_left = code.is_some();
                        why = why.take().or(code);
                        is_left
                    });
                    if self.waiting.len() < before {
                        quiet = Stopwatch::start();
                    }
                    why
                }
                Err(trouble) if trouble.kind == Kind::Denied => return Err(trouble.to_string()),
                Err(trouble) => Some(trouble.to_string()),
            };
            let Some(why) = why else { continue };
            if quiet.elapsed() > PATIENCE {
                return Err(format!("the stream {} takes nothing: {why}", self.name));
            }
            // A timer wants the runtime around it when it is made.
            self.runtime.block_on(async { tokio::time::sleep(PAUSE).await });
        }
        self.bytes = 0;
        Ok(())
    }
}

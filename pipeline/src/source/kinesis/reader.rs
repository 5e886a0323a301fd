//! One shard being read: what both ways of fetching have in common.
//!
//! Records become batches in the shard's order. An aggregated record becomes its user records, each
//! a payload with a place of its own, so that a shard can be gone on with in the middle of one. All
//! its user records are kept, also those whose hash keys lie outside the shard: a producer that put
//! them together did so before the shards were split, or knew nothing of them, and to read one twice
//! does no harm. What the record's own partition key says means nothing.
//!
//! What another process has read, and windows rest on, is read again first: until that is over, the
//! position stays where it was.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kinesis::types::Record;

use super::access::{Kind, Trouble};
use super::handover::{Again, Begin};
use super::position::{Place, Position, Sequence};
use super::shards::Shard;
use super::shared::{Gone, Shared};
use crate::clock;
use crate::encode::text::counted;
use crate::envelope::kpl;
use crate::metrics::{Event, metrics};
use crate::progress::Input;
use crate::source::batch::{Batch, Next};

/// Payloads that a batch holds at most.
const BATCH_PAYLOADS_MAX: usize = 512;

/// Bytes after which a batch is full.
const BATCH_BYTES_FULL: usize = 1 << 20;

/// How far before now a shard begun at its newest record is begun again, should nothing have come
/// until its iterator expired, milliseconds: more than clocks differ.
const LATEST_SLACK_MS: i64 = 60_000;

/// First and longest wait after a failed call.
const WAIT_FIRST: Duration = Duration::from_millis(250);
const WAIT_LONGEST: Duration = Duration::from_secs(10);

/// How many doublings lead from the first to the longest.
const DOUBLINGS_MAX: u32 = 6;

/// A shard being read.
pub(super) struct Reader {
    pub(super) shared: Arc<Shared>,
    pub(super) shard: String,
    pub(super) input: Input,
    /// After the last payload handed on.
    pub(super) position: Position,
    /// That payload is not handed on yet: reading begins with it.
    is_at_it: bool,
    /// What is being read again, and how many payloads of it were.
    again: Option<(Again, usize)>,
    pub(super) has_caught_up: bool,
}

impl Reader {
    /// One that begins there.
    pub(super) fn new(shared: Arc<Shared>, shard: String, input: Input, begin: Begin) -> Reader {
        let Begin { at, again, .. } = begin;
        Reader {
            shared,
            shard,
            input,
            position: again.as_ref().map_or(at, |again| Position::After(again.from.clone())),
            is_at_it: again.is_some(),
            again: again.map(|again| (again, 0)),
            has_caught_up: false,
        }
    }

    /// Hands on what came, and notes whether that was all there is.
    pub(super) async fn hand_on(
        &mut self,
        records: Vec<Record>,
        behind_ms: Option<i64>,
    ) -> Result<(), Gone> {
        let mut batch = Batch::of(self.input);
        for record in records {
            let Some(sequence) = Sequence::parse(&record.sequence_number) else {
                self.shared.tell(&self.shard, "a record without sequence number is skipped");
                continue;
            };
            let sent_ms = record.approximate_arrival_timestamp.and_then(|it| it.to_millis().ok());
            let payload = record.data.as_ref();
            let Some(users) = kpl::user_records(payload) else {
                self.push(&mut batch, Place { sequence, sub_sequence: 0 }, payload, sent_ms)
                    .await?;
                continue;
            };
            for user in users {
                // One that breaks off is handed on as it came: opening it says what is wrong.
                let (sub_sequence, data) = match &user {
                    Ok(user) => (user.sub_sequence, user.data),
                    Err(broken) => (broken.sub_sequence, payload),
                };
                let place = Place { sequence: sequence.clone(), sub_sequence };
                self.push(&mut batch, place, data, sent_ms).await?;
            }
        }
        self.send(batch).await?;
        if behind_ms == Some(0) && !self.has_caught_up {
            self.has_read_again().await?;
            self.has_caught_up = true;
            self.shared.send(Next::CaughtUp(self.input)).await?;
        }
        Ok(())
    }

    async fn push(
        &mut self,
        batch: &mut Batch,
        place: Place,
        payload: &[u8],
        sent_ms: Option<i64>,
    ) -> Result<(), Gone> {
        if let Position::After(done) = &self.position
            && (place < *done || (place == *done && !self.is_at_it))
        {
            return Ok(());
        }
        if self.again.as_ref().is_some_and(|(again, _)| place > again.until) {
            self.send(std::mem::replace(batch, Batch::of(self.input))).await?;
            self.has_read_again().await?;
        }
        batch.sent_ms = batch.sent_ms.or(sent_ms);
        batch.push(place.sub_sequence, payload);
        self.position = Position::After(place);
        self.is_at_it = false;
        if self.shared.settings.rereads && batch.len() == 1 {
            batch.from = Some(self.position.to_string().into());
        }
        if batch.len() >= BATCH_PAYLOADS_MAX || batch.byte_count() >= BATCH_BYTES_FULL {
            self.send(std::mem::replace(batch, Batch::of(self.input))).await?;
        }
        Ok(())
    }

    async fn send(&mut self, mut batch: Batch) -> Result<(), Gone> {
        if batch.is_empty() {
            return Ok(());
        }
        match &mut self.again {
            // Where it is to be read on from stays where it was.
            Some((_, count)) => {
                *count += batch.len();
                batch.is_reread = true;
            }
            None => batch.position = Some(self.position.to_string().into()),
        }
        self.has_caught_up = false;
        self.shared.send(Next::Batch(batch)).await
    }

    /// All that was to be read again has been: from here on what follows is said, and time is where it
    /// was.
    pub(super) async fn has_read_again(&mut self) -> Result<(), Gone> {
        let Some((again, count)) = self.again.take() else { return Ok(()) };
        let what = format!("has read again what windows rest on: {}", counted(count, "payload"));
        self.shared.tell(&self.shard, &what);
        (self.position, self.is_at_it) = (Position::After(again.until), false);
        let mut last = Batch::of(self.input);
        last.is_reread = true;
        last.settled = Some(again.settled);
        last.position = Some(self.position.to_string().into());
        self.shared.send(Next::Batch(last)).await
    }

    /// The shards that this one was split or merged into, as far as they have leases.
    pub(super) fn known_children(&self) -> Vec<String> {
        let leases = self.shared.leases();
        let children = leases.rows().filter(|row| row.parents.contains(&self.shard));
        children.map(|row| row.key.clone()).collect()
    }

    /// A shard begun at its newest record has a place in time once it is begun, should it have to be
    /// begun again, here or after a restart.
    pub(super) async fn settle_latest(&mut self) -> Result<(), Gone> {
        if self.position != Position::Latest {
            return Ok(());
        }
        self.position = Position::At(clock::wall_ms() - LATEST_SLACK_MS);
        let mut begun = Batch::of(self.input);
        begun.position = Some(self.position.to_string().into());
        self.shared.send(Next::Batch(begun)).await
    }

    /// Waits until the shard may be read on: until it is not too far ahead of others.
    pub(super) async fn may_go_on(&self) -> Result<(), Gone> {
        let mut ahead = self.shared.ahead.subscribe();
        let went = ahead.wait_for(|ahead| !ahead.contains(&self.input)).await;
        went.map(drop).map_err(|_| Gone)
    }

    /// Looks whether a shard that is not found has gone, and with it what was not read of it.
    pub(super) async fn is_gone(&self) -> bool {
        let listed = self.shared.stream.shards().await;
        let is_gone =
            listed.is_ok_and(|shards: Vec<Shard>| shards.iter().all(|it| it.id != self.shard));
        if is_gone {
            metrics().befell("kinesis", Event::Deleted, 1);
            let what = format!("the stream no longer holds it; unread after {}", self.position);
            self.shared.tell(&self.shard, &what);
        }
        is_gone
    }

    /// Tells of trouble and waits, longer each time it comes again.
    pub(super) async fn wait(&self, backoff: &mut Backoff, trouble: &Trouble) {
        let wait = backoff.next(trouble.kind);
        match trouble.kind {
            Kind::IteratorExpired => {}
            Kind::Throttled => metrics().befell("kinesis", Event::Throttled, 1),
            _ => metrics().befell("kinesis", Event::Failed, 1),
        }
        if backoff.failures.is_power_of_two() {
            self.shared.tell(&self.shard, &format!("{trouble}; tries again"));
        }
        tokio::time::sleep(wait).await;
    }
}

/// Growing waits with jitter, so that shards that failed together do not come back together.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(super) fn next(&mut self, kind: Kind) -> Duration {
        let doublings = self.failures.min(DOUBLINGS_MAX);
        self.failures = self.failures.saturating_add(1);
        // What is throttled has a budget by the second.
        let first = if kind == Kind::Throttled { WAIT_FIRST * 4 } else { WAIT_FIRST };
        let longest = (first * (1 << doublings)).min(WAIT_LONGEST);
        let half = u64::try_from(longest.as_millis() / 2).unwrap_or(0);
        Duration::from_millis(half + chance() % (half + 1))
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A number that nobody can foresee.
pub(super) fn chance() -> u64 {
    std::hash::RandomState::new().hash_one(0_u8)
}

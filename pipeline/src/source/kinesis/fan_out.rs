//! A shard by `SubscribeToShard`: enhanced fan-out.

use std::time::Duration;

use aws_sdk_kinesis::types::SubscribeToShardEventStream;

use super::access::{Kind, Trouble};
use super::position::{Place, Position, Sequence};
use super::reader::{Backoff, Reader};
use super::shared::Gone;
use super::stream::children;

/// Kinesis ends a subscription after five minutes; it is renewed before.
const SUBSCRIPTION: Duration = Duration::from_secs(285);

/// A live subscription says something every few seconds, if only that there is nothing.
const SILENCE_MAX: Duration = Duration::from_secs(35);

/// Calls a second while a closed shard is read out by polling.
const POLLS_AT_THE_END: u32 = 1;

impl Reader {
    /// Reads to the end of the shard, and says which follow it.
    pub(super) async fn fan_out(&mut self, consumer: &str) -> Result<Vec<String>, Gone> {
        let shared = self.shared.clone();
        let mut backoff = Backoff::default();
        // Where to go on, which may be further than the last record.
        let mut resume = self.position.clone();
        loop {
            let arn = match shared.consumer(consumer).await {
                Ok(arn) => arn,
                Err(trouble) => {
                    self.wait(&mut backoff, &trouble).await;
                    continue;
                }
            };
            let mut subscription = match shared.stream.subscribe(&arn, &self.shard, &resume).await {
                Ok(subscription) => subscription.event_stream,
                Err(trouble) if trouble.kind == Kind::NotFound && self.is_gone().await => {
                    return Ok(Vec::new());
                }
                Err(trouble) => {
                    if trouble.kind == Kind::NotFound {
                        shared.forget_consumer();
                    }
                    self.wait(&mut backoff, &trouble).await;
                    continue;
                }
            };
            if self.position == Position::Latest {
                self.settle_latest().await?;
                resume = self.position.clone();
            }
            let over = tokio::time::sleep(SUBSCRIPTION);
            tokio::pin!(over);
            loop {
                let came = tokio::select! {
                    came = tokio::time::timeout(SILENCE_MAX, subscription.recv()) => came,
                    () = &mut over => break,
                };
                let event = match came {
                    Ok(Ok(Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)))) => {
                        event
                    }
                    Ok(Ok(Some(_))) => continue,
                    Ok(Ok(None)) => break,
                    Ok(Err(error)) => {
                        self.wait(&mut backoff, &Trouble::of(&error)).await;
                        break;
                    }
                    Err(_) => {
                        self.wait(&mut backoff, &Trouble::timed_out()).await;
                        break;
                    }
                };
                backoff.reset();
                let has_ended = event.child_shards.as_ref().is_some_and(|it| !it.is_empty());
                let is_idle = event.records.is_empty() && event.millis_behind_latest == 0;
                self.hand_on(event.records, Some(event.millis_behind_latest)).await?;
                if has_ended {
                    return Ok(children(event.child_shards));
                }
                // A server may fail to say that a closed shard is over; polling it always shows.
                if is_idle && shared.is_closed(&self.shard) {
                    return self.poll(POLLS_AT_THE_END).await;
                }
                self.may_go_on().await?;
                if let Some(sequence) = Sequence::parse(&event.continuation_sequence_number) {
                    resume = Position::After(Place { sequence, sub_sequence: 0 });
                }
            }
        }
    }
}

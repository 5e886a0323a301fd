//! A shard by `GetRecords`.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::access::Kind;
use super::reader::{Backoff, Reader};
use super::shared::Gone;
use super::stream::children;

impl Reader {
    /// Reads to the end of the shard, and says which follow it.
    ///
    /// Calls are spaced evenly, also after a failure. An iterator lives five minutes; one that has
    /// expired, because nobody took what was read for so long, is asked for again.
    pub(super) async fn poll(&mut self, per_second: u32) -> Result<Vec<String>, Gone> {
        let shared = self.shared.clone();
        let mut pace = tokio::time::interval(Duration::from_secs(1) / per_second.max(1));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut backoff = Backoff::default();
        let mut iterator: Option<String> = None;
        loop {
            pace.tick().await;
            self.may_go_on().await?;
            let Some(at) = &iterator else {
                match shared.stream.iterator(&self.shard, &self.position).await {
                    Ok(begin) => {
                        self.settle_latest().await?;
                        iterator = Some(begin);
                    }
                    Err(trouble) if trouble.kind == Kind::NotFound && self.is_gone().await => {
                        return Ok(Vec::new());
                    }
                    Err(trouble) => self.wait(&mut backoff, &trouble).await,
                }
                continue;
            };
            // Bounds what all shards together have read and not yet handed on.
            let slot = shared.fetches.acquire().await.map_err(|_| Gone)?;
            match shared.stream.records(at).await {
                Ok(answer) => {
                    backoff.reset();
                    iterator = answer.next_shard_iterator;
                    self.hand_on(answer.records, answer.millis_behind_latest).await?;
                    if iterator.is_none() {
                        return Ok(children(answer.child_shards));
                    }
                }
                Err(trouble) if trouble.kind == Kind::IteratorExpired => iterator = None,
                Err(trouble) if trouble.kind == Kind::NotFound && self.is_gone().await => {
                    return Ok(Vec::new());
                }
                Err(trouble) => {
                    drop(slot);
                    self.wait(&mut backoff, &trouble).await;
                }
            }
        }
    }
}

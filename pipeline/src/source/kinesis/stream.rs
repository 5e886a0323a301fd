//! The calls of Kinesis that are used.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::operation::subscribe_to_shard::SubscribeToShardOutput;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{
    ChildShard, ConsumerStatus, HashKeyRange, ShardIteratorType, StartingPosition,
};

use super::access::{Kind, Trouble};
use super::position::Position;
use super::shards::Shard;

/// Records that one call may bring; Kinesis allows no more.
const RECORDS_MAX: i32 = 10_000;

/// Pages of shards read in one look; a page has up to 1,000.
const PAGES_MAX: usize = 1_000;

/// How often a new consumer is asked after until it can be used, and how long between.
const REGISTER_ASKS_MAX: u32 = 120;
const REGISTER_WAIT: Duration = Duration::from_millis(500);

/// One stream.
pub(super) struct Stream {
    client: Client,
    name: String,
    arn: Option<String>,
}

impl Stream {
    pub(super) fn new(client: Client, name: &str, arn: Option<&str>) -> Stream {
        Stream { client, name: name.to_owned(), arn: arn.map(str::to_owned) }
    }

    /// An ARN names a stream better than its name, but a call takes only one of them.
    fn name(&self) -> Option<String> {
        self.arn.is_none().then(|| self.name.clone())
    }

    /// All shards that the stream still knows.
    pub(super) async fn shards(&self) -> Result<Vec<Shard>, Trouble> {
        let mut shards = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut call = self.client.list_shards();
            // A further page takes the token in place of the stream.
            call = match token.take() {
                Some(token) => call.next_token(token),
                None => call.set_stream_name(self.name()).set_stream_arn(self.arn.clone()),
            };
            let page = call.send().await.map_err(|error| Trouble::of(&error))?;
            shards.extend(page.shards.unwrap_or_default().into_iter().map(|shard| {
                let parents =
                    shard.parent_shard_id.into_iter().chain(shard.adjacent_parent_shard_id);
                Shard {
                    id: shard.shard_id,
                    parents: parents.collect(),
                    hash_range: shard.hash_key_range.map(hash_range),
                    is_open: shard
                        .sequence_number_range
                        .is_none_or(|range| range.ending_sequence_number.is_none()),
                }
            }));
            token = page.next_token;
            if token.is_none() {
                return Ok(shards);
            }
        }
        Err(Trouble::other("the list of shards does not end"))
    }

    /// An iterator that stands before the payload after `position`, or at a record that holds it.
    pub(super) async fn iterator(
        &self,
        shard: &str,
        position: &Position,
    ) -> Result<String, Trouble> {
        let start = Start::of(position);
        let call = self
            .client
            .get_shard_iterator()
            .set_stream_name(self.name())
            .set_stream_arn(self.arn.clone())
            .shard_id(shard)
            .shard_iterator_type(start.kind)
            .set_starting_sequence_number(start.sequence)
            .set_timestamp(start.time);
        let answer = call.send().await.map_err(|error| Trouble::of(&error))?;
        answer.shard_iterator.ok_or_else(|| Trouble::other("no iterator was given"))
    }

    pub(super) async fn records(&self, iterator: &str) -> Result<GetRecordsOutput, Trouble> {
        let call = self.client.get_records().set_stream_arn(self.arn.clone());
        let call = call.shard_iterator(iterator).limit(RECORDS_MAX);
        call.send().await.map_err(|error| Trouble::of(&error))
    }

    /// The consumer of this name, registered if it is not yet, once it can be used.
    pub(super) async fn consumer(&self, name: &str) -> Result<String, Trouble> {
        let arn = match &self.arn {
            Some(arn) => arn.clone(),
            None => {
                let call = self.client.describe_stream_summary().stream_name(&self.name);
                let answer = call.send().await.map_err(|error| Trouble::of(&error))?;
                let summary = answer.stream_description_summary;
                let summary = summary.ok_or_else(|| Trouble::other("no stream was described"))?;
                summary.stream_arn
            }
        };
        for _ in 0..REGISTER_ASKS_MAX {
            let call = self.client.describe_stream_consumer().stream_arn(&arn).consumer_name(name);
            match call.send().await.map_err(|error| Trouble::of(&error)) {
                Ok(answer) => {
                    let found = answer.consumer_description;
                    let found = found.ok_or_else(|| Trouble::other("no consumer was described"))?;
                    if found.consumer_status == ConsumerStatus::Active {
                        return Ok(found.consumer_arn);
                    }
                }
                Err(trouble) if trouble.kind == Kind::NotFound => {
                    let call =
                        self.client.register_stream_consumer().stream_arn(&arn).consumer_name(name);
                    match call.send().await.map_err(|error| Trouble::of(&error)) {
                        // Another process may be quicker: then the next look finds it.
                        Err(trouble) if trouble.kind != Kind::Taken => return Err(trouble),
                        _ => {}
                    }
                }
                Err(trouble) => return Err(trouble),
            }
            tokio::time::sleep(REGISTER_WAIT).await;
        }
        Err(Trouble::other(format!("consumer {name} does not become active")))
    }

    pub(super) async fn subscribe(
        &self,
        consumer_arn: &str,
        shard: &str,
        position: &Position,
    ) -> Result<SubscribeToShardOutput, Trouble> {
        let start = Start::of(position);
        let starting = StartingPosition::builder()
            .r#type(start.kind)
            .set_sequence_number(start.sequence)
            .set_timestamp(start.time)
            .build()
            .map_err(|error| Trouble::other(error.to_string()))?;
        let call = self.client.subscribe_to_shard().consumer_arn(consumer_arn);
        let call = call.shard_id(shard).starting_position(starting);
        call.send().await.map_err(|error| Trouble::of(&error))
    }
}

/// Where Kinesis is asked to begin.
struct Start {
    kind: ShardIteratorType,
    sequence: Option<String>,
    time: Option<DateTime>,
}

impl Start {
    fn of(position: &Position) -> Start {
        let of = |kind| Start { kind, sequence: None, time: None };
        match position {
            Position::Oldest | Position::End => of(ShardIteratorType::TrimHorizon),
            Position::Latest => of(ShardIteratorType::Latest),
            Position::At(time_ms) => Start {
                time: Some(DateTime::from_millis(*time_ms)),
                ..of(ShardIteratorType::AtTimestamp)
            },
            // The record itself: it may hold user records that are not done yet.
            Position::After(place) => Start {
                sequence: Some(place.sequence.as_str().to_owned()),
                ..of(ShardIteratorType::AtSequenceNumber)
            },
        }
    }
}

/// The ids of the shards that a shard was split or merged into, as its last answer names them.
pub(super) fn children(named: Option<Vec<ChildShard>>) -> Vec<String> {
    named.unwrap_or_default().into_iter().map(|child| child.shard_id).collect()
}

fn hash_range(range: HashKeyRange) -> (String, String) {
    (range.starting_hash_key, range.ending_hash_key)
}

//! Offsets that are durable are committed.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::topic_partition_list::Offset;

use super::{Kafka, handover};
use crate::clock::Stopwatch;
use crate::progress::Input;
use crate::source::batch::{Durable, Handover};

/// How often all offsets are committed, whether or not they have moved. What is refused while the
/// group is made anew stays refused; and what a coordinator that fails does not answer, librdkafka
/// sends again later, beside what was committed since, so that the older may come last and hold.
const COMMIT_ALL: Duration = Duration::from_secs(5);

impl Kafka {
    /// Commits how far these are durable, each with what its next owner needs.
    pub(super) fn commit(&mut self, inputs: &[Input], mode: CommitMode) {
        let mut list = TopicPartitionList::new();
        for input in inputs {
            let (Some((topic, partition)), Some(to)) =
                (self.partitions.get(*input as usize), self.durable.get(input))
            else {
                continue;
            };
            let mut element = list.add_partition(topic, *partition);
            if let Some(handover) = self.handovers.get(input) {
                element.set_metadata(handover::note(handover));
            }
            if let Err(error) = element.set_offset(Offset::Offset(*to)) {
                self.say(error.to_string());
            }
        }
        if list.count() > 0
            && let Err(error) = self.consumer.commit(&list, mode)
        {
            // The ledger has the positions, and all are committed again soon.
            self.say(format!("offsets could not be committed: {error}"));
        }
    }

    pub(super) fn commit_all_from_time_to_time(&mut self) {
        if self.all_committed.elapsed() >= COMMIT_ALL {
            self.all_committed = Stopwatch::start();
            let is_ours = |input: &&Input| !self.given_up.contains(input);
            let inputs: Vec<Input> = self.durable.keys().filter(is_ours).copied().collect();
            self.commit(&inputs, CommitMode::Async);
        }
    }

    /// Takes in how far inputs are done, and commits what moved.
    pub(super) fn commit_moved(&mut self, done: &[Durable]) {
        let moved: Vec<Input> =
            done.iter().filter(|done| self.moves(done)).map(|done| done.input).collect();
        self.commit(&moved, CommitMode::Async);
    }

    /// Takes in how far an input is done; whether that is to be committed.
    fn moves(&mut self, done: &Durable) -> bool {
        let Durable { input, position, handover } = done;
        // Only what is ours now is ours to commit, and only beyond what the group has.
        let is_ours = self.handed_out.contains_key(input);
        let until = self.rereads.get(input).map_or(0, |reread| reread.again.until);
        let Some(to) = position.parse().ok().filter(|to| is_ours && *to >= until) else {
            return false;
        };
        let from = |handover: Option<&Handover>| handover.map(|it| it.reread_from.clone());
        let before = from(self.handovers.get(input));
        let moves =
            self.durable.insert(*input, to) != Some(to) || before != from(handover.as_ref());
        match handover {
            Some(handover) => drop(self.handovers.insert(*input, handover.clone())),
            None => drop(self.handovers.remove(input)),
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rdkafka::TopicPartitionList;
    use rdkafka::config::ClientConfig;
    use rdkafka::consumer::BaseConsumer;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;
    use crate::source::batch::{Next, Source, Word};
    use crate::source::kafka::Settings;

    const TOPIC: &str = "t";
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Polls the source until the group has committed this offset.
    fn poll_until_committed(source: &mut Kafka, group: &BaseConsumer, to: i64) {
        let since = Stopwatch::start();
        let mut list = TopicPartitionList::new();
        list.add_partition(TOPIC, 0);
        loop {
            source.next(Duration::from_millis(20)).unwrap();
            let committed = group.committed_offsets(list.clone(), PATIENCE).unwrap();
            if committed.elements()[0].offset() == Offset::Offset(to) {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "waited in vain for {to}: {committed:?}");
        }
    }

    /// Real brokers do so when they fail, if at all.
    #[test]
    fn an_older_commit_that_comes_last_does_not_hold() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.bootstrap_servers());
        let producer: BaseProducer = config.create().unwrap();
        for payload in ["1", "2"] {
            let record: BaseRecord<'_, (), str> = BaseRecord::to(TOPIC).payload(payload);
            producer.send(record).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        let group: BaseConsumer = config.set("group.id", "g").create().unwrap();
        let retry_ms = "1000";
        let properties = ["retry.backoff.ms", "retry.backoff.max.ms"]
            .map(|name| (name.to_owned(), retry_ms.to_owned()));
        let mut source = Kafka::subscribe(&Settings {
            brokers: cluster.bootstrap_servers(),
            topics: vec![TOPIC.to_owned()],
            group: "g".to_owned(),
            is_from_start: true,
            properties: properties.into(),
            ..Settings::default()
        })
        .unwrap();
        let mut read = 0;
        while read < 2 {
            if let Next::Batch(batch) = source.next(PATIENCE).unwrap() {
                read += batch.len();
            }
        }
        // The first is answered with an error, and sent again after the second.
        let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
        cluster.request_errors(RDKafkaApiKey::OffsetCommit, &[error]);
        for position in ["1", "2"] {
            let done = Durable { input: 0, position: position.into(), handover: None };
            source.hear(Word::Durable(vec![done])).unwrap();
        }
        poll_until_committed(&mut source, &group, 2);
        source.all_committed = Stopwatch::start();
        poll_until_committed(&mut source, &group, 1);
        poll_until_committed(&mut source, &group, 2);
    }
}

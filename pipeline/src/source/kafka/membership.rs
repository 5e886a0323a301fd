//! What is done when the group gives and takes partitions.

use std::collections::BTreeMap;
use std::time::Duration;

use floodmark_detectors::time::EventTime;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaResult;

use super::connect::consumer;
use super::group::{Change, Gain, Partition};
use super::handover::Reread;
use super::{Kafka, SourceError, moves, named};
use crate::clock::Stopwatch;
use crate::progress::Input;
use crate::source::batch::{Next, Source};

/// How long a partition that was taken away waits for what was read of it to become durable.
pub const LEAVE: Duration = Duration::from_secs(20);

/// How long leaving the group for good may take, and how often it is looked whether it is done.
const QUIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

impl Kafka {
    /// Takes in what the group gave and took, before anything else of these partitions.
    pub(super) fn regroup(&mut self) -> Result<(), SourceError> {
        for change in self.consumer.context().changes() {
            match change {
                Change::Gained(gains) => self.gain(gains),
                Change::Taken(partitions) => {
                    let inputs = self.take(partitions);
                    if !self.settings.is_keyed && !inputs.is_empty() {
                        self.tell(&format!(
                            "another member of group {} takes {}, and windows that count in both \
                             are split: stop it, or give it a group of its own, unless the topic is \
                             keyed by what rules group by (keyed_by)",
                            self.settings.group,
                            self.names_of(&inputs),
                        ));
                    }
                }
                Change::GivenUp(partitions) => {
                    let inputs = self.take(partitions);
                    self.given_up.extend(inputs);
                }
            }
        }
        self.leave()
    }

    /// Takes up partitions, each where it was, or anew where somebody else has read on.
    fn gain(&mut self, gains: Vec<Gain>) {
        // What is held of those that were overtaken goes first: it has the same name.
        let is_overtaken = |gain: &&Gain| gain.is_overtaken;
        let outdated: Vec<Input> = gains
            .iter()
            .filter(is_overtaken)
            .filter_map(|gain| self.inputs.get(&gain.partition).copied())
            .collect();
        self.forget(&outdated);
        let (mut inputs, mut overtaken, mut rereads) = (Vec::new(), Vec::new(), 0);
        for Gain { partition, again, is_overtaken } in gains {
            let input = self.input(partition);
            inputs.push(input);
            if is_overtaken {
                let judges_from = again.map_or(EventTime::MIN, |again| again.judges_from);
                overtaken.push((input, judges_from));
            }
            if let Some(again) = again {
                rereads += again.until - again.from;
                self.rereads.insert(input, Reread { again, is_over: false });
            }
        }
        if rereads > 0 {
            let these = self.names_of(&inputs);
            self.tell(&format!("reads again what windows rest on of {these}: {rereads} offsets"));
        }
        self.given_up.retain(|input| !inputs.contains(input) && !outdated.contains(input));
        let lost: Vec<Input> = std::mem::take(&mut self.given_up).into_iter().collect();
        self.forget(&lost);
        for next in [
            Next::Lost(lost),
            Next::Gained(inputs),
            Next::Overtaken(overtaken),
            Next::Lost(outdated),
        ] {
            self.ready.push_front(next);
        }
    }

    /// Hands out nothing more of these, and means to let go of them.
    fn take(&mut self, partitions: Vec<Partition>) -> Vec<Input> {
        let inputs: Vec<Input> =
            partitions.into_iter().map(|partition| self.input(partition)).collect();
        // What is not handed out yet is the next owner's.
        self.gathering.retain(|input, _| !inputs.contains(input));
        self.ready.retain(|next| match next {
            Next::Batch(batch) => !inputs.contains(&batch.input),
            Next::CaughtUp(input) => !inputs.contains(input),
            _ => true,
        });
        // Their next owner may have more of them to read than is known here: until they are lost,
        // time waits.
        self.ready.push_back(Next::Unheard(inputs.clone()));
        self.ready.push_back(Next::Leaving(inputs.clone()));
        let (mut all, since) = self.leaving.take().unwrap_or((Vec::new(), Stopwatch::start()));
        all.extend(&inputs);
        self.leaving = Some((all, since));
        inputs
    }

    /// Lets go of what was taken away, once it is durable or has waited long enough.
    fn leave(&mut self) -> Result<(), SourceError> {
        let Some((inputs, since)) = &self.leaving else { return Ok(()) };
        let is_done = |input: &Input| {
            self.handed_out.get(input).is_none_or(|to| self.durable.get(input) == Some(to))
                // The group is further than this member has come.
                || self.rereads.get(input).is_some_and(|reread| !reread.is_over)
        };
        if !inputs.iter().all(is_done) && since.elapsed() < LEAVE {
            return Ok(());
        }
        let (inputs, _) = self.leaving.take().unwrap_or((Vec::new(), Stopwatch::start()));
        // A group that has given up on this member takes no offsets from it.
        let ours: Vec<Input> =
            inputs.iter().filter(|input| !self.given_up.contains(input)).copied().collect();
        self.commit(&ours, CommitMode::Sync);
        let list = self.list(&inputs);
        self.consumer.context().let_go(&self.consumer, &list).map_err(|error| self.fail(&error))?;
        self.forget(&inputs);
        let given_up = |input: &Input| self.given_up.contains(input);
        self.ready.push_back(Next::Lost(inputs.into_iter().filter(|it| !given_up(it)).collect()));
        Ok(())
    }

    fn forget(&mut self, inputs: &[Input]) {
        for input in inputs {
            self.handed_out.remove(input);
            self.durable.remove(input);
            self.handovers.remove(input);
            self.rereads.remove(input);
        }
        // One that comes back is another input: nothing that is still under way is meant for it.
        self.inputs.retain(|_, input| !inputs.contains(input));
        self.hearing.lost(inputs);
    }

    /// Joins the group anew where what this member had before it began has come to nobody.
    pub(super) fn look_for_missing(&mut self) -> Result<(), SourceError> {
        let Some(missing) = self.consumer.context().moves().take_missing() else { return Ok(()) };
        let group = &self.settings.group;
        match moves::ownerless(&self.consumer, &self.settings, &missing) {
            Err(error) => {
                self.consumer.context().moves().still_missing(missing);
                self.say(format!("who reads what in group {group} could not be asked: {error}"));
                Ok(())
            }
            Ok(ownerless) if ownerless.is_empty() => Ok(()),
            Ok(ownerless) => {
                self.tell(&format!(
                    "nobody in group {group} reads {}: this member ended while the group moved them; it \
                     leaves and joins again, so that they are given anew",
                    named(ownerless.len(), ownerless.iter().cloned()),
                ));
                let inputs: Vec<Input> = self.durable.keys().copied().collect();
                self.commit(&inputs, CommitMode::Sync);
                let positions = self.set_down();
                self.quit();
                self.join(positions)
            }
        }
    }

    /// Joins the group once more, as another member, and reads on where it is.
    ///
    /// A member with a `group.instance.id` that joined again after its coordinator had failed may
    /// be taken for its own former self by a commit that was still on its way, and is then done for.
    pub(super) fn join_again(&mut self) -> Result<(), SourceError> {
        self.tell("this member was taken for another while its coordinator failed; it joins again");
        let positions = self.set_down();
        self.join(positions)
    }

    /// Is done with the consumer that there is; where to go on, by partition's name.
    fn set_down(&mut self) -> BTreeMap<String, i64> {
        self.consumer.context().close();
        let mut positions = self.consumer.context().take_positions();
        for (input, to) in &self.handed_out {
            positions.insert(self.name_of(*input), *to);
        }
        self.given_up.extend(self.handed_out.keys());
        self.ready.push_back(Next::Unheard(self.handed_out.keys().copied().collect()));
        positions
    }

    fn join(&mut self, positions: BTreeMap<String, i64>) -> Result<(), SourceError> {
        (self.leaving, self.is_held) = (None, false);
        self.ahead.clear();
        self.consumer = consumer(&self.settings, positions)?;
        Ok(())
    }

    /// Leaves the group for good, whether or not this member has a `group.instance.id`. Nobody looks at
    /// changes any more.
    pub(super) fn quit(&mut self) {
        let consumer = &self.consumer;
        let leaving = self.leaving.take().map_or(Vec::new(), |(inputs, _)| inputs);
        let let_go = consumer.context().let_go(consumer, &self.list(&leaving));
        // A member that only closes is taken to come back.
        consumer.unsubscribe();
        let none = |list: KafkaResult<TopicPartitionList>| list.is_ok_and(|it| it.count() == 0);
        let since = Stopwatch::start();
        while !(none(consumer.subscription()) && none(consumer.assignment())) {
            if since.elapsed() >= QUIT {
                break;
            }
            drop(consumer.poll(POLL));
        }
        if let Err(error) = let_go {
            self.say(format!("partitions could not be let go of: {error}"));
        }
    }
}

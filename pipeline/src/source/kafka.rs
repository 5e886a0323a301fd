//! Kafka as a source: a consumer group over librdkafka.
//!
//! Messages are gathered into one batch a partition, so that a hop to a worker costs little a
//! record. Each partition is an input; it has caught up when librdkafka says that its end is
//! reached, for as long as it can be heard. What librdkafka can be told, it can be told here: every
//! property passes through.
//!
//! A partition is read from where the ledger has it, else from what the group has committed, else
//! from its end (or its beginning, if so configured, or if its topic has grown by it). Where what
//! comes next was deleted already, from what is left. Offsets are committed once they are durable.
//! A partition that the group takes away is read no further at once, and let go of only when what
//! was read of it is durable and committed, or [`LEAVE`] has passed: its next owner then repeats
//! little, and misses nothing.

mod commit;
mod connect;
mod group;
mod handover;
mod hearing;
mod membership;
mod moves;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;

use super::batch::{Batch, Handover, Next, Source, SourceError, Word};
use crate::clock::Stopwatch;
use crate::encode::text::counted;
use crate::iam::Iam;
use crate::metrics::{Event, metrics};
use crate::progress::Input;
use connect::{consumer, is_passing};
use group::{Group, Partition};
use handover::Reread;
pub use hearing::GRACE;
use hearing::Hearing;
pub use membership::LEAVE;

/// Records that a batch holds at most.
pub const BATCH_RECORDS_MAX: usize = 512;

/// Bytes after which a batch is handed out.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Messages taken before what was gathered is handed out, whether or not a batch is full.
const GATHER_MAX: usize = 4_096;

/// How long a broker may take to say where a partition ends.
const WATERMARKS: Duration = Duration::from_secs(5);

/// How long after brokers could not be heard what befalls this member is laid to that.
const TROUBLE: Duration = Duration::from_secs(300);

/// Partitions that are told by name, at most.
const NAMES_MAX: usize = 4;

/// What to read and how.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `host:port`, comma-separated.
    pub brokers: String,
    /// Topics by name, or by regular expression where one begins with `^`.
    pub topics: Vec<String>,
    /// Consumer group.
    pub group: String,
    /// Whether a partition without any position is read from its beginning.
    pub is_from_start: bool,
    /// Whether all that one window counts lies in one partition, so that processes may share them.
    pub is_keyed: bool,
    /// Whether windows are kept by partition, so that what they rest on is read again when one is
    /// gained.
    pub rereads: bool,
    /// Offsets to go on from, by input name (`topic[3]`).
    pub positions: BTreeMap<String, Box<str>>,
    /// Who signs in to Amazon MSK.
    pub iam: Option<Iam>,
    /// Further librdkafka properties; they win over Floodmark's own choices.
    pub properties: BTreeMap<String, String>,
}

/// A consumer group member.
pub struct Kafka {
    consumer: BaseConsumer<Group>,
    settings: Settings,
    inputs: HashMap<Partition, Input>,
    /// By input: the partition.
    partitions: Vec<Partition>,
    gathering: BTreeMap<Input, Batch>,
    ready: VecDeque<Next>,
    /// Offset after what was handed out, by input.
    handed_out: BTreeMap<Input, i64>,
    /// Offset that is durable and committed.
    durable: BTreeMap<Input, i64>,
    /// What goes with it to the next owner.
    handovers: BTreeMap<Input, Handover>,
    /// Since all of it was last committed.
    all_committed: Stopwatch,
    /// What is or was read again, since it was gained.
    rereads: BTreeMap<Input, Reread>,
    /// Partitions that the group takes away, and since when.
    leaving: Option<(Vec<Input>, Stopwatch)>,
    /// Partitions that the group gave up while it could not be heard. They may come back, so time
    /// waits for them until it has given again.
    given_up: BTreeSet<Input>,
    /// Not read for now, since they are ahead of the others.
    ahead: BTreeSet<Input>,
    /// Nothing is read for now, since nothing can be taken.
    is_held: bool,
    hearing: Hearing,
    /// When some partition was last found not to be heard.
    unheard: Option<Stopwatch>,
    said: String,
}

impl Kafka {
    /// Joins the group. Brokers are reached in the background; [`Source::next`] tells of trouble.
    pub fn subscribe(settings: &Settings) -> Result<Kafka, SourceError> {
        let mut positions = BTreeMap::new();
        for (name, to) in &settings.positions {
            positions.extend(to.parse().ok().map(|offset| (name.clone(), offset)));
        }
        let consumer = consumer(settings, positions)?;
        Ok(Kafka {
            consumer,
            settings: settings.clone(),
            inputs: HashMap::new(),
            partitions: Vec::new(),
            gathering: BTreeMap::new(),
            ready: VecDeque::new(),
            handed_out: BTreeMap::new(),
            durable: BTreeMap::new(),
            handovers: BTreeMap::new(),
            all_committed: Stopwatch::start(),
            rereads: BTreeMap::new(),
            leaving: None,
            given_up: BTreeSet::new(),
            ahead: BTreeSet::new(),
            is_held: false,
            hearing: Hearing::default(),
            unheard: None,
            said: String::new(),
        })
    }

    /// Takes what librdkafka holds, until there is nothing, or enough.
    fn gather(&mut self, wait: Duration) -> Result<(), SourceError> {
        let mut wait = wait;
        for _ in 0..GATHER_MAX {
            let found = match self.consumer.poll(wait) {
                None => None,
                Some(Ok(message)) => {
                    let partition = (message.topic().to_owned(), message.partition());
                    let at = (message.offset(), message.timestamp().to_millis());
                    let input = input(&mut self.inputs, &mut self.partitions, partition);
                    let mut reread = self.rereads.get_mut(&input).filter(|it| !it.is_over);
                    if let Some(reread) = reread.take_if(|it| at.0 >= it.again.until) {
                        reread.end(input, &mut self.gathering, &mut self.ready);
                    }
                    let batch = self.gathering.entry(input).or_insert_with(|| Batch::of(input));
                    batch.is_reread = reread.is_some();
                    if self.settings.rereads && batch.is_empty() {
                        batch.from = Some(at.0.to_string().into());
                    }
                    batch.sent_ms = batch.sent_ms.or(at.1);
                    batch.push(u64::try_from(at.0).unwrap_or(0), message.payload().unwrap_or(&[]));
                    batch.position = None;
                    let is_full =
                        batch.len() >= BATCH_RECORDS_MAX || batch.byte_count() >= BATCH_BYTES_MAX;
                    if let Some(reread) = reread.filter(|it| at.0 + 1 == it.again.until) {
                        reread.end(input, &mut self.gathering, &mut self.ready);
                        self.handed_out.insert(input, at.0 + 1);
                    }
                    Some(Ok((input, at.0, is_full)))
                }
                Some(Err(error)) => Some(Err(error)),
            };
            self.regroup()?;
            match found {
                None => break,
                Some(Ok((input, offset, is_full))) => {
                    if self.gathering.contains_key(&input) {
                        self.handed_out.insert(input, offset + 1);
                    }
                    if is_full {
                        self.hand_out(input);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => self.caught_up(partition),
                Some(Err(error)) if self.is_fenced_by_itself(&error) => {
                    self.join_again()?;
                    break;
                }
                Some(Err(error)) if is_passing(&error) => self.say(error.to_string()),
                Some(Err(error)) => return Err(self.fail(&error)),
            }
            wait = Duration::ZERO;
        }
        let gathered: Vec<Input> = self.gathering.keys().copied().collect();
        for input in gathered {
            self.hand_out(input);
        }
        Ok(())
    }

    /// Whether this member is done for, and that is most likely the work of nobody else.
    fn is_fenced_by_itself(&self, error: &KafkaError) -> bool {
        error.rdkafka_error_code() == Some(RDKafkaErrorCode::FencedInstanceId)
            && self.unheard.is_some_and(|since| since.elapsed() < TROUBLE)
    }

    /// The end of a partition of this number was reached. librdkafka does not say of which topic;
    /// where there are several, the broker is asked.
    fn caught_up(&mut self, number: i32) {
        let same: Vec<Input> =
            self.inputs.iter().filter(|((_, p), _)| *p == number).map(|(_, i)| *i).collect();
        for input in &same {
            let is_at_end = same.len() == 1 || {
                let ends = self.partitions.get(*input as usize).and_then(|(topic, partition)| {
                    self.consumer.fetch_watermarks(topic, *partition, WATERMARKS).ok()
                });
                let to = self.handed_out.get(input).copied();
                ends.is_some_and(|(low, high)| high <= to.unwrap_or(low))
            };
            if is_at_end {
                if let Some(reread) = self.rereads.get_mut(input).filter(|it| !it.is_over) {
                    reread.end(*input, &mut self.gathering, &mut self.ready);
                    self.handed_out.insert(*input, reread.again.until);
                }
                self.hand_out(*input);
                if self.hearing.ended(*input) {
                    self.ready.push_back(Next::CaughtUp(*input));
                }
            }
        }
    }

    fn hand_out(&mut self, input: Input) {
        if let Some(mut batch) = self.gathering.remove(&input) {
            let to = self.handed_out.get(&input);
            batch.position = to.map(|to| to.to_string().into_boxed_str());
            self.ready.push_back(Next::Batch(batch));
            self.hearing.brought(input);
        }
    }

    /// Takes in which partitions can be heard, and tells when that changes.
    fn listen(&mut self) {
        if let Some(heard) = self.consumer.context().take_heard() {
            let unheard_before = self.hearing.unheard();
            let partitions = &self.partitions;
            let said = |input: Input| heard.get(partitions.get(input as usize)?).copied();
            let unheard = self.hearing.listen(said);
            let unheard_now = self.hearing.unheard();
            if unheard_now > 0 {
                self.unheard = Some(Stopwatch::start());
            }
            let gauge = &metrics().unheard_partitions;
            gauge.inc_by(unheard_now as i64 - unheard_before as i64);
            if !unheard.is_empty() {
                metrics().befell("kafka", Event::Unheard, unheard.len());
                let what = self.names_of(&unheard);
                let why = self.consumer.context().last_error().unwrap_or_default();
                self.tell(&format!(
                    "{what} cannot be heard, and time waits for them: see to their brokers, and to \
                     the way there ({why})"
                ));
                self.ready.push_back(Next::Unheard(unheard));
            } else if unheard_before > 0 && unheard_now == 0 {
                let secs = GRACE.as_secs();
                self.tell(&format!(
                    "all partitions can be heard again; those that are idle hold time for {secs} s \
                     more, for what could not be written to them"
                ));
            }
        }
        for input in self.hearing.trusted_again(GRACE) {
            self.ready.push_back(Next::CaughtUp(input));
        }
    }

    /// Partitions for people: the first few by name.
    fn names_of(&self, inputs: &[Input]) -> String {
        named(inputs.len(), inputs.iter().map(|input| self.name_of(*input)))
    }

    fn list(&self, inputs: &[Input]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (topic, partition) in inputs.iter().filter_map(|i| self.partitions.get(*i as usize)) {
            list.add_partition(topic, *partition);
        }
        list
    }

    /// Pauses what is not to be read now, and resumes the rest.
    fn steer(&mut self, is_held: bool, ahead: BTreeSet<Input>) {
        let ours: Vec<Input> = self.handed_out.keys().copied().collect();
        let is_paused = |held: bool, ahead: &BTreeSet<Input>, i: &Input| held || ahead.contains(i);
        let (mut pause, mut resume) = (Vec::new(), Vec::new());
        for input in ours {
            let before = is_paused(self.is_held, &self.ahead, &input);
            match (before, is_paused(is_held, &ahead, &input)) {
                (false, true) => pause.push(input),
                (true, false) => resume.push(input),
                _ => {}
            }
        }
        (self.is_held, self.ahead) = (is_held, ahead);
        let paused = self.consumer.pause(&self.list(&pause));
        let resumed = self.consumer.resume(&self.list(&resume));
        if let Err(error) = paused.and(resumed) {
            self.say(format!("partitions could not be paused or resumed: {error}"));
        }
    }

    fn fail(&self, error: &KafkaError) -> SourceError {
        let why = self.consumer.context().last_error().unwrap_or_default();
        let reason = if why.is_empty() { error.to_string() } else { format!("{error} ({why})") };
        SourceError { source_name: format!("kafka {}", self.settings.brokers), reason }
    }

    /// Tells of trouble that librdkafka goes on to mend, once until it changes.
    fn say(&mut self, what: String) {
        if self.said != what {
            self.tell(&what);
            self.said = what;
        }
    }

    fn tell(&self, what: &str) {
        eprintln!("floodmark: kafka {}: {what}", self.settings.brokers);
    }

    fn input(&mut self, partition: Partition) -> Input {
        input(&mut self.inputs, &mut self.partitions, partition)
    }
}

impl Source for Kafka {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        if self.is_held {
            self.steer(false, self.ahead.clone());
        }
        if self.ready.is_empty() {
            self.gather(wait)?;
        }
        self.regroup()?;
        self.look_for_missing()?;
        self.listen();
        self.commit_all_from_time_to_time();
        Ok(self.ready.pop_front().unwrap_or(Next::Nothing))
    }

    fn hear(&mut self, word: Word) -> Result<(), SourceError> {
        match word {
            Word::Durable(done) => self.commit_moved(&done),
            Word::Ahead(ahead) => self.steer(self.is_held, ahead),
            Word::Hold => {
                if !self.is_held {
                    self.steer(true, self.ahead.clone());
                }
                // Keeps the membership: what comes out of paused partitions is only news.
                self.gather(Duration::ZERO)?;
            }
        }
        Ok(())
    }

    fn name_of(&self, input: Input) -> String {
        match self.partitions.get(input as usize) {
            Some((topic, partition)) => group::name(topic, *partition),
            None => format!("input {input}"),
        }
    }
}

impl Drop for Kafka {
    /// The last offsets, before the group is left.
    fn drop(&mut self) {
        let inputs: Vec<Input> = self.durable.keys().copied().collect();
        self.commit(&inputs, CommitMode::Sync);
        self.consumer.context().close();
        if self.consumer.context().moves().are_under_way() {
            self.quit();
        }
    }
}

/// So many partitions for people: the first few by name.
fn named(count: usize, names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.take(NAMES_MAX).collect();
    if let more @ 1.. = count.saturating_sub(NAMES_MAX) {
        names.push(format!("{more} more"));
    }
    format!("{} ({})", counted(count, "partition"), names.join(", "))
}

/// The number of a partition; a new one if it has none.
fn input(
    inputs: &mut HashMap<Partition, Input>,
    partitions: &mut Vec<Partition>,
    partition: Partition,
) -> Input {
    if let Some(input) = inputs.get(&partition) {
        return *input;
    }
    let input = Input::try_from(partitions.len()).unwrap_or(Input::MAX);
    partitions.push(partition.clone());
    inputs.insert(partition, input);
    input
}

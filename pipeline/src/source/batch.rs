//! The seam to where records come from.

use std::collections::BTreeSet;
use std::time::Duration;

use floodmark_detectors::time::EventTime;

use crate::progress::Input;

/// Payloads of one input, in its order, in one piece of memory.
#[derive(Debug, Default)]
pub struct Batch {
    /// The input they come from.
    pub input: Input,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Where each stands in its input: an offset or a byte position.
    offsets: Vec<u64>,
    /// Where the source knows that no later batch of its input holds a record before this time.
    pub settled: Option<EventTime>,
    /// Where the input is to be read on from once all of these are worked off, in the source's own
    /// words; none where it does not keep positions.
    pub position: Option<Box<str>>,
    /// When the first was handed to whatever carried it here, milliseconds of wall-clock time.
    pub sent_ms: Option<i64>,
}

impl Batch {
    /// An empty batch of `input`.
    #[must_use]
    pub fn of(input: Input) -> Batch {
        Batch { input, ..Batch::default() }
    }

    /// Adds a payload that stands at `offset`.
    pub fn push(&mut self, offset: u64, payload: &[u8]) {
        self.bytes.extend_from_slice(payload);
        self.ends.push(self.bytes.len());
        self.offsets.push(offset);
    }

    /// How many payloads there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many bytes they are.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// The payloads in order, each with its offset.
    pub fn payloads(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).zip(&self.offsets).map(|((start, end), offset)| {
            (*offset, self.bytes.get(start..*end).unwrap_or_default())
        })
    }
}

/// What a source has next.
#[derive(Debug)]
pub enum Next {
    /// Payloads.
    Batch(Batch),
    /// These inputs are read from now on: time waits for them.
    Gained(Vec<Input>),
    /// Nothing more of these inputs is handed out; the source lets go of them once their positions
    /// are durable, and wishes that it were soon.
    Leaving(Vec<Input>),
    /// These inputs are somebody else's now: time does not wait for them.
    Lost(Vec<Input>),
    /// All that this input holds at present has been handed out.
    CaughtUp(Input),
    /// It is not known any more what these inputs hold at present, because their peer cannot be
    /// heard: time waits for them until they are caught up with again.
    Unheard(Vec<Input>),
    /// This input will bring nothing more.
    Ended(Input),
    /// Nothing came while it waited.
    Nothing,
    /// No input will bring anything more.
    End,
}

/// Why a source cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{source_name}: {reason}")]
pub struct SourceError {
    /// Which source.
    pub source_name: String,
    /// What happened, and what an operator can do.
    pub reason: String,
}

/// What a source is told by the flow that reads it.
#[derive(Debug, Clone)]
pub enum Word {
    /// All before these positions is worked off and will not be asked for again.
    Durable(Vec<(Input, Box<str>)>),
    /// These inputs, and no others, are so far ahead in time that they should not be read for now.
    Ahead(BTreeSet<Input>),
    /// What was handed out last cannot be taken at present; whatever keeps the source alive at its
    /// peer must go on.
    Hold,
}

/// Where records come from. A source has a thread of its own, so it may block.
pub trait Source: Send {
    /// What comes next, waiting at most so long. In order, and without a gap, within an input.
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError>;

    /// Listens to the flow. Comes between two calls of [`next`](Source::next).
    fn hear(&mut self, word: Word) -> Result<(), SourceError> {
        drop(word);
        Ok(())
    }

    /// An input for people: `topic[3]`, a file's name.
    fn name_of(&self, input: Input) -> String;
}

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
    /// Where its first payload stands, in the same words, for whoever reads its input next and needs
    /// it again; none where inputs have no next reader.
    pub from: Option<Box<str>>,
    /// Another process read it before, and has said what follows from it.
    pub is_reread: bool,
    /// Nothing comes after it in its input, and what would have goes on in others: what its lane has
    /// to say, it says now.
    pub is_last: bool,
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
    /// Another process has read on in these inputs, which are about to be gained, since their
    /// positions were kept: what is held of them is out of date. Each with the event time from which
    /// on what it brings is judged.
    Overtaken(Vec<(Input, EventTime)>),
    /// These inputs are read from now on: time waits for them.
    Gained(Vec<Input>),
    /// Nothing more of these inputs is handed out; the source lets go of them once their positions
    /// are durable, and wishes that it were soon.
    Leaving(Vec<Input>),
    /// These inputs are somebody else's now, or over for good: time does not wait for them, and what
    /// is held of them goes. One that comes back has another number.
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

impl Next {
    /// The same with other numbers for inputs.
    #[must_use]
    pub fn renumbered(self, number: &mut impl FnMut(Input) -> Input) -> Next {
        if let Next::Overtaken(inputs) = self {
            let each = inputs.into_iter().map(|(input, time)| (number(input), time));
            return Next::Overtaken(each.collect());
        }
        let mut each = |inputs: Vec<Input>| inputs.into_iter().map(&mut *number).collect();
        match self {
            Next::Overtaken(inputs) => Next::Overtaken(inputs),
            Next::Gained(inputs) => Next::Gained(each(inputs)),
            Next::Leaving(inputs) => Next::Leaving(each(inputs)),
            Next::Lost(inputs) => Next::Lost(each(inputs)),
            Next::Unheard(inputs) => Next::Unheard(each(inputs)),
            Next::Batch(batch) => Next::Batch(Batch { input: number(batch.input), ..batch }),
            Next::CaughtUp(input) => Next::CaughtUp(number(input)),
            Next::Ended(input) => Next::Ended(number(input)),
            Next::Nothing => Next::Nothing,
            Next::End => Next::End,
        }
    }
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

/// How far an input is done, durably.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    /// The input.
    pub input: Input,
    /// All before this is worked off and will not be asked for again.
    pub position: Box<str>,
    /// What its next reader is to know, where another process may be that.
    pub handover: Option<Handover>,
}

/// What the next reader of an input needs, beside the position from which it reads on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Handover {
    /// Windows hold something of what stands from here on.
    pub reread_from: Box<str>,
    /// The event time up to which all is settled at the position.
    pub settled: EventTime,
    /// The event time from which on what is read again is judged.
    pub judges_from: EventTime,
}

/// What a source is told by the flow that reads it.
#[derive(Debug, Clone)]
pub enum Word {
    /// So far is done.
    Durable(Vec<Durable>),
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

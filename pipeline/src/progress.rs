//! How far each input is done, and the watermark that follows.
//!
//! Batches of one input are begun in order and done in any. What counts is the unbroken front: a
//! batch that overtook another does not count yet, neither for positions nor for time, or a slow
//! batch would find its own records late. An input is a partition, a shard or a file.
//!
//! Each batch says what it settles: the time before which its input brings nothing more. For a live
//! input that is the greatest event time in it minus the lateness bound; a replay knows it. The
//! watermark is the least over the inputs that still have something to bring. An input that is read
//! to its end, or that has caught up and waits, does not hold time back; one that cannot be heard
//! may hold anything, so it does.

use std::collections::{BTreeMap, BTreeSet};

use floodmark_detectors::time::EventTime;

/// Furthest that an event time may lie ahead of its arrival, seconds, and still move time.
pub const AHEAD_SECS_MAX: i64 = 300;

/// An input by number, as its source counts them.
pub type Input = u32;

/// A batch under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a batch that is never done holds time for ever"]
pub struct Ticket {
    input: Input,
    sequence: u64,
}

impl Ticket {
    /// The input it belongs to.
    #[must_use]
    pub fn input(self) -> Input {
        self.input
    }
}

/// How far all inputs are.
#[derive(Debug)]
pub struct Progress {
    inputs: BTreeMap<Input, Front>,
    /// Greatest time settled by any input.
    settled: EventTime,
    /// Greatest time that has passed with no input that held it.
    passed: EventTime,
}

#[derive(Debug)]
struct Front {
    begun: u64,
    done: u64,
    /// Batches done beyond the front: sequence to what they settle, and where they end.
    ahead: BTreeMap<u64, (EventTime, Option<Box<str>>)>,
    settled: EventTime,
    position: Option<Box<str>>,
    has_caught_up: bool,
    has_ended: bool,
}

/// How far one input is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The input.
    pub input: Input,
    /// Where it is to be read on from, in its source's words.
    pub position: Box<str>,
    /// It brings nothing before this any more.
    pub settled: EventTime,
}

/// Nothing begun.
impl Default for Progress {
    fn default() -> Progress {
        Progress { inputs: BTreeMap::new(), settled: EventTime::MIN, passed: EventTime::MIN }
    }
}

impl Progress {
    /// Makes an input known before its first batch, so that it holds time from now on.
    pub fn gained(&mut self, input: Input) {
        let front = self.inputs.entry(input).or_insert(Front {
            begun: 0,
            done: 0,
            ahead: BTreeMap::new(),
            settled: EventTime::MIN,
            position: None,
            has_caught_up: false,
            has_ended: false,
        });
        front.has_ended = false;
    }

    /// `input` is read on from where it was known to settle this time.
    pub fn resumed(&mut self, input: Input, settled: EventTime) {
        self.gained(input);
        if let Some(front) = self.inputs.get_mut(&input) {
            front.settled = front.settled.max(settled);
        }
    }

    /// A batch of `input` is handed out.
    pub fn begin(&mut self, input: Input) -> Ticket {
        if !self.inputs.contains_key(&input) {
            self.gained(input);
        }
        let mut sequence = 0;
        if let Some(front) = self.inputs.get_mut(&input) {
            sequence = front.begun;
            front.begun += 1;
            front.has_caught_up = false;
        }
        Ticket { input, sequence }
    }

    /// A batch is done. Its input brings nothing before `settled` any more, as far as it can tell,
    /// and is to be read on from `position`.
    pub fn done(&mut self, ticket: Ticket, settled: Option<EventTime>, position: Option<Box<str>>) {
        let Some(front) = self.inputs.get_mut(&ticket.input) else { return };
        front.ahead.insert(ticket.sequence, (settled.unwrap_or(EventTime::MIN), position));
        while let Some((settled, position)) = front.ahead.remove(&front.done) {
            front.settled = front.settled.max(settled);
            front.position = position.or(front.position.take());
            front.done += 1;
        }
        self.settled = self.settled.max(front.settled);
    }

    /// The source has handed out all that `input` holds at present.
    pub fn caught_up(&mut self, input: Input) {
        self.gained(input);
        if let Some(front) = self.inputs.get_mut(&input) {
            front.has_caught_up = true;
        }
    }

    /// It is not known any more what `input` holds at present: it holds time until it has been
    /// caught up with again, or has brought something.
    pub fn unheard(&mut self, input: Input) {
        self.gained(input);
        if let Some(front) = self.inputs.get_mut(&input) {
            front.has_caught_up = false;
        }
    }

    /// Time has gone on to this while no input held it.
    pub fn passed(&mut self, time: EventTime) {
        self.passed = self.passed.max(time);
    }

    /// `input` will bring nothing more.
    pub fn ended(&mut self, input: Input) {
        self.gained(input);
        if let Some(front) = self.inputs.get_mut(&input) {
            front.has_ended = true;
        }
    }

    /// `input` is read by somebody else now: its position is not ours to tell.
    pub fn lost(&mut self, input: Input) {
        self.ended(input);
        if let Some(front) = self.inputs.get_mut(&input) {
            front.position = None;
        }
    }

    /// No event time before this is still expected; none while some input has brought nothing.
    #[must_use]
    pub fn watermark(&self) -> Option<EventTime> {
        let holds = |f: &&Front| f.begun > f.done || !(f.has_caught_up || f.has_ended);
        let least = self.inputs.values().filter(holds).map(|f| f.settled).min();
        let time = least.unwrap_or(self.settled);
        (time > EventTime::MIN).then_some(time)
    }

    /// Whether every input has been handed out as far as it goes, and all of it is done.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let is_idle = |f: &Front| f.begun == f.done && (f.has_caught_up || f.has_ended);
        !self.inputs.is_empty() && self.inputs.values().all(is_idle)
    }

    /// How far the inputs are done that have a position.
    #[must_use]
    pub fn positions(&self) -> Vec<Position> {
        let position = |(input, front): (&Input, &Front)| {
            let position = front.position.clone()?;
            Some(Position { input: *input, position, settled: front.settled })
        };
        self.inputs.iter().filter_map(position).collect()
    }

    /// Inputs that are more than so many seconds ahead of the watermark. One that holds time anew,
    /// and had brought nothing for long, does not bring back what has passed.
    #[must_use]
    pub fn ahead(&self, secs: i64) -> BTreeSet<Input> {
        let Some(watermark) = self.watermark() else { return BTreeSet::new() };
        let watermark = watermark.max(self.passed);
        let is_ahead = |(_, f): &(&Input, &Front)| f.settled > watermark.plus(secs);
        self.inputs.iter().filter(is_ahead).map(|(input, _)| *input).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Option<EventTime> {
        Some(EventTime(secs))
    }

    #[test]
    fn a_batch_that_overtakes_does_not_count_yet() {
        let mut progress = Progress::default();
        let (first, second) = (progress.begin(0), progress.begin(0));
        progress.done(second, at(100), None);
        assert_eq!(progress.watermark(), None);
        progress.done(first, at(50), None);
        assert_eq!(progress.watermark(), at(100));
    }

    #[test]
    fn the_slowest_input_holds_time_until_it_waits_or_ends() {
        let mut progress = Progress::default();
        progress.gained(1);
        let fast = progress.begin(0);
        progress.done(fast, at(100), None);
        assert_eq!(progress.watermark(), None, "input 1 has brought nothing yet");
        let slow = progress.begin(1);
        progress.caught_up(1);
        assert_eq!(progress.watermark(), None, "its batch is still under way");
        progress.done(slow, at(20), None);
        assert_eq!(progress.watermark(), at(100), "it has caught up");
        let more = progress.begin(1);
        progress.done(more, at(30), None);
        assert_eq!(progress.watermark(), at(30), "it brings something again");
        progress.ended(1);
        assert_eq!(progress.watermark(), at(100));
        progress.ended(0);
        assert_eq!(progress.watermark(), at(100), "all ended: the greatest time of all");
        assert!(progress.is_idle());
    }

    #[test]
    fn an_input_that_cannot_be_heard_holds_time_but_brings_none_back() {
        let mut progress = Progress::default();
        let quiet = progress.begin(0);
        progress.done(quiet, at(10), None);
        progress.caught_up(0);
        progress.caught_up(1);
        assert!(progress.is_idle());
        progress.passed(EventTime(90_000));
        progress.unheard(0);
        assert!(!progress.is_idle());
        let busy = progress.begin(1);
        progress.done(busy, at(91_000), None);
        assert_eq!(progress.watermark(), at(10));
        assert!(progress.ahead(3_600).is_empty(), "it was quiet, and no time was lost");
        progress.caught_up(0);
        assert_eq!(progress.watermark(), at(91_000));
    }
}

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

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use floodmark_detectors::time::EventTime;

/// Furthest that an event time may lie ahead of its arrival, seconds, and still move time.
pub const AHEAD_SECS_MAX: i64 = 300;

/// Longest that the trail of an input becomes before steps of it are taken together.
const TRAIL_MAX: usize = 1_024;

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
    /// Batches done beyond the front, by sequence.
    ahead: BTreeMap<u64, Worked>,
    settled: EventTime,
    position: Option<Box<str>>,
    /// Batches that windows may hold something of, in order; none where nobody reads them again.
    trail: VecDeque<Step>,
    has_caught_up: bool,
    has_ended: bool,
    is_lost: bool,
}

/// Batches of the trail.
#[derive(Debug)]
struct Step {
    /// Sequence of the last of them.
    sequence: u64,
    /// Where the first of them begins.
    from: Box<str>,
    /// The greatest event time in them.
    newest: EventTime,
}

/// What a batch came to.
#[derive(Debug, Default)]
pub struct Worked {
    /// Its input brings nothing before this any more, as far as it can tell.
    pub settled: Option<EventTime>,
    /// Where its input is to be read on from.
    pub position: Option<Box<str>>,
    /// Where it begins, if its input may be read again from there.
    pub from: Option<Box<str>>,
    /// The greatest event time in it.
    pub newest: Option<EventTime>,
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
            trail: VecDeque::new(),
            has_caught_up: false,
            has_ended: false,
            is_lost: false,
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

    /// Windows hold something of what `input` brought from `from` on before it was resumed, and of
    /// no later event time than `newest`.
    pub fn has_brought(&mut self, input: Input, from: Box<str>, newest: EventTime) {
        if let Some(front) = self.inputs.get_mut(&input) {
            front.trail.push_front(Step { sequence: 0, from, newest });
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

    /// A batch is done.
    pub fn done(&mut self, ticket: Ticket, worked: Worked) {
        let Some(front) = self.inputs.get_mut(&ticket.input) else { return };
        front.ahead.insert(ticket.sequence, worked);
        while let Some(worked) = front.ahead.remove(&front.done) {
            front.settled = front.settled.max(worked.settled.unwrap_or(EventTime::MIN));
            front.position = worked.position.or(front.position.take());
            if let Some((from, newest)) = worked.from.zip(worked.newest) {
                front.step(Step { sequence: front.done, from, newest });
            }
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
            front.is_lost = true;
        }
    }

    /// The time before which `input` brings nothing more; none while that is not known.
    #[must_use]
    pub fn settled(&self, input: Input) -> Option<EventTime> {
        let settled = self.inputs.get(&input)?.settled;
        (settled > EventTime::MIN).then_some(settled)
    }

    /// Time has gone on to this for `input` alone, which holds nothing more at present.
    pub fn has_passed(&mut self, input: Input, time: EventTime) {
        if let Some(front) = self.inputs.get_mut(&input) {
            front.settled = front.settled.max(time);
        }
    }

    /// Batches of `input` that are done, without a gap.
    #[must_use]
    pub fn done_count(&self, input: Input) -> u64 {
        self.inputs.get(&input).map_or(0, |front| front.done)
    }

    /// Where the first batch of `input` begins that windows hold something of, when they held nothing
    /// before `needs_from` at the time at which `done_count` batches were done. None where that is its
    /// position.
    pub fn reread_from(
        &mut self,
        input: Input,
        needs_from: Option<EventTime>,
        done_count: u64,
    ) -> Option<Box<str>> {
        let trail = &mut self.inputs.get_mut(&input)?.trail;
        let is_over = |step: &Step| {
            step.sequence < done_count && needs_from.is_none_or(|from| step.newest < from)
        };
        while trail.front().is_some_and(is_over) {
            trail.pop_front();
        }
        trail.front().map(|step| step.from.clone())
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
        !self.inputs.is_empty() && self.inputs.values().all(Front::is_idle)
    }

    /// Whether `input` alone is so.
    #[must_use]
    pub fn is_idle_alone(&self, input: Input) -> bool {
        self.inputs.get(&input).is_some_and(Front::is_idle)
    }

    /// How far the inputs are done that have a position.
    #[must_use]
    pub fn positions(&self) -> Vec<Position> {
        let position = |(input, front): (&Input, &Front)| {
            let position = front.position.clone().filter(|_| !front.is_lost)?;
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

impl Front {
    fn is_idle(&self) -> bool {
        self.begun == self.done && (self.has_caught_up || self.has_ended)
    }

    /// Adds to the trail; where it is long, two steps become one that is as good, and longer.
    fn step(&mut self, step: Step) {
        self.trail.push_back(step);
        if self.trail.len() <= TRAIL_MAX {
            return;
        }
        let mut steps = std::mem::take(&mut self.trail).into_iter();
        while let Some(first) = steps.next() {
            let second = steps.next();
            let newest = second.as_ref().map_or(first.newest, |it| it.newest.max(first.newest));
            let sequence = second.as_ref().map_or(first.sequence, |it| it.sequence);
            self.trail.push_back(Step { sequence, newest, ..first });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(secs: i64) -> Option<EventTime> {
        Some(EventTime(secs))
    }

    fn settling(secs: i64) -> Worked {
        Worked { settled: at(secs), ..Worked::default() }
    }

    #[test]
    fn what_is_read_again_begins_with_the_first_batch_that_matters() {
        let mut progress = Progress::default();
        progress.gained(0);
        let bring = |progress: &mut Progress, from: &str, newest: i64| {
            let ticket = progress.begin(0);
            let from = Some(from.into());
            progress.done(ticket, Worked { from, newest: at(newest), ..Worked::default() });
        };
        bring(&mut progress, "a", 100);
        bring(&mut progress, "b", 200);
        bring(&mut progress, "c", 150);
        let done = progress.done_count(0);
        bring(&mut progress, "d", 50);
        assert_eq!(progress.reread_from(0, at(100), done).as_deref(), Some("a"));
        assert_eq!(progress.reread_from(0, at(160), done).as_deref(), Some("b"));
        assert_eq!(progress.reread_from(0, at(201), done).as_deref(), Some("d"), "came meanwhile");
        assert_eq!(progress.reread_from(0, None, progress.done_count(0)), None);
        // However long it becomes, it is bounded, and begins no later than it should.
        for number in 0..10 * TRAIL_MAX {
            bring(&mut progress, &number.to_string(), i64::try_from(number).unwrap());
        }
        assert!(progress.inputs[&0].trail.len() <= TRAIL_MAX);
        let from = progress.reread_from(0, at(9_000), progress.done_count(0)).unwrap();
        assert!((8_900..=9_000).contains(&from.parse::<i32>().unwrap()), "{from}");
    }

    #[test]
    fn a_batch_that_overtakes_does_not_count_yet() {
        let mut progress = Progress::default();
        let (first, second) = (progress.begin(0), progress.begin(0));
        progress.done(second, settling(100));
        assert_eq!(progress.watermark(), None);
        progress.done(first, settling(50));
        assert_eq!(progress.watermark(), at(100));
    }

    #[test]
    fn the_slowest_input_holds_time_until_it_waits_or_ends() {
        let mut progress = Progress::default();
        progress.gained(1);
        let fast = progress.begin(0);
        progress.done(fast, settling(100));
        assert_eq!(progress.watermark(), None, "input 1 has brought nothing yet");
        let slow = progress.begin(1);
        progress.caught_up(1);
        assert_eq!(progress.watermark(), None, "its batch is still under way");
        progress.done(slow, settling(20));
        assert_eq!(progress.watermark(), at(100), "it has caught up");
        let more = progress.begin(1);
        progress.done(more, settling(30));
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
        progress.done(quiet, settling(10));
        progress.caught_up(0);
        progress.caught_up(1);
        assert!(progress.is_idle());
        progress.passed(EventTime(90_000));
        progress.unheard(0);
        assert!(!progress.is_idle());
        let busy = progress.begin(1);
        progress.done(busy, settling(91_000));
        assert_eq!(progress.watermark(), at(10));
        assert!(progress.ahead(3_600).is_empty(), "it was quiet, and no time was lost");
        progress.caught_up(0);
        assert_eq!(progress.watermark(), at(91_000));
    }
}

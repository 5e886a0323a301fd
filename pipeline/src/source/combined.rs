//! Several sources as one.
//!
//! Each is polled in a thread of its own, and hands on through one bounded channel; its inputs get
//! numbers of their own. A source holds time from the start, through an input that stands for it
//! until it has named its own: so a fast one does not make a slow one's records late.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded, unbounded};

use super::batch::{Durable, Next, Source, SourceError, Word};
use crate::clock::Stopwatch;
use crate::progress::Input;

/// Batches and other news that wait to be taken, for all sources together.
const NEWS_WAITING_MAX: usize = 16;

/// A source to combine.
pub struct Part {
    /// Its name.
    pub name: String,
    /// The source.
    pub source: Box<dyn Source>,
    /// Whether it reads something that ends, so that being caught up is not yet being done.
    pub has_end: bool,
}

/// All of them.
pub struct Combined {
    news: Receiver<Result<Next, SourceError>>,
    /// To each source's thread.
    words: Vec<Sender<Word>>,
    names: Arc<Mutex<Vec<String>>>,
    /// Inputs to be made known at first.
    standing_in: Option<Vec<Input>>,
    /// Inputs that may still bring something.
    busy: BTreeSet<Input>,
    until_idle: bool,
    /// Tells the threads that nobody listens any more.
    is_over: Arc<AtomicBool>,
}

/// How long the threads may take to let go of what they hold (a Kafka consumer leaves its group);
/// one that is in the middle of something long is left behind.
const LEAVE: Duration = Duration::from_secs(2);

impl Drop for Combined {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let left = Stopwatch::start();
        while let Some(wait) = LEAVE.checked_sub(left.elapsed()) {
            if let Err(RecvTimeoutError::Disconnected) = self.news.recv_timeout(wait) {
                return;
            }
        }
    }
}

impl Combined {
    /// Begins to poll. With `until_idle` it ends when no input holds anything more at present, and
    /// not only when none can bring anything more.
    #[must_use]
    pub fn new(parts: Vec<Part>, until_idle: bool) -> Combined {
        let (sender, news) = bounded(NEWS_WAITING_MAX);
        let names: Vec<String> = parts.iter().map(|part| part.name.clone()).collect();
        let names = Arc::new(Mutex::new(names));
        let is_over = Arc::new(AtomicBool::new(false));
        let mut standing_in = Vec::new();
        let mut words = Vec::new();
        for (number, part) in parts.into_iter().enumerate() {
            let number = Input::try_from(number).unwrap_or(Input::MAX);
            standing_in.push(number);
            let (say, hear) = unbounded();
            words.push(say);
            let poll = Poll {
                source: part.source,
                name: part.name,
                stands_in: Some(number),
                tells_caught_up: !(until_idle && part.has_end),
                is_over: is_over.clone(),
                inputs: BTreeMap::new(),
                names: names.clone(),
                news: sender.clone(),
                words: hear,
            };
            std::thread::spawn(move || poll.run());
        }
        let busy = standing_in.iter().copied().collect();
        Combined { news, words, names, standing_in: Some(standing_in), busy, until_idle, is_over }
    }

    fn note(&mut self, next: &Next) {
        match next {
            Next::Batch(batch) => {
                self.busy.insert(batch.input);
            }
            Next::Gained(inputs) | Next::Unheard(inputs) => self.busy.extend(inputs),
            Next::CaughtUp(input) | Next::Ended(input) => {
                self.busy.remove(input);
            }
            Next::Lost(inputs) => self.busy.retain(|input| !inputs.contains(input)),
            Next::Overtaken(_) | Next::Leaving(_) | Next::Nothing | Next::End => {}
        }
    }
}

impl Source for Combined {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        if let Some(inputs) = self.standing_in.take() {
            return Ok(Next::Gained(inputs));
        }
        if self.until_idle && self.busy.is_empty() && self.news.is_empty() {
            return Ok(Next::End);
        }
        match self.news.recv_timeout(wait) {
            Ok(news) => {
                let next = news?;
                self.note(&next);
                Ok(next)
            }
            Err(RecvTimeoutError::Timeout) => Ok(Next::Nothing),
            Err(RecvTimeoutError::Disconnected) => Ok(Next::End),
        }
    }

    fn hear(&mut self, word: Word) -> Result<(), SourceError> {
        if let Word::Hold = word {
            // Each thread sees by itself that there is no room, and would not listen meanwhile.
            return Ok(());
        }
        for part in &self.words {
            // A source that has ended hears nothing, and has nothing to do about it.
            drop(part.send(word.clone()));
        }
        Ok(())
    }

    fn name_of(&self, input: Input) -> String {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(input as usize).cloned().unwrap_or_else(|| format!("input {input}"))
    }
}

/// How long a source waits before it is asked again.
const WAIT: Duration = Duration::from_millis(50);

/// One source, in its thread.
struct Poll {
    source: Box<dyn Source>,
    name: String,
    stands_in: Option<Input>,
    tells_caught_up: bool,
    is_over: Arc<AtomicBool>,
    /// Its inputs' numbers among all.
    inputs: BTreeMap<Input, Input>,
    names: Arc<Mutex<Vec<String>>>,
    news: Sender<Result<Next, SourceError>>,
    words: Receiver<Word>,
}

/// Nobody takes the news any more.
struct Gone;

impl Poll {
    fn run(mut self) {
        // Whether it ended or nobody listens: the thread ends, and with it the source.
        if let Err(Gone) = self.hand_on() {}
        // The last positions: they may have come after the last batch.
        if let Err(error) = self.hear() {
            eprintln!("floodmark: {error}");
        }
    }

    /// Passes on what was said, each input by its own number.
    fn hear(&mut self) -> Result<(), SourceError> {
        let own =
            |outer: Input| self.inputs.iter().find(|(_, o)| **o == outer).map(|(own, _)| *own);
        for word in self.words.try_iter() {
            let word = match word {
                Word::Durable(done) => {
                    let own = |it: Durable| Some(Durable { input: own(it.input)?, ..it });
                    Word::Durable(done.into_iter().filter_map(own).collect())
                }
                Word::Ahead(inputs) => Word::Ahead(inputs.into_iter().filter_map(own).collect()),
                Word::Hold => continue,
            };
            self.source.hear(word)?;
        }
        Ok(())
    }

    fn hand_on(&mut self) -> Result<(), Gone> {
        while !self.is_over.load(Ordering::Relaxed) {
            let next = match self.hear().and_then(|()| self.source.next(WAIT)) {
                Ok(next) => next,
                Err(error) => return self.send(Err(error)),
            };
            // News of no input names none; only that the source has gained none does.
            let has_gained = matches!(next, Next::Gained(_));
            match next {
                Next::Nothing => continue,
                Next::End => {
                    let own: Vec<Input> = self.inputs.values().copied().collect();
                    for input in own.into_iter().chain(self.stands_in.take()) {
                        self.send(Ok(Next::Ended(input)))?;
                    }
                    return Ok(());
                }
                Next::CaughtUp(_) if !self.tells_caught_up => {}
                next => {
                    let next = next.renumbered(&mut |input| self.number(input));
                    self.send(Ok(next))?;
                }
            }
            let has_named = has_gained || !self.inputs.is_empty();
            if let Some(input) = self.stands_in.take_if(|_| has_named) {
                self.send(Ok(Next::Ended(input)))?;
            }
        }
        Ok(())
    }

    /// Hands on; while there is no room, keeps the source alive.
    fn send(&mut self, news: Result<Next, SourceError>) -> Result<(), Gone> {
        let mut news = news;
        loop {
            match self.news.send_timeout(news, WAIT) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Disconnected(_)) => return Err(Gone),
                Err(SendTimeoutError::Timeout(back)) => {
                    news = back;
                    if let Err(error) = self.source.hear(Word::Hold) {
                        news = Err(error);
                    }
                }
            }
        }
    }

    fn number(&mut self, inner: Input) -> Input {
        if let Some(known) = self.inputs.get(&inner) {
            return *known;
        }
        let inside = self.source.name_of(inner);
        let name = if inside == self.name { inside } else { format!("{} {inside}", self.name) };
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let number = Input::try_from(names.len()).unwrap_or(Input::MAX);
        names.push(name);
        self.inputs.insert(inner, number);
        number
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::VecDeque;

    use super::super::batch::Batch;
    use super::*;

    struct Script(VecDeque<Next>, Next);

    impl Source for Script {
        fn next(&mut self, _: Duration) -> Result<Next, SourceError> {
            Ok(self.0.pop_front().unwrap_or(match self.1 {
                Next::End => Next::End,
                _ => Next::Nothing,
            }))
        }

        fn name_of(&self, input: Input) -> String {
            format!("part[{input}]")
        }
    }

    fn part(name: &str, script: Vec<Next>, then: Next) -> Part {
        let has_end = matches!(then, Next::End);
        Part { name: name.into(), source: Box::new(Script(script.into(), then)), has_end }
    }

    fn told(combined: &mut Combined) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            told.push(match combined.next(Duration::from_secs(60)).unwrap() {
                Next::Batch(batch) => format!("batch {}", combined.name_of(batch.input)),
                Next::Gained(inputs) => format!("gained {}", inputs.len()),
                Next::CaughtUp(input) => format!("caught up {}", combined.name_of(input)),
                Next::Ended(input) => format!("ended {}", combined.name_of(input)),
                Next::Nothing => continue,
                Next::End => return told,
                other => format!("{other:?}"),
            });
        }
    }

    #[test]
    fn stands_in_for_each_until_it_names_its_inputs_and_ends_with_the_last() {
        let parts = vec![
            part("a", vec![Next::Gained(vec![3]), Next::Batch(Batch::of(3))], Next::End),
            part("b", vec![], Next::End),
        ];
        let told = told(&mut Combined::new(parts, false));
        let of = |name: &str| -> Vec<String> {
            told.iter().filter(|line| line.contains(name)).cloned().collect()
        };
        assert_eq!(told.first().unwrap(), "gained 2");
        assert_eq!(of("a part[3]"), ["batch a part[3]", "ended a part[3]"]);
        assert!(told.contains(&"ended a".into()) && told.contains(&"ended b".into()));
    }

    /// A member of a consumer group tells what it has lost, though that is nothing, before what it has
    /// gained.
    #[test]
    fn news_of_nothing_do_not_end_what_stands_in() {
        let live = vec![
            Next::Lost(vec![]),
            Next::Overtaken(vec![]),
            Next::Gained(vec![0]),
            Next::CaughtUp(0),
        ];
        let told = told(&mut Combined::new(vec![part("live", live, Next::Nothing)], true));
        let wanted = ["Lost([])", "Overtaken([])", "gained 1", "ended live"];
        assert_eq!(told, [&["gained 1"], &wanted[..], &["caught up live part[0]"]].concat());
    }

    #[test]
    fn until_idle_ends_when_all_has_been_caught_up_with() {
        let live = vec![Next::Gained(vec![0]), Next::Batch(Batch::of(0)), Next::CaughtUp(0)];
        let parts = vec![part("live", live, Next::Nothing), part("files", vec![], Next::End)];
        let told = told(&mut Combined::new(parts, true));
        assert!(told.contains(&"caught up live part[0]".into()), "{told:?}");
        assert!(told.contains(&"ended files".into()), "{told:?}");
    }
}

//! Standard input as a source: records as they come, until it ends.
//!
//! A thread of its own reads and frames, for a read of a pipe cannot be interrupted; it is left
//! behind when nobody takes its records any more. A pipe that brings nothing for a while has caught
//! up, so it does not hold the time of other sources.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::batch::{Batch, Next, Source, SourceError};
use super::history::{Aside, Tell, rejected};
use crate::envelope::framing::{Framed, Framer};
use crate::envelope::inflate::Limits;
use crate::progress::Input;

/// Records that wait to be taken, and that a batch holds at most.
const RECORDS_WAITING_MAX: usize = 1_024;

/// Waits without a record after which the pipe has caught up.
const WAITS_UNTIL_CAUGHT_UP: u32 = 40;

/// A pipe being read.
pub struct Tail {
    name: String,
    records: Receiver<(u64, Vec<u8>)>,
    /// Waits without a record since the last one.
    waits: u32,
    is_known: bool,
    has_ended: bool,
}

impl Tail {
    /// Begins to read `reader`, plain or gzip.
    pub fn new(name: &str, reader: impl Read + Send + 'static, mut tell: Tell) -> Tail {
        let (sender, records) = bounded(RECORDS_WAITING_MAX);
        let input = name.to_owned();
        std::thread::spawn(move || {
            let mut framer = Framer::new(reader, Limits::default());
            while let Some(framed) = framer.next() {
                match framed {
                    Framed::Record { offset, bytes } => {
                        if sender.send((offset, bytes.to_vec())).is_err() {
                            return;
                        }
                    }
                    Framed::Reject(reject) => {
                        tell(Aside::Reject(rejected(Path::new(&input), reject)));
                    }
                }
            }
        });
        Tail { name: name.to_owned(), records, waits: 0, is_known: false, has_ended: false }
    }
}

impl Source for Tail {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        if self.has_ended {
            return Ok(Next::End);
        }
        if !std::mem::replace(&mut self.is_known, true) {
            return Ok(Next::Gained(vec![0]));
        }
        let (offset, record) = match self.records.recv_timeout(wait) {
            Ok(first) => first,
            Err(RecvTimeoutError::Disconnected) => {
                self.has_ended = true;
                return Ok(Next::Ended(0));
            }
            Err(RecvTimeoutError::Timeout) => {
                self.waits = self.waits.saturating_add(1);
                let now = self.waits == WAITS_UNTIL_CAUGHT_UP;
                return Ok(if now { Next::CaughtUp(0) } else { Next::Nothing });
            }
        };
        self.waits = 0;
        let mut batch = Batch::of(0);
        batch.push(offset, &record);
        for (offset, record) in self.records.try_iter().take(RECORDS_WAITING_MAX - 1) {
            batch.push(offset, &record);
        }
        Ok(Next::Batch(batch))
    }

    fn name_of(&self, _input: Input) -> String {
        self.name.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn hands_out_what_comes_and_ends() {
        let text = b"{\"a\":1}\nnone\n{\"Records\":[{\"b\":2},{\"c\":3}]}";
        let (told_in, told) = bounded(8);
        let tell = Box::new(move |aside| told_in.send(aside).unwrap());
        let mut source = Tail::new("stdin", &text[..], tell);
        let mut records = Vec::new();
        assert!(matches!(source.next(Duration::ZERO).unwrap(), Next::Gained(_)));
        loop {
            match source.next(Duration::from_secs(60)).unwrap() {
                Next::Batch(batch) => records.extend(batch.payloads().map(|(_, r)| r.to_vec())),
                Next::Ended(0) => break,
                next => panic!("{next:?}"),
            }
        }
        assert!(matches!(source.next(Duration::ZERO).unwrap(), Next::End));
        assert_eq!(records, [&b"{\"a\":1}"[..], b"{\"b\":2}", b"{\"c\":3}"]);
        assert!(matches!(told.try_iter().collect::<Vec<_>>().as_slice(), [Aside::Reject(_)]));
    }

    #[test]
    fn a_pipe_that_brings_nothing_has_caught_up_once() {
        struct Silent(Receiver<()>);
        impl Read for Silent {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                self.0.recv().map_or(Ok(0), |()| Ok(0))
            }
        }
        let (hold, silent) = bounded(0);
        let mut source = Tail::new("stdin", Silent(silent), Box::new(|_| {}));
        let caught_up = (0..200)
            .filter(|_| matches!(source.next(Duration::ZERO).unwrap(), Next::CaughtUp(0)))
            .count();
        assert_eq!(caught_up, 1);
        drop(hold);
    }
}

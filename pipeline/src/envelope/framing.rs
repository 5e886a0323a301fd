//! Text to records, one by one: where each begins and ends, and what lies between.
//!
//! Read are records one a line, pretty-printed over many, one after the other without separators,
//! in an array, and in the wrapper `{"Records": [...]}` that CloudTrail writes to S3, with other
//! members before and after the list; any of them many times over in one input. A byte order mark,
//! blank lines, record separators (RFC 7464) and the time stamps that CloudWatch Logs puts before
//! each line when it exports are passed over.
//!
//! **Nothing is lost silently and nothing stops.** What is no record becomes a [`Reject`] with
//! place, length, reason and excerpt. Reading goes on at the next plausible record: the next line
//! that begins with `{` no deeper indented than the broken one, or the next place that reads as the
//! broken one's beginning did (`{"eventVersion":`), whichever comes first.
//!
//! **Bounds.** The buffer grows to one record and a chunk; wrappers nest to [`NESTED_MAX`]. Going
//! back to the next plausible record reads bytes again, and an input of nothing but broken records
//! could make that quadratic: past [`AGAIN_TIMES_MAX`] times what was read, the whole broken stretch
//! is rejected instead. Members of a wrapper after its list are passed over unread.
//!
//! Whether a record's bytes are JSON is left to decoding; here only texts and brackets are told
//! apart, in `scan`.

mod broken;

use std::io::{self, Read};
use std::ops::Range;

use floodmark_detectors::record::RECORD_BYTES_MAX;

use super::inflate::{Inflate, Limits};
use super::reject::reason_of;
pub use super::reject::{EXCERPT_BYTES_MAX, NESTED_MAX, Reason, Reject};
use super::scan::{Scan, Scanner};
use super::shape::{Head, head, records_list};

/// Times the bytes read so far that broken records may make us read again.
pub const AGAIN_TIMES_MAX: u64 = 8;

/// Bytes asked for at once.
const CHUNK_BYTES: usize = 128 << 10;

/// The buffer's greatest length, bytes.
const BUFFER_BYTES_MAX: usize = RECORD_BYTES_MAX + 2 * CHUNK_BYTES;

/// What stands next in the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Framed<'a> {
    /// The bytes of one object, from `{` to `}`.
    Record {
        /// Place of its first byte in the text (inflated, if it was packed).
        offset: u64,
        /// The object.
        bytes: &'a [u8],
    },
    /// What could not be read as a record.
    Reject(Reject),
}

/// What is open around the place being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// `[`
    List,
    /// `{... "Records": [`
    Wrapper,
}

/// Reads records out of an input.
#[derive(Debug)]
pub struct Framer<R: Read> {
    input: Inflate<R>,
    buffer: Vec<u8>,
    /// Bytes of the buffer not yet passed on.
    start: usize,
    end: usize,
    /// Place of the buffer's first byte in the text.
    offset: u64,
    /// Place where the line begins in which we are, as far as known.
    line: u64,
    ended: bool,
    fault: Option<Reason>,
    open: Vec<Open>,
    /// Something has come since the last comma.
    separable: bool,
    /// Place of a comma that nothing has followed yet.
    comma: Option<u64>,
    again_bytes: u64,
}

/// A step's outcome, with places in the buffer instead of borrowed bytes.
enum Found {
    Record(Range<usize>),
    Reject(Reject),
}

impl<'t> Framer<&'t [u8]> {
    /// Goes on with a plain text at a place behind its beginning, where so many lists are open.
    /// `line` is where the line of that place begins. Offsets are those in the whole text.
    pub(super) fn resume(text: &'t [u8], at: usize, line: usize, lists: usize) -> Framer<&'t [u8]> {
        let rest = text.get(at..).unwrap_or_default();
        let framer = Framer::over(Inflate::plain(rest), rest.len() + 1);
        Framer {
            offset: at as u64,
            line: line as u64,
            open: vec![Open::List; lists],
            separable: true,
            ..framer
        }
    }
}

impl<R: Read> Framer<R> {
    /// Reads `reader`, packed or plain.
    pub fn new(reader: R, limits: Limits) -> Framer<R> {
        Framer::over(Inflate::new(reader, limits), CHUNK_BYTES)
    }

    /// The buffer begins with so many bytes and grows to twice its length when it is full.
    fn over(input: Inflate<R>, buffer_bytes: usize) -> Framer<R> {
        Framer {
            input,
            buffer: vec![0; buffer_bytes.min(CHUNK_BYTES)],
            start: 0,
            end: 0,
            offset: 0,
            line: 0,
            ended: false,
            fault: None,
            open: Vec::new(),
            separable: false,
            comma: None,
            again_bytes: 0,
        }
    }

    /// The next record or reject; `None` when the input has ended.
    #[expect(clippy::should_implement_trait, reason = "it lends: no Iterator can")]
    pub fn next(&mut self) -> Option<Framed<'_>> {
        Some(match self.find()? {
            Found::Record(place) => Framed::Record {
                offset: self.offset + place.start as u64,
                bytes: self.buffer.get(place).unwrap_or_default(),
            },
            Found::Reject(reject) => Framed::Reject(reject),
        })
    }

    /// Bytes taken from the input so far, packed as they are: for progress.
    #[must_use]
    pub fn input_bytes(&self) -> u64 {
        self.input.input_bytes()
    }

    fn find(&mut self) -> Option<Found> {
        loop {
            let Some(&byte) = self.rest().first() else {
                if self.fill() {
                    continue;
                }
                return self.at_end().map(Found::Reject);
            };
            let found = match byte {
                b' ' | b'\t' | b'\r' | RECORD_SEPARATOR => {
                    self.start += 1;
                    None
                }
                b'\n' => {
                    self.start += 1;
                    self.line = self.place();
                    None
                }
                b'{' => self.object(),
                b'[' => self.begin(1, Open::List),
                b']' => self.end_list(),
                b',' => self.comma(),
                _ if self.byte_order_mark() => {
                    self.start += BYTE_ORDER_MARK.len();
                    None
                }
                _ => self.garbage(),
            };
            if found.is_some() {
                return found;
            }
        }
    }

    /// At a `{`: a record, a wrapper, or something broken.
    fn object(&mut self) -> Option<Found> {
        if let Some(bytes) = self.wrapper_head() {
            return self.begin(bytes, Open::Wrapper);
        }
        let mut scanner = Scanner::new(self.place() == self.line);
        let reason = loop {
            let rest = self.rest();
            match scanner.scan(rest) {
                Scan::End(bytes) => {
                    let (object, _) = rest.split_at(bytes.min(rest.len()));
                    if let Some(list) = records_list(object) {
                        return self.begin(list, Open::Wrapper);
                    }
                    self.element();
                    if bytes > RECORD_BYTES_MAX {
                        return Some(self.reject(Reason::TooLong, bytes));
                    }
                    self.start += bytes;
                    return Some(Found::Record(self.start - bytes..self.start));
                }
                Scan::TextBroken => break Reason::TextBroken,
                Scan::NextBegins => break Reason::NextBegins,
                Scan::More if rest.len() > RECORD_BYTES_MAX => break Reason::TooLong,
                Scan::More if !self.fill() => break Reason::CutOff,
                Scan::More => {}
            }
        };
        if matches!(reason, Reason::TooLong | Reason::CutOff)
            && let Some(list) = records_list(self.rest())
        {
            return self.begin(list, Open::Wrapper);
        }
        self.element();
        Some(Found::Reject(self.go_on(reason)))
    }

    /// The length of `{"Records": [` if that is what comes.
    fn wrapper_head(&mut self) -> Option<usize> {
        loop {
            match head(self.rest()) {
                Head::Wrapper(bytes) => return Some(bytes),
                Head::Undecided if self.rest().len() <= RECORD_BYTES_MAX && self.fill() => {}
                Head::Undecided | Head::Record => return None,
            }
        }
    }

    fn begin(&mut self, bytes: usize, open: Open) -> Option<Found> {
        self.element();
        self.separable = false;
        if self.open.len() == NESTED_MAX {
            return Some(self.reject(Reason::TooDeep, bytes));
        }
        self.start += bytes;
        self.open.push(open);
        None
    }

    /// At a `]`. After a wrapper's list the rest of the wrapper is passed over.
    fn end_list(&mut self) -> Option<Found> {
        if let Some(offset) = self.comma.take() {
            return Some(Found::Reject(Reject {
                offset,
                bytes: 1,
                reason: Reason::StrayComma,
                excerpt: ",".into(),
            }));
        }
        match self.open.pop() {
            None => return self.garbage(),
            Some(Open::List) => self.start += 1,
            Some(Open::Wrapper) => {
                self.start += 1;
                let mut scanner = Scanner::inside();
                loop {
                    match scanner.scan(self.rest()) {
                        Scan::End(bytes) => {
                            self.start += bytes;
                            break;
                        }
                        Scan::More => {
                            self.start += scanner.forget();
                            if !self.fill() {
                                return Some(self.reject(Reason::CutOff, self.rest().len()));
                            }
                        }
                        Scan::TextBroken => return Some(self.broken_tail(Reason::TextBroken)),
                        Scan::NextBegins => return Some(self.broken_tail(Reason::NextBegins)),
                    }
                }
            }
        }
        self.element();
        None
    }

    fn comma(&mut self) -> Option<Found> {
        let separates = !self.open.is_empty() && self.separable;
        if !separates {
            return Some(self.reject(Reason::StrayComma, 1));
        }
        self.separable = false;
        self.comma = Some(self.place());
        self.start += 1;
        None
    }

    /// Something has come that a comma may follow.
    fn element(&mut self) {
        self.separable = true;
        self.comma = None;
    }

    fn at_end(&mut self) -> Option<Reject> {
        let reason =
            self.fault.take().or_else(|| (!self.open.is_empty()).then_some(Reason::ListCutOff))?;
        if reason == Reason::ListCutOff {
            self.open.clear();
        }
        Some(Reject { offset: self.place(), bytes: 0, reason, excerpt: String::new() })
    }

    fn byte_order_mark(&mut self) -> bool {
        while self.rest().len() < BYTE_ORDER_MARK.len()
            && BYTE_ORDER_MARK.starts_with(self.rest())
            && self.fill()
        {}
        let is_mark = self.rest().starts_with(BYTE_ORDER_MARK);
        if is_mark && self.place() == self.line {
            self.line += BYTE_ORDER_MARK.len() as u64;
        }
        is_mark
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn place(&self) -> u64 {
        self.offset + self.start as u64
    }

    /// Reads more behind what is there; false at the end of the input.
    fn fill(&mut self) -> bool {
        if self.ended {
            return false;
        }
        if self.buffer.len() - self.end < CHUNK_BYTES / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.offset += self.start as u64;
            self.end -= self.start;
            self.start = 0;
            if self.buffer.len() - self.end < CHUNK_BYTES / 2 {
                let length = (self.buffer.len() * 2).min(BUFFER_BYTES_MAX);
                self.buffer.resize(length, 0);
            }
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        debug_assert!(!room.is_empty(), "nobody asks for more than a record and a chunk");
        loop {
            match self.input.read(room) {
                Ok(0) => self.ended = true,
                Ok(bytes) => self.end += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.ended = true;
                    self.fault = Some(reason_of(&error));
                }
            }
            return !self.ended;
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const RECORD_SEPARATOR: u8 = 0x1e;

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;

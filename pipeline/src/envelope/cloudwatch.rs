//! What a CloudWatch Logs subscription sends ("Using subscription filters", CloudWatch Logs user
//! guide): `{"messageType": "DATA_MESSAGE", ..., "logEvents": [{"id", "timestamp", "message"}, ...]}`.
//!
//! Nearly all of it is the messages, each a record as a JSON text. So the envelope is walked member
//! by member, and each message is unescaped in the pass that finds its end; nothing else is kept.
//! Where an event is broken it becomes a reject, and the walk goes on with what begins as the
//! events before it did, or with the next line that begins an object.

use memchr::memmem;

use super::counts::Kind;
use super::layer::TextEnd;
use super::opening::{Above, Opening, Piece};
use super::reject::Reason;
use super::scan::{Scan, Scanner};
use super::sequence::{blanks, text_bytes};

/// Members that a message may begin with.
const FIRST_MEMBERS: [&[u8]; 6] =
    [b"messageType", b"owner", b"logGroup", b"logStream", b"subscriptionFilters", b"logEvents"];

/// How all events begin that AWS writes.
const EVENT_BEGINS: &[u8] = b"{\"id\":";

/// Where a line begins that begins an object.
const LINE_BEGINS: &[u8] = b"\n{";

/// The `messageType` of a message that only tries whether the destination can be reached.
const CONTROL: &[u8] = b"\"CONTROL_MESSAGE\"";

/// How the one event of such a message begins.
const CONTROL_TEXT: &[u8] = b"CWL CONTROL MESSAGE";

/// Whether an object begins as a subscription message does: by its first member, and because it
/// names its `messageType` before much else.
pub(super) fn begins(object: &[u8]) -> bool {
    let mut walk = Walk::of(object);
    if !walk.take(b'{') {
        return false;
    }
    let is_first = match walk.text() {
        Some([b'"', name @ .., b'"']) => FIRST_MEMBERS.contains(&name),
        _ => false,
    };
    let head = object.get(..object.len().min(HEAD_BYTES_MAX)).unwrap_or_default();
    is_first && memmem::find(head, b"\"messageType\"").is_some()
}

/// How far the `messageType` is looked for, bytes.
const HEAD_BYTES_MAX: usize = 4 << 10;

impl Opening<'_> {
    /// Walks a message that stands at the beginning of `piece`, and says how long it is.
    pub(super) fn cloud_watch(&mut self, piece: Piece<'_>, above: &mut Above<'_>) -> usize {
        let mut walk = Walk::of(piece.bytes);
        let mut bytes_out = 0;
        let mut is_control = false;
        let ended = self.members(piece, &mut walk, above, &mut bytes_out, &mut is_control);
        if let Err(Fault(reason)) = ended {
            self.again(walk.again_bytes);
            self.reject(reason, piece.from(walk.at).bytes);
            walk.at = walk.next_line().unwrap_or(piece.bytes.len());
        }
        self.counts.control_messages += u64::from(is_control);
        self.counts.tally(Kind::CloudWatch, walk.at, bytes_out);
        walk.at
    }

    fn members(
        &mut self,
        piece: Piece<'_>,
        walk: &mut Walk<'_>,
        above: &mut Above<'_>,
        bytes_out: &mut usize,
        is_control: &mut bool,
    ) -> Result<(), Fault> {
        walk.object(|walk, key| {
            match key {
                b"\"messageType\"" => *is_control |= walk.value()? == CONTROL,
                b"\"logEvents\"" if !*is_control && walk.peek() == Some(b'[') => {
                    *bytes_out += self.events(piece, walk, above, is_control)?;
                }
                _ => {
                    walk.value()?;
                }
            }
            Ok(())
        })
    }

    /// Walks the list of events. Says how many bytes their messages were.
    fn events(
        &mut self,
        piece: Piece<'_>,
        walk: &mut Walk<'_>,
        above: &mut Above<'_>,
        is_control: &mut bool,
    ) -> Result<usize, Fault> {
        let mut bytes_out = 0;
        walk.expect(b'[')?;
        if walk.take(b']') {
            return Ok(0);
        }
        while !self.is_full() {
            walk.blank();
            let begin = walk.at;
            match self.event(piece, walk, above, is_control) {
                Ok(bytes) => bytes_out += bytes,
                Err(Fault(reason)) => {
                    self.again(std::mem::take(&mut walk.again_bytes));
                    let Some(next) = walk.next_event(begin) else {
                        walk.at = begin;
                        return Err(Fault(reason));
                    };
                    self.reject(reason, piece.part(begin..next).bytes);
                    walk.at = next;
                    continue;
                }
            }
            if !walk.take(b',') {
                walk.expect(b']')?;
                return Ok(bytes_out);
            }
        }
        walk.at = piece.bytes.len();
        Ok(bytes_out)
    }

    fn event(
        &mut self,
        piece: Piece<'_>,
        walk: &mut Walk<'_>,
        above: &mut Above<'_>,
        is_control: &mut bool,
    ) -> Result<usize, Fault> {
        let mut bytes_out = 0;
        walk.object(|walk, key| {
            let is_message = key == b"\"message\"";
            if is_message && walk.peek() == Some(b'"') {
                bytes_out += self.message(walk, above, is_control)?;
            } else {
                let value = walk.value()?;
                if is_message {
                    bytes_out += value.len();
                    let at = walk.at - value.len();
                    self.open(piece.part(at..walk.at), &mut *above.rest);
                }
            }
            Ok(())
        })?;
        Ok(bytes_out)
    }

    /// Unescapes one message and opens what it holds.
    fn message(
        &mut self,
        walk: &mut Walk<'_>,
        above: &mut Above<'_>,
        is_control: &mut bool,
    ) -> Result<usize, Fault> {
        let start = above.layer.len();
        let fault = match above.layer.put_text(walk.rest().get(1..).unwrap_or_default()) {
            TextEnd::Quote(bytes) => {
                walk.at += 1 + bytes;
                let message = above.layer.part(start..above.layer.len());
                let bytes = message.len();
                if message.starts_with(CONTROL_TEXT) {
                    *is_control = true;
                } else {
                    self.inner(start, above);
                }
                return Ok(bytes);
            }
            TextEnd::LineEnd(bytes) => {
                walk.at += 1 + bytes;
                Reason::TextBroken
            }
            TextEnd::Cut => {
                walk.at = walk.bytes.len();
                Reason::CutOff
            }
        };
        above.layer.take_back(start);
        Err(Fault(fault))
    }
}

/// Why the walk cannot go on.
struct Fault(Reason);

/// A place in JSON.
struct Walk<'t> {
    bytes: &'t [u8],
    at: usize,
    /// Bytes that were read for the end of a value and did not have it.
    again_bytes: usize,
}

impl<'t> Walk<'t> {
    fn of(bytes: &'t [u8]) -> Walk<'t> {
        Walk { bytes, at: 0, again_bytes: 0 }
    }

    fn rest(&self) -> &'t [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn blank(&mut self) {
        self.at += blanks(self.rest());
    }

    fn peek(&mut self) -> Option<u8> {
        self.blank();
        self.rest().first().copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    /// An object, member by member: `each` gets a name with its quotes, and passes its value.
    fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, &'t [u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            each(self, key)?;
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.take(byte) {
            return Ok(());
        }
        Err(self.fault())
    }

    fn fault(&self) -> Fault {
        Fault(if self.rest().is_empty() { Reason::CutOff } else { Reason::NotAnObject })
    }

    /// A text with its quotes, as written.
    fn text(&mut self) -> Option<&'t [u8]> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let rest = self.rest();
        let text = rest.get(..text_bytes(rest)?)?;
        self.at += text.len();
        Some(text)
    }

    /// A member's name with its quotes, and the colon behind it.
    fn key(&mut self) -> Result<&'t [u8], Fault> {
        let key = match self.text() {
            Some(key) => key,
            None => return Err(self.fault()),
        };
        self.expect(b':')?;
        Ok(key)
    }

    /// Any value, as written.
    fn value(&mut self) -> Result<&'t [u8], Fault> {
        let bytes = match self.peek() {
            Some(b'"') => return self.text().ok_or(Fault(Reason::CutOff)),
            Some(b'{' | b'[') => match Scanner::new(false).scan(self.rest()) {
                Scan::End(bytes) => bytes,
                broken => {
                    self.again_bytes += self.rest().len();
                    let is_text = broken == Scan::TextBroken;
                    return Err(Fault(if is_text { Reason::TextBroken } else { Reason::CutOff }));
                }
            },
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || *byte <= b' ';
                self.rest().iter().position(ends).unwrap_or(0)
            }
        };
        let value = self.rest().get(..bytes).unwrap_or_default();
        if value.is_empty() {
            return Err(self.fault());
        }
        self.at += bytes;
        Ok(value)
    }

    /// The next event after one that began at `begin` and broke where we are, unless a line begins
    /// an object first.
    fn next_event(&self, begin: usize) -> Option<usize> {
        let from = self.at.max(begin + 1);
        let rest = self.bytes.get(from..)?;
        let event = memmem::find(rest, EVENT_BEGINS)?;
        let is_same_line = memmem::find(rest.get(..event)?, LINE_BEGINS).is_none();
        is_same_line.then_some(from + event)
    }

    /// Where the next line begins that begins an object.
    fn next_line(&self) -> Option<usize> {
        memmem::find(self.rest(), LINE_BEGINS).map(|newline| self.at + newline + 1)
    }
}

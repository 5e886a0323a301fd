//! The bytes that came out of envelopes, one layer for each depth of nesting.
//!
//! What is opened at one depth lies in the layer of the next; so the bytes being read and those
//! being written are never in one buffer, and records can be handed out as places in a layer. A
//! layer keeps its memory from batch to batch, up to [`KEPT_BYTES_MAX`].

use std::io::{self, Read};
use std::ops::Range;

use wide::u8x16;

/// What a layer keeps when it is emptied, bytes.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// Room made for a read, bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// Bytes looked at together.
const BLOCK: usize = 64;

/// Bytes copied together: few texts between two quotes are longer.
const RUN: usize = 32;

/// One layer. What lies behind `used` is left over and means nothing.
#[derive(Debug, Default)]
pub(super) struct Layer {
    bytes: Vec<u8>,
    used: usize,
}

/// Where a text in JSON ended, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextEnd {
    /// At its quote; so many bytes were read, the quote with them.
    Quote(usize),
    /// At a line end, which JSON forbids in a text: it was cut off there.
    LineEnd(usize),
    /// The bytes end first.
    Cut,
}

impl Layer {
    /// Forgets all that is in it.
    pub(super) fn clear(&mut self) {
        self.used = 0;
        if self.bytes.len() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        }
    }

    /// How many bytes are in it: where the next are put.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// A part of it.
    pub(super) fn part(&self, place: Range<usize>) -> &[u8] {
        self.bytes.get(place).unwrap_or_default()
    }

    /// Takes back what was put in at `start` and behind it.
    pub(super) fn take_back(&mut self, start: usize) {
        self.used = self.used.min(start);
    }

    /// Puts these bytes in.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        let end = self.used + bytes.len();
        self.make_room(end);
        if let Some(room) = self.bytes.get_mut(self.used..end) {
            room.copy_from_slice(bytes);
        }
        self.used = end;
    }

    /// Makes room for so many bytes and has them written. They are in it if `write` says so.
    pub(super) fn put_with(&mut self, bytes: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        let end = self.used + bytes;
        self.make_room(end);
        let written = self.bytes.get_mut(self.used..end).is_some_and(write);
        if written {
            self.used = end;
        }
        written
    }

    /// Puts in what `reader` gives. What came before an error stays.
    pub(super) fn put_all(&mut self, mut reader: impl Read) -> io::Result<()> {
        loop {
            self.make_room(self.used + CHUNK_BYTES);
            match reader.read(self.bytes.get_mut(self.used..).unwrap_or_default()) {
                Ok(0) => return Ok(()),
                Ok(bytes) => self.used += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Puts in a JSON text unescaped. `text` begins behind the opening quote.
    ///
    /// Total, as decoding of records is: surrogates without their other half and `\u` without
    /// four digits become U+FFFD, an escape that JSON does not have becomes the character itself.
    pub(super) fn put_text(&mut self, text: &[u8]) -> TextEnd {
        let mut read = 0;
        loop {
            let rest = text.get(read..).unwrap_or_default();
            // Nothing in it becomes longer but the `\u` that are put below.
            self.make_room(self.used + rest.len() + RUN);
            let room = self.bytes.get_mut(self.used..).unwrap_or_default();
            let (plain, written) = unescape(rest, room);
            self.used += written;
            read += plain;
            match rest.get(plain..).unwrap_or_default() {
                [b'"', ..] => return TextEnd::Quote(read + 1),
                [b'\\', b'u', digits @ ..] => read += 2 + self.put_code_point(digits),
                [b'\n', ..] => return TextEnd::LineEnd(read),
                _ => return TextEnd::Cut,
            }
        }
    }

    /// Puts in the character behind `\u`, with the second half of a surrogate pair where one is
    /// wanted, and says how long that is.
    fn put_code_point(&mut self, digits: &[u8]) -> usize {
        let (scalar, bytes) = match (code_unit(digits), digits.get(4..)) {
            (Some(high @ 0xd800..0xdc00), Some([b'\\', b'u', digits @ ..])) => {
                match code_unit(digits) {
                    Some(low @ 0xdc00..0xe000) => {
                        (Some(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 10)
                    }
                    _ => (None, 4),
                }
            }
            (Some(unit), _) => (Some(unit), 4),
            (None, _) => (None, 0),
        };
        let read = scalar.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.put(read.encode_utf8(&mut [0; 4]).as_bytes());
        bytes
    }

    #[inline]
    fn make_room(&mut self, end: usize) {
        if self.bytes.len() < end {
            self.grow(end);
        }
    }

    #[cold]
    fn grow(&mut self, end: usize) {
        let length = end.max(2 * self.bytes.len()).max(CHUNK_BYTES);
        self.bytes.resize(length, 0);
    }
}

/// Copies a JSON text up to its quote, a line end, a `\u`, or an escape that is cut off, with all
/// other escapes replaced. Says how many bytes were read and written. `room` is longer than `text`
/// by a run.
///
/// A record as a text has an escaped quote every ten bytes or so, at no regular distance: a loop
/// that asks at each whether it comes soon mispredicts. So the special bytes of a block are found
/// first, as bits, and what lies between two of them is copied in one piece of fixed length, good
/// bytes and others; the next piece is written over what was too much.
fn unescape(text: &[u8], room: &mut [u8]) -> (usize, usize) {
    let (mut read, mut written, mut block_at) = (0, 0, 0);
    let mut consumed = 0;
    while let Some(block) = text.get(block_at..).and_then(<[u8]>::first_chunk::<BLOCK>) {
        let mut specials = specials(block) & !consumed;
        consumed = 0;
        while specials != 0 {
            let bit = specials & specials.wrapping_neg();
            let at = block_at + specials.trailing_zeros() as usize;
            written += copy(text, read..at, room, written);
            read = at;
            let Some(byte) = escaped(text, at) else { return (read, written) };
            put(room, written, byte);
            read += 2;
            written += 1;
            // The byte behind a backslash is none that ends anything.
            specials &= !(bit | bit << 1);
            consumed = bit >> 63;
        }
        block_at += BLOCK;
    }
    let mut from = block_at.max(read);
    loop {
        let rest = text.get(from..).unwrap_or_default();
        let ends = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | b'\n'));
        let at = from + ends.unwrap_or(rest.len());
        written += copy(text, read..at, room, written);
        read = at;
        let Some(byte) = escaped(text, at) else { return (read, written) };
        put(room, written, byte);
        read += 2;
        written += 1;
        from = read;
    }
}

#[inline]
fn put(room: &mut [u8], at: usize, byte: u8) {
    if let Some(room) = room.get_mut(at) {
        *room = byte;
    }
}

/// Which bytes of a block are a quote, a backslash or a line end.
#[inline]
fn specials(block: &[u8; BLOCK]) -> u64 {
    let (quarters, _) = block.as_chunks::<16>();
    let mut bits = 0;
    for (n, quarter) in quarters.iter().enumerate() {
        let bytes = u8x16::from(*quarter);
        let specials = bytes.simd_eq(u8x16::splat(b'"'))
            | bytes.simd_eq(u8x16::splat(b'\\'))
            | bytes.simd_eq(u8x16::splat(b'\n'));
        bits |= u64::from(specials.to_bitmask()) << (16 * n);
    }
    bits
}

/// Copies a place of `text` to `room` at `to`, and says how long it is.
#[inline]
fn copy(text: &[u8], place: Range<usize>, room: &mut [u8], to: usize) -> usize {
    let run = text.get(place.start..).and_then(<[u8]>::first_chunk::<RUN>);
    let run_room = room.get_mut(to..).and_then(<[u8]>::first_chunk_mut::<RUN>);
    match (run, run_room) {
        (Some(run), Some(room)) if place.len() <= RUN => *room = *run,
        _ => {
            let bytes = text.get(place.clone()).unwrap_or_default();
            if let Some(room) = room.get_mut(to..to + bytes.len()) {
                room.copy_from_slice(bytes);
            }
        }
    }
    place.len()
}

/// What the escape at `at` stands for, where there is one of a letter other than `u`.
#[inline]
fn escaped(text: &[u8], at: usize) -> Option<u8> {
    match text.get(at..)? {
        [b'\\', byte @ (b'"' | b'\\' | b'/'), ..] => Some(*byte),
        [b'\\', b'b', ..] => Some(8),
        [b'\\', b'f', ..] => Some(12),
        [b'\\', b'n', ..] => Some(b'\n'),
        [b'\\', b'r', ..] => Some(b'\r'),
        [b'\\', b't', ..] => Some(b'\t'),
        [b'\\', b'u', ..] => None,
        [b'\\', byte, ..] => Some(*byte),
        _ => None,
    }
}

fn code_unit(digits: &[u8]) -> Option<u32> {
    let digits = digits.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(text: &str) -> (String, TextEnd) {
        let mut layer = Layer::default();
        layer.put(b"before");
        let end = layer.put_text(text.as_bytes());
        let bytes = layer.part(6..layer.len()).to_vec();
        (String::from_utf8(bytes).expect("what was UTF-8 stays it"), end)
    }

    #[test]
    fn texts_read_as_serde_json_reads_them() {
        let long = "0123456789abcdef".repeat(3);
        for inner in [
            "",
            "a",
            &long,
            &format!("{long}\\\"{long}\\\\\\\"x"),
            r#"{\"a\":\"b\\\"c\",\"d\":\"\\u00e9\"}"#,
            r"\u00e9\u20AC\ud83d\ude00\/\b\f\n\r\t",
            "é€😀",
        ] {
            let expected: String =
                serde_json::from_str(&format!("\"{inner}\"")).expect("it is JSON");
            let (read, end) = unescaped(&format!("{inner}\" and so on"));
            assert_eq!((read, end), (expected, TextEnd::Quote(inner.len() + 1)), "{inner}");
        }
    }

    #[test]
    fn what_is_no_json_text_is_read_all_the_same() {
        assert_eq!(unescaped("\\ud83dx\""), ("\u{fffd}x".into(), TextEnd::Quote(8)));
        assert_eq!(unescaped("\\ud83d\\n\""), ("\u{fffd}\n".into(), TextEnd::Quote(9)));
        assert_eq!(unescaped("\\u12\""), ("\u{fffd}12".into(), TextEnd::Quote(5)));
        assert_eq!(unescaped("\\q\""), ("q".into(), TextEnd::Quote(3)));
        for cut in ["", "abc", "\\", "abc\\", "0123456789abcdef"] {
            assert_eq!(unescaped(cut).1, TextEnd::Cut, "{cut}");
        }
        assert_eq!(unescaped("abc\ndef\""), ("abc".into(), TextEnd::LineEnd(3)));
        assert_eq!(
            unescaped("0123456789abcdefgh\n\""),
            ("0123456789abcdefgh".into(), TextEnd::LineEnd(18))
        );
    }
}

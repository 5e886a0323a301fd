//! Several values in one text: one a line, one behind the other, in arrays.
//!
//! Only what is clean is taken here, in one pass. Where anything is odd, the [`Rest`] says so, and
//! [framing](super::framing) goes on from there: it knows how to find the next record.

use std::ops::Range;

use super::reject::NESTED_MAX;
use super::scan::{Scan, Scanner};

/// The values of a text, flat: what was in arrays stands among the others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    /// Where each object or text is.
    pub(super) values: Vec<Range<usize>>,
    /// Whether there was an array.
    pub(super) has_lists: bool,
    /// What was not taken.
    pub(super) rest: Option<Rest>,
}

/// Where taking values ended before the text did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) at: usize,
    /// Where the line begins in which that is.
    pub(super) line: usize,
    /// Arrays open there.
    pub(super) lists: usize,
    /// There were as many values as may be; nothing is odd.
    pub(super) is_surplus: bool,
}

/// What came last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Opening,
    Value,
    Comma,
}

impl Sequence {
    /// Takes at most so many values.
    pub(super) fn of(text: &[u8], values_max: usize) -> Sequence {
        let mut sequence = Sequence { values: Vec::new(), has_lists: false, rest: None };
        let (mut at, mut lists, mut last) = (0, 0, Last::Opening);
        let mut is_surplus = false;
        loop {
            at += blanks(text.get(at..).unwrap_or_default());
            let rest = text.get(at..).unwrap_or_default();
            let may_begin = lists == 0 || last != Last::Value;
            match rest.first() {
                None if lists == 0 => return sequence,
                Some(b',') if lists > 0 && last == Last::Value => {
                    last = Last::Comma;
                    at += 1;
                }
                Some(b']') if lists > 0 && last != Last::Comma => {
                    lists -= 1;
                    last = Last::Value;
                    at += 1;
                }
                Some(b'[') if may_begin && lists < NESTED_MAX => {
                    sequence.has_lists = true;
                    lists += 1;
                    last = Last::Opening;
                    at += 1;
                }
                Some(b'{' | b'"') if may_begin => {
                    is_surplus = sequence.values.len() == values_max;
                    let begins_line = at == 0 || text.get(at - 1) == Some(&b'\n');
                    match value_bytes(rest, begins_line) {
                        Some(bytes) if !is_surplus => {
                            sequence.values.push(at..at + bytes);
                            last = Last::Value;
                            at += bytes;
                        }
                        _ => break,
                    }
                }
                _ => break,
            }
        }
        let before = text.get(..at).unwrap_or_default();
        let line = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        sequence.rest = Some(Rest { at, line, lists, is_surplus });
        sequence
    }
}

/// How long the object or text is that begins here, if it ends.
fn value_bytes(rest: &[u8], begins_line: bool) -> Option<usize> {
    if rest.first() == Some(&b'"') {
        return text_bytes(rest);
    }
    match Scanner::new(begins_line).scan(rest) {
        Scan::End(bytes) => Some(bytes),
        Scan::More | Scan::TextBroken | Scan::NextBegins => None,
    }
}

/// How long a JSON text is from quote to quote, if it ends before its line does.
pub(super) fn text_bytes(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let rest = text.get(at..)?;
        at += memchr::memchr3(b'"', b'\\', b'\n', rest)?;
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => return None,
        }
    }
}

/// How many bytes there are before anything stands: blanks, line ends, and the record separators
/// of RFC 7464.
pub(super) fn blanks(text: &[u8]) -> usize {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x1e);
    text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<&str> {
        let sequence = Sequence::of(text.as_bytes(), 10);
        assert_eq!(sequence.rest, None, "{text}");
        let value = |place: &Range<usize>| text.get(place.clone()).expect("at characters");
        sequence.values.iter().map(value).collect()
    }

    #[test]
    fn takes_what_is_clean() {
        let [a, b] = ["{\"a\":[\"}\\\"{\"]}", "\"x\\\\\\\"y\""];
        for text in [
            format!("{a}{b}"),
            format!(" {a}\r\n{b}\n"),
            format!("\u{1e}{a}\n\u{1e}{b}\n"),
            format!("[{a},{b}]"),
            format!("[ [ {a} ] , [] , [[{b}]] ]"),
            format!("[{a}]\n[{b}]"),
        ] {
            assert_eq!(values(&text), [a, b], "{text}");
        }
        assert_eq!(values(" \n"), [""; 0]);
        assert!(Sequence::of(b"[]", 1).has_lists);
    }

    #[test]
    fn says_where_it_is_odd() {
        for (text, count, at, line, lists) in [
            ("{}\n{\"a\":", 1, 3, 3, 0),
            ("{}\n [{},\n x]", 2, 10, 9, 1),
            ("[{}", 1, 3, 0, 1),
            ("[{},]", 1, 4, 0, 1),
            ("[{}{}]", 1, 3, 0, 1),
            ("{},{}", 1, 2, 0, 0),
            ("12", 0, 0, 0, 0),
            ("\"a\n\"", 0, 0, 0, 0),
            ("]", 0, 0, 0, 0),
        ] {
            let sequence = Sequence::of(text.as_bytes(), 10);
            let rest = Rest { at, line, lists, is_surplus: false };
            assert_eq!((sequence.values.len(), sequence.rest), (count, Some(rest)), "{text}");
        }
        let sequence = Sequence::of(b"{}{}{}", 2);
        let rest = Rest { at: 4, line: 0, lists: 0, is_surplus: true };
        assert_eq!((sequence.values.len(), sequence.rest), (2, Some(rest)));
    }
}

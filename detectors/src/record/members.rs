//! One pass over the top-level members of a record: where each known one lies, and what is odd.

use super::key::{Key, Shape};
use super::oddity::{Oddities, Oddity};
use super::scan::{Span, Walk};
use super::value::is_number;
use super::{Unreadable, text};

/// Where the known top-level members lie.
#[derive(Debug, Clone)]
pub(super) struct Members {
    /// Where the object begins.
    pub(super) start: usize,
    /// Whether there are keys that are no [`Key`] letter for letter.
    pub(super) has_others: bool,
    spans: [ShortSpan; Key::ALL.len()],
    /// Members known so far only by a key in another letter case, a bit each.
    loose: u64,
}

/// A span within the longest record; empty where there is no such member.
#[derive(Debug, Clone, Copy, Default)]
struct ShortSpan {
    start: u32,
    end: u32,
}

const _: () = assert!(Key::ALL.len() <= u64::BITS as usize && super::RECORD_BYTES_MAX < 1 << 32);

impl Members {
    pub(super) fn scan(bytes: &[u8], oddities: &mut Oddities) -> Result<Members, Unreadable> {
        let start = if bytes.starts_with(b"\xef\xbb\xbf") {
            oddities.add(Oddity::ByteOrderMark);
            3
        } else {
            0
        };
        if is_blank(bytes, start) {
            return Err(Unreadable::NotAnObject);
        }
        let mut members = Members {
            start,
            has_others: false,
            spans: [ShortSpan::default(); Key::ALL.len()],
            loose: 0,
        };
        let mut walk = Walk::behind(b'{', bytes, start)?;
        while let Some(member) = walk.member()? {
            let name = member.key.of(bytes);
            let key = match Key::named(name) {
                Some(key) => members.keep(key, member.value, oddities),
                None => members.keep_odd(name, member.value, oddities),
            };
            if let Some(key) = key {
                judge(key, member.value.of(bytes), oddities);
            }
        }
        if members.loose != 0 {
            oddities.add(Oddity::KeyCase);
        }
        if !is_blank(bytes, walk.at()) {
            return Err(Unreadable::TrailingBytes);
        }
        Ok(members)
    }

    pub(super) fn span(&self, key: Key) -> Span {
        let span = self.spans[key as usize];
        Span {
            start: span.start as usize,
            end: span.end as usize,
        }
    }

    /// Keeps a member under its own name: the last one counts.
    #[inline]
    fn keep(&mut self, key: Key, value: Span, oddities: &mut Oddities) -> Option<Key> {
        let bit = 1 << key as u32;
        if self.spans[key as usize].end != 0 && self.loose & bit == 0 {
            oddities.add(Oddity::DuplicateKey);
        }
        self.loose &= !bit;
        self.spans[key as usize] = ShortSpan {
            start: value.start as u32,
            end: value.end as u32,
        };
        Some(key)
    }

    /// Keeps a member whose key is escaped, or written in another letter case while no key is
    /// written as it should be.
    #[cold]
    fn keep_odd(&mut self, name: &[u8], value: Span, oddities: &mut Oddities) -> Option<Key> {
        self.has_others = true;
        let read = text::read(name);
        if let Some(key) = Key::named(read.as_bytes()) {
            oddities.add(Oddity::EscapedKey);
            return self.keep(key, value, oddities);
        }
        let key = Key::named_loosely(read.as_bytes())?;
        let bit = 1 << key as u32;
        if self.spans[key as usize].end != 0 && self.loose & bit == 0 {
            return None;
        }
        self.keep(key, value, oddities);
        self.loose |= bit;
        Some(key)
    }
}

fn is_blank(bytes: &[u8], from: usize) -> bool {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter()
        .all(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))
}

/// Says what is odd about a value in its place.
fn judge(key: Key, value: &[u8], oddities: &mut Oddities) {
    let found = match value {
        b"null" => return,
        b"true" | b"false" => Some(Shape::Bool),
        [b'"', ..] => Some(Shape::Text),
        [b'{', ..] => Some(Shape::Object),
        [b'[', ..] => Some(Shape::List),
        number => {
            if !is_number(number) {
                oddities.add(Oddity::BareWord);
            }
            None
        }
    };
    let wanted = key.shape();
    if found != Some(wanted) {
        match wanted {
            Shape::Text => oddities.add(Oddity::TextExpected),
            Shape::Object => oddities.add(Oddity::ObjectExpected),
            Shape::List => oddities.add(Oddity::ListExpected),
            Shape::Bool => oddities.add(Oddity::BoolExpected),
            Shape::Time => {}
        }
    }
}

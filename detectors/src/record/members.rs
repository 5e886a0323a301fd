//! One pass over the top-level members of a record: where each known one lies, and what is odd.

use super::key::{Key, Shape};
use super::oddity::{Oddities, Oddity};
use super::scan::{Span, Walk, is_space};
use super::value::is_number;
use super::{Unreadable, text};

/// Where the known top-level members lie.
#[derive(Debug, Clone)]
pub(super) struct Members {
    /// Where the object begins.
    pub(super) start: usize,
    /// Whether there are keys that are no [`Key`] letter for letter.
    pub(super) has_others: bool,
    spans: [Span; Key::ALL.len()],
    /// Members that are there and not null, a bit each.
    pub(super) held: u64,
    /// Members known so far only by a key in another letter case, a bit each.
    loose: u64,
}

const _: () = assert!(Key::ALL.len() <= u64::BITS as usize);

impl Default for Members {
    fn default() -> Members {
        let spans = [Span::default(); Key::ALL.len()];
        Members { start: 0, has_others: false, spans, held: 0, loose: 0 }
    }
}

impl Members {
    /// Finds the members of a record that was not scanned before.
    pub(super) fn scan(&mut self, bytes: &[u8], oddities: &mut Oddities) -> Result<(), Unreadable> {
        if bytes.starts_with(b"\xef\xbb\xbf") {
            oddities.add(Oddity::ByteOrderMark);
            self.start = 3;
        }
        if is_blank(bytes, self.start) {
            return Err(Unreadable::NotAnObject);
        }
        let mut walk = Walk::behind(b'{', bytes, self.start)?;
        let mut next = Key::EventVersion;
        loop {
            let (key, value) = match walk.value_behind(next.written())? {
                Some(value) => (self.keep(next, value, oddities), value),
                None => {
                    let Some(member) = walk.member()? else { break };
                    let name = member.key.of(bytes);
                    let key = match Key::named(name) {
                        Some(key) => self.keep(key, member.value, oddities),
                        None => self.keep_odd(name, member.value, oddities),
                    };
                    (key, member.value)
                }
            };
            if let Some(key) = key {
                let value = value.of(bytes);
                self.hold(key, value != b"null");
                judge(key, value, oddities);
                next = key.usual_next();
            }
        }
        if self.loose != 0 {
            oddities.add(Oddity::KeyCase);
        }
        if !is_blank(bytes, walk.at()) {
            return Err(Unreadable::TrailingBytes);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn span(&self, key: Key) -> Span {
        self.spans[key as usize]
    }

    /// Keeps a member under its own name: the last one counts.
    #[inline]
    fn keep(&mut self, key: Key, value: Span, oddities: &mut Oddities) -> Option<Key> {
        let bit = key.bit();
        if self.span(key) != Span::default() && self.loose & bit == 0 {
            oddities.add(Oddity::DuplicateKey);
        }
        self.loose &= !bit;
        self.spans[key as usize] = value;
        Some(key)
    }

    /// Notes whether a member leads anywhere.
    #[inline]
    fn hold(&mut self, key: Key, leads_on: bool) {
        self.held = (self.held & !key.bit()) | (u64::from(leads_on) * key.bit());
    }

    /// Keeps a member whose key is escaped, or written in another letter case while no key is
    /// written as it should be.
    #[cold]
    fn keep_odd(&mut self, name: &[u8], value: Span, oddities: &mut Oddities) -> Option<Key> {
        self.has_others = true;
        let read = text::read(name, true);
        if let Some(key) = Key::named(read.as_bytes()) {
            oddities.add(Oddity::EscapedKey);
            return self.keep(key, value, oddities);
        }
        let key = Key::named_loosely(read.as_bytes())?;
        let bit = key.bit();
        if self.span(key) != Span::default() && self.loose & bit == 0 {
            return None;
        }
        self.keep(key, value, oddities);
        self.loose |= bit;
        Some(key)
    }
}

fn is_blank(bytes: &[u8], from: usize) -> bool {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().all(|byte| is_space(*byte))
}

/// Says what is odd about a value in its place.
#[inline]
fn judge(key: Key, value: &[u8], oddities: &mut Oddities) {
    if value.first() != Some(&(key.shape() as u8)) {
        judge_other(key, value, oddities);
    }
}

/// The same of one that does not begin as it should.
fn judge_other(key: Key, value: &[u8], oddities: &mut Oddities) {
    let oddity = match (key.shape(), value) {
        (Shape::Bool, b"true" | b"false") | (_, b"null") => return,
        (Shape::Text, _) => Some(Oddity::TextExpected),
        (Shape::Object, _) => Some(Oddity::ObjectExpected),
        (Shape::List, _) => Some(Oddity::ListExpected),
        (Shape::Bool, _) => Some(Oddity::BoolExpected),
        (Shape::Any, _) => None,
    };
    oddity.into_iter().for_each(|oddity| oddities.add(oddity));
    if !matches!(value, [b'"' | b'{' | b'[', ..] | b"true" | b"false") && !is_number(value) {
        oddities.add(Oddity::BareWord);
    }
}

//! A JSON value, read no further than asked.

use std::borrow::Cow;

use super::key::is_same;
use super::scan::{Member, Span, Walk};
use super::text;

/// A JSON value as found in a record, or as derived from one.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'b> {
    /// There is none.
    Missing,
    /// JSON `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(Cow<'b, str>),
    /// A text, unescaped. What is no valid UTF-8 or UTF-16 in it reads as U+FFFD. A word that is
    /// no JSON (`True`, `NaN`) is a text too.
    Text(Cow<'b, str>),
    /// `[...]`, unread.
    Array(Raw<'b>),
    /// `{...}`, unread.
    Object(Raw<'b>),
}

impl<'b> Value<'b> {
    /// Reads one value as a scan has found it; an empty span is no value.
    #[inline]
    pub(super) fn read(bytes: &'b [u8], span: Span) -> Value<'b> {
        let bytes = span.of(bytes);
        match bytes {
            [] => Value::Missing,
            [b'"', inner @ .., b'"'] => Value::Text(text::read(inner, span.is_escaped())),
            [b'{', ..] => Value::Object(Raw(bytes)),
            [b'[', ..] => Value::Array(Raw(bytes)),
            b"null" => Value::Null,
            b"true" => Value::Bool(true),
            b"false" => Value::Bool(false),
            _ if is_number(bytes) => Value::Number(text::read(bytes, false)),
            _ => Value::Text(text::read(bytes, true)),
        }
    }

    /// As a text: numbers and truth values as written, of a list its first text. None where there
    /// is none, for `null`, for `""` (CloudTrail writes it for "none") and for objects.
    #[must_use]
    pub fn into_text(self) -> Option<Cow<'b, str>> {
        match self {
            Value::Text(text) | Value::Number(text) => (!text.is_empty()).then_some(text),
            Value::Bool(true) => Some(Cow::Borrowed("true")),
            Value::Bool(false) => Some(Cow::Borrowed("false")),
            Value::Array(list) => list.elements().find_map(|element| match element {
                Value::Array(_) => None,
                other => other.into_text(),
            }),
            Value::Missing | Value::Null | Value::Object(_) => None,
        }
    }

    /// The same value, borrowed.
    pub(crate) fn by_ref(&self) -> Value<'_> {
        match self {
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::Number(text) => Value::Number(Cow::Borrowed(text)),
            other => other.clone(),
        }
    }

    /// The member of this name, if this is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Value<'b> {
        match self {
            Value::Object(object) => object.get(name),
            _ => Value::Missing,
        }
    }

    /// Several members at once, see [`Raw::pick`]; all missing if this is no object.
    #[must_use]
    pub fn pick<const N: usize>(&self, names: [&str; N]) -> [Value<'b>; N] {
        match self {
            Value::Object(object) => object.pick(names),
            _ => [const { Value::Missing }; N],
        }
    }
}

/// Whether these bytes are a number by the grammar of RFC 8259, section 6.
pub(super) fn is_number(bytes: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let behind = |bytes: &'static [u8]| move |first: &u8| bytes.contains(first);
    let strip = |bytes: &mut &[u8], any: &'static [u8]| {
        let found = bytes.first().is_some_and(behind(any));
        *bytes = bytes.get(usize::from(found)..).unwrap_or_default();
        found
    };
    let skip = |bytes: &mut &[u8]| {
        let length = digits(bytes);
        *bytes = bytes.get(length..).unwrap_or_default();
        length
    };
    let mut rest = bytes;
    strip(&mut rest, b"-");
    let leads_with_zero = rest.first() == Some(&b'0');
    match skip(&mut rest) {
        0 => return false,
        1 => {}
        _ if leads_with_zero => return false,
        _ => {}
    }
    if strip(&mut rest, b".") && skip(&mut rest) == 0 {
        return false;
    }
    if strip(&mut rest, b"eE") {
        strip(&mut rest, b"+-");
        if skip(&mut rest) == 0 {
            return false;
        }
    }
    rest.is_empty()
}

/// The bytes of one JSON array or object, from bracket to bracket.
///
/// They are read while they are walked. Where they are no JSON, the walk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'b>(pub &'b [u8]);

impl<'b> Raw<'b> {
    /// The member of an object by name: the last, where it stands twice; one in another letter
    /// case, where it stands in no other way.
    #[must_use]
    pub fn get(self, name: &str) -> Value<'b> {
        let [value] = self.pick([name]);
        value
    }

    /// Several members of an object in one pass, each found as [`get`](Raw::get) finds it.
    #[must_use]
    pub fn pick<const N: usize>(self, names: [&str; N]) -> [Value<'b>; N] {
        let mut found = [Found::default(); N];
        self.each_member(|key, value| {
            for (name, found) in names.iter().zip(&mut found) {
                found.offer(name.as_bytes(), key, value);
            }
        });
        found.map(|found| found.read(self.0))
    }

    /// The member an object has for the beginning of `path` (segments joined by dots), and what
    /// of the path is left behind it: the longest key that is whole segments of the path counts,
    /// since keys may hold dots themselves.
    pub(crate) fn along<'p>(self, path: &'p str) -> (Value<'b>, &'p str) {
        let mut found = Found::default();
        self.each_member(|key, value| found.offer_along(path.as_bytes(), key, value));
        (found.read(self.0), found.rest_of(path))
    }

    /// The members of an object, in order, twice where a name stands twice.
    pub fn members(self) -> impl Iterator<Item = (Cow<'b, str>, Value<'b>)> {
        let mut walk = self.walk(b'{');
        std::iter::from_fn(move || {
            let member = next(&mut walk, Walk::member)?;
            let key = text::read(member.key.of(self.0), member.key.is_escaped());
            Some((key, Value::read(self.0, member.value)))
        })
    }

    /// Visits the values of the members whose names `pick` wants, in order.
    pub(crate) fn select<T>(
        self,
        mut pick: impl FnMut(&[u8]) -> Option<T>,
        mut visit: impl FnMut(T, Value<'b>),
    ) {
        self.each_member(|name, value| {
            if let Some(picked) = pick(name) {
                visit(picked, Value::read(self.0, value));
            }
        });
    }

    /// The elements of an array, in order.
    #[must_use]
    pub fn elements(self) -> Elements<'b> {
        Elements { raw: self, walk: self.walk(b'[') }
    }

    /// Goes through the members with their names unescaped, up to where the bytes are no JSON.
    #[inline]
    fn each_member(self, mut visit: impl FnMut(&[u8], Span)) {
        self.each_span(|Member { key, value }| {
            let name = key.of(self.0);
            if key.is_escaped() {
                visit(text::read(name, true).as_bytes(), value);
            } else {
                visit(name, value);
            }
        });
    }

    /// Goes through the members as they lie there.
    #[inline]
    pub(super) fn each_span(self, mut visit: impl FnMut(Member)) {
        let Ok(mut walk) = Walk::behind(b'{', self.0, 0) else {
            return;
        };
        while let Ok(Some(member)) = walk.member() {
            visit(member);
        }
    }

    fn walk(self, open: u8) -> Option<Walk<'b>> {
        Walk::behind(open, self.0, 0).ok()
    }
}

/// See [`Raw::elements`].
#[derive(Debug, Clone)]
pub struct Elements<'b> {
    raw: Raw<'b>,
    walk: Option<Walk<'b>>,
}

impl<'b> Iterator for Elements<'b> {
    type Item = Value<'b>;

    fn next(&mut self) -> Option<Value<'b>> {
        let span = next(&mut self.walk, Walk::element)?;
        Some(Value::read(self.raw.0, span))
    }
}

/// One step; where there is none, or it fails, the walk is over for good.
fn next<'b, T>(
    walk: &mut Option<Walk<'b>>,
    step: impl FnOnce(&mut Walk<'b>) -> Result<Option<T>, super::scan::Fault>,
) -> Option<T> {
    let entry = step(walk.as_mut()?).ok().flatten();
    if entry.is_none() {
        *walk = None;
    }
    entry
}

/// What a search for a name, or for the beginning of a path, has come upon.
#[derive(Clone, Copy, Default)]
pub(super) struct Found {
    exact: Option<Span>,
    /// In another letter case.
    loose: Option<Span>,
    /// How much of the path each is the name of.
    exact_length: usize,
    loose_length: usize,
}

impl Found {
    /// Looks whether this is the member `name`: the last counts.
    #[inline]
    pub(super) fn offer(&mut self, name: &[u8], key: &[u8], value: Span) {
        if key.len() != name.len() {
            return;
        }
        if is_same(key, name) {
            self.exact = Some(value);
        } else if self.exact.is_none() && key.eq_ignore_ascii_case(name) {
            self.loose = Some(value);
        }
    }

    /// Looks whether this member's name is the beginning of `path`: the longest counts.
    #[inline]
    pub(super) fn offer_along(&mut self, path: &[u8], key: &[u8], value: Span) {
        let Some((head, [] | [b'.', ..])) = path.split_at_checked(key.len()) else {
            return;
        };
        if *key == *head {
            if key.len() >= self.exact_length {
                self.exact_length = key.len();
                self.exact = Some(value);
            }
        } else if key.len() >= self.loose_length && key.eq_ignore_ascii_case(head) {
            self.loose_length = key.len();
            self.loose = Some(value);
        }
    }

    /// What of the path is left behind the name found.
    pub(super) fn rest_of(self, path: &str) -> &str {
        let length = if self.exact.is_some() { self.exact_length } else { self.loose_length };
        path.get(length + 1..).unwrap_or_default()
    }

    pub(super) fn read(self, bytes: &[u8]) -> Value<'_> {
        match self.exact.or(self.loose) {
            Some(span) => Value::read(bytes, span),
            None => Value::Missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Raw<'_> {
        Raw(text.as_bytes())
    }

    fn read(json: &str) -> Value<'_> {
        let span = Span::new(0, json.len(), true);
        Value::read(json.as_bytes(), span)
    }

    fn text(text: &str) -> Value<'_> {
        Value::Text(text.into())
    }

    #[test]
    fn scalars_read_as_what_they_are() {
        for number in ["0", "-0", "10", "1.5", "-1.5e10", "1E+2", "0.0e-1"] {
            assert_eq!(read(number), Value::Number(number.into()));
        }
        for word in ["01", "1.", ".5", "-", "+1", "1e", "1e+", "True", "NaN", "1x", "nul", "0x1"] {
            assert_eq!(read(word), text(word));
        }
        assert_eq!(read(""), Value::Missing);
        assert_eq!(read("null"), Value::Null);
        assert_eq!(read("true"), Value::Bool(true));
        assert_eq!(read("\""), text("\""));
    }

    #[test]
    fn a_member_is_found_by_its_name_whatever_stands_around() {
        let raw = object(r#" {"a":1,"b\u0063":{"x":[1,"}"]} , "A":2,"a":3,"D":4} trailing"#);
        assert_eq!(raw.get("a"), Value::Number("3".into()));
        assert_eq!(raw.get("A"), Value::Number("2".into()));
        assert_eq!(raw.get("d"), Value::Number("4".into()));
        assert_eq!(raw.get("bc").get("x"), Value::Array(object(r#"[1,"}"]"#)));
        assert_eq!(raw.get("x"), Value::Missing);
        let [d, absent, a] = raw.pick(["D", "absent", "a"]);
        assert_eq!((d, absent, a), (raw.get("D"), Value::Missing, raw.get("a")));
    }

    #[test]
    fn a_key_may_hold_dots() {
        let raw = object(r#"{"a":1,"a.b":2,"A.b.c":3,"x":4}"#);
        assert_eq!(raw.along("a.b.c"), (Value::Number("2".into()), "c"));
        assert_eq!(raw.along("a.c"), (Value::Number("1".into()), "c"));
        assert_eq!(raw.along("X"), (Value::Number("4".into()), ""));
        assert_eq!(raw.along("xy"), (Value::Missing, "y"));
    }

    #[test]
    fn broken_bytes_end_the_walk() {
        for (broken, members) in [
            (r#"{"a":1,"b""#, 1),
            (r#"{"a":1 "b":2}"#, 1),
            (r#"{"a":1,,"b":2}"#, 1),
            (r#"{"a":1,b:2}"#, 1),
            (r#"{"a":}"#, 0),
            (r#"{"a"}"#, 0),
            (r#"{"a":[1}"#, 1),
            ("{", 0),
            ("", 0),
            ("[1]", 0),
        ] {
            assert_eq!(object(broken).members().count(), members, "{broken}");
        }
        assert_eq!(object("[1,2,]3").elements().count(), 2);
        let mut elements = object("[1}2,3]").elements();
        assert_eq!(elements.by_ref().count(), 1);
        assert_eq!(elements.next(), None);
    }

    #[test]
    fn texts_of_odd_values() {
        let as_text = |json: &'static str| read(json).into_text();
        assert_eq!(as_text("12").as_deref(), Some("12"));
        assert_eq!(as_text("true").as_deref(), Some("true"));
        assert_eq!(as_text(r#"["", null, [1], "b", "c"]"#).as_deref(), Some("b"));
        for none in ["null", r#""""#, "{}", "[]", "[[1]]", ""] {
            assert_eq!(as_text(none), None, "{none}");
        }
    }
}

//! An object whose members were found in one pass and are kept: for asking more than once.

use smallvec::SmallVec;

use super::scan::Member;
use super::text;
use super::value::{Found, Value};

/// The members of one object. Each question finds what [`Raw`](super::Raw) would, without reading the bytes
/// again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object<'b> {
    bytes: &'b [u8],
    /// As many as `userIdentity` has in most records.
    members: SmallVec<[Member; 10]>,
}

impl<'b> Object<'b> {
    /// Reads the members of a value; one that is no object has none.
    pub(crate) fn of(value: &Value<'b>) -> Object<'b> {
        let mut object = Object::default();
        if let Value::Object(raw) = value {
            object.bytes = raw.0;
            raw.each_span(|member| object.members.push(member));
        }
        object
    }

    /// See [`Raw::get`](super::Raw::get).
    pub(crate) fn get(&self, name: &str) -> Value<'b> {
        let mut found = Found::default();
        self.each_member(|key, member| found.offer(name.as_bytes(), key, member.value));
        found.read(self.bytes)
    }

    /// See [`Raw::along`](super::Raw::along).
    pub(crate) fn along<'p>(&self, path: &'p str) -> (Value<'b>, &'p str) {
        let mut found = Found::default();
        self.each_member(|key, member| found.offer_along(path.as_bytes(), key, member.value));
        (found.read(self.bytes), found.rest_of(path))
    }

    /// Visits the values of the members whose names `pick` wants, in order.
    pub(crate) fn select<T>(
        &self,
        mut pick: impl FnMut(&[u8]) -> Option<T>,
        mut visit: impl FnMut(T, Value<'b>),
    ) {
        self.each_member(|name, member| {
            if let Some(picked) = pick(name) {
                visit(picked, Value::read(self.bytes, member.value));
            }
        });
    }

    #[inline]
    fn each_member(&self, mut visit: impl FnMut(&[u8], &Member)) {
        for member in &self.members {
            let name = member.key.of(self.bytes);
            if member.key.is_escaped() {
                visit(text::read(name, true).as_bytes(), member);
            } else {
                visit(name, member);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Raw;

    #[test]
    fn it_answers_as_the_bytes_do() {
        let json = r#"{"a":1,"b\u0063":{"x":[1]},"A":2,"a.b":"y","D":4,"a":3,"A.b.c":5}"#;
        let raw = Raw(json.as_bytes());
        let object = Object::of(&Value::Object(raw));
        for path in ["a", "A", "bc", "d", "D", "a.b", "a.b.c", "A.B", "bc.x", "x", "", "a.c"] {
            assert_eq!(object.get(path), raw.get(path), "{path}");
            assert_eq!(object.along(path), raw.along(path), "{path}");
        }
        assert_eq!(Object::of(&Value::Null).get("a"), Value::Missing);
    }
}

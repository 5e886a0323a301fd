//! A JSON value, read no further than asked.

use std::borrow::Cow;

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
    /// A text, unescaped. What is no valid UTF-8 or UTF-16 in it reads as U+FFFD.
    Text(Cow<'b, str>),
    /// `[...]`, unread.
    Array(Raw<'b>),
    /// `{...}`, unread.
    Object(Raw<'b>),
}

/// The bytes of one JSON array or object, from bracket to bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'b>(pub &'b [u8]);

impl<'b> Raw<'b> {
    /// The member of an object by name (the last, where it stands twice).
    #[must_use]
    pub fn get(self, _name: &str) -> Value<'b> {
        Value::Missing
    }
    /// The members of an object, in order.
    pub fn members(self) -> impl Iterator<Item = (Cow<'b, str>, Value<'b>)> {
        std::iter::empty()
    }
    /// The elements of an array, in order.
    pub fn elements(self) -> impl Iterator<Item = Value<'b>> {
        std::iter::empty()
    }
}

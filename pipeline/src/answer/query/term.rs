//! Conditions over the members of a CloudTrail record, before any language.

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// The member is one of these.
    Is(String, Vec<String>),
    /// The member is none of these.
    IsNot(String, Vec<String>),
    /// The member begins so.
    Begins(String, String),
    /// The member, written as text, has this in it.
    Holds(String, String),
    /// All of them.
    All(Vec<Term>),
    /// One of them.
    Any(Vec<Term>),
}

/// `Is` over constants.
pub(super) fn is(field: &str, values: &[&str]) -> Term {
    Term::Is(field.to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
}

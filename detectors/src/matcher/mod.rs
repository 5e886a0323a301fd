//! A compiled Sigma condition.

use crate::field::Fields;

/// A condition over the fields of one record.
#[derive(Debug, Default)]
pub struct Matcher {}

impl Matcher {
    /// Whether the record satisfies it.
    #[must_use]
    pub fn fits(&self, _fields: &Fields<'_, '_>) -> bool {
        false
    }
}

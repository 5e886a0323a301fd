//! Whether one of some texts stands in bytes, whatever its letter case.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use regex::bytes::{Regex, RegexBuilder};

/// Letters from rare to common, as records have them outside of identifiers.
const RARE: &[u8] = b"jqzxkvwhfgbypdulomcntrasie";

/// How many texts are sought in one pass: with more the library takes a slower way, which costs more
/// than a second pass.
pub(super) const TEXTS_A_PASS: usize = 8;

/// Looks for texts.
#[derive(Debug)]
pub(super) enum Seeker {
    /// For one, by its rarest letter, so that few places are looked at closely.
    One(Sought),
    /// For one of several, in some passes.
    Any(Vec<Regex>),
}

/// A text in lower case, and the place in it of its rarest letter.
#[derive(Debug)]
pub(super) struct Sought {
    letter: u8,
    place: usize,
    text: Box<[u8]>,
}

/// Seekers by what they look for: each is made once, however many operations ask for it.
#[derive(Debug, Default)]
pub(crate) struct Seekers(Mutex<HashMap<BTreeSet<String>, Arc<Seeker>>>);

impl Seekers {
    /// See [`Seeker::of`].
    pub(super) fn of(&self, texts: &BTreeSet<String>) -> Option<Arc<Seeker>> {
        let mut seekers = self.0.lock();
        if let Some(seeker) = seekers.get(texts) {
            return Some(seeker.clone());
        }
        let seeker = Arc::new(Seeker::of(texts)?);
        seekers.insert(texts.clone(), seeker.clone());
        Some(seeker)
    }
}

impl Seeker {
    /// Looks for these texts, which are in lower case and not empty; none where there are none, or
    /// too many to be sought so.
    fn of(texts: &BTreeSet<String>) -> Option<Seeker> {
        let texts: Vec<&String> = texts.iter().collect();
        let pass = |texts: &[&String]| {
            let any: Vec<String> = texts.iter().map(|text| regex::escape(text)).collect();
            RegexBuilder::new(&any.join("|")).case_insensitive(true).unicode(false).build().ok()
        };
        match texts.as_slice() {
            [] => None,
            [only] => Sought::of(only).map(Seeker::One),
            several => {
                several.chunks(TEXTS_A_PASS).map(pass).collect::<Option<_>>().map(Seeker::Any)
            }
        }
    }

    /// Whether one of the texts stands in `bytes`.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        match self {
            Seeker::One(only) => {
                let (lower, upper) = (only.letter, only.letter.to_ascii_uppercase());
                memchr::memchr2_iter(lower, upper, bytes).any(|at| only.stands_at(at, bytes))
            }
            Seeker::Any(passes) => passes.iter().any(|regex| regex.is_match(bytes)),
        }
    }
}

impl Sought {
    fn of(text: &str) -> Option<Sought> {
        let rarity = |byte: &u8| RARE.iter().position(|rare| rare == byte).unwrap_or(RARE.len());
        let (place, letter) = text.bytes().enumerate().min_by_key(|(_, byte)| rarity(byte))?;
        Some(Sought { text: text.as_bytes().into(), place, letter })
    }

    /// Whether it stands in `bytes` with its rarest letter at `at`.
    fn stands_at(&self, at: usize, bytes: &[u8]) -> bool {
        at.checked_sub(self.place)
            .and_then(|start| bytes.get(start..start + self.text.len()))
            .is_some_and(|found| found.eq_ignore_ascii_case(&self.text))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_stands_there(
            texts in prop::collection::btree_set("[abk/]{1,3}", 1..2 * TEXTS_A_PASS),
            bytes in "[abkABK/x]{0,12}",
        ) {
            let lower = bytes.to_ascii_lowercase();
            let wanted = texts.iter().any(|text| lower.contains(text));
            prop_assert_eq!(Seeker::of(&texts).unwrap().is_in(bytes.as_bytes()), wanted);
        }
    }
}

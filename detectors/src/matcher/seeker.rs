//! Whether one of some texts stands in bytes, whatever its letter case.
//!
//! Each text is sought by its rarest letter, so that few places are looked at closely: one text as fast
//! as a letter is found, several in one pass.

use std::collections::BTreeSet;

/// Letters from rare to common, as records have them outside of identifiers.
const RARE: &[u8] = b"jqzxkvwhfgbypdulomcntrasie";

/// Looks for texts.
#[derive(Debug, Clone)]
pub(super) struct Seeker {
    /// By their letters.
    texts: Vec<Sought>,
    /// Where in `texts` those begin and end that have this byte for their letter.
    by_letter: Box<[(u8, u8); 256]>,
}

/// Most texts that are sought at once.
pub(super) const TEXTS_MAX: usize = u8::MAX as usize;

/// A text in lower case, and the place in it of its rarest letter.
#[derive(Debug, Clone)]
struct Sought {
    letter: u8,
    place: usize,
    text: Box<[u8]>,
}

impl Seeker {
    /// Looks for these texts, at most [`TEXTS_MAX`], which are in lower case; none of them is empty.
    pub(super) fn of(texts: &BTreeSet<String>) -> Seeker {
        let mut texts: Vec<Sought> = texts.iter().filter_map(|text| Sought::of(text)).collect();
        debug_assert!(texts.len() <= TEXTS_MAX, "whoever asks keeps to it");
        texts.sort_by_key(|sought| sought.letter);
        let mut by_letter = Box::new([(0, 0); 256]);
        for (at, sought) in (0_u8..).zip(&texts) {
            for byte in [sought.letter, sought.letter.to_ascii_uppercase()] {
                let (from, to) = &mut by_letter[usize::from(byte)];
                *from = if *to == 0 { at } else { *from };
                *to = at + 1;
            }
        }
        Seeker { texts, by_letter }
    }

    /// Whether one of the texts stands in `bytes`.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        if let [only] = self.texts.as_slice() {
            let (lower, upper) = (only.letter, only.letter.to_ascii_uppercase());
            return memchr::memchr2_iter(lower, upper, bytes).any(|at| only.stands_at(at, bytes));
        }
        bytes.iter().enumerate().any(|(at, byte)| {
            let (from, to) = self.by_letter[usize::from(*byte)];
            from < to
                && self
                    .texts
                    .get(usize::from(from)..usize::from(to))
                    .is_some_and(|texts| texts.iter().any(|sought| sought.stands_at(at, bytes)))
        })
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_stands_there(
            texts in prop::collection::btree_set("[abk/]{1,3}", 1..4),
            bytes in "[abkABK/x]{0,12}",
        ) {
            let lower = bytes.to_ascii_lowercase();
            let wanted = texts.iter().any(|text| lower.contains(text));
            prop_assert_eq!(Seeker::of(&texts).is_in(bytes.as_bytes()), wanted);
        }
    }
}

//! Comparing texts: equal, prefix, suffix, substring, and Sigma's `*` and `?`.
//!
//! ASCII case is ignored unless the rule says `cased`; other letters compare as they are, so that
//! no table of Unicode decides what matches. Nothing here allocates, and a pattern with wildcards
//! costs at most its length times the text's.

use rsigma_parser::{SigmaString, SpecialChar, StringPart};

/// Longest text a rule may compare with, bytes.
pub(crate) const PATTERN_BYTES_MAX: usize = 4_096;

/// A text to compare with, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    shape: Shape,
    cased: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Equals(Box<str>),
    Starts(Box<str>),
    Ends(Box<str>),
    Contains(Box<str>),
    Pieces(Vec<Piece>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(Box<str>),
    /// `?`: one character.
    One,
    /// `*`: any number of characters.
    Many,
}

/// Where in a text a pattern must lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// It is the whole text.
    Whole,
    /// `startswith`.
    Start,
    /// `endswith`.
    End,
    /// `contains`.
    Anywhere,
}

impl Pattern {
    /// Compiles a Sigma text with its wildcards and escapes.
    pub(crate) fn new(text: &SigmaString, part: Part, cased: bool) -> Pattern {
        let mut pieces = Vec::new();
        if matches!(part, Part::End | Part::Anywhere) {
            pieces.push(Piece::Many);
        }
        pieces.extend(text.parts.iter().map(|part| match part {
            StringPart::Plain(text) => Piece::Literal(text.as_str().into()),
            StringPart::Special(SpecialChar::WildcardMulti) => Piece::Many,
            StringPart::Special(SpecialChar::WildcardSingle) => Piece::One,
        }));
        if matches!(part, Part::Start | Part::Anywhere) {
            pieces.push(Piece::Many);
        }
        pieces.dedup_by(|a, b| *a == Piece::Many && *b == Piece::Many);
        let shape = match pieces.as_slice() {
            [] => Shape::Equals("".into()),
            [Piece::Literal(text)] => Shape::Equals(text.clone()),
            [Piece::Many] => Shape::Contains("".into()),
            [Piece::Literal(text), Piece::Many] => Shape::Starts(text.clone()),
            [Piece::Many, Piece::Literal(text)] => Shape::Ends(text.clone()),
            [Piece::Many, Piece::Literal(text), Piece::Many] => Shape::Contains(text.clone()),
            _ => Shape::Pieces(pieces),
        };
        Pattern { shape, cased }
    }

    /// Compiles a text without wildcards.
    pub(crate) fn literal(text: &str, part: Part, cased: bool) -> Pattern {
        let shape = match part {
            Part::Whole => Shape::Equals,
            Part::Start => Shape::Starts,
            Part::End => Shape::Ends,
            Part::Anywhere => Shape::Contains,
        };
        Pattern { shape: shape(text.into()), cased }
    }

    /// The one text that matches, where there is only one (but for case).
    pub(crate) fn exact(&self) -> Option<&str> {
        match &self.shape {
            Shape::Equals(text) => Some(text),
            _ => None,
        }
    }

    /// The longest text that stands in every text that matches, but for case.
    pub(crate) fn longest_piece(&self) -> &str {
        match &self.shape {
            Shape::Equals(text)
            | Shape::Starts(text)
            | Shape::Ends(text)
            | Shape::Contains(text) => text,
            Shape::Pieces(pieces) => {
                let literals = pieces.iter().filter_map(|piece| match piece {
                    Piece::Literal(text) => Some(text.as_ref()),
                    Piece::One | Piece::Many => None,
                });
                literals.max_by_key(|text| text.len()).unwrap_or_default()
            }
        }
    }

    /// Whether case counts.
    pub(crate) fn is_cased(&self) -> bool {
        self.cased
    }

    /// Whether `text` matches.
    pub(crate) fn fits(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let same: fn(&[u8], &[u8]) -> bool =
            if self.cased { |a, b| a == b } else { <[u8]>::eq_ignore_ascii_case };
        match &self.shape {
            Shape::Equals(wanted) => same(text, wanted.as_bytes()),
            Shape::Starts(wanted) => {
                text.get(..wanted.len()).is_some_and(|start| same(start, wanted.as_bytes()))
            }
            Shape::Ends(wanted) => text
                .len()
                .checked_sub(wanted.len())
                .and_then(|at| text.get(at..))
                .is_some_and(|end| same(end, wanted.as_bytes())),
            Shape::Contains(wanted) => contains(text, wanted.as_bytes(), same),
            Shape::Pieces(pieces) => pieces_fit(pieces, text, same),
        }
    }
}

type Same = fn(&[u8], &[u8]) -> bool;

fn contains(text: &[u8], wanted: &[u8], same: Same) -> bool {
    let Some(first) = wanted.first() else {
        return true;
    };
    let Some(last) = text.len().checked_sub(wanted.len()) else {
        return false;
    };
    let starts = text.get(..=last).unwrap_or_default();
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), starts)
        .any(|at| text.get(at..at + wanted.len()).is_some_and(|found| same(found, wanted)))
}

/// Goes through pieces and text side by side; on a mismatch the last `*` takes one character more.
/// (Going back to earlier ones cannot help: what they have matched is the leftmost that fits.)
fn pieces_fit(pieces: &[Piece], text: &[u8], same: Same) -> bool {
    let (mut at, mut piece) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let fitted = match pieces.get(piece) {
            None => {
                if at == text.len() {
                    return true;
                }
                None
            }
            Some(Piece::Many) => {
                retry = Some((piece + 1, at));
                Some(at)
            }
            Some(Piece::One) => (at < text.len()).then(|| at + character_len(text, at)),
            Some(Piece::Literal(wanted)) => text
                .get(at..at + wanted.len())
                .filter(|found| same(found, wanted.as_bytes()))
                .map(|_| at + wanted.len()),
        };
        if let Some(next) = fitted {
            (at, piece) = (next, piece + 1);
            continue;
        }
        match retry {
            Some((after, from)) if from < text.len() => {
                let from = from + character_len(text, from);
                retry = Some((after, from));
                (at, piece) = (from, after);
            }
            _ => return false,
        }
    }
}

/// Bytes of the UTF-8 character at `at`.
fn character_len(text: &[u8], at: usize) -> usize {
    let continued = text.iter().skip(at + 1).take_while(|byte| **byte & 0xC0 == 0x80);
    1 + continued.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fits(pattern: &str, text: &str) -> bool {
        Pattern::new(&SigmaString::new(pattern), Part::Whole, false).fits(text)
    }

    #[test]
    fn wildcards_and_escapes() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("abc", "ABC", true),
            ("abc", "abcd", false),
            ("a*", "a", true),
            ("a*", "Abc", true),
            ("a*", "ba", false),
            ("*c", "abC", true),
            ("*c", "", false),
            ("*b*", "aBc", true),
            ("*b*", "ac", false),
            ("*", "", true),
            ("**", "x", true),
            ("a?c", "abc", true),
            ("a?c", "aéc", true),
            ("a?c", "ac", false),
            ("?", "", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "aab", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("a\\?c", "a?c", true),
            ("a\\\\*", "a\\b", true),
            ("a\\b", "a\\b", true),
            ("É*", "éa", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern:?} on {text:?}");
        }
    }

    #[test]
    fn parts_and_case() {
        let fits = |part, cased, text| Pattern::literal("Role", part, cased).fits(text);
        assert!(fits(Part::Start, false, "ROLE/x"));
        assert!(!fits(Part::Start, true, "ROLE/x"));
        assert!(fits(Part::End, true, "the Role"));
        assert!(!fits(Part::End, false, "role/"));
        assert!(fits(Part::Anywhere, false, "a-rOlE-b"));
        assert!(!fits(Part::Anywhere, true, "a-rOlE-b"));
        assert!(!fits(Part::Anywhere, false, "rol"));
    }

    /// The definition of wildcards, by recursion.
    fn defined(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|n| defined(rest, &text[n..])),
            Some(('?', rest)) => !text.is_empty() && defined(rest, &text[1..]),
            Some((c, rest)) => text.first() == Some(c) && defined(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn as_defined(pattern in "[ab?*é]{0,8}", text in "[abé]{0,10}") {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(fits(&pattern, &text), defined(&p, &t));
        }
    }
}

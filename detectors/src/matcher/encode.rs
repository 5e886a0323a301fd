//! `base64`, `base64offset`, `wide` and `windash`: what a text looks like once encoded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How a text becomes bytes before it is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// UTF-8.
    Bytes,
    /// `wide`, `utf16le`.
    Utf16Le,
    /// `utf16be`.
    Utf16Be,
    /// `utf16`: a byte order mark, then little-endian.
    Utf16,
}

impl Width {
    fn bytes(self, text: &str) -> Vec<u8> {
        let units = text.encode_utf16();
        match self {
            Width::Bytes => text.as_bytes().to_vec(),
            Width::Utf16Le => units.flat_map(u16::to_le_bytes).collect(),
            Width::Utf16Be => units.flat_map(u16::to_be_bytes).collect(),
            Width::Utf16 => [0xFEFF].into_iter().chain(units).flat_map(u16::to_le_bytes).collect(),
        }
    }
}

/// The text encoded by itself.
pub(crate) fn base64(text: &str, width: Width) -> String {
    STANDARD.encode(width.bytes(text))
}

/// What of the text surely appears when it is encoded in the midst of others, for each of the
/// three places it may have in a group of three bytes.
pub(crate) fn base64_offsets(text: &str, width: Width) -> [String; 3] {
    let bytes = width.bytes(text);
    [(0, 0), (1, 2), (2, 3)].map(|(offset, start)| {
        let mut shifted = vec![b' '; offset];
        shifted.extend(&bytes);
        // The last character of an unfinished group holds bits of what follows.
        let end = match shifted.len() % 3 {
            0 => 0,
            1 => 3,
            _ => 2,
        };
        let encoded = STANDARD.encode(&shifted);
        let kept = encoded.len().saturating_sub(end).saturating_sub(start);
        encoded.chars().skip(start).take(kept).collect()
    })
}

/// The text with each dash that begins a word replaced by each character Windows takes for one.
pub(crate) fn windash(text: &str) -> Vec<String> {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}']
        .into_iter()
        .map(|dash| {
            let mut before = None;
            let mut characters = text.chars().peekable();
            let mut replaced = String::with_capacity(text.len());
            while let Some(character) = characters.next() {
                let begins = matches!(character, '-' | '/')
                    && !is_word(before)
                    && is_word(characters.peek().copied());
                replaced.push(if begins { dash } else { character });
                before = Some(character);
            }
            replaced
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes() {
        assert_eq!(base64("ping", Width::Bytes), "cGluZw==");
        assert_eq!(base64("ping", Width::Utf16Le), "cABpAG4AZwA=");
        assert_eq!(base64("ping", Width::Utf16Be), "AHAAaQBuAGc=");
        assert_eq!(base64("a", Width::Utf16), "//5hAA==");
    }

    #[test]
    fn offsets_are_found_at_every_place() {
        let offsets = base64_offsets("http://", Width::Bytes);
        assert_eq!(offsets, ["aHR0cDovL", "h0dHA6Ly", "odHRwOi8v"]);
        for before in ["", "x", "xy", "xyz"] {
            let whole = base64(&format!("{before}http://example.com"), Width::Bytes);
            assert!(offsets.iter().any(|part| whole.contains(part)), "{before}");
        }
    }

    #[test]
    fn dashes() {
        assert_eq!(
            windash("cmd -a pre-fix"),
            [
                "cmd -a pre-fix",
                "cmd /a pre-fix",
                "cmd \u{2013}a pre-fix",
                "cmd \u{2014}a pre-fix",
                "cmd \u{2015}a pre-fix"
            ]
        );
    }
}

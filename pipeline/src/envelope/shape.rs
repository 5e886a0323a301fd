//! How wrappers and records begin: what framing recognises them by.

use std::sync::LazyLock;

use memchr::memmem;

/// Longest beginning looked for, bytes.
const BEGINNING_BYTES_MAX: usize = 64;

/// What is kept while looking for a beginning or an indented line, bytes.
pub(super) const KEPT_BYTES: usize = 1 << 10;

/// What an object's first bytes say.
pub(super) enum Head {
    /// `{"Records": [`, so many bytes.
    Wrapper(usize),
    /// An object like any other.
    Record,
    /// It could be either.
    Undecided,
}

/// Whether an object begins as a wrapper does.
pub(super) fn head(bytes: &[u8]) -> Head {
    let mut at = 0;
    for token in [&b"{"[..], b"\"Records\"", b":", b"["] {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(blanks) = rest.iter().position(|byte| !byte.is_ascii_whitespace()) else {
            return Head::Undecided;
        };
        let rest = rest.get(blanks..).unwrap_or_default();
        if !rest.starts_with(token) {
            return if token.starts_with(rest) { Head::Undecided } else { Head::Record };
        }
        at += blanks + token.len();
    }
    Head::Wrapper(at)
}

/// Where the list begins in a wrapper whose first member is another one, or `None` for a record.
pub(super) fn records_list(object: &[u8]) -> Option<usize> {
    static NAME: LazyLock<memmem::Finder<'static>> =
        LazyLock::new(|| memmem::Finder::new(b"\"Records\""));
    NAME.find(object)?;
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = object.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let text = object.get(at..)?;
                if depth == 1
                    && let Head::Wrapper(bytes) =
                        head(&[b"{", text.get(..KEPT_BYTES.min(text.len()))?].concat())
                {
                    return Some(at + bytes - 1);
                }
                at += 1;
                while let Some(&byte) = object.get(at) {
                    match byte {
                        b'\\' => at += 1,
                        b'"' => break,
                        _ => {}
                    }
                    at += 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// How the object begins, up to the colon after its first key.
pub(super) fn beginning(object: &[u8]) -> Option<Vec<u8>> {
    let head = object.get(..BEGINNING_BYTES_MAX.min(object.len()))?;
    let colon = memchr::memchr(b':', head)?;
    let begins = head.get(..=colon)?;
    (begins.iter().filter(|&&byte| byte == b'"').count() == 2).then(|| begins.to_vec())
}

/// Where the next line begins whose first byte is `{`, indented by at most `indent`.
pub(super) fn next_line_object(bytes: &[u8], indent: u64) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|at| {
        let line = bytes.get(at + 1..)?;
        let blanks = line.iter().take(KEPT_BYTES).position(|byte| !matches!(byte, b' ' | b'\t'))?;
        let fits = line.get(blanks) == Some(&b'{') && blanks as u64 <= indent;
        fits.then_some(at + 1 + blanks)
    })
}

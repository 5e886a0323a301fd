//! JSON texts unescaped: only when asked for, and whatever stands in them.

use std::borrow::Cow;

/// Reads what stands between two quotes. Borrows where nothing is escaped.
///
/// Bytes that are no UTF-8, surrogates without their other half and `\u` without four digits read
/// as U+FFFD; an escape that JSON does not have reads as the character itself.
#[inline]
pub(super) fn read(inner: &[u8], may_be_escaped: bool) -> Cow<'_, str> {
    if may_be_escaped && let Some(first) = memchr::memchr(b'\\', inner) {
        return Cow::Owned(unescape(inner, first));
    }
    match std::str::from_utf8(inner) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(inner),
    }
}

fn unescape(inner: &[u8], first: usize) -> String {
    let mut text = String::with_capacity(inner.len());
    let (mut plain, mut rest) = inner.split_at(first);
    loop {
        text.push_str(&String::from_utf8_lossy(plain));
        // `rest` begins with a backslash, or is empty.
        rest = match rest {
            [b'\\', b'u', digits @ ..] => {
                let (read, rest) = code_point(digits);
                text.push(read);
                rest
            }
            [b'\\', letter, after @ ..] => match letter {
                b'b' => push(&mut text, '\u{8}', after),
                b'f' => push(&mut text, '\u{c}', after),
                b'n' => push(&mut text, '\n', after),
                b'r' => push(&mut text, '\r', after),
                b't' => push(&mut text, '\t', after),
                0..0x80 => push(&mut text, char::from(*letter), after),
                // The first byte of a longer character: it stands for itself.
                _ => rest.get(1..).unwrap_or_default(),
            },
            _ => return text,
        };
        // A letter that was itself a backslash has been consumed: look for the next one.
        let next = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        (plain, rest) = rest.split_at(next);
    }
}

fn push<'b>(text: &mut String, read: char, after: &'b [u8]) -> &'b [u8] {
    text.push(read);
    after
}

/// Reads what follows `\u`, with the second half of a surrogate pair where one is wanted.
fn code_point(digits: &[u8]) -> (char, &[u8]) {
    let Some((unit, rest)) = code_unit(digits) else {
        return (char::REPLACEMENT_CHARACTER, digits);
    };
    if let 0xd800..0xdc00 = unit
        && let [b'\\', b'u', digits @ ..] = rest
        && let Some((low @ 0xdc00..0xe000, rest)) = code_unit(digits)
    {
        let scalar = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), rest);
    }
    (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), rest)
}

fn code_unit(digits: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = digits.split_first_chunk::<4>()?;
    let unit = digits
        .iter()
        .try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))?;
    Some((unit, rest))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    fn read(inner: &[u8]) -> Cow<'_, str> {
        super::read(inner, true)
    }

    #[test]
    fn borrows_what_is_not_escaped() {
        assert!(matches!(read(b"ListBuckets"), Cow::Borrowed("ListBuckets")));
        assert!(matches!(read("a\u{202f}b".as_bytes()), Cow::Borrowed("a\u{202f}b")));
        assert!(matches!(read(b""), Cow::Borrowed("")));
    }

    #[test]
    fn reads_every_escape() {
        let all = br#"\"\\\/\b\f\n\r\t\u0041\u00e9\u202F\ud83d\ude00 end"#;
        assert_eq!(read(all), "\"\\/\u{8}\u{c}\n\r\tAé\u{202f}😀 end");
        assert_eq!(read(br"\\\\u0041"), r"\\u0041");
    }

    #[test]
    fn what_cannot_be_read_is_replaced_and_the_rest_kept() {
        assert_eq!(read(br"a\ud800b"), "a\u{fffd}b");
        assert_eq!(read(br"a\udc00\ud800"), "a\u{fffd}\u{fffd}");
        assert_eq!(read(br"\ud800\ud83d\ude00"), "\u{fffd}😀");
        assert_eq!(read(br"\ud800\u0041"), "\u{fffd}A");
        assert_eq!(read(br"\u12"), "\u{fffd}12");
        assert_eq!(read(br"\u+123"), "\u{fffd}+123");
        assert_eq!(read(br"\x41"), "x41");
        assert_eq!(read("\\é".as_bytes()), "é");
        assert_eq!(read(b"a\xffb\\n\xc3"), "a\u{fffd}b\n\u{fffd}");
        assert_eq!(read(b"cut\\"), "cut");
    }
}

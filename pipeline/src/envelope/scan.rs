//! Finds where a JSON object ends, 64 bytes at a time, without reading what is in it.
//!
//! Of every block four bit masks are made (quotes, backslashes, brackets, line ends); texts are
//! masked out by a running exclusive-or of the quotes, and the brackets left are counted. It is no
//! parser: what it finds may still be no JSON, and decoding says so. It refuses two things only,
//! because they tell where a cut-off record of a line-by-line file ends: a line end inside a
//! text, and a `{` at the very start of a line where no value can stand.

use wide::u8x16;

/// What a scan found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The object is this long.
    End(usize),
    /// A text holds a line end.
    TextBroken,
    /// Another object begins on a new line before this one has ended.
    NextBegins,
    /// The object goes on after these bytes.
    More,
}

/// How far an object has been scanned: more bytes can be added without beginning anew.
#[derive(Debug, Clone)]
pub(crate) struct Scanner {
    /// Bytes done, in whole blocks.
    done: usize,
    depth: u32,
    /// All ones while inside a text.
    in_text: u64,
    /// 1 if the next byte is escaped.
    escaped: u64,
    /// 1 if the next byte is the first of a line.
    line_begins: u64,
    /// Whether a `{` at the start of a line may be the next record.
    by_line: bool,
}

const BLOCK: usize = 64;

impl Scanner {
    /// For bytes that begin with the object's `{`. `by_line`: the object itself begins a line.
    pub(crate) fn new(by_line: bool) -> Scanner {
        Scanner { done: 0, depth: 0, in_text: 0, escaped: 0, line_begins: 0, by_line }
    }

    /// For bytes inside an object, outside any text.
    pub(crate) fn inside() -> Scanner {
        Scanner { depth: 1, ..Scanner::new(true) }
    }

    /// Scans `bytes`, the same as in the call before with more at their end.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Scan {
        while let Some((block, _)) =
            bytes.get(self.done..).and_then(<[u8]>::split_first_chunk::<BLOCK>)
        {
            if let Some(found) = self.block(block, bytes) {
                return found;
            }
            self.done += BLOCK;
        }
        // What is left is scanned with blanks after it, and scanned again when more has come.
        let rest = bytes.get(self.done..).unwrap_or_default();
        let mut block = [b' '; BLOCK];
        for (to, from) in block.iter_mut().zip(rest) {
            *to = *from;
        }
        self.clone().block(&block, bytes).unwrap_or(Scan::More)
    }

    /// Makes ready for bytes of which the scanned ones are cut off at the front, and says how many.
    pub(crate) fn forget(&mut self) -> usize {
        let kept = self.done.min(BLOCK);
        let forgotten = self.done - kept;
        self.done = kept;
        forgotten
    }

    fn block(&mut self, block: &[u8; BLOCK], bytes: &[u8]) -> Option<Scan> {
        let masks = Masks::of(block);
        let quotes = masks.quotes & !self.escapes(masks.backslashes);
        let in_text = running_xor(quotes) ^ self.in_text;
        self.in_text = 0_u64.wrapping_sub(in_text >> 63);
        let opens = masks.opens & !in_text;
        let closes = masks.closes & !in_text;

        let text_broken = masks.line_ends & in_text;
        let firsts = (masks.line_ends & !in_text) << 1 | self.line_begins;
        self.line_begins = (masks.line_ends & !in_text) >> 63;
        let begins = match firsts & opens {
            0 => 0,
            firsts => self.next_begins(firsts, block, bytes),
        };
        let broken = text_broken | begins;

        if self.depth <= closes.count_ones() {
            let mut brackets = opens | closes;
            let mut depth = self.depth;
            while brackets != 0 {
                let bit = brackets & brackets.wrapping_neg();
                brackets ^= bit;
                if opens & bit != 0 {
                    depth += 1;
                    continue;
                }
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    if broken & (bit - 1) == 0 {
                        return Some(Scan::End(self.done + bit.trailing_zeros() as usize + 1));
                    }
                    break;
                }
            }
        }
        if broken != 0 {
            let text_first = text_broken.trailing_zeros() < begins.trailing_zeros();
            return Some(if text_first { Scan::TextBroken } else { Scan::NextBegins });
        }
        self.depth = (self.depth + opens.count_ones()).saturating_sub(closes.count_ones());
        None
    }

    /// Which bytes are escaped: those after a backslash that is not escaped itself.
    fn escapes(&mut self, backslashes: u64) -> u64 {
        let mut escaped = self.escaped;
        self.escaped = 0;
        let mut left = backslashes & !escaped;
        while left != 0 {
            let bit = left & left.wrapping_neg();
            if bit == 1 << 63 {
                self.escaped = 1;
            }
            escaped |= bit << 1;
            left &= !(bit | bit << 1);
        }
        escaped
    }

    /// Which of the brackets that begin a line are a `{` where no value can stand.
    fn next_begins(&self, mut firsts: u64, block: &[u8; BLOCK], bytes: &[u8]) -> u64 {
        let mut begins = 0;
        while self.by_line && firsts != 0 {
            let bit = firsts & firsts.wrapping_neg();
            firsts ^= bit;
            let at = bit.trailing_zeros() as usize;
            let before = bytes.get(..self.done + at).unwrap_or_default();
            let last = before.iter().rfind(|byte| !byte.is_ascii_whitespace());
            if block.get(at) == Some(&b'{')
                && last.is_some_and(|byte| !matches!(byte, b':' | b',' | b'['))
            {
                begins |= bit;
            }
        }
        begins
    }
}

/// Bit i is the exclusive-or of bits 0 to i: set from an opening quote to before the closing one.
fn running_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Where in a block the bytes of each class are.
struct Masks {
    quotes: u64,
    backslashes: u64,
    opens: u64,
    closes: u64,
    line_ends: u64,
}

impl Masks {
    fn of(block: &[u8; BLOCK]) -> Masks {
        let (quarters, _) = block.as_chunks::<16>();
        let mut masks = Masks { quotes: 0, backslashes: 0, opens: 0, closes: 0, line_ends: 0 };
        for (i, quarter) in quarters.iter().enumerate() {
            let bytes = u8x16::from(*quarter);
            // `[` and `{` differ in this bit alone, and so do `]` and `}`.
            let folded = bytes | u8x16::splat(0x20);
            let bits = |found: u8x16| u64::from(found.to_bitmask()) << (16 * i);
            masks.quotes |= bits(bytes.simd_eq(u8x16::splat(b'"')));
            masks.backslashes |= bits(bytes.simd_eq(u8x16::splat(b'\\')));
            masks.opens |= bits(folded.simd_eq(u8x16::splat(b'{')));
            masks.closes |= bits(folded.simd_eq(u8x16::splat(b'}')));
            masks.line_ends |= bits(bytes.simd_eq(u8x16::splat(b'\n')));
        }
        masks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by the plainest way there is.
    fn end(bytes: &[u8]) -> Option<usize> {
        let (mut depth, mut in_text, mut escaped) = (0, false, false);
        for (i, byte) in bytes.iter().enumerate() {
            if in_text {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => in_text = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(i + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    #[test]
    fn ends_where_the_plain_way_ends() {
        let mut seed = 7_u64;
        let mut ended = 0;
        for _ in 0..20_000 {
            let mut bytes = vec![b'{'];
            for _ in 0..200 {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let pool = b"aaaaaaaaaaa \"\"\\\\{}[]{,:\xff\x5b\xdb\xfb";
                bytes.push(pool[(seed >> 33) as usize % pool.len()]);
            }
            // An escape outside a text is no JSON; the plain way does not know it there.
            let expected = end(&bytes);
            let mut outside = false;
            let mut in_text = false;
            let mut escaped = false;
            for byte in bytes.iter().take(expected.unwrap_or(bytes.len())) {
                outside |= !in_text && *byte == b'\\';
                if escaped {
                    escaped = false;
                } else if *byte == b'\\' && in_text {
                    escaped = true;
                } else if *byte == b'"' {
                    in_text = !in_text;
                }
            }
            if outside {
                continue;
            }
            let found = Scanner::new(true).scan(&bytes);
            assert_eq!(found, expected.map_or(Scan::More, Scan::End));
            let mut scanner = Scanner::new(true);
            let first = (1..=bytes.len()).find_map(|n| match scanner.scan(&bytes[..n]) {
                Scan::More => None,
                found => Some(found),
            });
            assert_eq!(first.unwrap_or(Scan::More), found);
            ended += usize::from(found != Scan::More);
        }
        assert!(ended > 100, "{ended}");
    }

    #[test]
    fn refuses_what_tells_a_cut_record() {
        let scan = |text: &str| Scanner::new(true).scan(text.as_bytes());
        assert_eq!(scan("{\"a\":\"b\n{}"), Scan::TextBroken);
        assert_eq!(scan("{\"a\":{}\n{\"b\":1}\n"), Scan::NextBegins);
        assert_eq!(scan("{\"a\":\n{}}"), Scan::End(9));
        assert_eq!(scan("{\"a\":[{},\n{}]}"), Scan::End(14));
        assert_eq!(scan("{}\n{\"a"), Scan::End(2));
        assert_eq!(
            Scanner::new(false).scan(b"{\"a\":1\n{}"),
            Scan::More,
            "only where records begin lines"
        );
    }
}

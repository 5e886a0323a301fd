//! Finding where JSON values end, without reading them.
//!
//! Texts are skipped 16 bytes at a time, arrays and objects 64 bytes at a time: a mask says where
//! quotes and brackets are, another which bytes lie inside texts, and depth is a counter. So the
//! cost follows the bytes and not what they say; nothing recurses. Inside a skipped value only
//! quotes and brackets are looked at: whatever else is wrong in there shows when it is read.

use wide::{u8x16, u8x64};

use super::key::is_same;

/// Why a scan stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Something else stands where JSON wants a key, a value or a separator.
    Malformed,
    /// The bytes end first.
    CutOff,
}

/// Where a value, or what stands between the quotes of a key, begins and ends: 8 bytes, since a
/// record keeps one for each key it may have. Empty where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    start: u32,
    /// With [`Span::ESCAPED`] on top.
    end: u32,
}

impl Span {
    /// Set in a text that has backslashes.
    const ESCAPED: u32 = 1 << 31;
    /// More bytes than this are not walked; a record has far fewer.
    const BYTES_MAX: usize = (Span::ESCAPED - 1) as usize;

    #[inline]
    pub(super) fn new(start: usize, end: usize, escaped: bool) -> Span {
        debug_assert!(end <= Span::BYTES_MAX, "longer bytes are not walked");
        Span { start: start as u32, end: end as u32 | u32::from(escaped) << 31 }
    }

    #[inline]
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        let end = self.end & !Span::ESCAPED;
        bytes.get(self.start as usize..end as usize).unwrap_or_default()
    }

    /// Of a text, what stands between its quotes.
    #[inline]
    pub(super) fn text_of(self, utf8: &str) -> Option<&str> {
        let end = self.end & !Span::ESCAPED;
        utf8.get(self.start as usize + 1..(end as usize).saturating_sub(1))
    }

    #[inline]
    pub(super) fn is_escaped(self) -> bool {
        self.end & Span::ESCAPED != 0
    }
}

/// One member of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) key: Span,
    pub(super) value: Span,
}

/// A walk over the members of one object or the elements of one array, in order.
#[derive(Debug, Clone)]
pub(super) struct Walk<'b> {
    /// What is not walked yet.
    rest: &'b [u8],
    /// How many bytes there are in all.
    length: usize,
    begun: bool,
}

impl<'b> Walk<'b> {
    /// Begins behind the bracket `open`, which must come first but for white space.
    pub(super) fn behind(open: u8, bytes: &'b [u8], at: usize) -> Result<Walk<'b>, Fault> {
        if bytes.len() > Span::BYTES_MAX {
            return Err(Fault::Malformed);
        }
        let mut walk =
            Walk { rest: bytes.get(at..).unwrap_or_default(), length: bytes.len(), begun: false };
        walk.step_over(open)?;
        Ok(walk)
    }

    /// The next member; none behind the last.
    #[inline(always)]
    pub(super) fn member(&mut self) -> Result<Option<Member>, Fault> {
        match self.rest {
            // As most are written: nothing between the comma and the key.
            [b',', b'"', inner @ ..] if self.begun => self.rest = inner,
            _ => {
                if self.is_over(b'}')? {
                    return Ok(None);
                }
                self.step_over(b'"')?;
            }
        }
        let start = self.at();
        let (behind, escaped) = behind_text(self.rest)?;
        self.rest = behind;
        let key = Span::new(start, self.at() - 1, escaped);
        self.step_over(b':')?;
        let value = self.value()?;
        Ok(Some(Member { key, value }))
    }

    /// The value of the next member, if these bytes lead to it: a comma and its name, as most are
    /// written.
    #[inline(always)]
    pub(super) fn value_behind(&mut self, lead: &[u8]) -> Result<Option<Span>, Fault> {
        match self.rest.split_at_checked(lead.len()) {
            Some((next, behind)) if self.begun && is_same(next, lead) => self.rest = behind,
            _ => return Ok(None),
        }
        self.value().map(Some)
    }

    /// The next element; none behind the last.
    #[inline]
    pub(super) fn element(&mut self) -> Result<Option<Span>, Fault> {
        if self.is_over(b']')? {
            return Ok(None);
        }
        self.value().map(Some)
    }

    /// How far the walk is.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    /// Steps over what separates two entries, or over the closing bracket.
    #[inline]
    fn is_over(&mut self, close: u8) -> Result<bool, Fault> {
        if self.peek()? == close {
            self.step_over(close)?;
            return Ok(true);
        }
        if self.begun {
            self.step_over(b',')?;
        }
        self.begun = true;
        Ok(false)
    }

    #[inline(always)]
    fn value(&mut self) -> Result<Span, Fault> {
        let first = self.peek()?;
        let start = self.at();
        let mut escaped = false;
        self.rest = match (first, self.rest) {
            (b'"', [_, inner @ ..]) => {
                let behind;
                (behind, escaped) = behind_text(inner)?;
                behind
            }
            (b'{' | b'[', container) => behind_container(container)?,
            (_, scalar) => behind_scalar(scalar)?,
        };
        Ok(Span::new(start, self.at(), escaped))
    }

    /// Steps over the byte wanted next, and white space before it.
    #[inline]
    fn step_over(&mut self, wanted: u8) -> Result<(), Fault> {
        match self.rest {
            [byte, behind @ ..] if *byte == wanted => {
                self.rest = behind;
                Ok(())
            }
            _ => self.step_far(wanted),
        }
    }

    #[cold]
    fn step_far(&mut self, wanted: u8) -> Result<(), Fault> {
        let found = self.peek()?;
        match self.rest {
            [_, behind @ ..] if found == wanted => self.rest = behind,
            _ => return Err(Fault::Malformed),
        }
        Ok(())
    }

    /// The next byte that is not white space; white space before it is stepped over.
    #[inline]
    fn peek(&mut self) -> Result<u8, Fault> {
        match self.rest {
            [byte, ..] if *byte > b' ' => Ok(*byte),
            _ => self.peek_far(),
        }
    }

    #[cold]
    fn peek_far(&mut self) -> Result<u8, Fault> {
        while let [byte, behind @ ..] = self.rest
            && is_space(*byte)
        {
            self.rest = behind;
        }
        self.rest.first().copied().ok_or(Fault::CutOff)
    }
}

/// White space by the grammar of RFC 8259, section 2.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// What stands behind the quote that ends a text, and whether escapes stand before it.
#[inline]
fn behind_text(inner: &[u8]) -> Result<(&[u8], bool), Fault> {
    let mut rest = inner;
    let mut escaped = false;
    loop {
        let stop = match rest.split_first_chunk::<16>() {
            Some((window, behind)) => {
                let window = u8x16::new(*window);
                let quotes = window.simd_eq(u8x16::splat(b'"'));
                let stops = quotes | window.simd_eq(u8x16::splat(b'\\'));
                let mask = stops.to_bitmask();
                if mask == 0 {
                    rest = behind;
                    continue;
                }
                mask.trailing_zeros() as usize
            }
            None => {
                let stop = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
                stop.ok_or(Fault::CutOff)?
            }
        };
        rest = match rest.split_at_checked(stop) {
            Some((_, [b'"', behind @ ..])) => return Ok((behind, escaped)),
            Some((_, [_, _, behind @ ..])) => behind,
            _ => return Err(Fault::CutOff),
        };
        escaped = true;
    }
}

/// What stands behind the number, `true`, `false`, `null` or bare word that comes first.
fn behind_scalar(rest: &[u8]) -> Result<&[u8], Fault> {
    let ends = |byte| matches!(byte, b',' | b'}' | b']' | b':' | b'"' | b'{' | b'[');
    match rest.iter().position(|byte| ends(*byte) || is_space(*byte)) {
        Some(0) => Err(Fault::Malformed),
        Some(length) => rest.get(length..).ok_or(Fault::CutOff),
        None => Err(Fault::CutOff),
    }
}

/// What stands behind the array or object that comes first.
fn behind_container(rest: &[u8]) -> Result<&[u8], Fault> {
    let (blocks, tail) = rest.as_chunks::<64>();
    let mut nesting = Nesting::default();
    for (place, block) in blocks.iter().enumerate() {
        if let Some(end) = nesting.closes_in(block) {
            return rest.get(place * 64 + end..).ok_or(Fault::CutOff);
        }
    }
    let mut last = [b' '; 64];
    if let Some(first) = last.get_mut(..tail.len()) {
        first.copy_from_slice(tail);
    }
    let end = nesting.closes_in(&last).ok_or(Fault::CutOff)?;
    tail.get(end..).ok_or(Fault::CutOff)
}

/// What one 64-byte block must know of those before it.
#[derive(Default)]
struct Nesting {
    depth: u32,
    /// All ones inside a text, else zero.
    in_text: u64,
    /// One when the first byte is escaped by the last of the block before.
    escape_carry: u64,
}

impl Nesting {
    /// How many bytes of the block there are up to and with the bracket that closes the outermost,
    /// if it is in here.
    #[inline]
    fn closes_in(&mut self, block: &[u8; 64]) -> Option<usize> {
        let bytes = u8x64::new(*block);
        let quotes = bytes.simd_eq(u8x64::splat(b'"')).to_bitmask();
        let backslashes = bytes.simd_eq(u8x64::splat(b'\\'));
        let quotes = if self.escape_carry == 0 && !backslashes.any() {
            quotes
        } else {
            quotes & !self.escaped(backslashes.to_bitmask())
        };
        let texts = prefix_xor(quotes) ^ self.in_text;
        self.in_text = 0_u64.wrapping_sub(texts >> 63);
        // Bit 5 is all in which `[` differs from `{`, and `]` from `}`; bit 1 is set in what opens.
        let folded = bytes | u8x64::splat(0x20);
        let opens = folded.simd_eq(u8x64::splat(b'{'));
        let brackets = opens | folded.simd_eq(u8x64::splat(b'}'));
        let mut brackets = brackets.to_bitmask() & !texts;
        while brackets != 0 {
            let place = brackets.trailing_zeros() as usize;
            brackets &= brackets - 1;
            if block[place] & 0b10 != 0 {
                self.depth += 1;
            } else if self.depth <= 1 {
                return Some(place + 1);
            } else {
                self.depth -= 1;
            }
        }
        None
    }

    /// Which bytes are escaped: those behind an odd run of backslashes. Adding the odd-placed run
    /// starts to the runs carries each run to its end, where parity shows (Langdale and Lemire,
    /// "Parsing Gigabytes of JSON per Second", section 3.1.1).
    #[inline]
    fn escaped(&mut self, backslashes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let escaping = backslashes & !self.escape_carry;
        let behind = escaping << 1 | self.escape_carry;
        let odd_starts = escaping & !EVEN & !behind;
        let (run_ends, carry) = odd_starts.overflowing_add(escaping);
        self.escape_carry = u64::from(carry);
        (EVEN ^ run_ends << 1) & behind
    }
}

/// Bit n is the parity of the bits up to n: one from each opening quote up to its closing one.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

//! A gzip that lies in memory whole, inflated in one go.
//!
//! Most payloads are one member of some tens of kilobytes, and say at their end how long their text
//! is (RFC 1952, `ISIZE`). Where that is so, libdeflate needs half the time of a decoder that can
//! stop anywhere. It says neither where the member ended nor how far it came with a broken one, so it
//! is asked only where there can be no second member, and whatever it refuses is read as a stream:
//! what is found and why the rest is refused is decided in `inflate` alone.

use std::fmt;

use libdeflater::Decompressor;
use memchr::memmem::Finder;

use super::inflate::Limits;
use super::layer::Layer;

/// How each member begins: gzip's magic and the one method there is.
const MEMBER: [u8; 3] = [0x1f, 0x8b, 8];

/// Deflate can make no input shorter than to its so-many-th part (its longest match is 258 bytes,
/// and takes two bits).
const RATIO_POSSIBLE: usize = 1_032;

/// What inflates, and what finds a second member. Both are made once.
pub(super) struct WholeGzip {
    decompressor: Decompressor,
    member: Finder<'static>,
}

impl Default for WholeGzip {
    fn default() -> WholeGzip {
        WholeGzip { decompressor: Decompressor::new(), member: Finder::new(&MEMBER).into_owned() }
    }
}

impl fmt::Debug for WholeGzip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WholeGzip")
    }
}

impl WholeGzip {
    /// Puts the text of a gzip into a layer. Says `false`, with nothing put in, if it is not one sound
    /// member and nothing else, or exceeds the limits.
    pub(super) fn inflate(&mut self, gzip: &[u8], limits: Limits, into: &mut Layer) -> bool {
        let Some(bytes) = text_bytes(gzip).filter(|&bytes| is_within(bytes, gzip.len(), limits))
        else {
            return false;
        };
        let further = gzip.get(MEMBER.len()..).unwrap_or_default();
        if !gzip.starts_with(&MEMBER) || self.member.find(further).is_some() {
            return false;
        }
        into.put_with(bytes, |room| {
            self.decompressor.gzip_decompress(gzip, room).is_ok_and(|written| written == bytes)
        })
    }
}

/// How long the text is, as the last four bytes say it.
fn text_bytes(gzip: &[u8]) -> Option<usize> {
    gzip.last_chunk().and_then(|bytes| usize::try_from(u32::from_le_bytes(*bytes)).ok())
}

/// Whether a text of this length is one that may and can come out of so many bytes.
fn is_within(text_bytes: usize, gzip_bytes: usize, limits: Limits) -> bool {
    limits.exceeded(text_bytes as u64, gzip_bytes as u64).is_none()
        && text_bytes <= gzip_bytes.saturating_mul(RATIO_POSSIBLE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::super::inflate::{Inflate, RATIO_GRACE_BYTES};
    use super::*;

    fn gzip(text: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// What one go gives, where it gives any.
    fn in_one_go(gzip: &[u8], limits: Limits) -> Option<Vec<u8>> {
        let mut layer = Layer::default();
        layer.put(b"before");
        let done = WholeGzip::default().inflate(gzip, limits, &mut layer);
        assert!(done || layer.len() == 6, "nothing is left of what was refused");
        done.then(|| layer.part(6..layer.len()).to_vec())
    }

    fn as_a_stream(gzip: &[u8], limits: Limits) -> Option<Vec<u8>> {
        let mut layer = Layer::default();
        layer
            .put_all(Inflate::new(gzip, limits))
            .is_ok()
            .then(|| layer.part(0..layer.len()).to_vec())
    }

    #[test]
    fn one_member_is_read_at_once() {
        for text in [&b""[..], b"a", &b"0123456789".repeat(10_000)] {
            assert_eq!(in_one_go(&gzip(text, 6), Limits::default()).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_second_member_is_never_lost() {
        // Equal members have equal ends, so the end alone does not tell that there are two.
        for second in [gzip(b"one\n", 6), gzip(b"two and more\n", 0)] {
            let members = [gzip(b"one\n", 6), second].concat();
            assert_eq!(in_one_go(&members, Limits::default()), None);
        }
    }

    #[test]
    fn a_length_that_cannot_be_true_takes_no_room() {
        let mut small = gzip(b"text", 6);
        small.last_chunk_mut::<4>().unwrap().copy_from_slice(&[0xff, 0xff, 0xff, 0]);
        let mut layer = Layer::default();
        assert!(!WholeGzip::default().inflate(&small, Limits::default(), &mut layer));
        assert!(!is_within(0x00ff_ffff, small.len(), Limits::default()));
        assert!(!is_within(1_001, 1_000, Limits { inflated_bytes_max: 1_000, ratio_max: 500 }));
        let beyond = usize::try_from(RATIO_GRACE_BYTES).unwrap() + 1;
        assert!(is_within(beyond, beyond / 500, Limits::default()));
        assert!(!is_within(beyond * 2, beyond / 500, Limits::default()));
    }

    proptest! {
        /// Cut, broken, followed by anything, limited: either the stream is asked, or both agree.
        #[test]
        fn nothing_is_read_that_a_stream_would_not_read(
            text in proptest::collection::vec(0..4_u8, 0..400),
            level in 0..9_u32,
            change in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
            behind in proptest::collection::vec(any::<u8>(), 0..6),
            cut in 0..3_usize,
            bytes_max in 0..500_u64,
        ) {
            let mut gzip = gzip(&text, level);
            if let Some((at, byte)) = change {
                let at = at.index(gzip.len());
                gzip[at] = byte;
            }
            gzip.truncate(gzip.len() - cut);
            gzip.extend(behind);
            let limits = Limits { inflated_bytes_max: bytes_max, ..Limits::default() };
            if let Some(read) = in_one_go(&gzip, limits) {
                prop_assert_eq!(Some(read), as_a_stream(&gzip, limits));
            }
        }
    }
}

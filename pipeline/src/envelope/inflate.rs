//! Gzip, Zstandard or plain, told apart by the first four bytes, inflated as a stream within limits.
//!
//! Memory is bounded by the reader's own buffer, so the limits guard time and disk: an input may
//! inflate to so many bytes in all, and to so many times what was read of it. Members of a
//! concatenated gzip, and frames of Zstandard, follow each other as one text.
//!
//! Zstandard is read by the reference library (crate `zstd`). The pure-Rust decoder is some three
//! times slower and has no limit for the window, which a frame's header demands in memory; and the
//! program has a C compiler at hand for librdkafka anyway, which brings the same library with it
//! where Kafka's own compression is to be read.

use std::fmt;
use std::io::{self, BufReader, Cursor, Read};

use flate2::read::MultiGzDecoder;

/// How gzip begins (RFC 1952).
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How a frame of Zstandard begins (RFC 8878).
pub(super) const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The largest window of Zstandard, as a power of two of bytes: 8 MiB, which RFC 8878 asks every
/// decoder to support. Higher levels and long-distance matching want more, and are refused.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How far an input may inflate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes it may inflate to in all.
    pub inflated_bytes_max: u64,
    /// Times what was read that it may inflate to, once past [`RATIO_GRACE_BYTES`]. CloudTrail
    /// stays below 30, a generated file of like records below 300; deflate itself ends at 1,032.
    pub ratio_max: u64,
}

/// Inflated bytes below which no ratio is asked.
pub const RATIO_GRACE_BYTES: u64 = 16 << 20;

impl Default for Limits {
    fn default() -> Limits {
        Limits { inflated_bytes_max: 1 << 40, ratio_max: 500 }
    }
}

impl Limits {
    /// What an input of which so many bytes were read exceeds by inflating to so many.
    pub(super) fn exceeded(self, inflated_bytes: u64, read_bytes: u64) -> Option<Excess> {
        let Limits { inflated_bytes_max, ratio_max } = self;
        if inflated_bytes > inflated_bytes_max {
            Some(Excess::Bytes(inflated_bytes_max))
        } else if inflated_bytes > RATIO_GRACE_BYTES
            && inflated_bytes / read_bytes.max(1) > ratio_max
        {
            Some(Excess::Ratio(ratio_max))
        } else {
            None
        }
    }
}

/// Why inflating stopped although more was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// See [`Limits::inflated_bytes_max`].
    #[error("inflates to more than {0} bytes")]
    Bytes(u64),
    /// See [`Limits::ratio_max`].
    #[error("inflates to more than {0} times its size")]
    Ratio(u64),
}

/// A reader that gives the text of an input, packed or not.
pub struct Inflate<R: Read> {
    state: State<R>,
    limits: Limits,
    inflated: u64,
}

/// The input with its first bytes put back before it.
type Whole<R> = Counted<io::Chain<Cursor<Vec<u8>>, R>>;

enum State<R: Read> {
    Unopened(R),
    Plain(Whole<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Whole<R>>>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<Whole<R>>>>),
    Failed,
}

impl<R: Read> Inflate<R> {
    /// Nothing is read until the first `read`.
    pub fn new(reader: R, limits: Limits) -> Inflate<R> {
        Inflate { state: State::Unopened(reader), limits, inflated: 0 }
    }

    /// For an input that is plain, however it begins.
    pub(super) fn plain(reader: R) -> Inflate<R> {
        let whole = Counted { reader: Cursor::new(Vec::new()).chain(reader), bytes: 0 };
        Inflate { state: State::Plain(whole), limits: Limits::default(), inflated: 0 }
    }

    /// Bytes taken from the input so far, packed as they are: for progress.
    #[must_use]
    pub fn input_bytes(&self) -> u64 {
        match &self.state {
            State::Unopened(_) | State::Failed => 0,
            State::Plain(whole) => whole.bytes,
            State::Gzip(gzip) => gzip.get_ref().get_ref().bytes,
            State::Zstd(zstd) => zstd.get_ref().get_ref().bytes,
        }
    }

    fn open(&mut self, mut reader: R) -> io::Result<()> {
        let mut head = Vec::with_capacity(ZSTD.len());
        // A plain input is not kept waiting for bytes that decide nothing.
        let goes_on = |head: &[u8]| {
            let begins = |whole: &[u8]| whole.starts_with(head) && whole != head;
            begins(&GZIP) || begins(&ZSTD)
        };
        while goes_on(&head) {
            let mut byte = [0; 1];
            match reader.read(&mut byte) {
                Ok(0) => break,
                Ok(_) => head.extend(byte),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let (gzip, zstd) = (head == GZIP, head == ZSTD);
        let whole = Counted { reader: Cursor::new(head).chain(reader), bytes: 0 };
        self.state = if gzip {
            State::Gzip(Box::new(MultiGzDecoder::new(packed(whole))))
        } else if zstd {
            let mut zstd = zstd::Decoder::with_buffer(packed(whole))?;
            zstd.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            State::Zstd(Box::new(zstd))
        } else {
            State::Plain(whole)
        };
        Ok(())
    }

    /// What was inflated, unless that exceeds the limits.
    fn within(&mut self, read: io::Result<usize>) -> io::Result<usize> {
        let bytes = read?;
        self.inflated += bytes as u64;
        match self.limits.exceeded(self.inflated, self.input_bytes()) {
            Some(excess) => Err(io::Error::other(excess)),
            None => Ok(bytes),
        }
    }
}

impl<R: Read> fmt::Debug for Inflate<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Inflate").field("inflated", &self.inflated).finish_non_exhaustive()
    }
}

impl<R: Read> Read for Inflate<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if matches!(self.state, State::Unopened(_))
            && let State::Unopened(reader) = std::mem::replace(&mut self.state, State::Failed)
        {
            self.open(reader)?;
        }
        match &mut self.state {
            State::Unopened(_) | State::Failed => Ok(0),
            State::Plain(whole) => whole.read(into),
            State::Gzip(gzip) => {
                let read = gzip.read(into);
                self.within(read)
            }
            State::Zstd(zstd) => {
                let read = zstd.read(into);
                self.within(read)
            }
        }
    }
}

fn packed<R: Read>(whole: Whole<R>) -> BufReader<Whole<R>> {
    BufReader::with_capacity(INPUT_BUFFER_BYTES, whole)
}

/// How much of a packed input is read at once, bytes.
const INPUT_BUFFER_BYTES: usize = 64 << 10;

/// Counts what is read.
#[derive(Debug)]
struct Counted<R> {
    reader: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.reader.read(into)?;
        self.bytes += bytes as u64;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "the reader under test has a cap of its own")]
    fn read(bytes: &[u8], limits: Limits) -> (Vec<u8>, Option<String>) {
        let mut text = Vec::new();
        let fault = Inflate::new(bytes, limits).read_to_end(&mut text).err();
        (text, fault.map(|e| e.to_string()))
    }

    #[test]
    fn plain_gzip_and_members_read_alike() {
        let members = [gzip(b"one\n"), gzip(b"two\n")].concat();
        assert_eq!(read(b"one\ntwo\n", Limits::default()), (b"one\ntwo\n".into(), None));
        assert_eq!(read(&members, Limits::default()), (b"one\ntwo\n".into(), None));
        let frames = [zstd::encode_all(&b"one\n"[..], 1), zstd::encode_all(&b"two\n"[..], 19)]
            .map(Result::unwrap)
            .concat();
        assert_eq!(read(&frames, Limits::default()), (b"one\ntwo\n".into(), None));
        for short in [&b""[..], b"x", b"\x1f", b"\x28\xb5\x2f", b"\x28\xb5x"] {
            assert_eq!(read(short, Limits::default()), (short.into(), None));
        }
    }

    #[test]
    fn a_cut_gzip_gives_what_was_there_and_a_fault() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|n| n.to_be_bytes()).collect();
        let whole = gzip(&text);
        let (read_text, fault) = read(&whole[..whole.len() / 2], Limits::default());
        assert!(!read_text.is_empty() && text.starts_with(&read_text));
        assert!(fault.is_some());
    }

    #[test]
    fn a_window_that_is_too_large_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(ZSTD_WINDOW_LOG_MAX + 1).unwrap();
        encoder.write_all(b"text").unwrap();
        let (text, fault) = read(&encoder.finish().unwrap(), Limits::default());
        assert!(text.is_empty() && fault.is_some(), "{fault:?}");
    }

    #[test]
    fn a_bomb_is_stopped() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        let (text, fault) = read(&bomb, Limits::default());
        assert!(text.len() as u64 <= RATIO_GRACE_BYTES + (1 << 20));
        assert_eq!(fault.as_deref(), Some("inflates to more than 500 times its size"));
        let zstd = zstd::encode_all(&vec![b' '; 64 << 20][..], 3).unwrap();
        let (text, fault) = read(&zstd, Limits::default());
        assert!(text.len() as u64 <= RATIO_GRACE_BYTES + (1 << 20));
        assert_eq!(fault.as_deref(), Some("inflates to more than 500 times its size"));
        let few = Limits { inflated_bytes_max: 1_000, ..Limits::default() };
        let (text, fault) = read(&bomb, few);
        assert!(text.len() < 1 << 20);
        assert_eq!(fault.as_deref(), Some("inflates to more than 1000 bytes"));
    }
}

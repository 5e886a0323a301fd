//! Gzip or plain, told apart by the first two bytes, inflated as a stream within limits.
//!
//! Memory is bounded by the reader's own buffer, so the limits guard time and disk: a file may
//! inflate to so many bytes in all, and to so many times what was read of it. Members of a
//! concatenated gzip follow each other as one text.

use std::io::{self, BufReader, Cursor, Read};

use flate2::read::MultiGzDecoder;

/// How far a file may inflate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes a gzip file may inflate to in all.
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

/// Why inflating stopped although more was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// See [`Limits::inflated_bytes_max`].
    #[error("gzip inflates to more than {0} bytes")]
    Bytes(u64),
    /// See [`Limits::ratio_max`].
    #[error("gzip inflates to more than {0} times its size")]
    Ratio(u64),
}

/// A reader that gives the text of a plain or gzip input.
#[derive(Debug)]
pub struct Inflate<R: Read> {
    state: State<R>,
    limits: Limits,
    inflated: u64,
}

/// The input with its first two bytes put back before it.
type Whole<R> = Counted<io::Chain<Cursor<Vec<u8>>, R>>;

#[derive(Debug)]
enum State<R: Read> {
    Unopened(R),
    Plain(Whole<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Whole<R>>>>),
    Failed,
}

impl<R: Read> Inflate<R> {
    /// Nothing is read until the first `read`.
    pub fn new(reader: R, limits: Limits) -> Inflate<R> {
        Inflate { state: State::Unopened(reader), limits, inflated: 0 }
    }

    /// Bytes taken from the input so far, packed as they are: for progress.
    #[must_use]
    pub fn input_bytes(&self) -> u64 {
        match &self.state {
            State::Unopened(_) | State::Failed => 0,
            State::Plain(whole) => whole.bytes,
            State::Gzip(gzip) => gzip.get_ref().get_ref().bytes,
        }
    }

    fn open(&mut self, mut reader: R) -> io::Result<()> {
        let mut head = Vec::with_capacity(2);
        while head.len() < 2 {
            let mut byte = [0; 1];
            match reader.read(&mut byte) {
                Ok(0) => break,
                Ok(_) => head.extend(byte),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let gzip = head == [0x1f, 0x8b];
        let whole = Counted { reader: Cursor::new(head).chain(reader), bytes: 0 };
        self.state = if gzip {
            State::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(
                INPUT_BUFFER_BYTES,
                whole,
            ))))
        } else {
            State::Plain(whole)
        };
        Ok(())
    }

    fn excess(&self) -> Option<Excess> {
        let Limits { inflated_bytes_max, ratio_max } = self.limits;
        if self.inflated > inflated_bytes_max {
            Some(Excess::Bytes(inflated_bytes_max))
        } else if self.inflated > RATIO_GRACE_BYTES
            && self.inflated / self.input_bytes().max(1) > ratio_max
        {
            Some(Excess::Ratio(ratio_max))
        } else {
            None
        }
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
                let bytes = gzip.read(into)?;
                self.inflated += bytes as u64;
                match self.excess() {
                    Some(excess) => Err(io::Error::other(excess)),
                    None => Ok(bytes),
                }
            }
        }
    }
}

/// How much of a gzip is read at once, bytes.
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
        for short in [&b""[..], b"x", b"\x1f"] {
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
    fn a_bomb_is_stopped() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        let (text, fault) = read(&bomb, Limits::default());
        assert!(text.len() as u64 <= RATIO_GRACE_BYTES + (1 << 20));
        assert_eq!(fault.as_deref(), Some("gzip inflates to more than 500 times its size"));
        let few = Limits { inflated_bytes_max: 1_000, ..Limits::default() };
        let (text, fault) = read(&bomb, few);
        assert!(text.len() < 1 << 20);
        assert_eq!(fault.as_deref(), Some("gzip inflates to more than 1000 bytes"));
    }
}

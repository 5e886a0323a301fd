//! Payloads to records' bytes, in a worker's own buffer.
//!
//! Most payloads are one record, and are read where they lie. What is packed or holds many goes
//! through the [framing](crate::envelope::framing) that files go through, into one buffer.

use std::ops::Range;

use crate::encode::redact;
use crate::source::batch::Batch;
use crate::envelope::framing::{EXCERPT_BYTES_MAX, Framed, Framer};
use crate::envelope::inflate::Limits;

/// What could not be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reject {
    /// The input it came by.
    pub input: String,
    /// Where in the input.
    pub offset: u64,
    /// Why.
    pub reason: String,
    /// Its beginning, secrets replaced.
    pub excerpt: String,
}

impl Reject {
    /// A reject that shows the beginning of `bytes`.
    #[must_use]
    pub fn of(input: &str, offset: u64, reason: &str, bytes: &[u8]) -> Reject {
        Reject {
            input: input.to_owned(),
            offset,
            reason: reason.to_owned(),
            excerpt: redact::excerpt(bytes, EXCERPT_BYTES_MAX),
        }
    }
}

/// Records of one batch.
#[derive(Debug, Default)]
pub struct Opened {
    unpacked: Vec<u8>,
    records: Vec<(u64, Place)>,
}

#[derive(Debug, Clone)]
enum Place {
    /// The payload with this number is the record.
    Payload(usize),
    /// A part of the buffer.
    Unpacked(Range<usize>),
}

impl Opened {
    /// Finds the records of `batch`, which comes by the input of this name.
    pub fn open(&mut self, input: &str, batch: &Batch, rejects: &mut Vec<Reject>) {
        self.unpacked.clear();
        self.records.clear();
        for (number, (offset, payload)) in batch.payloads().enumerate() {
            if is_one_record(payload) {
                self.records.push((offset, Place::Payload(number)));
                continue;
            }
            let before = self.records.len();
            let mut framer = Framer::new(payload, Limits::default());
            while let Some(framed) = framer.next() {
                match framed {
                    Framed::Record { bytes, .. } => {
                        let start = self.unpacked.len();
                        self.unpacked.extend_from_slice(bytes);
                        self.records.push((offset, Place::Unpacked(start..self.unpacked.len())));
                    }
                    Framed::Reject(reject) => rejects.push(Reject {
                        input: input.to_owned(),
                        offset,
                        reason: reject.reason.to_string(),
                        excerpt: reject.excerpt,
                    }),
                }
            }
            if payload.is_empty() && self.records.len() == before {
                rejects.push(Reject::of(input, offset, "empty payload", payload));
            }
        }
    }

    /// The records found, each with the offset of its payload.
    pub fn records<'o>(&'o self, batch: &'o Batch) -> impl Iterator<Item = (u64, &'o [u8])> {
        let payloads: Vec<&[u8]> = batch.payloads().map(|(_, payload)| payload).collect();
        self.records.iter().map(move |(offset, place)| {
            let bytes = match place {
                Place::Payload(number) => payloads.get(*number).copied(),
                Place::Unpacked(range) => self.unpacked.get(range.clone()),
            };
            (*offset, bytes.unwrap_or_default())
        })
    }
}

/// Whether a payload is taken for one record as it stands: an object on one line that is no
/// wrapper. Only its beginning is looked at; decoding sees the rest.
fn is_one_record(payload: &[u8]) -> bool {
    let is_object = payload.first() == Some(&b'{') && payload.last() == Some(&b'}');
    is_object
        && !payload.starts_with(b"{\"Records\"")
        && memchr::memchr2(b'\n', b'\r', payload).is_none()
}

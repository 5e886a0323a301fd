//! Payloads of a batch to records' bytes, in a worker's own buffers.

use crate::encode::redact;
use crate::envelope::framing::EXCERPT_BYTES_MAX;
use crate::envelope::{Counts, Opener, Rejected};
use crate::source::batch::Batch;

/// What payloads of one call may come to when opened, bytes, before no further payload is begun: as
/// much as the processor's cache still holds when their records are read.
pub const HELD_BYTES_MAX: usize = 4 << 20;

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

/// Records of one batch, or of as much of it as may be held at once.
#[derive(Debug, Default)]
pub struct Opened {
    opener: Opener,
}

impl Opened {
    /// Finds the records of `batch`, which comes by the input of this name, from its payload of
    /// number `first` on, until they come to more than [`HELD_BYTES_MAX`]. Says which payload is
    /// next; none is where that is how many the batch has. One is opened in any case.
    pub fn open(
        &mut self,
        first: usize,
        input: &str,
        batch: &Batch,
        rejects: &mut Vec<Reject>,
    ) -> usize {
        self.opener.clear();
        for (number, (offset, payload)) in batch.payloads().enumerate().skip(first) {
            self.opener.open(number, payload, &mut |rejected: Rejected| {
                let reason = match rejected.sub_sequence {
                    Some(number) => format!("{} (user record {number})", rejected.reason),
                    None => rejected.reason.to_string(),
                };
                let excerpt = rejected.excerpt;
                rejects.push(Reject { input: input.to_owned(), offset, reason, excerpt });
            });
            if self.opener.held_bytes() > HELD_BYTES_MAX {
                return number + 1;
            }
        }
        batch.len()
    }

    /// The records found, each with the offset of its payload.
    pub fn records<'o>(
        &'o self,
        batch: &'o Batch,
    ) -> impl ExactSizeIterator<Item = (u64, &'o [u8])> {
        let payloads: Vec<(u64, &[u8])> = batch.payloads().collect();
        self.opener.found().iter().map(move |found| {
            let (offset, payload) = payloads.get(found.payload).copied().unwrap_or_default();
            (offset, self.opener.bytes(found, payload))
        })
    }

    /// The records' numbers in aggregated payloads, in the order of [`records`](Opened::records);
    /// 0 for one that is a payload of its own.
    pub fn sub_sequences(&self) -> impl Iterator<Item = u64> {
        self.opener.found().iter().map(|found| found.sub_sequence)
    }

    /// What envelopes were met.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        self.opener.counts()
    }
}

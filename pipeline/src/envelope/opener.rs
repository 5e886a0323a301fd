//! Down through the envelopes of one payload.

use std::ops::Range;

use super::counts::Counts;
use super::layer::Layer;
use super::object::is_one_record;
use super::opening::{Opening, Piece};
use super::reject::Reason;
use super::whole_gzip::WholeGzip;

/// Envelopes in envelopes, at most. Four are seen in practice: KPL, gzip, CloudWatch Logs, and a
/// JSON text around the record.
pub const LEVELS_MAX: usize = 8;

/// Records and rejects of one payload, at most.
pub const PARTS_MAX: usize = 100_000;

/// What one payload may inflate to at all levels together, bytes. The largest that a stream of
/// Kinesis can be set to carry, 10 MiB, comes to some 120 MB when CloudTrail fills it.
pub const INFLATED_BYTES_MAX: u64 = 128 << 20;

/// Rejects of one payload that are told one by one; further ones are told as a number.
pub const REJECTS_TOLD_MAX: u64 = 100;

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The number of its payload, as given to [`Opener::open`].
    pub payload: usize,
    /// Its number among the user records of an aggregated payload, from 0; also 0 elsewhere.
    pub sub_sequence: u64,
    /// 0: in the payload itself.
    pub(super) layer: usize,
    pub(super) place: Range<usize>,
}

/// A stretch that gives no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Why.
    pub reason: Reason,
    /// In which user record of an aggregated payload.
    pub sub_sequence: Option<u64>,
    /// Its beginning, secrets replaced.
    pub excerpt: String,
}

/// Opens payloads into buffers of its own, which it uses again and again.
#[derive(Debug, Default)]
pub struct Opener {
    /// One for each envelope, and one for the text inside the last.
    layers: [Layer; LEVELS_MAX + 1],
    found: Vec<Found>,
    counts: Counts,
    whole_gzip: WholeGzip,
}

impl Opener {
    /// Forgets all records and counts.
    pub fn clear(&mut self) {
        self.layers.iter_mut().for_each(Layer::clear);
        self.found.clear();
        self.counts = Counts::default();
    }

    /// Finds the records of one payload. `reject` is told of every stretch that gives none.
    #[inline]
    pub fn open(&mut self, number: usize, payload: &[u8], reject: &mut dyn FnMut(Rejected)) {
        if is_one_record(payload) {
            self.counts.records += 1;
            self.found.push(Found {
                payload: number,
                sub_sequence: 0,
                layer: 0,
                place: 0..payload.len(),
            });
        } else {
            self.unwrap(number, payload, reject);
        }
    }

    fn unwrap(&mut self, number: usize, payload: &[u8], reject: &mut dyn FnMut(Rejected)) {
        let Opener { found, counts, whole_gzip, layers } = self;
        let mut opening = Opening::of(number, found, counts, whole_gzip, reject);
        opening.open(Piece::whole(payload), layers);
        opening.end();
    }

    /// The records found since [`clear`](Opener::clear), in order.
    #[must_use]
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// The bytes of a record; `payload` is the one it was found in.
    #[must_use]
    pub fn bytes<'o>(&'o self, found: &Found, payload: &'o [u8]) -> &'o [u8] {
        let place = found.place.clone();
        match found.layer.checked_sub(1).and_then(|layer| self.layers.get(layer)) {
            Some(layer) => layer.part(place),
            None => payload.get(place).unwrap_or_default(),
        }
    }

    /// What was met since [`clear`](Opener::clear).
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Bytes that came out of envelopes since [`clear`](Opener::clear) and are held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.layers.iter().map(Layer::len).sum()
    }
}

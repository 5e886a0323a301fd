//! What the engine's steps led to.

use crate::alert::Alert;
use crate::time::EventTime;

/// What a batch of records, or the passing of time, led to.
#[derive(Debug, Default)]
#[must_use]
pub struct Outcome {
    /// What is to be said, in order.
    pub alerts: Vec<Alert>,
    /// The greatest event time in the batch.
    pub newest: Option<EventTime>,
    /// Places in the batch of records that came later than the watermark allows.
    pub late: Vec<usize>,
    /// What happened, in numbers.
    pub counts: Counts,
}

/// What happened, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records seen.
    pub records: u64,
    /// Detections that matched.
    pub matches: u64,
    /// Samples new to their window.
    pub samples: u64,
    /// Samples that were known: duplicates.
    pub duplicates: u64,
    /// Samples of a time that their window had forgotten.
    pub forgotten: u64,
    /// Matches that had no value for a group-by field.
    pub keyless: u64,
    /// Values to be summed that were no non-negative number.
    pub odd_values: u64,
    /// Samples compacted away.
    pub compacted: u64,
    /// Samples dropped over the hard bound of a window: its verdicts are outside the law.
    pub overflowed: u64,
    /// Windows that a bound took away, and with them the law for their rule.
    pub windows_evicted: u64,
    /// Samples that came without their record, over [`EVIDENCE_BYTES_MAX`](super::EVIDENCE_BYTES_MAX).
    pub evidence_left_out: u64,
}

impl Counts {
    /// Adds another account to this one.
    pub fn add(&mut self, other: Counts) {
        self.records += other.records;
        self.matches += other.matches;
        self.samples += other.samples;
        self.duplicates += other.duplicates;
        self.forgotten += other.forgotten;
        self.keyless += other.keyless;
        self.odd_values += other.odd_values;
        self.compacted += other.compacted;
        self.overflowed += other.overflowed;
        self.windows_evicted += other.windows_evicted;
        self.evidence_left_out += other.evidence_left_out;
    }
}

//! What records travel in: the bytes of one payload to the bytes of its records.
//!
//! Envelopes are told by what they look like, not by a setting, and nest in any order:
//!
//! ```text
//! gzip, zstd                    by their first bytes        -> what they inflate to
//! KPL aggregation               magic and MD5               -> user records
//! base64                        its alphabet, and what it decodes to
//! values in a row or a list     [..] {..}{..} a line each   -> each value
//! a JSON text                   "..."                       -> what it holds
//! an object                     its members                 -> a record, or what an envelope holds
//! ```
//!
//! [`Opener`] goes down through them. It is total and bounded: nesting, inflated bytes, ratio and
//! the number of records have limits, each told as a reject when it is hit. What can be read out of
//! a half-broken payload is read; the rest becomes rejects. Nothing is lost without one, but control
//! messages and digest files, which hold no records and are counted.
//!
//! Nearly all payloads are one record as they stand, and those are neither copied nor scanned
//! more than once here.

mod cloudwatch;
mod counts;
pub mod framing;
pub mod inflate;
pub mod kpl;
mod layer;
mod object;
mod opener;
mod opening;
pub mod reject;
mod scan;
mod sequence;
mod shape;
#[cfg(test)]
mod tests;
mod whole_gzip;

pub use counts::{Counts, Kind, Tally};
pub use opener::{
    Found, INFLATED_BYTES_MAX, LEVELS_MAX, Opener, PARTS_MAX, REJECTS_TOLD_MAX, Rejected,
};

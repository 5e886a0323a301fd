//! History through the rules: many inputs, one stream in which no record is late.
//!
//! **The outcome.** [`Merged`] hands on every record of every input once, in batches, and says with
//! each batch a time before which no later batch holds a record. Taken as the watermark, that makes
//! no record late, whatever the order of lines in a file, of files, and of arguments; so the same
//! records give the same bursts.
//!
//! **The way.** Inputs are read twice. A [survey] finds of each file its least and greatest
//! event time and how far its records lag behind newer ones before them. Then:
//! - a file in order within the lateness is read in its own order. A short one (its times span no
//!   more than the lateness, as every file that CloudTrail delivers) is read through at once when
//!   its least time is due; a long one a batch at a time, always the one that is furthest behind.
//!   So only long files are open at the same time, and an organisation's ten thousand files of
//!   five minutes need one descriptor. Nothing is buffered: a file ahead of the others waits.
//! - a file disordered beyond the lateness, standard input, and long files beyond
//!   [`Settings::open_files_max`] at one time go through an external [sort](spill).
//!
//! **Why twice.** To know that a record is not late, one must know what is still to come. A bound
//! from a look at each file's head holds only if the file is in order, and that is not known before
//! its end; finding out on the way would be too late, for windows have closed. Sorting everything
//! would write and read all of it once more; reading twice writes nothing.
//!
//! **The cost.** Inflating and framing are paid twice, about 2.5 µs a record in gzip. What fits into half of [`Settings::sort_memory_bytes`] is kept from the
//! survey, sorted in memory, and read once. Sorting on disk costs its bytes written and read once,
//! and once more for each 32 runs. Windows are held for as long as the lateness and the span of
//! the longest short file together.
//!
//! A file that changes between the two readings is read to the number of records it had; one that
//! has become shorter is a fault, told with the batch.

pub mod merge;
pub mod records;
pub mod spill;
pub mod survey;

use std::path::PathBuf;

use floodmark_detectors::record::Record;
use floodmark_detectors::time::EventTime;

use crate::envelope::inflate::Limits;

pub use merge::{Batch, Merged};
pub use records::Records;
pub use survey::{Seen, Summary, Why};

/// How a replay reads.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How far files may inflate.
    pub limits: Limits,
    /// The lateness bound L, seconds: a file disordered beyond it is sorted.
    pub lateness_secs: i64,
    /// Memory for sorting and keeping, bytes.
    pub sort_memory_bytes: usize,
    /// Long files read at the same time; the rest is sorted.
    pub open_files_max: usize,
    /// Folder for sorted runs; that of the system for `None`. The files have no name, so they are
    /// gone with the process, however it ends.
    pub spill_folder: Option<PathBuf>,
    /// Reads a record's event time. `None`: it cannot be read; the record is handed on all the
    /// same, for who decodes it to reject.
    pub time_of: fn(&[u8]) -> Option<EventTime>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            limits: Limits::default(),
            lateness_secs: 900,
            sort_memory_bytes: 256 << 20,
            open_files_max: 128,
            spill_folder: None,
            time_of: |bytes| Some(Record::decode(bytes).ok()?.time()),
        }
    }
}

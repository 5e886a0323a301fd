//! The first reading: what times each file holds, and in what order.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use floodmark_detectors::time::EventTime;

use super::Settings;
use super::spill::Sorter;
use crate::envelope::framing::{Framed, Framer, Reject};
use crate::source::files::{STDIN, open};

/// What the first reading meets, for progress and for the rejects.
#[derive(Debug)]
pub enum Seen<'a> {
    /// A stretch of a file that gives no record. It is told here, once, and not with the batches.
    Reject {
        /// The file.
        path: &'a Path,
        /// The stretch.
        reject: Reject,
    },
    /// A file that cannot be opened.
    Unopened {
        /// The file.
        path: &'a Path,
        /// Why.
        error: io::Error,
    },
    /// So many more bytes of the inputs were read, packed as they are.
    Read {
        /// Bytes since the last time.
        bytes: u64,
    },
}

/// The times of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Records framed.
    pub records: u64,
    /// Least event time; [`EventTime::MAX`] when none could be read.
    pub least: EventTime,
    /// Greatest event time; [`EventTime::MIN`] when none could be read.
    pub greatest: EventTime,
    /// How far a record was older than one before it, at most, seconds.
    pub lag_secs: i64,
    /// Records older by more than the lateness than one before them.
    pub disordered: u64,
}

impl Extent {
    /// Of nothing.
    pub const NONE: Extent = Extent {
        records: 0,
        least: EventTime::MAX,
        greatest: EventTime::MIN,
        lag_secs: 0,
        disordered: 0,
    };

    fn add(&mut self, time: Option<EventTime>, lateness_secs: i64) {
        self.records += 1;
        let Some(time) = time else { return };
        if self.least <= self.greatest {
            let lag_secs = self.greatest.0.saturating_sub(time.0);
            self.lag_secs = self.lag_secs.max(lag_secs);
            self.disordered += u64::from(lag_secs > lateness_secs);
        }
        self.least = self.least.min(time);
        self.greatest = self.greatest.max(time);
    }

    /// From its least to its greatest time, seconds.
    #[must_use]
    pub fn span_secs(&self) -> i64 {
        self.greatest.0.saturating_sub(self.least.0).max(0)
    }
}

/// Why an input was sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It has records older by more than the lateness than one before them.
    Disordered {
        /// How many.
        records: u64,
        /// By how much at most, seconds.
        lag_secs: i64,
    },
    /// Standard input cannot be read twice.
    Stream,
    /// More long files overlap than may be open.
    TooManyOpen,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Why::Disordered { records, lag_secs } => {
                write!(
                    f,
                    "{records} records out of order beyond the lateness, by up to {lag_secs} s"
                )
            }
            Why::Stream => f.write_str("standard input cannot be read twice"),
            Why::TooManyOpen => f.write_str("more long files overlap than may be open at once"),
        }
    }
}

/// What the survey found, for the closing words of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Inputs that could be opened.
    pub inputs: usize,
    /// Records in them.
    pub records: u64,
    /// Records whose event time cannot be read.
    pub timeless: u64,
    /// Stretches that are no record, and files that could not be opened.
    pub rejects: u64,
    /// Least and greatest event time, if there is any.
    pub span: Option<(EventTime, EventTime)>,
    /// Inputs that were sorted, and why. (Inputs small enough to be kept are in order anyway, and
    /// stand here when they were disordered.)
    pub sorted: Vec<(PathBuf, Why)>,
}

/// What the first reading leaves.
pub(super) struct Survey {
    /// Files in the order given, with their times.
    pub(super) files: Vec<(PathBuf, Extent)>,
    /// Standard input, and everything if it was little enough.
    pub(super) sorter: Sorter,
    /// The files are all in the sorter.
    pub(super) kept: bool,
    pub(super) summary: Summary,
}

impl Survey {
    /// Reads all inputs. Fails only when the disk that is sorted on does.
    pub(super) fn of(
        paths: &[PathBuf],
        settings: &Settings,
        watch: &mut dyn FnMut(Seen<'_>),
    ) -> io::Result<Survey> {
        let mut survey = Survey {
            files: Vec::new(),
            sorter: Sorter::new(settings.sort_memory_bytes, settings.spill_folder.clone()),
            kept: true,
            summary: Summary {
                inputs: 0,
                records: 0,
                timeless: 0,
                rejects: 0,
                span: None,
                sorted: Vec::new(),
            },
        };
        let mut kept = Sorter::new(usize::MAX, None);
        let mut named = HashSet::new();
        for path in paths {
            // A file named twice is one input: its records are the same.
            if named.insert(path) {
                survey.read(path, settings, &mut kept, watch)?;
            }
        }
        if survey.kept {
            let mut kept = kept.finish()?;
            while let Some((time, record)) = kept.next()? {
                survey.sorter.push(time, record)?;
            }
        }
        Ok(survey)
    }

    fn read(
        &mut self,
        path: &Path,
        settings: &Settings,
        kept: &mut Sorter,
        watch: &mut dyn FnMut(Seen<'_>),
    ) -> io::Result<()> {
        let reader = match open(path) {
            Ok(reader) => reader,
            Err(error) => {
                self.summary.rejects += 1;
                watch(Seen::Unopened { path, error });
                return Ok(());
            }
        };
        self.summary.inputs += 1;
        let is_stream = path.as_os_str() == STDIN;
        let mut framer = Framer::new(reader, settings.limits);
        let mut extent = Extent::NONE;
        let mut told_bytes = 0;
        loop {
            let bytes = framer.input_bytes();
            if bytes - told_bytes >= PROGRESS_BYTES {
                watch(Seen::Read { bytes: bytes - told_bytes });
                told_bytes = bytes;
            }
            let Some(framed) = framer.next() else { break };
            let bytes = match framed {
                Framed::Record { bytes, .. } => bytes,
                Framed::Reject(reject) => {
                    self.summary.rejects += 1;
                    watch(Seen::Reject { path, reject });
                    continue;
                }
            };
            let time = (settings.time_of)(bytes);
            extent.add(time, settings.lateness_secs);
            self.summary.timeless += u64::from(time.is_none());
            // One without a time goes along with its neighbours; decoding rejects it.
            let place = time.unwrap_or(extent.greatest);
            if is_stream {
                self.sorter.push(place, bytes)?;
            } else if self.kept {
                kept.push(place, bytes)?;
                if kept.held_bytes() > settings.sort_memory_bytes / 2 {
                    self.kept = false;
                    *kept = Sorter::new(0, None);
                }
            }
        }
        watch(Seen::Read { bytes: framer.input_bytes() - told_bytes });
        self.found(path, is_stream, extent);
        Ok(())
    }

    fn found(&mut self, path: &Path, is_stream: bool, extent: Extent) {
        let summary = &mut self.summary;
        summary.records += extent.records;
        if extent.least <= extent.greatest {
            let (least, greatest) = summary.span.unwrap_or((extent.least, extent.greatest));
            summary.span = Some((least.min(extent.least), greatest.max(extent.greatest)));
        }
        let why = if extent.disordered > 0 {
            Some(Why::Disordered { records: extent.disordered, lag_secs: extent.lag_secs })
        } else {
            is_stream.then_some(Why::Stream)
        };
        summary.sorted.extend(why.map(|why| (path.to_path_buf(), why)));
        if !is_stream {
            self.files.push((path.to_path_buf(), extent));
        }
    }
}

/// Bytes between two words on progress.
const PROGRESS_BYTES: u64 = 4 << 20;

//! The second reading: batches in which nothing is late. The module above tells how and why.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, Read};
use std::path::PathBuf;

use floodmark_detectors::time::EventTime;

use super::spill::Sorted;
use super::survey::{Extent, Seen, Summary, Survey, Why};
use super::{Records, Settings};
use crate::envelope::framing::{Framed, Framer};
use crate::source::files::open;

/// Bytes of records after which a batch ends, whatever its number of records.
pub const BATCH_BYTES_MAX: usize = 4 << 20;

/// Records of one input, next to each other.
#[derive(Debug)]
pub struct Batch {
    /// Which input, in the order in which they are opened.
    pub input: usize,
    /// The records.
    pub records: Records,
    /// No later batch holds a record with an earlier event time: the watermark once this batch and
    /// all before it are done. [`EventTime::MAX`] with the last batch.
    pub watermark: EventTime,
    /// It is the input's last.
    pub ends: bool,
    /// The file could not be read as it was surveyed: what has changed.
    pub fault: Option<(PathBuf, String)>,
}

/// All inputs as one stream.
#[derive(Debug)]
pub struct Merged {
    settings: Settings,
    /// Inputs not yet opened, the earliest first.
    ahead: VecDeque<Planned>,
    open: Vec<Input>,
    /// Inputs opened so far.
    opened: usize,
    summary: Summary,
}

#[derive(Debug)]
struct Planned {
    source: Source,
    extent: Extent,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Sorted(Box<Sorted>),
}

/// An input being read.
#[derive(Debug)]
struct Input {
    number: usize,
    reader: Reader,
    extent: Extent,
    read: u64,
    /// No record to come has an earlier event time.
    floor: EventTime,
    /// Its times span no more than the lateness: it is read through at once.
    short: bool,
}

enum Reader {
    File(PathBuf, Box<Framer<Box<dyn Read + Send>>>),
    Sorted(Box<Sorted>),
    Unopened(PathBuf, io::Error),
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reader::File(path, _) | Reader::Unopened(path, _) => path.fmt(f),
            Reader::Sorted(_) => f.write_str("sorted"),
        }
    }
}

impl Merged {
    /// Surveys all inputs and sorts what must be sorted: the long part of the work happens here.
    /// Fails only when the disk that is sorted on does.
    pub fn open(
        paths: &[PathBuf],
        settings: Settings,
        watch: &mut dyn FnMut(Seen<'_>),
    ) -> io::Result<Merged> {
        let Survey { mut files, mut sorter, kept, mut summary } =
            Survey::of(paths, &settings, watch)?;
        if kept {
            files.clear();
        }
        files.retain(|(_, extent)| extent.records > 0);
        // By least time; equal ones in the order given, which the sort keeps.
        files.sort_by_key(|(_, extent)| extent.least);
        let crowded = crowded(&files, &settings);
        let mut ahead = VecDeque::new();
        for (place, (path, extent)) in files.into_iter().enumerate() {
            if extent.disordered == 0 && !crowded.contains(&place) {
                ahead.push_back(Planned { source: Source::File(path), extent });
                continue;
            }
            if extent.disordered == 0 {
                summary.sorted.push((path.clone(), Why::TooManyOpen));
            }
            let reader = match open(&path) {
                Ok(reader) => reader,
                Err(error) => {
                    watch(Seen::Unopened { path: &path, error });
                    continue;
                }
            };
            let mut framer = Framer::new(reader, settings.limits);
            let mut last = EventTime::MIN;
            while let Some(framed) = framer.next() {
                if let Framed::Record { bytes, .. } = framed {
                    last = (settings.time_of)(bytes).unwrap_or(last);
                    sorter.push(last, bytes)?;
                }
            }
        }
        if !sorter.is_empty() {
            let sorted = sorter.finish()?;
            let extent =
                Extent { least: sorted.next_time().unwrap_or(EventTime::MAX), ..Extent::NONE };
            ahead.push_back(Planned { source: Source::Sorted(Box::new(sorted)), extent });
        }
        ahead.make_contiguous().sort_by_key(|planned| planned.extent.least);
        Ok(Merged { settings, ahead, open: Vec::new(), opened: 0, summary })
    }

    /// What the survey found.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The next records, at most `records_max`; `None` when all inputs have ended. Fails only when
    /// the disk that is sorted on does.
    pub fn next_batch(&mut self, records_max: usize) -> io::Result<Option<Batch>> {
        let Some(place) = self.furthest_behind() else {
            return Ok(None);
        };
        let Some(input) = self.open.get_mut(place) else {
            return Ok(None);
        };
        let mut batch = Batch {
            input: input.number,
            records: Records::default(),
            watermark: EventTime::MAX,
            ends: false,
            fault: None,
        };
        input.fill(&mut batch, records_max.max(1), self.settings.time_of)?;
        if batch.ends {
            self.open.swap_remove(place);
        }
        let floors = self.open.iter().map(|input| input.floor);
        let next = self.ahead.front().map(|planned| planned.extent.least);
        batch.watermark = floors.chain(next).min().unwrap_or(EventTime::MAX);
        Ok(Some(batch))
    }

    /// The place among the open inputs of the one to be read; opens the next one if that is it.
    fn furthest_behind(&mut self) -> Option<usize> {
        // A short input that was begun is read through: its floor is its least time till its end,
        // and of equals the first opened comes first.
        let behind = |(_, input): &(usize, &Input)| (input.floor, input.number);
        let open = self.open.iter().enumerate().min_by_key(behind);
        let open = open.map(|(place, input)| (place, input.floor));
        let due = self.ahead.front().map(|planned| planned.extent.least);
        match (open, due) {
            (Some((place, floor)), Some(due)) if floor <= due => Some(place),
            (Some((place, _)), None) => Some(place),
            (None, None) => None,
            (_, Some(_)) => {
                let planned = self.ahead.pop_front()?;
                let input = Input::open(planned, self.opened, &self.settings);
                self.opened += 1;
                self.open.push(input);
                Some(self.open.len() - 1)
            }
        }
    }
}

impl Input {
    fn open(planned: Planned, number: usize, settings: &Settings) -> Input {
        let extent = planned.extent;
        let reader = match planned.source {
            Source::Sorted(sorted) => Reader::Sorted(sorted),
            Source::File(path) => match open(&path) {
                Ok(file) => Reader::File(path, Box::new(Framer::new(file, settings.limits))),
                Err(error) => Reader::Unopened(path, error),
            },
        };
        Input {
            number,
            reader,
            floor: extent.least,
            short: extent.span_secs() <= settings.lateness_secs,
            extent,
            read: 0,
        }
    }

    fn fill(
        &mut self,
        batch: &mut Batch,
        records_max: usize,
        time_of: fn(&[u8]) -> Option<EventTime>,
    ) -> io::Result<()> {
        let records = &mut batch.records;
        while records.len() < records_max && records.bytes() < BATCH_BYTES_MAX {
            match &mut self.reader {
                Reader::Sorted(sorted) => {
                    if let Some((_, record)) = sorted.next()? {
                        records.push(record);
                    }
                    let Some(time) = sorted.next_time() else {
                        batch.ends = true;
                        break;
                    };
                    self.floor = time;
                }
                Reader::File(path, framer) => {
                    let wanted = self.extent.records - self.read;
                    if wanted == 0 {
                        break;
                    }
                    let record = match framer.next() {
                        Some(Framed::Record { bytes, .. }) => bytes,
                        // Told by the survey.
                        Some(Framed::Reject(_)) => continue,
                        None => {
                            let why = format!("{wanted} records fewer than when first read");
                            batch.fault = Some((path.clone(), why));
                            batch.ends = true;
                            break;
                        }
                    };
                    self.read += 1;
                    records.push(record);
                    if !self.short
                        && let Some(time) = time_of(record)
                    {
                        self.floor = self.floor.max(time.plus(-self.extent.lag_secs));
                    }
                }
                Reader::Unopened(path, error) => {
                    batch.ends = true;
                    batch.fault = Some((path.clone(), error.to_string()));
                    break;
                }
            }
        }
        let is_file = matches!(self.reader, Reader::File(..));
        batch.ends |= is_file && self.read == self.extent.records;
        Ok(())
    }
}

/// Which long files would be one too many open at the same time, by place.
fn crowded(files: &[(PathBuf, Extent)], settings: &Settings) -> Vec<usize> {
    let mut crowded = Vec::new();
    let mut ends = BinaryHeap::new();
    for (place, (_, extent)) in files.iter().enumerate() {
        if extent.disordered > 0 || extent.span_secs() <= settings.lateness_secs {
            continue;
        }
        while ends.peek().is_some_and(|&Reverse(end)| end < extent.least) {
            ends.pop();
        }
        if ends.len() >= settings.open_files_max {
            crowded.push(place);
        } else {
            // It is closed when others have come as far as its last record.
            ends.push(Reverse(extent.greatest.plus(extent.lag_secs)));
        }
    }
    crowded
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;

//! An external sort of records by event time, records of one time by their bytes, so that the
//! outcome is a function of the set.
//!
//! Records gather in memory; when it is full they are sorted and written as a *run* to a file
//! without a name. Whenever [`RUNS_MAX`] runs of one generation are there, they are merged into one
//! of the next, so no more than that many files a generation are open and a record is rewritten
//! once a generation: 8 GiB in runs of 256 MiB once, 256 GiB twice.
//!
//! A run is a row of (event time, 8 bytes; length, 4 bytes; record), little endian. It is written
//! and read by this process alone, so it needs no version.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::PathBuf;

use floodmark_detectors::time::EventTime;

/// Runs of one generation before they are merged.
pub const RUNS_MAX: usize = 32;

const RUN_BUFFER_BYTES: usize = 128 << 10;

/// Memory of a record besides its bytes.
const PLACED_BYTES: usize = size_of::<Placed>();

/// Takes records in any order.
#[derive(Debug)]
pub struct Sorter {
    bytes: Vec<u8>,
    placed: Vec<Placed>,
    memory_bytes_max: usize,
    folder: PathBuf,
    /// Runs by generation.
    runs: Vec<Vec<File>>,
    spilled_bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Placed {
    time: EventTime,
    start: usize,
    length: u32,
}

impl Sorter {
    /// Sorts in so much memory, and beyond it in files in `folder`.
    #[must_use]
    pub fn new(memory_bytes_max: usize, folder: Option<PathBuf>) -> Sorter {
        Sorter {
            bytes: Vec::new(),
            placed: Vec::new(),
            memory_bytes_max,
            folder: folder.unwrap_or_else(std::env::temp_dir),
            runs: Vec::new(),
            spilled_bytes: 0,
        }
    }

    /// Whether nothing was pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.placed.is_empty() && self.runs.is_empty()
    }

    /// Memory in use, bytes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.bytes.len() + self.placed.len() * PLACED_BYTES
    }

    /// Bytes written to disk so far, merges counted again.
    #[must_use]
    pub fn spilled_bytes(&self) -> u64 {
        self.spilled_bytes
    }

    /// Adds a record. Fails when the disk does.
    pub fn push(&mut self, time: EventTime, record: &[u8]) -> io::Result<()> {
        let length = u32::try_from(record.len()).map_err(io::Error::other)?;
        let more = record.len() + PLACED_BYTES;
        if self.held_bytes() + more > self.memory_bytes_max && !self.placed.is_empty() {
            self.spill()?;
        }
        self.placed.push(Placed { time, start: self.bytes.len(), length });
        self.bytes.extend_from_slice(record);
        Ok(())
    }

    /// All records, sorted.
    pub fn finish(mut self) -> io::Result<Sorted> {
        self.sort();
        let runs = self.runs.into_iter().flatten().map(Run::open);
        let mut sorted = Sorted::over(runs.collect::<io::Result<Vec<Run>>>()?)?;
        sorted.memory = (self.bytes, self.placed, 0);
        Ok(sorted)
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.placed.sort_unstable_by(|a, b| {
            (a.time, record_at(bytes, *a)).cmp(&(b.time, record_at(bytes, *b)))
        });
    }

    fn spill(&mut self) -> io::Result<()> {
        self.sort();
        let mut run = NewRun::create(&self.folder)?;
        for placed in &self.placed {
            run.write(placed.time, record_at(&self.bytes, *placed))?;
        }
        self.bytes.clear();
        self.placed.clear();
        self.keep(run, 0)
    }

    /// Puts a run into its generation, and merges the generation when it is full.
    fn keep(&mut self, run: NewRun, mut generation: usize) -> io::Result<()> {
        let mut run = run;
        loop {
            self.spilled_bytes += run.bytes;
            let file = run.finish()?;
            if self.runs.len() <= generation {
                self.runs.push(Vec::new());
            }
            let Some(peers) = self.runs.get_mut(generation) else {
                return Ok(());
            };
            peers.push(file);
            if peers.len() < RUNS_MAX {
                return Ok(());
            }
            let full = std::mem::take(peers).into_iter().map(Run::open);
            let mut sorted = Sorted::over(full.collect::<io::Result<Vec<Run>>>()?)?;
            run = NewRun::create(&self.folder)?;
            while let Some((time, record)) = sorted.next()? {
                run.write(time, record)?;
            }
            generation += 1;
        }
    }
}

fn record_at(bytes: &[u8], placed: Placed) -> &[u8] {
    bytes
        .get(placed.start..placed.start + placed.length as usize)
        .expect("a record lies where it was put")
}

/// Gives records by time.
#[derive(Debug)]
pub struct Sorted {
    heads: BinaryHeap<Reverse<Head>>,
    runs: Vec<Run>,
    /// What never left memory, sorted, and how many of it are given.
    memory: (Vec<u8>, Vec<Placed>, usize),
    /// The record given last.
    given: Vec<u8>,
}

/// The next record of a run.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    time: EventTime,
    record: Vec<u8>,
    run: usize,
}

impl Sorted {
    fn over(mut runs: Vec<Run>) -> io::Result<Sorted> {
        let mut heads = BinaryHeap::new();
        for (place, run) in runs.iter_mut().enumerate() {
            let mut head = Head { time: EventTime::MIN, record: Vec::new(), run: place };
            if run.read(&mut head)? {
                heads.push(Reverse(head));
            }
        }
        Ok(Sorted { heads, runs, memory: (Vec::new(), Vec::new(), 0), given: Vec::new() })
    }

    /// The time of the next record.
    #[must_use]
    pub fn next_time(&self) -> Option<EventTime> {
        let (_, placed, given) = &self.memory;
        let in_memory = placed.get(*given).map(|placed| placed.time);
        let in_runs = self.heads.peek().map(|Reverse(head)| head.time);
        in_memory.into_iter().chain(in_runs).min()
    }

    /// The next record and its time.
    #[expect(clippy::should_implement_trait, reason = "it lends: no Iterator can")]
    pub fn next(&mut self) -> io::Result<Option<(EventTime, &[u8])>> {
        let (bytes, placed, given) = &mut self.memory;
        let in_memory = placed.get(*given).copied();
        let Some(mut head) = self.heads.peek_mut() else {
            *given += 1;
            return Ok(in_memory.map(|placed| (placed.time, record_at(bytes, placed))));
        };
        if let Some(placed) = in_memory
            && (placed.time, record_at(bytes, placed)) <= (head.0.time, head.0.record.as_slice())
        {
            *given += 1;
            return Ok(Some((placed.time, record_at(bytes, placed))));
        }
        let time = head.0.time;
        std::mem::swap(&mut self.given, &mut head.0.record);
        let goes_on = match self.runs.get_mut(head.0.run) {
            Some(run) => run.read(&mut head.0)?,
            None => false,
        };
        if !goes_on {
            PeekMut::pop(head);
        }
        Ok(Some((time, &self.given)))
    }
}

struct NewRun {
    file: BufWriter<File>,
    bytes: u64,
}

impl NewRun {
    fn create(folder: &std::path::Path) -> io::Result<NewRun> {
        let file = tempfile::tempfile_in(folder)?;
        Ok(NewRun { file: BufWriter::with_capacity(RUN_BUFFER_BYTES, file), bytes: 0 })
    }

    fn write(&mut self, time: EventTime, record: &[u8]) -> io::Result<()> {
        let length = u32::try_from(record.len()).map_err(io::Error::other)?;
        self.file.write_all(&time.0.to_le_bytes())?;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(record)?;
        self.bytes += 12 + record.len() as u64;
        Ok(())
    }

    fn finish(self) -> io::Result<File> {
        let mut file = self.file.into_inner().map_err(|error| error.into_error())?;
        file.rewind()?;
        Ok(file)
    }
}

#[derive(Debug)]
struct Run {
    file: BufReader<File>,
}

impl Run {
    fn open(file: File) -> io::Result<Run> {
        Ok(Run { file: BufReader::with_capacity(RUN_BUFFER_BYTES, file) })
    }

    /// Reads the next record; false at the end.
    fn read(&mut self, head: &mut Head) -> io::Result<bool> {
        let (mut time, mut length) = ([0; 8], [0; 4]);
        match self.file.read_exact(&mut time) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
        self.file.read_exact(&mut length)?;
        head.time = EventTime(i64::from_le_bytes(time));
        head.record.resize(u32::from_le_bytes(length) as usize, 0);
        self.file.read_exact(&mut head.record)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn sorts_alike_in_memory_and_on_disk() {
        for (seed, memory_bytes_max) in [(1, 1 << 20), (2, 2_000), (3, 300), (4, 1)] {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut sorter = Sorter::new(memory_bytes_max, None);
            let mut expected = Vec::new();
            for _ in 0..3_000 {
                let time = EventTime(rng.random_range(-50..500));
                let record = format!("{:x}", rng.random_range(0..1_000_000_u32)).into_bytes();
                sorter.push(time, &record).unwrap();
                expected.push((time, record));
            }
            assert_eq!(sorter.spilled_bytes() > 0, memory_bytes_max < 1 << 20);
            assert!(sorter.runs.iter().all(|generation| generation.len() < RUNS_MAX));
            expected.sort();
            let mut sorted = sorter.finish().unwrap();
            let mut found = Vec::new();
            while let Some((time, record)) = sorted.next().unwrap() {
                found.push((time, record.to_vec()));
            }
            assert_eq!(found, expected, "seed {seed}");
            assert!(sorted.next().unwrap().is_none());
        }
    }

    #[test]
    fn nothing_sorts_to_nothing() {
        let sorter = Sorter::new(1, None);
        assert!(sorter.is_empty());
        assert!(sorter.finish().unwrap().next().unwrap().is_none());
    }
}

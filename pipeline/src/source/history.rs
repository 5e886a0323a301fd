//! Files and folders as a source: what is in them now, merged by event time, to their end.
//!
//! The files are read as a [replay](crate::replay) reads them, so no record among them is late,
//! whatever the order of lines and files. They are one input. The survey is the first thing done,
//! in the source's own thread.

use std::path::{Path, PathBuf};
use std::time::Duration;

use floodmark_detectors::time::EventTime;

use super::batch::{Batch, Next, Source, SourceError};
use super::files::walk;
use crate::envelope::framing;
use crate::open::Reject;
use crate::progress::Input;
use crate::replay::{Merged, Seen, Settings};

/// Records handed to a worker at once.
const BATCH_RECORDS_MAX: usize = 1_024;

/// What a source meets beside records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aside {
    /// A stretch that gives no record.
    Reject(Reject),
    /// A file that could not be read, or not as it was surveyed, and why.
    Fault(PathBuf, String),
}

/// Who is told what a source meets beside records.
pub type Tell = Box<dyn FnMut(Aside) + Send>;

/// Files, until their end.
pub struct History {
    name: String,
    paths: Vec<PathBuf>,
    lateness_secs: i64,
    tell: Tell,
    state: State,
}

enum State {
    Unsurveyed,
    Open(Box<Merged>),
    AllRead,
    Ended,
}

impl History {
    /// What `paths` name, links and folders followed. Nothing is opened yet.
    #[must_use]
    pub fn new(name: &str, paths: Vec<PathBuf>, lateness_secs: i64, tell: Tell) -> History {
        History { name: name.to_owned(), paths, lateness_secs, tell, state: State::Unsurveyed }
    }

    /// Files that have been surveyed already.
    #[must_use]
    pub fn surveyed(name: &str, merged: Merged, tell: Tell) -> History {
        History {
            name: name.to_owned(),
            paths: Vec::new(),
            lateness_secs: 0,
            tell,
            state: State::Open(Box::new(merged)),
        }
    }

    fn survey(&mut self) -> std::io::Result<Merged> {
        let walked = walk(&self.paths);
        for (path, why) in walked.faults {
            (self.tell)(Aside::Fault(path, why));
        }
        let settings = Settings { lateness_secs: self.lateness_secs, ..Settings::default() };
        Merged::open(&walked.files, settings, &mut |seen| match seen {
            Seen::Unopened { path, error } => {
                (self.tell)(Aside::Fault(path.to_path_buf(), error.to_string()));
            }
            Seen::Reject { path, reject } => (self.tell)(Aside::Reject(rejected(path, reject))),
            Seen::Read { .. } => {}
        })
    }

    fn read(&mut self) -> std::io::Result<Next> {
        match &mut self.state {
            State::Unsurveyed => {
                self.state = State::Open(Box::new(self.survey()?));
                Ok(Next::Gained(vec![0]))
            }
            State::Open(merged) => {
                let Some(read) = merged.next_batch(BATCH_RECORDS_MAX)? else {
                    self.state = State::AllRead;
                    return Ok(Next::Ended(0));
                };
                if let Some((path, why)) = read.fault {
                    (self.tell)(Aside::Fault(path, why));
                }
                let mut batch = Batch::of(0);
                for (place, record) in read.records.iter().enumerate() {
                    batch.push(place as u64, record);
                }
                // That nothing comes after the last batch does not end the time of other sources.
                batch.settled = (read.watermark < EventTime::MAX).then_some(read.watermark);
                Ok(Next::Batch(batch))
            }
            State::AllRead => {
                self.state = State::Ended;
                Ok(Next::End)
            }
            State::Ended => Ok(Next::End),
        }
    }
}

impl Source for History {
    fn next(&mut self, _wait: Duration) -> Result<Next, SourceError> {
        self.read().map_err(|error| SourceError {
            source_name: self.name.clone(),
            reason: format!("{error}; files are sorted in the temporary folder: is there room?"),
        })
    }

    fn name_of(&self, _input: Input) -> String {
        self.name.clone()
    }
}

/// A stretch of a file that gives no record, as a reject.
pub(crate) fn rejected(input: &Path, reject: framing::Reject) -> Reject {
    Reject {
        input: input.display().to_string(),
        offset: reject.offset,
        reason: reject.reason.to_string(),
        excerpt: reject.excerpt,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn hands_out_all_files_and_tells_what_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let record = |second| format!("{{\"eventTime\":\"2026-11-25T09:00:0{second}Z\"}}\n");
        std::fs::write(folder.path().join("b.json"), record(1) + &record(3)).unwrap();
        std::fs::write(folder.path().join("a.json"), record(2) + "broken\n").unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = {
            let told = told.clone();
            Box::new(move |aside| told.lock().unwrap().push(aside))
        };
        let paths = vec![folder.path().to_path_buf(), folder.path().join("none")];
        let mut source = History::new("files", paths, 900, tell);
        let mut records = 0;
        assert!(matches!(source.next(Duration::ZERO).unwrap(), Next::Gained(_)));
        while let Next::Batch(batch) = source.next(Duration::ZERO).unwrap() {
            records += batch.len();
        }
        assert!(matches!(source.next(Duration::ZERO).unwrap(), Next::End));
        assert_eq!(records, 3);
        let told = told.lock().unwrap();
        assert!(matches!(
            told.as_slice(),
            [Aside::Fault(..), Aside::Reject(Reject { reason, .. })] if reason == "not a JSON object"
        ));
    }
}

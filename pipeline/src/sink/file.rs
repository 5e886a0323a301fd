//! A file, one alert a line, appended.
//!
//! Only whole lines are ever left in it: a batch is one write; after a failed one the file is cut
//! back to where it was, and the batch may be sent again. A last line that a crash of the machine
//! tore is ended before the first batch, so the next alert begins a line. `close` waits for the
//! disk.
//!
//! With a [`Rotation`] a file that would grow beyond its size is renamed `alerts.ndjson.1`, the one
//! before `.2`, and so on; the oldest goes. No clock is read, and names do not depend on one.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Format, Sink, Told, Verdict, render_all};

/// When a file is put aside for a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes a file may hold (a single batch may exceed it).
    pub bytes_max: u64,
    /// Files put aside that are kept.
    pub files_max: u32,
}

/// Appends to a file.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    file: fs::File,
    /// Whole lines end here.
    bytes: u64,
    format: Format,
    rotation: Option<Rotation>,
}

impl File {
    /// Opens the file, or makes it and its folder.
    pub fn open(path: &Path, format: Format, rotation: Option<Rotation>) -> io::Result<File> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let (file, bytes) = open(path)?;
        Ok(File { path: path.to_path_buf(), file, bytes, format, rotation })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(rotation) = self.rotation
            && self.bytes > 0
            && self.bytes + bytes.len() as u64 > rotation.bytes_max
        {
            self.rotate(rotation.files_max)?;
        }
        if let Err(error) = self.file.write_all(bytes) {
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn rotate(&mut self, files_max: u32) -> io::Result<()> {
        self.file.sync_all()?;
        for number in (1..files_max).rev() {
            let aside = numbered(&self.path, number);
            if aside.exists() {
                fs::rename(aside, numbered(&self.path, number + 1))?;
            }
        }
        if files_max == 0 {
            fs::remove_file(&self.path)?;
        } else {
            fs::rename(&self.path, numbered(&self.path, 1))?;
        }
        (self.file, self.bytes) = open(&self.path)?;
        Ok(())
    }
}

impl Sink for File {
    fn send(&mut self, alerts: &[Told]) -> Vec<Verdict> {
        let bytes = render_all(self.format, alerts);
        let verdict = match self.append(&bytes) {
            Ok(()) => Verdict::Delivered,
            // A full disk is emptied, a folder comes back: nothing is lost by waiting.
            Err(error) => {
                let why = format!("cannot write {}: {error}", self.path.display());
                Verdict::Again { why, after: None }
            }
        };
        vec![verdict; alerts.len()]
    }

    fn close(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}

fn open(path: &Path) -> io::Result<(fs::File, u64)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut bytes = file.seek(SeekFrom::End(0))?;
    if bytes > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            bytes += 1;
        }
    }
    Ok((file, bytes))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::encode::ocsf::{View, tests::burst};

    fn told(count: u64) -> Told {
        let mut alert = burst();
        alert.count = count;
        Told { alert, view: View::Final }
    }

    fn counts(path: &Path) -> Vec<u64> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.ends_with('\n'));
        text.lines()
            .map(|line| {
                let finding: serde_json::Value = serde_json::from_str(line).unwrap();
                finding["count"].as_u64().unwrap()
            })
            .collect()
    }

    #[test]
    fn appends_over_restarts_and_mends_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/alerts.ndjson");
        for count in [1, 2] {
            let mut sink = File::open(&path, Format::default(), None).unwrap();
            assert_eq!(sink.send(&[told(count)]), [Verdict::Delivered]);
            sink.close().unwrap();
        }
        assert_eq!(counts(&path), [1, 2]);
        fs::write(&path, "{\"torn").unwrap();
        let mut sink = File::open(&path, Format::default(), None).unwrap();
        assert_eq!(sink.send(&[told(3)]), [Verdict::Delivered]);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("{\"torn\n{\"activity_id\""));
    }

    #[test]
    fn rotates_by_size_and_keeps_so_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.ndjson");
        let bytes = Format::default().render(&told(3)).len() as u64;
        let rotation = Rotation { bytes_max: 2 * bytes, files_max: 2 };
        let mut sink = File::open(&path, Format::default(), Some(rotation)).unwrap();
        for count in 1..=7 {
            assert_eq!(sink.send(&[told(count)]), [Verdict::Delivered]);
        }
        assert_eq!(counts(&path), [7]);
        assert_eq!(counts(&numbered(&path, 1)), [5, 6]);
        assert_eq!(counts(&numbered(&path, 2)), [3, 4]);
        assert!(!numbered(&path, 3).exists());
    }
}

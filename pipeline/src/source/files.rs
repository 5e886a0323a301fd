//! Files and folders as inputs: which files there are, and opening one.
//!
//! Folders are walked in the order of names, so that a run is repeatable. In a folder only files
//! that look like records are taken; a file that is named itself is taken whatever it is called.
//! CloudTrail's digest files hold signatures of log files and no record; their folders are passed
//! over and counted. Links are followed, and each folder is entered once, so a link that leads back
//! ends there.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The path that means standard input.
pub const STDIN: &str = "-";

/// Endings of files taken from a folder. (`.json.gz` and the like end in `.gz`.)
pub const ENDINGS: [&str; 5] = [".json", ".ndjson", ".jsonl", ".log", ".gz"];

/// The folder name under which CloudTrail keeps digest files.
pub const DIGESTS: &str = "CloudTrail-Digest";

/// What a walk found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Files in order, and `-` where standard input was named.
    pub files: Vec<PathBuf>,
    /// Folders of digest files passed over.
    pub digest_folders: u64,
    /// Files passed over for their name.
    pub others: u64,
    /// What could not be looked into, and why.
    pub faults: Vec<(PathBuf, String)>,
}

/// Finds the files that `paths` name, in the order given, those in a folder by name.
#[must_use]
pub fn walk(paths: &[PathBuf]) -> Walked {
    let mut walked = Walked::default();
    let mut entered = HashSet::new();
    for path in paths {
        if path.as_os_str() == STDIN {
            walked.files.push(path.clone());
            continue;
        }
        match fs::metadata(path) {
            Ok(what) if what.is_dir() => walk_folder(path, &mut entered, &mut walked),
            Ok(_) => walked.files.push(path.clone()),
            Err(error) => walked.faults.push((path.clone(), error.to_string())),
        }
    }
    walked
}

/// Opens a file, or standard input for `-`.
pub fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    if path.as_os_str() == STDIN {
        Ok(Box::new(io::stdin()))
    } else {
        Ok(Box::new(File::open(path)?))
    }
}

/// Walks without recursion: what is still to be looked at lies on a stack, last name first.
fn walk_folder(root: &Path, entered: &mut HashSet<PathBuf>, walked: &mut Walked) {
    let mut ahead = vec![root.to_path_buf()];
    while let Some(path) = ahead.pop() {
        let step = (|| -> io::Result<()> {
            let what = fs::metadata(&path)?;
            if !what.is_dir() {
                if has_records(&path) {
                    walked.files.push(path.clone());
                } else {
                    walked.others += 1;
                }
                return Ok(());
            }
            if path != root && path.file_name().is_some_and(|name| name == DIGESTS) {
                walked.digest_folders += 1;
                return Ok(());
            }
            if !entered.insert(fs::canonicalize(&path)?) {
                return Ok(());
            }
            let mut inside = fs::read_dir(&path)?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<Vec<PathBuf>>>()?;
            inside.sort_unstable_by(|a, b| b.cmp(a));
            ahead.append(&mut inside);
            Ok(())
        })();
        if let Err(error) = step {
            walked.faults.push((path, error.to_string()));
        }
    }
}

fn has_records(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn walks_by_name_and_passes_digests_loops_and_strangers() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for file in [
            "b/2.json.gz",
            "b/1.json",
            "a/x.ndjson",
            "a/readme.txt",
            "a/CloudTrail-Digest/d.json.gz",
            "c.log",
            "odd.bin",
        ] {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root, root.join("a/loop")).unwrap();
            std::os::unix::fs::symlink("gone", root.join("z.json")).unwrap();
        }
        let walked = walk(&[root.to_path_buf(), root.join("odd.bin"), STDIN.into()]);
        let names: Vec<String> = walked
            .files
            .iter()
            .map(|path| path.strip_prefix(root).unwrap_or(path).display().to_string())
            .collect();
        assert_eq!(names, ["a/x.ndjson", "b/1.json", "b/2.json.gz", "c.log", "odd.bin", "-"]);
        assert_eq!((walked.digest_folders, walked.others), (1, 2));
        #[cfg(unix)]
        assert_eq!(walked.faults[0].0, root.join("z.json"));
        let none = walk(&[root.join("none")]);
        assert_eq!((none.files.len(), none.faults.len()), (0, 1));
    }
}

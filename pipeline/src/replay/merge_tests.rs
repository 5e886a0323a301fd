#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::*;

const LATENESS_SECS: i64 = 100;

/// `{"t":12,..}`: these tests do not ask how times are written.
fn time_of(record: &[u8]) -> Option<EventTime> {
    let text = std::str::from_utf8(record).ok()?;
    let digits = text.split_once("\"t\":")?.1.split([',', '}']).next()?;
    digits.parse().ok().map(EventTime)
}

fn settings(sort_memory_bytes: usize, open_files_max: usize) -> Settings {
    Settings {
        lateness_secs: LATENESS_SECS,
        sort_memory_bytes,
        open_files_max,
        time_of,
        ..Settings::default()
    }
}

/// Reads everything, and holds each batch against what was promised with those before.
fn read(paths: &[PathBuf], settings: Settings) -> (Vec<String>, Merged) {
    let mut merged = Merged::open(paths, settings, &mut |_| {}).unwrap();
    let mut watermark = EventTime::MIN;
    let mut records = Vec::new();
    while let Some(batch) = merged.next_batch(7).unwrap() {
        assert!(batch.records.len() <= 7);
        assert!(batch.watermark >= watermark, "the watermark went back");
        for record in batch.records.iter() {
            if let Some(time) = time_of(record) {
                assert!(time >= watermark, "{time:?} is late by {watermark:?}");
            }
            records.push(String::from_utf8(record.to_vec()).unwrap());
        }
        assert_eq!(batch.fault, None);
        watermark = batch.watermark;
    }
    assert_eq!(watermark, EventTime::MAX);
    records.sort();
    (records, merged)
}

fn write(folder: &Path, name: &str, records: &[String], rng: &mut StdRng) -> PathBuf {
    let path = folder.join(name);
    let text = match rng.random_range(0..3) {
        0 => records.join("\n"),
        1 => format!("{{\"Records\":[{}]}}", records.join(",")),
        _ => records.concat(),
    };
    if rng.random() {
        let file = std::fs::File::create(&path).unwrap();
        let mut gzip = GzEncoder::new(file, Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap();
    } else {
        std::fs::write(&path, text).unwrap();
    }
    path
}

#[test]
fn every_record_once_and_none_late_whatever_the_order() {
    let (mut sorted, mut crowded, mut kept, mut plain) = (0, 0, 0, 0);
    for seed in 0..150 {
        let mut rng = StdRng::seed_from_u64(seed);
        let folder = tempfile::tempdir().unwrap();
        let mut expected = Vec::new();
        let mut paths = Vec::new();
        for file in 0..rng.random_range(1..9) {
            let mut time = rng.random_range(0..2_000_i64);
            let step = [0, 1, 20][rng.random_range(0..3)];
            let disorder = [0, 50, LATENESS_SECS, 500][rng.random_range(0..4)];
            let mut records: Vec<String> = (0..rng.random_range(0..60))
                .map(|n| {
                    time += rng.random_range(0..=step);
                    let at = time - rng.random_range(0..=disorder);
                    format!("{{\"t\":{at},\"n\":\"{file}-{n}\"}}")
                })
                .collect();
            match rng.random_range(0..8) {
                0 => records.shuffle(&mut rng),
                1 => records.push(format!("{{\"timeless\":{file}}}")),
                _ => {}
            }
            expected.extend(records.iter().cloned());
            paths.push(write(folder.path(), &format!("{file}.json"), &records, &mut rng));
        }
        expected.sort();
        let (memory_bytes, open_max) = [(1 << 20, 8), (500, 8), (500, 1)][seed as usize % 3];
        let (records, merged) = read(&paths, settings(memory_bytes, open_max));
        assert_eq!(records, expected, "seed {seed}");
        let summary = merged.summary();
        assert_eq!(summary.records, expected.len() as u64);
        let of =
            |wanted: fn(&Why) -> bool| summary.sorted.iter().filter(|(_, why)| wanted(why)).count();
        sorted += of(|why| matches!(why, Why::Disordered { .. }));
        crowded += of(|why| *why == Why::TooManyOpen);
        kept += usize::from(memory_bytes > 500);
        plain += usize::from(merged.opened > 1);
        paths.shuffle(&mut rng);
        let (again, _) = read(&paths, settings(memory_bytes, open_max));
        assert_eq!(again, expected, "seed {seed}, other order of files");
    }
    for met in [sorted, crowded, kept, plain] {
        assert!(met >= 10, "each way is met: {sorted} {crowded} {kept} {plain}");
    }
}

#[test]
fn short_files_are_read_through_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let paths: Vec<PathBuf> = (0..50)
        .map(|file| {
            let records: Vec<String> =
                (0..40).map(|n| format!("{{\"t\":{},\"f\":{file}}}", file * 10 + n)).collect();
            write(folder.path(), &format!("{file}.json"), &records, &mut rng)
        })
        .collect();
    let mut merged = Merged::open(&paths, settings(500, 4), &mut |_| {}).unwrap();
    let mut inputs = Vec::new();
    while let Some(batch) = merged.next_batch(7).unwrap() {
        assert!(merged.open.len() <= 1);
        inputs.push(batch.input);
    }
    assert!(inputs.is_sorted());
    assert_eq!(merged.summary().sorted, []);
    assert_eq!(merged.summary().inputs, 50);
}

#[test]
fn a_far_future_record_costs_a_sort_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = StdRng::seed_from_u64(2);
    let records = [5, 4_000_000_000_i64, 6, 7].map(|t| format!("{{\"t\":{t}}}"));
    let path = write(folder.path(), "a.json", &records, &mut rng);
    let (_, merged) = read(&[path.clone(), path.clone()], settings(0, 4));
    let why = Why::Disordered { records: 2, lag_secs: 3_999_999_994 };
    assert_eq!(merged.summary().sorted, [(path, why)]);
    assert_eq!(merged.summary().records, 4, "a file named twice is one input");
}

#[test]
fn rejects_are_told_once_and_changed_files_are_faults() {
    let folder = tempfile::tempdir().unwrap();
    let [broken, gone, grown] = ["a.json", "b.json", "c.json"].map(|name| folder.path().join(name));
    std::fs::write(&broken, "{\"t\":1}\nnonsense\n{\"t\":2}\n").unwrap();
    std::fs::write(&gone, "{\"t\":3}\n").unwrap();
    std::fs::write(&grown, "{\"t\":4}\n").unwrap();
    let none = folder.path().join("none.json");
    let mut seen = Vec::new();
    let paths = [broken, gone.clone(), grown.clone(), none];
    let mut merged = Merged::open(&paths, settings(0, 4), &mut |met| {
        seen.push(match met {
            Seen::Reject { reject, .. } => reject.reason.to_string(),
            Seen::Unopened { path, .. } => path.file_name().unwrap().display().to_string(),
            Seen::Read { .. } => return,
        });
    })
    .unwrap();
    assert_eq!(seen, ["not a JSON object", "none.json"]);
    std::fs::remove_file(&gone).unwrap();
    std::fs::write(&grown, "{\"t\":4}\n{\"t\":-9}\n").unwrap();
    let mut outcome = Vec::new();
    while let Some(batch) = merged.next_batch(10).unwrap() {
        outcome.push((batch.records.len(), batch.fault.is_some(), batch.ends));
    }
    assert_eq!(outcome, [(2, false, true), (0, true, true), (1, false, true)]);
    assert_eq!((merged.summary().rejects, merged.summary().records), (2, 4));
}

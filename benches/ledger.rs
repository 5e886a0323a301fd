//! What does it cost to save windows, all of which have changed?
//!
//! Yardstick: their records and nothing else, written one behind the other into a plain file. See
//! `benches/README.md`.

#![allow(missing_docs, clippy::unwrap_used)]

mod hour;

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use floodmark::ledger::Ledger;
use floodmark_detectors::engine::{Engine, Options, State};
use floodmark_detectors::record::Record;
use floodmark_detectors::rule::{Environment, RuleSet, pack};
use floodmark_detectors::time::EventTime;
use hour::hour;

const RECORDS: usize = 100_000;

/// The windows of all shipped rules after an hour of an organisation.
fn state() -> State {
    let rules = RuleSet::load(&pack::documents(), &Environment::default()).unwrap();
    let options = Options { keeps_changes: true, ..Options::default() };
    let engine = Engine::new(Arc::new(rules), options);
    let feed: Vec<Vec<u8>> = hour(RECORDS).collect();
    let mut samples = 0;
    for batch in feed.chunks(512) {
        let records: Vec<Record<'_>> =
            batch.iter().filter_map(|bytes| Record::decode(bytes).ok()).collect();
        samples += engine.apply(&records).counts.samples;
    }
    println!("{samples} samples");
    engine.changes(EventTime::MIN)
}

fn save(c: &mut Criterion) {
    let state = state();
    let samples = state.windows.iter().flat_map(|(_, window)| window.samples());
    let records: Vec<Arc<[u8]>> = samples.filter_map(|sample| sample.record.clone()).collect();
    let bytes: usize = records.iter().map(|record| record.len()).sum();
    println!("{} windows with {} records of {bytes} bytes", state.windows.len(), records.len());
    let folder = tempfile::tempdir().unwrap();

    let mut group = c.benchmark_group("ledger");
    group.throughput(Throughput::Elements(state.windows.len() as u64)).sample_size(10);
    let path = folder.path().join("ledger");
    let ledger = Ledger::open(&path, false).unwrap();
    group.bench_function("windows", |b| {
        b.iter(|| {
            ledger.save_windows("", &state.windows, Duration::MAX).unwrap();
            ledger.save_positions(&[], &[]).unwrap();
        });
    });
    println!("the ledger has {} bytes", std::fs::metadata(&path).unwrap().len());
    group.bench_function("records into a file", |b| {
        b.iter(|| {
            let mut file = File::create(folder.path().join("records")).unwrap();
            for record in &records {
                file.write_all(record).unwrap();
            }
            file.sync_all().unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, save);
criterion_main!(benches);

//! How fast is the way from payloads to bursts, and what does each part of it cost?
//!
//! Yardstick: the plainest program that does the same for one rule, `serde_json` into a struct and a
//! queue of times per principal. It takes records in order, counts duplicates twice and misses what
//! comes late; it is what one writes first. See `benches/README.md`.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod hour;

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use floodmark::envelope::{Found, Opener};
use floodmark::generate::{cloud_watch, gzip};
use floodmark_detectors::engine::{Engine, Options};
use floodmark_detectors::field::Fields;
use floodmark_detectors::record::Record;
use floodmark_detectors::rule::{Document, Environment, RuleSet, pack};
use floodmark_detectors::time::EventTime;
use hour::hour;
use serde::Deserialize;

const RECORDS: usize = 20_000;
/// The same attacks in this many are one record in twenty-five.
const ORDINARY: usize = 100_000;
const BATCH: usize = 512;
/// Records that CloudWatch Logs puts into one payload here.
const PACKED: usize = 100;
const LATENESS_SECS: i64 = 900;

fn feed(records: usize) -> Vec<Vec<u8>> {
    hour(records).collect()
}

/// The shipped rules whose files' paths end or begin so.
fn rules(are_meant: impl Fn(&str) -> bool) -> Arc<RuleSet> {
    let documents: Vec<Document> =
        pack::documents().into_iter().filter(|document| are_meant(&document.path)).collect();
    Arc::new(RuleSet::load(&documents, &Environment::default()).unwrap())
}

/// One rule, all of the playbook for SageMaker, and all that is shipped.
fn packs() -> [(&'static str, Arc<RuleSet>); 3] {
    [
        ("one rule", rules(|path| path.ends_with("/dos_01.yml"))),
        ("the playbook's rules", rules(|path| path.contains("sagemaker/"))),
        ("all shipped rules", rules(|_| true)),
    ]
}

/// What a worker does with payloads, so many at a time.
#[inline(never)]
fn run(rules: &Arc<RuleSet>, payloads: &[Vec<u8>], batch: usize) -> usize {
    let engine = Engine::new(rules.clone(), Options::default());
    let mut newest = EventTime::MIN;
    let mut alerts = 0;
    let mut opener = Opener::default();
    for payloads in payloads.chunks(batch) {
        opener.clear();
        for (number, payload) in payloads.iter().enumerate() {
            opener.open(number, payload, &mut |_| {});
        }
        let bytes = |found: &Found| opener.bytes(found, &payloads[found.payload]);
        let records: Vec<Record<'_>> =
            opener.found().iter().filter_map(|found| Record::decode(bytes(found)).ok()).collect();
        let outcome = engine.apply(&records);
        newest = newest.max(outcome.newest.unwrap_or(EventTime::MIN));
        alerts += outcome.alerts.len() + engine.advance(newest.plus(-LATENESS_SECS)).alerts.len();
    }
    alerts
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Naive {
    event_time: Option<String>,
    event_source: Option<String>,
    event_name: Option<String>,
    user_identity: Option<NaiveIdentity>,
    #[serde(rename = "eventID")]
    event_id: Option<String>,
}

#[derive(Deserialize)]
struct NaiveIdentity {
    arn: Option<String>,
}

fn naive(feed: &[Vec<u8>]) -> usize {
    let mut windows: HashMap<String, VecDeque<(i64, String)>> = HashMap::new();
    let mut alerts = 0;
    for bytes in feed {
        let Ok(record) = serde_json::from_slice::<Naive>(bytes) else { continue };
        if record.event_source.as_deref() != Some("sagemaker.amazonaws.com")
            || record.event_name.as_deref() != Some("CreateTrainingJob")
        {
            continue;
        }
        let (Some(time), Some(arn)) = (
            record.event_time.as_deref().and_then(EventTime::parse),
            record.user_identity.and_then(|i| i.arn),
        ) else {
            continue;
        };
        let window = windows.entry(arn).or_default();
        window.push_back((time.0, record.event_id.unwrap_or_default()));
        while window.front().is_some_and(|(oldest, _)| *oldest < time.0 - 600) {
            window.pop_front();
        }
        alerts += usize::from(window.len() == 20);
    }
    alerts
}

fn whole(c: &mut Criterion) {
    let feed = feed(RECORDS);
    let mut group = c.benchmark_group("whole");
    group.throughput(Throughput::Elements(feed.len() as u64)).sample_size(20);
    group.bench_function("naive serde_json, one rule", |b| b.iter(|| naive(black_box(&feed))));
    for (name, rules) in packs() {
        group.bench_function(format!("floodmark, {name}"), |b| {
            b.iter(|| run(&rules, black_box(&feed), BATCH));
        });
    }
    group.finish();
}

/// The same where most traffic is ordinary.
fn ordinary(c: &mut Criterion) {
    let feed = feed(ORDINARY);
    let mut group = c.benchmark_group("ordinary");
    group.throughput(Throughput::Elements(feed.len() as u64)).sample_size(10);
    for (name, rules) in packs() {
        group.bench_function(format!("floodmark, {name}"), |b| {
            b.iter(|| run(&rules, black_box(&feed), BATCH));
        });
    }
    group.finish();
}

/// The same as CloudWatch Logs delivers it to Kinesis.
fn delivered(c: &mut Criterion) {
    let feed = feed(ORDINARY);
    let payloads: Vec<Vec<u8>> =
        feed.chunks(PACKED).map(|records| gzip(&cloud_watch(records))).collect();
    let mut group = c.benchmark_group("delivered");
    group.throughput(Throughput::Elements(feed.len() as u64)).sample_size(10);
    for (name, rules) in packs() {
        group.bench_function(format!("floodmark, {name}"), |b| {
            b.iter(|| run(&rules, black_box(&payloads), BATCH / PACKED));
        });
    }
    group.finish();
}

fn parts(c: &mut Criterion) {
    let feed = feed(RECORDS);
    let records: Vec<Record<'_>> = feed.iter().filter_map(|b| Record::decode(b).ok()).collect();
    let mut group = c.benchmark_group("part");
    group.throughput(Throughput::Elements(records.len() as u64)).sample_size(20);
    group.bench_function("decode", |b| {
        b.iter(|| feed.iter().filter(|bytes| Record::decode(black_box(bytes)).is_ok()).count());
    });
    for (name, rules) in packs() {
        group.bench_function(format!("match, {name}"), |b| {
            b.iter(|| {
                let mut matches = 0;
                for record in &records {
                    rules.matching(&Fields::of(black_box(record)), &mut |_| matches += 1);
                }
                matches
            });
        });
        group.bench_function(format!("match and window, {name}"), |b| {
            b.iter_batched(
                || Engine::new(rules.clone(), Options::default()),
                |engine| {
                    for batch in records.chunks(BATCH) {
                        let newest = engine.apply(black_box(batch)).newest;
                        let newest = newest.unwrap_or(EventTime::MIN);
                        black_box(engine.advance(newest.plus(-LATENESS_SECS)).alerts.len());
                    }
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, whole, ordinary, delivered, parts);
criterion_main!(benches);

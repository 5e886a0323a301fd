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

use criterion::{BatchSize, Bencher, Criterion, Throughput, criterion_group, criterion_main};
use floodmark::generate::{cloud_watch, gzip};
use floodmark::open::Opened;
use floodmark::source::batch::Batch;
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
/// What a batch of the Kafka source holds at most, and how many records a worker decodes at once.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 4 << 20;
const RECORDS_AT_ONCE: usize = 64;
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

/// Payloads as a source hands them on.
fn batches(payloads: &[Vec<u8>]) -> Vec<Batch> {
    let mut batches = vec![Batch::default()];
    for (offset, payload) in payloads.iter().enumerate() {
        let last = batches.last().unwrap();
        if last.len() == BATCH || last.byte_count() > BATCH_BYTES {
            batches.push(Batch::default());
        }
        batches.last_mut().unwrap().push(offset as u64, payload);
    }
    batches
}

/// What a worker does with batches: how many alerts come of it, and the engine, which a daemon keeps.
#[inline(never)]
fn run(rules: &Arc<RuleSet>, batches: &[Batch]) -> (usize, Engine) {
    let engine = Engine::new(rules.clone(), Options::default());
    let mut newest = EventTime::MIN;
    let mut alerts = 0;
    let mut opened = Opened::default();
    for batch in batches {
        let mut next = 0;
        while next < batch.len() {
            next = opened.open(next, "bench", batch, &mut Vec::new());
            let mut all = opened.records(batch);
            let mut whole = engine.begin();
            while all.len() > 0 {
                let mut records = Vec::with_capacity(RECORDS_AT_ONCE);
                let some = all.by_ref().take(RECORDS_AT_ONCE);
                records.extend(some.filter_map(|(_, bytes)| Record::decode(bytes).ok()));
                let outcome = whole.apply(&records);
                newest = newest.max(outcome.newest.unwrap_or(EventTime::MIN));
                alerts += outcome.alerts.len();
            }
            alerts += whole.end().alerts.len();
        }
        alerts += engine.advance(newest.plus(-LATENESS_SECS)).alerts.len();
    }
    (alerts, engine)
}

/// Measures [`run`], but for what it takes to drop the engine.
fn bench_run(b: &mut Bencher<'_>, rules: &Arc<RuleSet>, batches: &[Batch]) {
    b.iter_batched(|| (), |()| run(rules, black_box(batches)), BatchSize::PerIteration);
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
    let batches = batches(&feed);
    let mut group = c.benchmark_group("whole");
    group.throughput(Throughput::Elements(feed.len() as u64)).sample_size(20);
    group.bench_function("naive serde_json, one rule", |b| b.iter(|| naive(black_box(&feed))));
    for (name, rules) in packs() {
        group.bench_function(format!("floodmark, {name}"), |b| {
            bench_run(b, &rules, &batches);
        });
    }
    group.finish();
}

/// The same where most traffic is ordinary.
fn ordinary(c: &mut Criterion) {
    let batches = batches(&feed(ORDINARY));
    let mut group = c.benchmark_group("ordinary");
    group.throughput(Throughput::Elements(ORDINARY as u64)).sample_size(10);
    for (name, rules) in packs() {
        group.bench_function(format!("floodmark, {name}"), |b| {
            bench_run(b, &rules, &batches);
        });
    }
    group.finish();
}

/// The same as CloudWatch Logs delivers it to Kinesis.
fn delivered(c: &mut Criterion) {
    let feed = feed(ORDINARY);
    let payloads: Vec<Vec<u8>> =
        feed.chunks(PACKED).map(|records| gzip(&cloud_watch(records))).collect();
    let batches = batches(&payloads);
    let mut group = c.benchmark_group("delivered");
    group.throughput(Throughput::Elements(feed.len() as u64)).sample_size(10);
    for (name, rules) in packs() {
        group.bench_function(format!("floodmark, {name}"), |b| {
            bench_run(b, &rules, &batches);
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

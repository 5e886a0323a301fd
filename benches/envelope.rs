//! How fast records come out of a CloudWatch Logs batch, and what an ordinary payload costs.
//!
//! `cloudwatch`: the same gzip of 100 records of the generator, inflated, opened, and each message
//! unescaped. Yardsticks in the same run, both with `serde_json` into the smallest struct that
//! does: `default` inflates with `miniz_oxide`, the backend flate2 has by default (called
//! directly and without its checksum, since flate2 itself can have one backend in a program, and
//! ours is zlib-rs); `same_inflater` with flate2 over zlib-rs.
//!
//! `plain`: payloads that are one record each. The yardstick looks only for a line end.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::io::{Read, Write};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use floodmark::envelope::Opener;
use floodmark::generate::{Attacks, Feed, Plan, cloud_watch, deliveries};
use serde::Deserialize;

const RECORDS: usize = 100;

fn feed() -> Vec<Vec<u8>> {
    let plan =
        Plan { records: 2_000, attacks: Attacks::None, feed: Feed::Ordered, ..Plan::default() };
    deliveries(&plan).skip(1_000).take(RECORDS).map(|delivered| delivered.record).collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn cloudwatch(criterion: &mut Criterion) {
    let records = feed();
    let bytes: usize = records.iter().map(Vec::len).sum();
    let payload = packed(&cloud_watch(&records));
    println!("mean record: {} bytes; packed {}", bytes / RECORDS, payload.len() / RECORDS);
    let mut opener = Opener::default();
    assert_eq!(open(&mut opener, &payload), bytes);
    assert_eq!(serde(&miniz(&payload)), bytes);
    assert_eq!(serde(&zlib_rs(&payload)), bytes);

    let mut group = criterion.benchmark_group("cloudwatch");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("floodmark", |bencher| {
        bencher.iter(|| open(&mut opener, black_box(&payload)));
    });
    group.bench_function("default", |bencher| {
        bencher.iter(|| serde(&miniz(black_box(&payload))));
    });
    group.bench_function("same_inflater", |bencher| {
        bencher.iter(|| serde(&zlib_rs(black_box(&payload))));
    });
    let text = zlib_rs(&payload);
    group.bench_function("open_only", |bencher| {
        bencher.iter(|| open(&mut opener, black_box(&text)));
    });
    group.bench_function("serde_only", |bencher| bencher.iter(|| serde(black_box(&text))));
    group.bench_function("inflate_only", |bencher| {
        bencher.iter(|| zlib_rs(black_box(&payload)).len());
    });
    group.finish();
}

fn plain(criterion: &mut Criterion) {
    let records = feed();
    let mut opener = Opener::default();
    let mut group = criterion.benchmark_group("plain");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("floodmark", |bencher| {
        bencher.iter(|| {
            opener.clear();
            for (number, record) in records.iter().enumerate() {
                opener.open(number, black_box(record), &mut |_| {});
            }
            opener.found().len()
        });
    });
    group.bench_function("line_end", |bencher| {
        bencher.iter(|| {
            let is_one = |record: &&Vec<u8>| memchr::memchr2(b'\n', b'\r', record).is_none();
            records.iter().filter(|record| is_one(black_box(record))).count()
        });
    });
    group.finish();
}

fn open(opener: &mut Opener, payload: &[u8]) -> usize {
    opener.clear();
    opener.open(0, payload, &mut |rejected| panic!("{rejected:?}"));
    opener.found().iter().map(|found| opener.bytes(found, payload).len()).sum()
}

/// A gzip of one member with no name in its header.
fn miniz(payload: &[u8]) -> Vec<u8> {
    let deflated = &payload[10..payload.len() - 8];
    miniz_oxide::inflate::decompress_to_vec(deflated).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the payload was made here")]
fn zlib_rs(payload: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    MultiGzDecoder::new(payload).read_to_end(&mut text).unwrap();
    text
}

fn serde(text: &[u8]) -> usize {
    let message: Message = serde_json::from_slice(text).unwrap();
    message.events.iter().map(|event| event.message.len()).sum()
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "logEvents")]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    message: String,
}

criterion_group!(benches, cloudwatch, plain);
criterion_main!(benches);

//! The feed as a reader finds it: parsed with `serde_json`, counted naively, held against the truth.

#![allow(clippy::unwrap_used)]

mod naive;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hasher};

use super::*;
use naive::*;
use serde_json::Value;

/// Small, but dense: what ordinary work does at a multiple of its usual rate must be held down.
fn plan(seed: u64, feed: Feed) -> Plan {
    Plan { seed, records: 40_000, principals: 400, accounts: 8, feed, ..Plan::default() }
}

/// The feed as one number: every byte, arrival and hint.
fn fingerprint(plan: &Plan) -> u64 {
    let mut hasher = DefaultHasher::new();
    for delivered in deliveries(plan) {
        hasher.write_i64(delivered.at.0);
        hasher.write_u64(delivered.partition_hint);
        hasher.write(&delivered.record);
    }
    hasher.finish()
}

#[test]
fn the_same_bytes_for_the_same_plan() {
    for feed in [Feed::Ordered, Feed::Disordered, Feed::FiveMinuteFiles] {
        let first = fingerprint(&plan(1, feed));
        assert_eq!(first, fingerprint(&plan(1, feed)), "{feed:?}");
        assert_ne!(first, fingerprint(&plan(2, feed)), "{feed:?}");
    }
}

#[test]
fn attacks_leave_the_rest_as_it_was() {
    let quiet = Plan { attacks: Attacks::None, ..plan(3, Feed::Ordered) };
    let records = |plan: &Plan| -> BTreeSet<Vec<u8>> {
        deliveries(plan).map(|delivered| delivered.record).collect()
    };
    let (quiet, busy) = (records(&quiet), records(&plan(3, Feed::Ordered)));
    assert!(quiet.is_subset(&busy));
    let planted: BTreeMap<_, _> = planted(&plan(3, Feed::Ordered))
        .into_iter()
        .map(|burst| ((burst.principal, burst.first), burst.count))
        .collect();
    assert_eq!((busy.len() - quiet.len()) as u64, planted.values().sum::<u64>());
}

#[test]
fn every_record_is_one_and_arrives_in_time() {
    for feed in [Feed::Ordered, Feed::Disordered, Feed::FiveMinuteFiles] {
        let plan = plan(4, feed);
        let mut times_by_id: HashMap<String, (i64, Vec<u8>, u32)> = HashMap::new();
        let (mut before, mut newest, mut overtaken) = (EventTime::MIN, EventTime::MIN, 0_u64);
        let mut deliveries_total = 0_u64;
        for delivered in deliveries(&plan) {
            deliveries_total += 1;
            assert!(before <= delivered.at, "deliveries go back in time");
            before = delivered.at;
            let record: Value = serde_json::from_slice(&delivered.record).unwrap();
            let (time, id) = (time(&record), text(&record, "/eventID"));
            assert_eq!(id.len(), 36);
            assert!(record["eventVersion"].is_string() && record["awsRegion"].is_string());
            assert_eq!(text(&record, "/recipientAccountId").len(), 12);
            assert!(plan.start <= time && time < plan.start.plus(plan.duration_secs));
            let delay = delivered.at.0 - time.0;
            let expected = if feed == Feed::Ordered { 0..=0 } else { 0..=DELAY_SECS_MAX };
            assert!(expected.contains(&delay), "{delay} s");
            overtaken += u64::from(time < newest);
            newest = newest.max(time);
            let known = times_by_id.entry(id).or_insert((delay, delivered.record.clone(), 0));
            assert_eq!(known.1, delivered.record, "one id, two records");
            known.2 += 1;
        }
        let share = |part: u64| part * 100 / deliveries_total;
        let twice = times_by_id.values().filter(|(_, _, copies)| *copies == 2).count() as u64;
        let mut delays: Vec<i64> = times_by_id.values().map(|(delay, _, _)| *delay).collect();
        delays.sort_unstable();
        let (half, most) = (delays[delays.len() / 2], delays[delays.len() * 99 / 100]);
        match feed {
            Feed::Ordered => assert_eq!((overtaken, twice, half), (0, 0, 0)),
            Feed::Disordered => {
                assert!((60..=99).contains(&share(overtaken)), "{overtaken} overtaken");
                assert!((8..=14).contains(&share(twice)), "{twice} twice");
                assert!((180..=210).contains(&half) && (500..=560).contains(&most));
            }
            Feed::FiveMinuteFiles => {
                assert!((60..=99).contains(&share(overtaken)), "{overtaken} overtaken");
                assert!(twice > 0);
            }
        }
    }
}

#[test]
fn sizes_are_those_of_real_feeds() {
    let mut sizes: Vec<usize> = deliveries(&Plan { records: 100_000, ..plan(5, Feed::Ordered) })
        .map(|d| d.record.len())
        .collect();
    sizes.sort_unstable();
    let mean = sizes.iter().sum::<usize>() / sizes.len();
    let p99 = sizes[sizes.len() * 99 / 100];
    let most = sizes[sizes.len() - 1];
    assert!((1_400..=2_100).contains(&mean), "mean {mean}, p99 {p99}, most {most}");
    assert!((4_000..=6_000).contains(&p99), "mean {mean}, p99 {p99}, most {most}");
    assert!((30_000..=112_000).contains(&most), "mean {mean}, p99 {p99}, most {most}");
}

#[test]
fn the_truth_is_all_that_a_naive_count_finds() {
    for seed in 1..=4 {
        let plan = Plan { seed, ..plan(seed, Feed::Disordered) };
        let counts = count(deliveries(&plan));
        let mut expected: BTreeMap<(&str, String), &Planted> = BTreeMap::new();
        let planted = planted(&plan);
        assert_eq!(planted.len(), 19);
        for burst in planted.iter().filter(|burst| burst.code != "CRY-01") {
            let key = match burst.code {
                "DOS-06" | "RES-04" | "CFG-02" => burst.account.clone(),
                "CRE-06" => keys_of(&counts, &burst.principal),
                _ => format!("{} {}", burst.account, burst.principal),
            };
            expected.insert((burst.code, key), burst);
        }
        let (found, nearest) = counts.over_their_marks();
        let codes: Vec<_> = found.keys().collect();
        assert_eq!(codes, expected.keys().collect::<Vec<_>>(), "seed {seed}");
        for (key, (first, last, events)) in &found {
            let burst = expected[key];
            assert_eq!((*first, *last, *events), (burst.first, burst.last, burst.count), "{key:?}");
        }
        let near = |code: &str| nearest[code];
        assert_eq!([near("DOS-01"), near("DOS-02"), near("EXF-01")], [19, 9, 24], "seed {seed}");
        assert_eq!([near("CRE-03"), near("CRE-06"), near("CRY-04")], [4, 2, 2], "seed {seed}");
        assert_eq!(near("RES-02"), 2);
        assert!(near("RES-04") >= 24 && near("DOS-06") >= 45 && near("DOS-03") >= 30);
        assert!(near("Decrypt") >= 9 && near("GetSecretValue") >= 9, "budgets are used");
    }
}

#[test]
fn a_new_family_is_new_only_where_it_is_planted() {
    let plan = plan(6, Feed::Ordered);
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    for delivered in history(&plan) {
        assert!(delivered.at < plan.start);
        let record: Value = serde_json::from_slice(&delivered.record).unwrap();
        known.extend(family(&record).map(|family| (account(&record), family)));
    }
    let mut regions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for delivered in deliveries(&plan) {
        let record: Value = serde_json::from_slice(&delivered.record).unwrap();
        let Some(family) = family(&record) else {
            continue;
        };
        if !known.contains(&(account(&record), family)) {
            let key = format!("{} {}", account(&record), principal(&record));
            regions.entry(key).or_default().insert(text(&record, "/awsRegion"));
        }
    }
    let burst = planted(&plan).into_iter().find(|burst| burst.code == "CRY-01").unwrap();
    let in_two: Vec<_> = regions.iter().filter(|(_, regions)| regions.len() >= 2).collect();
    assert_eq!(in_two.len(), 1);
    assert_eq!(*in_two[0].0, format!("{} {}", burst.account, burst.principal));
}

#[test]
fn short_and_quiet_plans_hold_together() {
    for duration_secs in [0, 1, 30] {
        let plan = Plan { duration_secs, records: 500, ..plan(7, Feed::Disordered) };
        assert_eq!(planted(&plan).len(), 19);
        let ids: BTreeSet<Vec<u8>> = deliveries(&plan).map(|d| d.record).collect();
        assert!(ids.len() > 500 + 200);
    }
    let only = Plan { attacks: Attacks::Only(vec!["EXF-01".into()]), ..plan(7, Feed::Ordered) };
    assert_eq!(planted(&only).iter().map(|burst| burst.code).collect::<Vec<_>>(), ["EXF-01"]);
}

#[test]
fn files_hold_what_the_feed_delivers() {
    let plan = Plan { records: 3_000, duration_secs: 900, ..plan(8, Feed::FiveMinuteFiles) };
    let directory = tempfile::tempdir().unwrap();
    let written = write_files(&plan, directory.path()).unwrap();
    let mut in_files: Vec<Value> = Vec::new();
    let mut open = vec![directory.path().to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let file = flate2::read::MultiGzDecoder::new(std::fs::File::open(&path).unwrap());
        let mut content: Value = serde_json::from_reader(file).unwrap();
        let Value::Array(records) = content["Records"].take() else { panic!("no Records") };
        let name = path.file_name().unwrap().to_str().unwrap();
        for record in &records {
            assert!(name.starts_with(&account(record)));
            assert!(path.to_str().unwrap().contains(&text(record, "/awsRegion")), "{name}");
        }
        in_files.extend(records);
    }
    let mut lines = Vec::new();
    assert_eq!(write(&plan, &mut lines).unwrap(), written);
    let mut delivered: Vec<Value> = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let by_text = |record: &Value| record.to_string();
    delivered.sort_by_key(by_text);
    in_files.sort_by_key(by_text);
    assert_eq!(delivered, in_files);
}

#[test]
fn payloads_of_every_wrapping_hold_the_feed() {
    use crate::envelope::Opener;
    use clap::ValueEnum;

    let plan = Plan { records: 300, attacks: Attacks::None, ..plan(9, Feed::Disordered) };
    let feed: Vec<Vec<u8>> = deliveries(&plan).map(|delivered| delivered.record).collect();
    for wrapping in Wrapping::value_variants() {
        let mut written = Vec::new();
        let mut payloads = Payloads::new(&mut written, *wrapping, 40);
        payloads.put_feed(&plan).unwrap();
        assert_eq!(payloads.finish().unwrap(), feed.len() as u64);
        let mut opener = Opener::default();
        // In base64 each line is a payload; all others can be read as a whole.
        let lines: Vec<&[u8]> = match wrapping {
            Wrapping::Kpl => written.trim_ascii_end().split(|byte| *byte == b'\n').collect(),
            _ => vec![&written],
        };
        for (number, line) in lines.iter().enumerate() {
            opener.open(number, line, &mut |rejected| panic!("{wrapping:?}: {rejected:?}"));
        }
        let records = opener.found().iter().map(|found| opener.bytes(found, lines[found.payload]));
        assert!(records.eq(feed.iter()), "{wrapping:?}");
    }
}

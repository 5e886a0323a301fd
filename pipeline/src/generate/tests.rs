//! The feed as a reader finds it: parsed with `serde_json`, counted naively, held against the truth.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hasher};

use super::*;
use serde_json::Value;

/// Small, but dense: what ordinary work does at a multiple of its usual rate must be held down.
fn plan(seed: u64, feed: Feed) -> Plan {
    Plan {
        seed,
        records: 40_000,
        principals: 400,
        accounts: 8,
        feed,
        ..Plan::default()
    }
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
    let quiet = Plan {
        attacks: Attacks::None,
        ..plan(3, Feed::Ordered)
    };
    let records = |plan: &Plan| -> BTreeSet<Vec<u8>> {
        deliveries(plan).map(|delivered| delivered.record).collect()
    };
    let (quiet, busy) = (records(&quiet), records(&plan(3, Feed::Ordered)));
    assert!(quiet.is_subset(&busy));
    let planted: BTreeMap<_, _> = planted(&plan(3, Feed::Ordered))
        .into_iter()
        .map(|burst| ((burst.principal, burst.first), burst.count))
        .collect();
    assert_eq!(
        (busy.len() - quiet.len()) as u64,
        planted.values().sum::<u64>()
    );
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
            let expected = if feed == Feed::Ordered {
                0..=0
            } else {
                0..=DELAY_SECS_MAX
            };
            assert!(expected.contains(&delay), "{delay} s");
            overtaken += u64::from(time < newest);
            newest = newest.max(time);
            let known = times_by_id
                .entry(id)
                .or_insert((delay, delivered.record.clone(), 0));
            assert_eq!(known.1, delivered.record, "one id, two records");
            known.2 += 1;
        }
        let share = |part: u64| part * 100 / deliveries_total;
        let twice = times_by_id
            .values()
            .filter(|(_, _, copies)| *copies == 2)
            .count() as u64;
        let mut delays: Vec<i64> = times_by_id.values().map(|(delay, _, _)| *delay).collect();
        delays.sort_unstable();
        let (half, most) = (delays[delays.len() / 2], delays[delays.len() * 99 / 100]);
        match feed {
            Feed::Ordered => assert_eq!((overtaken, twice, half), (0, 0, 0)),
            Feed::Disordered => {
                assert!(
                    (60..=99).contains(&share(overtaken)),
                    "{overtaken} overtaken"
                );
                assert!((8..=14).contains(&share(twice)), "{twice} twice");
                assert!((180..=210).contains(&half) && (500..=560).contains(&most));
            }
            Feed::FiveMinuteFiles => {
                assert!(
                    (60..=99).contains(&share(overtaken)),
                    "{overtaken} overtaken"
                );
                assert!(twice > 0);
            }
        }
    }
}

#[test]
fn sizes_are_those_of_real_feeds() {
    let mut sizes: Vec<usize> = deliveries(&Plan {
        records: 100_000,
        ..plan(5, Feed::Ordered)
    })
    .map(|d| d.record.len())
    .collect();
    sizes.sort_unstable();
    let mean = sizes.iter().sum::<usize>() / sizes.len();
    let p99 = sizes[sizes.len() * 99 / 100];
    let most = sizes[sizes.len() - 1];
    assert!(
        (1_400..=2_100).contains(&mean),
        "mean {mean}, p99 {p99}, most {most}"
    );
    assert!(
        (4_000..=6_000).contains(&p99),
        "mean {mean}, p99 {p99}, most {most}"
    );
    assert!(
        (30_000..=112_000).contains(&most),
        "mean {mean}, p99 {p99}, most {most}"
    );
}

#[test]
fn the_truth_is_all_that_a_naive_count_finds() {
    for seed in 1..=4 {
        let plan = Plan {
            seed,
            ..plan(seed, Feed::Disordered)
        };
        let counts = count(deliveries(&plan));
        let mut expected: BTreeMap<(&str, String), &Planted> = BTreeMap::new();
        let planted = planted(&plan);
        assert_eq!(planted.len(), 14);
        for burst in planted.iter().filter(|burst| burst.code != "CRY-01") {
            let key = match burst.code {
                "DOS-06" | "RES-04" => burst.account.clone(),
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
            assert_eq!(
                (*first, *last, *events),
                (burst.first, burst.last, burst.count),
                "{key:?}"
            );
        }
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
            regions
                .entry(key)
                .or_default()
                .insert(text(&record, "/awsRegion"));
        }
    }
    let burst = planted(&plan)
        .into_iter()
        .find(|burst| burst.code == "CRY-01")
        .unwrap();
    let in_two: Vec<_> = regions
        .iter()
        .filter(|(_, regions)| regions.len() >= 2)
        .collect();
    assert_eq!(in_two.len(), 1);
    assert_eq!(
        *in_two[0].0,
        format!("{} {}", burst.account, burst.principal)
    );
}

#[test]
fn short_and_quiet_plans_hold_together() {
    for duration_secs in [0, 1, 30] {
        let plan = Plan {
            duration_secs,
            records: 500,
            ..plan(7, Feed::Disordered)
        };
        assert_eq!(planted(&plan).len(), 14);
        let ids: BTreeSet<Vec<u8>> = deliveries(&plan).map(|d| d.record).collect();
        assert!(ids.len() > 500 + 200);
    }
    let only = Plan {
        attacks: Attacks::Only(vec!["EXF-01".into()]),
        ..plan(7, Feed::Ordered)
    };
    assert_eq!(
        planted(&only)
            .iter()
            .map(|burst| burst.code)
            .collect::<Vec<_>>(),
        ["EXF-01"]
    );
}

#[test]
fn files_hold_what_the_feed_delivers() {
    let plan = Plan {
        records: 3_000,
        duration_secs: 900,
        ..plan(8, Feed::FiveMinuteFiles)
    };
    let directory = tempfile::tempdir().unwrap();
    let written = write_files(&plan, directory.path()).unwrap();
    let mut in_files: Vec<Value> = Vec::new();
    let mut open = vec![directory.path().to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let file = flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap());
        let mut content: Value = serde_json::from_reader(file).unwrap();
        let Value::Array(records) = content["Records"].take() else {
            panic!("no Records")
        };
        let name = path.file_name().unwrap().to_str().unwrap();
        for record in &records {
            assert!(name.starts_with(&account(record)));
            assert!(
                path.to_str().unwrap().contains(&text(record, "/awsRegion")),
                "{name}"
            );
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

/// Samples of one rule and key: event id to time and value.
type Samples = BTreeMap<String, (EventTime, String, u64)>;

/// The count of a naive reader.
#[derive(Default)]
struct Counts {
    samples: BTreeMap<(&'static str, String), Samples>,
    keys: BTreeMap<String, String>,
}

const JOBS: [&str; 7] = [
    "CreateTrainingJob",
    "CreateProcessingJob",
    "CreateTransformJob",
    "CreateHyperParameterTuningJob",
    "CreateAutoMLJob",
    "CreateAutoMLJobV2",
    "StartPipelineExecution",
];
const ENDPOINTS: [&str; 4] = [
    "CreateEndpoint",
    "UpdateEndpoint",
    "CreateInferenceComponent",
    "UpdateEndpointWeightsAndCapacities",
];
const OTHER_COMPUTE: [&str; 3] = [
    "CreateNotebookInstance",
    "StartNotebookInstance",
    "CreateApp",
];
const READ: [&str; 5] = [
    "DescribeTrainingJob",
    "DescribeModel",
    "DescribeEndpointConfig",
    "DescribeFeatureGroup",
    "DescribePipeline",
];

/// Marks: what must be reached, in which span. What is counted (events, values, a sum) follows
/// from the value of the samples.
const MARKS: [(&str, u64, i64); 18] = [
    ("DOS-01", 20, 600),
    ("DOS-02", 10, 600),
    ("DOS-03", 50, 60),
    ("DOS-04", 10, 600),
    ("DOS-05", 1, 600),
    ("DOS-06", 50, 600),
    ("RES-02", 3, 3_600),
    ("RES-04", 32, 3_600),
    ("CRY-04", 3, 600),
    ("EXF-01", 25, 600),
    ("CRE-03", 5, 600),
    ("CRE-06", 3, 600),
    ("AWS-07", 50, 60),
    ("Decrypt", 20, 300),
    ("GetSecretValue", 20, 300),
    ("GetParameter", 20, 300),
    ("PutParameter", 20, 300),
    ("GetPasswordData", 20, 300),
];

fn count(deliveries: Deliveries) -> Counts {
    let mut counts = Counts::default();
    for delivered in deliveries {
        let record: Value = serde_json::from_slice(&delivered.record).unwrap();
        counts.take(&record);
    }
    counts
}

impl Counts {
    fn add(&mut self, code: &'static str, key: &str, record: &Value, value: String, amount: u64) {
        let samples = self.samples.entry((code, key.to_owned())).or_default();
        samples.insert(text(record, "/eventID"), (time(record), value, amount));
    }

    fn take(&mut self, record: &Value) {
        let id = text(record, "/eventID");
        let (account, principal) = (account(record), principal(record));
        let key = format!("{account} {principal}");
        let (name, code) = (text(record, "/eventName"), text(record, "/errorCode"));
        let address = text(record, "/sourceIPAddress");
        let access_key = text(record, "/userIdentity/accessKeyId");
        let octets: Vec<&str> = address.split([',', '.']).collect();
        let public = octets.len() >= 4 && octets[0] != "10" && octets[0] != "010";
        if !access_key.is_empty() && public && octets[0].parse::<u8>().is_ok() {
            self.keys.insert(principal.clone(), access_key.clone());
            self.add("CRE-06", &access_key, record, octets[..3].join("."), 1);
        }
        if code == "ThrottlingException" {
            self.add("AWS-07", &key, record, id.clone(), 1);
        }
        for watched in [
            "Decrypt",
            "GetSecretValue",
            "GetParameter",
            "PutParameter",
            "GetPasswordData",
        ] {
            if name == watched {
                self.add(watched, &key, record, id.clone(), 1);
            }
        }
        if text(record, "/eventSource") != "sagemaker.amazonaws.com" {
            return;
        }
        let name = name.as_str();
        let invoked_by = text(record, "/userIdentity/invokedBy");
        let resource = resource(record);
        let compute =
            JOBS.contains(&name) || ENDPOINTS.contains(&name) || OTHER_COMPUTE.contains(&name);
        if code == "ThrottlingException" {
            self.add("DOS-03", &key, record, id.clone(), 1);
        }
        if JOBS.contains(&name) && code != "ThrottlingException" {
            self.add("DOS-01", &key, record, id.clone(), 1);
        }
        if ENDPOINTS.contains(&name) && invoked_by != "application-autoscaling.amazonaws.com" {
            self.add("DOS-02", &key, record, id.clone(), 1);
        }
        if name.starts_with("Delete") || name.starts_with("Stop") {
            self.add("DOS-04", &key, record, format!("{name} {resource}"), 1);
        }
        let limits = "/requestParameters/hyperParameterTuningJobConfig/resourceLimits";
        let limit = |name: &str| {
            record
                .pointer(&format!("{limits}/{name}"))
                .and_then(Value::as_u64)
        };
        if limit("maxNumberOfTrainingJobs") > Some(100)
            || limit("maxParallelTrainingJobs") > Some(10)
        {
            self.add("DOS-05", &key, record, id.clone(), 1);
        }
        if compute {
            self.add("DOS-06", &account, record, id, 1);
            self.add("RES-02", &key, record, text(record, "/awsRegion"), 1);
            if code.is_empty() && accelerators(record) > 0 {
                self.add(
                    "RES-04",
                    &account,
                    record,
                    String::new(),
                    accelerators(record),
                );
            }
            if code.starts_with("ResourceLimitExceeded") {
                self.add("CRY-04", &key, record, machine(record), 1);
            }
        }
        if READ.contains(&name) && invoked_by.is_empty() {
            self.add("EXF-01", &key, record, format!("{name} {resource}"), 1);
        }
        if name.starts_with("CreatePresigned") {
            self.add("CRE-03", &key, record, format!("{name} {resource}"), 1);
        }
    }

    /// For each rule and key with a window over its mark: its first and last sample, and how many;
    /// and for each rule the nearest that anyone else came.
    fn over_their_marks(&self) -> (Found, BTreeMap<&'static str, u64>) {
        let (mut found, mut nearest) = (BTreeMap::new(), BTreeMap::new());
        for ((code, key), samples) in &self.samples {
            let (_, mark, span) = MARKS.iter().find(|(known, _, _)| known == code).unwrap();
            let mut samples: Vec<&(EventTime, String, u64)> = samples.values().collect();
            samples.sort();
            let reached = most_in_a_window(&samples, *span, *code == "RES-04");
            if reached >= *mark {
                let (first, last) = (samples[0].0, samples[samples.len() - 1].0);
                found.insert((*code, key.clone()), (first, last, samples.len() as u64));
            } else {
                let nearest = nearest.entry(*code).or_insert(0);
                *nearest = reached.max(*nearest);
            }
        }
        (found, nearest)
    }
}

/// First and last sample and their number, by rule and key.
type Found = BTreeMap<(&'static str, String), (EventTime, EventTime, u64)>;

/// The most distinct values, or the greatest sum, in any closed window that ends at a sample.
fn most_in_a_window(samples: &[&(EventTime, String, u64)], span: i64, is_sum: bool) -> u64 {
    let (mut begin, mut sum, mut most) = (0, 0, 0);
    let mut held: HashMap<&str, u32> = HashMap::new();
    for (end, (time, value, amount)) in samples.iter().enumerate() {
        *held.entry(value).or_insert(0) += 1;
        sum += amount;
        while samples[begin].0 < time.plus(-span) {
            let (_, value, amount) = samples[begin];
            let left = held.get_mut(value.as_str()).unwrap();
            *left -= 1;
            if *left == 0 {
                held.remove(value.as_str());
            }
            sum -= amount;
            begin += 1;
        }
        // Samples of one second are all in the window.
        if samples.get(end + 1).is_none_or(|next| next.0 != *time) {
            most = most.max(if is_sum { sum } else { held.len() as u64 });
        }
    }
    most
}

fn keys_of(counts: &Counts, principal: &str) -> String {
    counts.keys[principal].clone()
}

fn text(record: &Value, pointer: &str) -> String {
    record
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn time(record: &Value) -> EventTime {
    let time = if record["eventTime"].is_null() {
        "/@timestamp"
    } else {
        "/eventTime"
    };
    EventTime::parse(&text(record, time)).unwrap()
}

fn account(record: &Value) -> String {
    text(record, "/recipientAccountId")
}

/// The role of a session, else the ARN, else the service.
fn principal(record: &Value) -> String {
    [
        "/userIdentity/sessionContext/sessionIssuer/arn",
        "/userIdentity/arn",
        "/userIdentity/invokedBy",
    ]
    .iter()
    .map(|pointer| text(record, pointer))
    .find(|text| !text.is_empty())
    .unwrap_or_default()
}

fn resource(record: &Value) -> String {
    [
        "trainingJobName",
        "modelName",
        "endpointName",
        "endpointConfigName",
        "processingJobName",
        "userProfileName",
        "notebookInstanceName",
        "featureGroupName",
        "pipelineName",
    ]
    .iter()
    .map(|name| text(record, &format!("/requestParameters/{name}")))
    .find(|text| !text.is_empty())
    .unwrap_or_default()
}

fn machine(record: &Value) -> String {
    [
        "/requestParameters/resourceConfig/instanceType",
        "/requestParameters/instanceType",
        "/requestParameters/transformResources/instanceType",
        "/requestParameters/processingResources/clusterConfig/instanceType",
        "/requestParameters/trainingJobDefinition/resourceConfig/instanceType",
    ]
    .iter()
    .map(|pointer| text(record, pointer))
    .find(|text| !text.is_empty())
    .unwrap_or_default()
}

fn family(record: &Value) -> Option<String> {
    let machine = machine(record);
    let family = machine.split('.').nth(1)?;
    (accelerators(record) > 0).then(|| family.to_owned())
}

fn accelerators(record: &Value) -> u64 {
    let each = match machine(record).as_str() {
        "ml.g5.xlarge" | "ml.g4dn.xlarge" | "ml.g6.xlarge" | "ml.p3.2xlarge" => 1,
        "ml.g5.12xlarge" => 4,
        "ml.p4d.24xlarge" | "ml.p5.48xlarge" => 8,
        _ => 0,
    };
    let count = [
        "/requestParameters/resourceConfig/instanceCount",
        "/requestParameters/transformResources/instanceCount",
        "/requestParameters/processingResources/clusterConfig/instanceCount",
    ]
    .iter()
    .find_map(|pointer| record.pointer(pointer).and_then(Value::as_u64))
    .unwrap_or(1);
    each * count
}

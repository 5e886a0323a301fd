//! A naive reader of the feed: `serde_json` and plain counting, from the marks alone.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::super::{Deliveries, EventTime};

/// Samples of one rule and key: event id to time and value.
pub(super) type Samples = BTreeMap<String, (EventTime, String, u64)>;

/// The count of a naive reader.
#[derive(Default)]
pub(super) struct Counts {
    samples: BTreeMap<(&'static str, String), Samples>,
    pub(super) keys: BTreeMap<String, String>,
}

pub(super) const JOBS: [&str; 7] = [
    "CreateTrainingJob",
    "CreateProcessingJob",
    "CreateTransformJob",
    "CreateHyperParameterTuningJob",
    "CreateAutoMLJob",
    "CreateAutoMLJobV2",
    "StartPipelineExecution",
];
pub(super) const ENDPOINTS: [&str; 4] = [
    "CreateEndpoint",
    "UpdateEndpoint",
    "CreateInferenceComponent",
    "UpdateEndpointWeightsAndCapacities",
];
pub(super) const OTHER_COMPUTE: [&str; 3] =
    ["CreateNotebookInstance", "StartNotebookInstance", "CreateApp"];
pub(super) const READ: [&str; 5] = [
    "DescribeTrainingJob",
    "DescribeModel",
    "DescribeEndpointConfig",
    "DescribeFeatureGroup",
    "DescribePipeline",
];
/// The steps by which a running notebook is given another script.
pub(super) const TAKE_OVER: [&str; 3] =
    ["StopNotebookInstance", "UpdateNotebookInstance", "StartNotebookInstance"];

/// Marks: what must be reached, in which span. What is counted (events, values, a sum) follows
/// from the value of the samples.
pub(super) const MARKS: [(&str, u64, i64); 23] = [
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
    ("CFG-01", 1, 3_600),
    ("CFG-02", 3, 7_200),
    ("LOG-01", 1, 3_600),
    ("MAL-01", 1, 3_600),
    ("POI-01", 2, 86_400),
    ("Decrypt", 20, 300),
    ("GetSecretValue", 20, 300),
    ("GetParameter", 20, 300),
    ("PutParameter", 20, 300),
    ("GetPasswordData", 20, 300),
];

pub(super) fn count(deliveries: Deliveries) -> Counts {
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
        for watched in
            ["Decrypt", "GetSecretValue", "GetParameter", "PutParameter", "GetPasswordData"]
        {
            if name == watched {
                self.add(watched, &key, record, id.clone(), 1);
            }
        }
        if name == "StopLogging" {
            self.add("LOG-01", &key, record, id.clone(), 1);
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
        let limit =
            |name: &str| record.pointer(&format!("{limits}/{name}")).and_then(Value::as_u64);
        if limit("maxNumberOfTrainingJobs") > Some(100)
            || limit("maxParallelTrainingJobs") > Some(10)
        {
            self.add("DOS-05", &key, record, id.clone(), 1);
        }
        if TAKE_OVER.contains(&name) {
            self.add("CFG-02", &account, record, name.to_owned(), 1);
        }
        if name.ends_with("LifecycleConfig") {
            self.add("CFG-01", &key, record, id.clone(), 1);
            self.add("MAL-01", &key, record, id.clone(), 1);
        }
        if name.ends_with("ModelPackage") {
            self.add("POI-01", &key, record, name.to_owned(), 1);
        }
        if compute {
            self.add("DOS-06", &account, record, id, 1);
            self.add("RES-02", &key, record, text(record, "/awsRegion"), 1);
            if code.is_empty() && accelerators(record) > 0 {
                self.add("RES-04", &account, record, String::new(), accelerators(record));
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
    pub(super) fn over_their_marks(&self) -> (Found, BTreeMap<&'static str, u64>) {
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
pub(super) type Found = BTreeMap<(&'static str, String), (EventTime, EventTime, u64)>;

/// The most distinct values, or the greatest sum, in any closed window that ends at a sample.
pub(super) fn most_in_a_window(
    samples: &[&(EventTime, String, u64)],
    span: i64,
    is_sum: bool,
) -> u64 {
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

pub(super) fn keys_of(counts: &Counts, principal: &str) -> String {
    counts.keys[principal].clone()
}

pub(super) fn text(record: &Value, pointer: &str) -> String {
    record.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn time(record: &Value) -> EventTime {
    let time = if record["eventTime"].is_null() { "/@timestamp" } else { "/eventTime" };
    EventTime::parse(&text(record, time)).unwrap()
}

pub(super) fn account(record: &Value) -> String {
    text(record, "/recipientAccountId")
}

/// The role of a session, else the ARN, else the service.
pub(super) fn principal(record: &Value) -> String {
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

pub(super) fn resource(record: &Value) -> String {
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

pub(super) fn machine(record: &Value) -> String {
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

pub(super) fn family(record: &Value) -> Option<String> {
    let machine = machine(record);
    let family = machine.split('.').nth(1)?;
    (accelerators(record) > 0).then(|| family.to_owned())
}

pub(super) fn accelerators(record: &Value) -> u64 {
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

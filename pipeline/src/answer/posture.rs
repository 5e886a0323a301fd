//! Which practices were not followed when what the evidence shows was made.
//!
//! The checks are those of the playbook's Config rules (`CONF-*`) and service control policies
//! (`SCP-*`), on the requests at hand, and what identity and network show besides. A call that has
//! no parameters (a refused one) shows no lapse.

use serde::Serialize;
use serde_json::Value;

use super::{Fact, add, owned};

/// One practice that was not followed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Lapse {
    /// `CONF-03`, `SCP-01`; the practice's own name where neither covers it.
    pub(crate) code: &'static str,
    pub(crate) practice: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
}

/// When a request breaks a rule.
#[derive(Debug, Clone, Copy)]
enum Broken {
    /// The member is absent, null or empty.
    Absent,
    /// The member is absent or something else.
    Not(&'static str),
    /// The member is this.
    Is(&'static str),
}

/// Operation, where in the request, when it breaks which practice.
type Check = (&'static str, &'static str, Broken, &'static str, &'static str);

const VPC: &str = "Run it in a VPC of your own";
const VOLUME_KEY: &str = "Encrypt its volume with a key of your own";
const ISOLATION: &str = "Isolate the container from the network";
const ROOT: &str = "Disable root access on notebooks";
const INTERNET: &str = "Disable direct internet access of notebooks";

#[rustfmt::skip]
const CHECKS: &[Check] = &[
    ("CreateNotebookInstance", "subnetId", Broken::Absent, "CONF-03", VPC),
    ("CreateNotebookInstance", "kmsKeyId", Broken::Absent, "CONF-04", VOLUME_KEY),
    ("CreateNotebookInstance", "rootAccess", Broken::Not("Disabled"), "CONF-05", ROOT),
    ("UpdateNotebookInstance", "rootAccess", Broken::Is("Enabled"), "CONF-05", ROOT),
    ("CreateNotebookInstance", "directInternetAccess", Broken::Not("Disabled"), "CONF-06", INTERNET),
    ("CreateEndpointConfig", "kmsKeyId", Broken::Absent, "CONF-01", VOLUME_KEY),
    ("CreateTrainingJob", "vpcConfig", Broken::Absent, "SCP-01", VPC),
    ("CreateHyperParameterTuningJob", "trainingJobDefinition/vpcConfig", Broken::Absent, "SCP-01", VPC),
    ("CreateProcessingJob", "networkConfig/vpcConfig", Broken::Absent, "SCP-01", VPC),
    ("CreateModel", "vpcConfig", Broken::Absent, "SCP-01", VPC),
    ("CreateTrainingJob", "resourceConfig/volumeKmsKeyId", Broken::Absent, "SCP-02", VOLUME_KEY),
    ("CreateHyperParameterTuningJob", "trainingJobDefinition/resourceConfig/volumeKmsKeyId", Broken::Absent, "SCP-02", VOLUME_KEY),
    ("CreateTransformJob", "transformResources/volumeKmsKeyId", Broken::Absent, "SCP-02", VOLUME_KEY),
    ("CreateTrainingJob", "enableNetworkIsolation", Broken::Not("true"), "SCP-04", ISOLATION),
    ("CreateHyperParameterTuningJob", "trainingJobDefinition/enableNetworkIsolation", Broken::Not("true"), "SCP-04", ISOLATION),
    ("CreateModel", "enableNetworkIsolation", Broken::Not("true"), "SCP-04", ISOLATION),
    ("CreateDomain", "appNetworkAccessType", Broken::Not("VpcOnly"), "domain-vpc-only", "Let a Studio domain reach the internet through your VPC alone"),
];

/// Practices not followed, each once for each resource.
pub(crate) fn lapses(facts: &[Fact]) -> Vec<Lapse> {
    let mut found = Vec::new();
    for fact in facts {
        for (code, practice) in of_request(fact).into_iter().chain(of_caller(fact)) {
            let resource = fact.derived("resource").first().cloned();
            let known = found.iter().any(|other: &Lapse| {
                other.code == code && other.practice == practice && other.resource == resource
            });
            if !known {
                let event = owned(fact.text("/eventID"));
                add(&mut found, Lapse { code, practice, resource, event });
            }
        }
    }
    found
}

fn of_request(fact: &Fact) -> Vec<(&'static str, &'static str)> {
    let params = fact.at("/requestParameters").filter(|params| params.is_object());
    let (Some(params), Some("sagemaker.amazonaws.com")) = (params, fact.text("/eventSource"))
    else {
        return Vec::new();
    };
    let operation = fact.text("/eventName").unwrap_or_default();
    let broken = |(_, path, broken, ..): &&Check| {
        let value = params.pointer(&format!("/{path}")).filter(|value| !is_empty(value));
        let word =
            value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        match broken {
            Broken::Absent => word.is_none(),
            Broken::Not(wanted) => word.as_deref() != Some(wanted),
            Broken::Is(refused) => word.as_deref() == Some(refused),
        }
    };
    let checks = CHECKS.iter().filter(|check| check.0 == operation);
    checks.filter(broken).map(|(.., code, practice)| (*code, *practice)).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn of_caller(fact: &Fact) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    match fact.text("/userIdentity/type") {
        Some("Root") => found.push(("root-user", "Do not use the root user")),
        Some("IAMUser") => {
            let key = fact.text("/userIdentity/accessKeyId").unwrap_or_default();
            if key.starts_with("AKIA") {
                found
                    .push(("long-term-keys", "Give people and programs roles, not long-term keys"));
            }
            if fact.flag("/userIdentity/sessionContext/attributes/mfaAuthenticated") == Some(false)
            {
                found.push(("mfa", "Demand a second factor"));
            }
        }
        _ => {}
    }
    let name = fact.text("/eventName").unwrap_or_default();
    if name.starts_with("CreatePresigned") && fact.text("/vpcEndpointId").is_none() {
        found.push(("private-sign-in", "Allow notebook sign-in URLs from your VPC alone"));
    }
    found
}

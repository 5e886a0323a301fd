//! An alert in the AWS Security Finding Format, as `BatchImportFindings` takes it.
//!
//! Security Hub refuses a whole finding for one text that is too long, and takes no finding for
//! another account than the one that calls. So every text and list is cut to its limit, on
//! character boundaries and counted in bytes, which is never too much; and where the importing account
//! is known ([`Home`]) the finding is in its name, the account of the records standing in its
//! resources and product fields.
//!
//! Source of the limits: Security Hub user guide, "AWS Security Finding Format", "Required
//! top-level ASFF attributes", "Optional top-level ASFF attributes", and the API's model.

use floodmark_detectors::alert::Alert;
use floodmark_detectors::principal::partition;
use serde_json::{Map, Value, json};

use super::attack::Named;
use super::ecs::stamp;
use super::ocsf::{View, activity, revision, severity, spoken_ms};
use super::redact::printable;
use crate::answer::{Answer, Counted, Fact, Resource, Step, facts, subjects, unanimous};

/// The account and region that import the finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Twelve digits.
    pub account: String,
    /// Region.
    pub region: String,
}

/// Bytes of a title.
pub const TITLE_BYTES_MAX: usize = 256;
/// Bytes of a description.
pub const DESCRIPTION_BYTES_MAX: usize = 1_024;
/// Bytes of an id, of a finding, a generator or a resource.
pub const ID_BYTES_MAX: usize = 512;
/// Resources of a finding.
pub const RESOURCES_MAX: usize = 32;
/// Product fields of a finding.
pub const PRODUCT_FIELDS_MAX: usize = 50;
/// Bytes of a product field's value.
pub const PRODUCT_FIELD_BYTES_MAX: usize = 2_048;
/// Bytes of a recommendation.
pub const RECOMMENDATION_BYTES_MAX: usize = 512;
/// Bytes of an API's or a service's name in an action.
pub const ACTION_BYTES_MAX: usize = 128;
/// Bytes of a value under a resource's `Details.Other`.
pub const DETAIL_BYTES_MAX: usize = 1_023;

/// The finding. Its `CreatedAt` is the time of the burst's first sample, for it may not change.
#[must_use]
pub fn asff(alert: &Alert, view: View, home: Option<&Home>) -> Value {
    let facts = facts(alert);
    let answer = Answer::of(alert, &facts);
    let card = &alert.rule;
    let of_records = unanimous(&facts, Fact::account);
    let account = home.map(|home| home.account.as_str()).or(of_records).unwrap_or("000000000000");
    let seen = unanimous(&facts, |fact| fact.text("/awsRegion"));
    let region = home.map(|home| home.region.as_str()).or(seen).unwrap_or("us-east-1");
    let partition = partition(region);
    let types = [kind(answer.scenario.as_deref())];
    let label = alert.level.word().to_uppercase();
    let severity = json!({"Label": label, "Original": severity(alert.level).to_string()});
    let is_over = activity(alert.life) == 3 && view != View::Final;
    let mut finding = json!({
        "SchemaVersion": "2018-10-08",
        "Id": alert.id.to_string(),
        "ProductArn": format!(
            "arn:{partition}:securityhub:{region}:{account}:product/{account}/default"
        ),
        "ProductName": "Floodmark",
        "CompanyName": "Floodmark",
        "GeneratorId": some_text(&card.id, ID_BYTES_MAX),
        "AwsAccountId": cut(account, 12),
        "CreatedAt": stamp(super::ocsf::ms(alert.first.0)),
        "UpdatedAt": stamp(spoken_ms(alert, view)),
        "FirstObservedAt": stamp(super::ocsf::ms(alert.first.0)),
        "LastObservedAt": stamp(super::ocsf::ms(alert.last.0)),
        "Types": types,
        "Severity": severity,
        "FindingProviderFields": {"Severity": severity, "Types": types},
        "Title": some_text(&card.title, TITLE_BYTES_MAX),
        "Description": some_text(&answer.reason, DESCRIPTION_BYTES_MAX),
        "Resources": resources(&facts, &answer, account, region),
        "ProductFields": product_fields(alert, view, &facts, &answer),
        "RecordState": if is_over { "ARCHIVED" } else { "ACTIVE" },
    });
    let step = answer.containment.iter().find(|step| step.command.is_some()).map(Step::line);
    if let Some(step) = step {
        let text = cut(&printable(&step), RECOMMENDATION_BYTES_MAX);
        finding["Remediation"] = json!({"Recommendation": {"Text": text}});
        if let Some(url) = card.references.first().filter(|url| url.starts_with("https://")) {
            finding["Remediation"]["Recommendation"]["Url"] =
                cut(url, RECOMMENDATION_BYTES_MAX).into();
        }
    }
    if let Some(action) = action(alert, &facts) {
        finding["Action"] = action;
    }
    finding
}

/// The namespace of the finding's type.
fn kind(scenario: Option<&str>) -> &'static str {
    match scenario {
        Some("exfiltration") => "Effects/Data Exfiltration",
        Some("poisoning") => "Unusual Behaviors/Data",
        Some("resource_abuse" | "cryptojacking") => "Effects/Resource Consumption",
        Some("dos") => "Effects/Denial of Service",
        Some("config_change") => "TTPs/Persistence",
        Some("log_tampering") => "TTPs/Defense Evasion",
        Some("malware") => "TTPs/Execution",
        Some("credential_theft") => "TTPs/Credential Access",
        Some("config_rule" | "scp") => {
            "Software and Configuration Checks/AWS Security Best Practices"
        }
        _ => "Unusual Behaviors/User",
    }
}

/// Who acted, then what it is about; the account where there is neither, since one is demanded.
fn resources(facts: &[Fact], answer: &Answer, account: &str, region: &str) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    let mut add = |kind: &str, id: &str, of: &Resource| {
        let id = cut(&printable(id), ID_BYTES_MAX);
        if found.len() == RESOURCES_MAX || id.is_empty() || found.iter().any(|one| one["Id"] == id)
        {
            return;
        }
        let region = of.region.as_deref().unwrap_or(region);
        let mut one =
            json!({"Type": kind, "Id": id, "Region": region, "Partition": partition(region)});
        if kind == "Other"
            && let Some(kind) = &of.kind
        {
            one["Details"] = json!({"Other": {"Type": cut(kind, DETAIL_BYTES_MAX)}});
        }
        found.push(one);
    };
    for Counted { what: actor, .. } in &answer.actors {
        let principal = actor.principal.as_deref().unwrap_or_default();
        let kind = match principal {
            arn if arn.contains(":role/") => "AwsIamRole",
            arn if arn.contains(":user/") => "AwsIamUser",
            _ => "Other",
        };
        add(kind, principal, &Resource::default());
    }
    for subject in facts.iter().flat_map(subjects) {
        let kind = match subject.kind.as_deref() {
            Some("AWS::SageMaker::NotebookInstance") => "AwsSageMakerNotebookInstance",
            Some("AWS::S3::Bucket") => "AwsS3Bucket",
            Some("AWS::S3::Object") => "AwsS3Object",
            Some("AWS::IAM::Role") => "AwsIamRole",
            Some("AWS::IAM::User") => "AwsIamUser",
            _ => "Other",
        };
        add(kind, &subject.uid, &subject);
    }
    add("AwsAccount", &format!("AWS::::Account:{account}"), &Resource::default());
    found
}

fn product_fields(alert: &Alert, view: View, facts: &[Fact], answer: &Answer) -> Value {
    let named = Named::of(&alert.rule.tags);
    let join = |list: Vec<&str>| list.join(" ");
    let ids = |of: &[(String, String)]| join(of.iter().map(|(id, _)| id.as_str()).collect());
    let events = facts.iter().filter_map(|fact| fact.text("/eventID")).collect();
    let key = alert.rule.group_by.iter().zip(alert.key.iter());
    let mut fields: Vec<(String, String)> = vec![
        ("revision".into(), revision(alert, view).to_string()),
        ("count".into(), alert.count.to_string()),
        ("mark".into(), alert.rule.mark.clone()),
        ("code".into(), alert.rule.code.clone().unwrap_or_default()),
        ("rule_version".into(), alert.rule.version.clone()),
        ("scenario".into(), answer.scenario.clone().unwrap_or_default()),
        ("account".into(), unanimous(facts, Fact::account).unwrap_or_default().into()),
        ("tactics".into(), ids(&named.tactics)),
        ("techniques".into(), ids(&named.techniques)),
        ("events".into(), join(events)),
    ];
    if matches!(view, View::Backfill { .. }) {
        fields.push(("backfill".into(), "true".into()));
    }
    if let Some(incident) = &alert.incident {
        fields.push(("incident".into(), incident.id.to_string()));
        fields.push(("page".into(), incident.page.to_string()));
        fields.push(("enrichment".into(), incident.enrichment.join(" ")));
    }
    for (name, value) in key {
        fields.push((format!("key/{}", cut(name, 100)), super::redact::text(value)));
    }
    let steps = answer.containment.iter().map(Step::line).enumerate();
    fields.extend(steps.map(|(place, step)| (format!("containment/{:02}", place + 1), step)));
    let fields = fields.into_iter().filter(|(_, value)| !value.is_empty()).take(PRODUCT_FIELDS_MAX);
    let fields: Map<String, Value> = fields
        .map(|(name, value)| {
            let value = cut(&printable(&value), PRODUCT_FIELD_BYTES_MAX);
            (format!("floodmark/{name}"), value.into())
        })
        .collect();
    Value::Object(fields)
}

/// The first call of the evidence.
fn action(alert: &Alert, facts: &[Fact]) -> Option<Value> {
    let fact = facts.first()?;
    let name = cut(&printable(fact.text("/eventName")?), ACTION_BYTES_MAX);
    let service = cut(&printable(fact.text("/eventSource")?), ACTION_BYTES_MAX);
    let mut call = json!({
        "Api": name,
        "ServiceName": service,
        "FirstSeen": stamp(super::ocsf::ms(alert.first.0)),
        "LastSeen": stamp(super::ocsf::ms(alert.last.0)),
    });
    match fact.ip() {
        Some(std::net::IpAddr::V4(ip)) => {
            call["CallerType"] = "remoteIp".into();
            call["RemoteIpDetails"] = json!({"IpAddressV4": ip.to_string()});
        }
        // The format knows addresses of version 4 alone.
        Some(std::net::IpAddr::V6(_)) => call["CallerType"] = "remoteIp".into(),
        None => {
            let domain = fact.text("/sourceIPAddress")?;
            call["CallerType"] = "domain".into();
            call["DomainDetails"] = json!({"Domain": cut(&printable(domain), ACTION_BYTES_MAX)});
        }
    }
    Some(json!({"ActionType": "AWS_API_CALL", "AwsApiCallAction": call}))
}

/// A text that must be there.
fn some_text(text: &str, bytes_max: usize) -> String {
    let text = cut(&printable(text), bytes_max);
    if text.trim().is_empty() { "-".to_owned() } else { text }
}

/// At most so many bytes, whole characters.
pub(super) fn cut(text: &str, bytes_max: usize) -> String {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default().to_owned()
}

#[cfg(test)]
#[path = "asff_tests.rs"]
mod tests;

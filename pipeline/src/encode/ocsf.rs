//! An alert as an OCSF 1.8.0 Detection Finding (class 2004) with the `cloud` profile.
//!
//! The same alert gives the same bytes: keys are in alphabetical order, no clock is read, no path
//! of this machine is in it. Who acted stands in `evidences[].actor`, because the class has no
//! actor of its own without the `host` profile. What OCSF has no place for stands under
//! `unmapped.floodmark`: the group-by fields with their values as the object `key`, and the answers
//! to the questions of an incident (`docs/alerts.md`). Records are
//! redacted ([`redact`]); where one is cut to an excerpt, `metadata.is_truncated` says so.
//!
//! Source: the ocsf-schema repository, tag 1.8.0, `events/findings/detection_finding.json`.

mod own;

use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::rule::Level;
use floodmark_detectors::time::EventTime;
use serde_json::{Map, Value, json};

pub(super) use own::floodmark;

use super::attack::attacks;
use super::redact;
use super::text::sentence;
use crate::answer::{Answer, Fact, Harm, Resource, Step, facts, subjects, unanimous};

/// Version of the schema.
pub const VERSION: &str = "1.8.0";

/// Resources and observables of one finding, and values of one evidence field.
pub const RESOURCES_MAX: usize = 32;
/// See [`RESOURCES_MAX`].
pub const OBSERVABLES_MAX: usize = 64;
/// See [`RESOURCES_MAX`].
pub const VALUES_MAX: usize = 16;

/// From where an alert is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// A replay, which knows the whole: the burst is created once, at its last sample.
    Final,
    /// As it happens: created, updated and closed, at the time of saying so.
    Life {
        /// Wall clock, ms since the Unix epoch.
        now_ms: i64,
    },
    /// As it happens in a backlog: the same, and it was over long before.
    Backfill {
        /// As there.
        now_ms: i64,
    },
}

/// The finding.
#[must_use]
pub fn ocsf(alert: &Alert, view: View) -> Value {
    let mut facts = facts(alert);
    let answer = Answer::of(alert, &facts);
    let message = format!("{}: {}", redact::printable(&alert.rule.title), sentence(alert, &facts));
    // The record that opened the burst stands behind the others, unless it is one of them.
    let crossing = alert.crossing.iter().filter(|crossing| !alert.evidence.contains(crossing));
    facts.extend(crossing.map(Fact::of));
    let last_ms = ms(alert.last.0);
    let activity = if view == View::Final { 1 } else { activity(alert.life) };
    let (sequence, now_ms) = (revision(alert, view), spoken_ms(alert, view));
    let mut finding = json!({
        "activity_id": activity,
        "category_uid": 2,
        "class_uid": 2004,
        "cloud": cloud(&facts),
        "count": alert.count,
        "duration": last_ms.saturating_sub(ms(alert.first.0)),
        "end_time": last_ms,
        "finding_info": finding_info(alert, activity, now_ms),
        "is_alert": activity != 3,
        "message": message,
        "metadata": metadata(alert, sequence, &facts),
        "severity_id": severity(alert.level),
        "start_time": ms(alert.first.0),
        "status_id": if activity == 3 { 4 } else { 1 },
        "time": now_ms,
        "timezone_offset": 0,
        "type_uid": 200_400 + activity,
        "unmapped": {"floodmark": floodmark(alert, view, &answer)},
    });
    if answer.impact.worst() > Harm::None {
        // OCSF counts from 1, low, to 3, high; 4, critical, is for people to say.
        finding["impact_id"] = (answer.impact.worst() as i64).into();
    }
    set_object(&mut finding, "remediation", remediation(alert, &answer));
    let evidences: Vec<Value> = facts.iter().map(evidence).collect();
    set_list(&mut finding, "observables", observables(&evidences));
    set_list(&mut finding, "evidences", evidences);
    set_list(&mut finding, "resources", resources(&facts));
    finding
}

pub(super) fn ms(seconds: i64) -> i64 {
    seconds.saturating_mul(1_000)
}

/// Time at which it is said, ms.
pub(super) fn spoken_ms(alert: &Alert, view: View) -> i64 {
    match view {
        View::Final => ms(alert.last.0),
        View::Life { now_ms } | View::Backfill { now_ms } => now_ms,
    }
}

/// Which saying of it this is, from 1.
pub(super) fn revision(alert: &Alert, view: View) -> u32 {
    match view {
        View::Final => 1,
        View::Life { .. } | View::Backfill { .. } => alert.revision,
    }
}

/// Where in its life the burst is, in one word; a replay tells it once.
pub(super) fn life(alert: &Alert, view: View) -> &'static str {
    match view {
        View::Final => "final",
        View::Life { .. } | View::Backfill { .. } => alert.life.word(),
    }
}

pub(super) fn activity(life: Life) -> i64 {
    match life {
        Life::Open => 1,
        Life::Update => 2,
        Life::Closed | Life::Merged(_) => 3,
    }
}

pub(super) fn severity(level: Level) -> i64 {
    match level {
        Level::Informational => 1,
        Level::Low => 2,
        Level::Medium => 3,
        Level::High => 4,
        Level::Critical => 5,
    }
}

fn metadata(alert: &Alert, sequence: u32, facts: &[Fact]) -> Value {
    let mut metadata = json!({
        "product": {
            "name": "Floodmark",
            "vendor_name": "Floodmark",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "profiles": ["cloud"],
        "sequence": sequence,
        "uid": format!("{}:{sequence}", alert.id),
        "version": VERSION,
    });
    let cut = facts.iter().filter(|fact| fact.redacted.is_excerpt);
    let cut_bytes: usize = cut.map(|fact| fact.bytes).sum();
    if cut_bytes > 0 {
        metadata["is_truncated"] = true.into();
        metadata["untruncated_size"] = cut_bytes.div_ceil(1_024).into();
    }
    metadata
}

fn cloud(facts: &[Fact]) -> Value {
    let mut cloud = json!({"provider": "AWS"});
    if let Some(region) = unanimous(facts, |fact| fact.text("/awsRegion")) {
        cloud["region"] = region.into();
    }
    if let Some(account) = unanimous(facts, Fact::account) {
        cloud["account"] = json!({"type_id": 10, "uid": account});
    }
    cloud
}

fn finding_info(alert: &Alert, activity: i64, now_ms: i64) -> Value {
    let card = &alert.rule;
    let mut info = json!({
        "analytic": {"name": card.title, "type_id": 1, "uid": card.id},
        "data_sources": ["AWS CloudTrail"],
        "first_seen_time": ms(alert.first.0),
        "last_seen_time": ms(alert.last.0),
        "title": card.title,
        "uid": alert.id.to_string(),
    });
    let moment = if activity == 1 { "created_time" } else { "modified_time" };
    info[moment] = now_ms.into();
    if !card.version.is_empty() {
        info["analytic"]["version"] = card.version.as_str().into();
    }
    if let Some(scenario) = &card.scenario {
        info["types"] = json!([scenario]);
    }
    if !card.description.is_empty() {
        info["desc"] = card.description.as_str().into();
    }
    set_list(&mut info, "attacks", attacks(&card.tags));
    info
}

fn evidence(fact: &Fact) -> Value {
    let mut evidence = json!({"data": fact.redacted.data});
    if let Some(uid) = fact.text("/eventID") {
        evidence["uid"] = uid.into();
    }
    if let Some(operation) = fact.text("/eventName") {
        let mut api = json!({"operation": operation});
        if let Some(service) = fact.text("/eventSource") {
            api["service"] = json!({"name": service});
        }
        if let Some(request) = fact.text("/requestID").or_else(|| fact.text("/eventID")) {
            api["request"] = json!({"uid": request});
        }
        if let Some(error) = fact.text("/errorCode") {
            api["response"] = json!({"error": error});
            if let Some(message) = fact.text("/errorMessage") {
                api["response"]["error_message"] = message.into();
            }
        }
        evidence["api"] = api;
    }
    set_object(&mut evidence, "actor", actor(fact));
    let mut from = Map::new();
    match (fact.ip(), fact.text("/sourceIPAddress")) {
        (Some(ip), _) => put(&mut from, "ip", Some(&ip.to_string())),
        (None, service) => put(&mut from, "svc_name", service),
    }
    set_object(&mut evidence, "src_endpoint", from);
    let mut request = Map::new();
    put(&mut request, "user_agent", fact.text("/userAgent"));
    set_object(&mut evidence, "http_request", request);
    evidence
}

fn actor(fact: &Fact) -> Map<String, Value> {
    let mut user = Map::new();
    put(&mut user, "name", fact.actor());
    put(&mut user, "type", fact.text("/userIdentity/type"));
    put(&mut user, "uid_alt", fact.text("/userIdentity/arn"));
    put(&mut user, "credential_uid", fact.text("/userIdentity/accessKeyId"));
    let uid = fact.text("/userIdentity/principalId");
    put(&mut user, "uid", uid.or_else(|| fact.text("/userIdentity/arn")));
    if let Some(account) = fact.text("/userIdentity/accountId") {
        user.insert("account".into(), json!({"type_id": 10, "uid": account}));
    }
    // OCSF's user wants one of these; a type alone says nothing.
    if !["name", "uid", "account"].iter().any(|key| user.contains_key(*key)) {
        user.clear();
    }
    let mut session = Map::new();
    let issuer = fact.text("/userIdentity/sessionContext/sessionIssuer/arn");
    put(&mut session, "issuer", issuer);
    put(&mut session, "uid", fact.session());
    let created = fact.text("/userIdentity/sessionContext/attributes/creationDate");
    if let Some(created) = created.and_then(EventTime::parse) {
        session.insert("created_time".into(), ms(created.0).into());
    }
    let mfa = fact.at("/userIdentity/sessionContext/attributes/mfaAuthenticated");
    match mfa.map(|mfa| mfa.as_str().unwrap_or(if mfa == true { "true" } else { "" })) {
        Some("true") => session.insert("is_mfa".into(), true.into()),
        Some("false") => session.insert("is_mfa".into(), false.into()),
        _ => None,
    };
    let mut actor = Map::new();
    put(&mut actor, "app_name", fact.text("/userIdentity/invokedBy"));
    for (name, part) in [("user", user), ("session", session)] {
        if !part.is_empty() {
            actor.insert(name.into(), Value::Object(part));
        }
    }
    actor
}

/// What the records say they touched, and the ARNs that answers and requests name.
fn resources(facts: &[Fact]) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    let mut add = |uid: &str, kind: Option<&str>, account: Option<&str>| {
        if found.len() == RESOURCES_MAX || found.iter().any(|resource| resource["uid"] == uid) {
            return;
        }
        let mut resource = json!({"role_id": 1, "uid": uid});
        let read = Resource::of_arn(uid).unwrap_or_default();
        if let Some(kind) = kind.or(read.kind.as_deref()) {
            resource["type"] = kind.into();
        }
        if !read.name.is_empty() {
            resource["name"] = read.name.into();
        }
        if let Some(region) = read.region {
            resource["region"] = region.into();
        }
        if let Some(account) = account {
            resource["owner"] = json!({"account": {"type_id": 10, "uid": account}});
        }
        found.push(resource);
    };
    for fact in facts {
        let named = fact.at("/resources").and_then(Value::as_array);
        for resource in named.into_iter().flatten() {
            let of = |key| resource.get(key).and_then(Value::as_str);
            if let Some(uid) = of("ARN").or_else(|| of("arn")) {
                add(uid, of("type"), of("accountId"));
            }
        }
        for place in ["/responseElements", "/requestParameters"] {
            let members = fact.at(place).and_then(Value::as_object);
            for (key, value) in members.into_iter().flatten() {
                let arn = value.as_str().filter(|text| text.starts_with("arn:"));
                // A role that a request passes on is no target of it.
                if let Some(arn) = arn.filter(|_| !key.to_ascii_lowercase().contains("role")) {
                    add(arn, None, None);
                }
            }
        }
        for subject in subjects(fact) {
            add(&subject.uid, subject.kind.as_deref(), None);
        }
    }
    found
}

/// The steps of containment as text, for receivers that show nothing else of them.
fn remediation(alert: &Alert, answer: &Answer) -> Map<String, Value> {
    let mut remediation = Map::new();
    let steps: Vec<String> = answer.containment.iter().map(Step::line).collect();
    if !steps.is_empty() {
        remediation.insert("desc".into(), steps.join("\n").into());
        if !alert.rule.references.is_empty() {
            remediation.insert("references".into(), alert.rule.references.clone().into());
        }
    }
    remediation
}

/// Scalars worth a search elsewhere: (path in an evidence, OCSF `type_id`).
const OBSERVED: [(&str, i64); 7] = [
    ("actor.user.account.uid", 35),
    ("actor.user.credential_uid", 19),
    ("actor.user.name", 4),
    ("actor.user.uid", 31),
    ("actor.user.uid_alt", 10),
    ("http_request.user_agent", 16),
    ("src_endpoint.ip", 2),
];

fn observables(evidences: &[Value]) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for (i, evidence) in evidences.iter().enumerate() {
        for (path, type_id) in OBSERVED {
            let value = path.split('.').try_fold(evidence, |at, key| at.get(key));
            let Some(value) = value.and_then(Value::as_str) else {
                continue;
            };
            let known =
                found.iter().any(|other| other["value"] == value && other["type_id"] == type_id);
            if !known && found.len() < OBSERVABLES_MAX {
                let name = format!("evidences[{i}].{path}");
                found.push(json!({"name": name, "type_id": type_id, "value": value}));
            }
        }
    }
    found
}

fn put(into: &mut Map<String, Value>, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        into.insert(key.into(), text.into());
    }
}

fn set_object(into: &mut Value, key: &str, members: Map<String, Value>) {
    if !members.is_empty() {
        into[key] = Value::Object(members);
    }
}

fn set_list(into: &mut Value, key: &str, elements: Vec<Value>) {
    if !elements.is_empty() {
        into[key] = Value::Array(elements);
    }
}

#[cfg(test)]
#[path = "ocsf_tests.rs"]
pub(crate) mod tests;

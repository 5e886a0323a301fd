//! An alert as a document of the Elastic Common Schema, version 9.
//!
//! `event.kind` is `alert`: in ECS that is a rule's finding from outside the Elastic Stack. What ECS
//! has no field for stands under `floodmark`, as in the OCSF form; records are not in it, since each
//! of their members would become a field of the index. One framework goes into one document: ATT&CK
//! where the rule names it, else ATLAS.
//!
//! Source: Elastic Common Schema reference 9, and its field list.

use floodmark_detectors::alert::Alert;
use floodmark_detectors::rule::{Level, Mode};
use serde_json::{Map, Value, json};

use super::attack::Named;
use super::ocsf::{View, floodmark, ms, revision, severity, spoken_ms};
use super::redact::printable;
use super::text::sentence;
use crate::answer::{Answer, Counted, Fact, distinct, facts, unanimous};

/// Version of the schema.
pub const VERSION: &str = "9.0.0";

/// The document.
#[must_use]
pub fn ecs(alert: &Alert, view: View) -> Value {
    let facts = facts(alert);
    let answer = Answer::of(alert, &facts);
    let card = &alert.rule;
    let title = printable(&card.title);
    let mut document = json!({
        "@timestamp": stamp(spoken_ms(alert, view)),
        "ecs": {"version": VERSION},
        "event": event(alert, view, &facts, &answer),
        "message": format!("{title}: {}", sentence(alert, &facts)),
        "rule": {"id": card.id, "name": title, "ruleset": "floodmark"},
        "cloud": {"provider": "aws"},
        "observer": {
            "product": "Floodmark",
            "vendor": "Floodmark",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "floodmark": floodmark(alert, view, &answer),
    });
    let mut put = |path: [&str; 2], value: Option<Value>| {
        if let Some(value) = value {
            document[path[0]][path[1]] = value;
        }
    };
    let text = |text: &str| Some(Value::from(text)).filter(|_| !text.is_empty());
    put(["rule", "uuid"], text(&card.id).filter(|_| card.id.len() == 36));
    put(["rule", "version"], text(&card.version));
    put(["rule", "description"], text(&card.description));
    put(["rule", "category"], card.scenario.as_deref().and_then(text));
    put(["rule", "reference"], card.references.first().and_then(|first| text(first)));
    let account = unanimous(&facts, Fact::account);
    put(["cloud", "account"], account.map(|id| json!({"id": id})));
    put(["cloud", "region"], unanimous(&facts, |fact| fact.text("/awsRegion")).map(Value::from));
    put(["floodmark", "events"], Some(facts.iter().map(brief).collect()));
    if let Some(Counted { what: actor, .. }) = answer.actors.first() {
        put(["user", "name"], actor.name.clone().map(Value::from));
        put(["user", "id"], actor.principal.clone().map(Value::from));
    }
    let agent = distinct(&facts, |fact| fact.text("/userAgent")).first().map(|it| json!(it));
    put(["user_agent", "original"], agent);
    let mut ips: Vec<String> = Vec::new();
    for ip in facts.iter().filter_map(Fact::ip).map(|ip| ip.to_string()) {
        if !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    put(["source", "ip"], ips.first().map(|ip| json!(ip)));
    put(["related", "ip"], Some(json!(ips)).filter(|_| !ips.is_empty()));
    let users = distinct(&facts, Fact::actor);
    put(["related", "user"], Some(json!(users)).filter(|_| !users.is_empty()));
    let error = unanimous(&facts, |fact| fact.text("/errorCode"));
    put(["error", "code"], error.map(Value::from));
    if let Some(threat) = threat(&card.tags) {
        document["threat"] = threat;
    }
    document
}

fn event(alert: &Alert, view: View, facts: &[Fact], answer: &Answer) -> Value {
    let impact = &answer.impact;
    let outcome = match (impact.calls_granted, impact.calls_failed) {
        (1.., 0) => "success",
        (0, 1..) => "failure",
        _ => "unknown",
    };
    let category = match answer.scenario.as_deref() {
        Some("config_change" | "config_rule" | "scp" | "log_tampering") => {
            json!(["intrusion_detection", "configuration"])
        }
        Some("credential_theft") => json!(["intrusion_detection", "iam"]),
        Some("malware") => json!(["intrusion_detection", "malware"]),
        _ => json!(["intrusion_detection"]),
    };
    let mut event = json!({
        "category": category,
        "created": stamp(spoken_ms(alert, view)),
        "dataset": "floodmark.alert",
        "duration": ms(alert.last.0.saturating_sub(alert.first.0)).saturating_mul(1_000_000),
        "end": alert.last.to_string(),
        "id": format!("{}:{}", alert.id, revision(alert, view)),
        "kind": if alert.rule.mode == Mode::Alert { "alert" } else { "event" },
        "module": "floodmark",
        "outcome": outcome,
        "provider": "Floodmark",
        "reason": answer.reason,
        "risk_score": risk(alert.level),
        "severity": severity(alert.level),
        "start": alert.first.to_string(),
        "type": ["info"],
    });
    if let Some(code) = &alert.rule.code {
        event["code"] = code.as_str().into();
    }
    if let Some(name) = facts.first().and_then(|fact| fact.text("/eventName")) {
        event["action"] = name.into();
    }
    event
}

/// As Elastic Security weighs its own rules' severities.
fn risk(level: Level) -> f64 {
    match level {
        Level::Informational => 5.0,
        Level::Low => 21.0,
        Level::Medium => 47.0,
        Level::High => 73.0,
        Level::Critical => 99.0,
    }
}

/// What finds a record of the evidence again.
fn brief(fact: &Fact) -> Value {
    let mut brief = Map::new();
    brief.insert("time".into(), fact.time.to_string().into());
    for (name, path) in [
        ("id", "/eventID"),
        ("request", "/requestID"),
        ("name", "/eventName"),
        ("error", "/errorCode"),
    ] {
        if let Some(text) = fact.text(path) {
            brief.insert(name.into(), text.into());
        }
    }
    Value::Object(brief)
}

fn threat(tags: &[String]) -> Option<Value> {
    let named = Named::of(tags);
    let framework = if named.is_atlas { "MITRE ATLAS" } else { "MITRE ATT&CK" };
    let mut threat = json!({"framework": framework});
    let list = |of: &[(String, String)]| {
        let (ids, names): (Vec<&String>, Vec<&String>) =
            of.iter().map(|(id, name)| (id, name)).unzip();
        json!({"id": ids, "name": names})
    };
    if !named.tactics.is_empty() {
        threat["tactic"] = list(&named.tactics);
    }
    if !named.techniques.is_empty() {
        threat["technique"] = list(&named.techniques);
    }
    if !named.sub_techniques.is_empty() {
        threat["technique"]["subtechnique"] = list(&named.sub_techniques);
    }
    (threat.as_object().is_some_and(|members| members.len() > 1)).then_some(threat)
}

/// RFC 3339 with milliseconds.
pub(super) fn stamp(ms: i64) -> String {
    let whole = floodmark_detectors::time::EventTime(ms.div_euclid(1_000)).to_string();
    whole.replace('Z', &format!(".{:03}Z", ms.rem_euclid(1_000)))
}

#[cfg(test)]
#[path = "ecs_tests.rs"]
mod tests;

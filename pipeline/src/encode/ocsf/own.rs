//! What Floodmark says beyond the schemas: `unmapped.floodmark`.

use std::ops::ControlFlow;

use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::field::{Fields, Path};
use floodmark_detectors::record::{Record, Value as Found};
use serde_json::{Map, Value, json};

use super::super::redact;
use super::{VALUES_MAX, View, life, revision, set_list};
use crate::answer::Answer;

/// The object.
pub(in super::super) fn floodmark(alert: &Alert, view: View, answer: &Answer) -> Value {
    let card = &alert.rule;
    let merged_into = match (view, alert.life) {
        (View::Life { .. } | View::Backfill { .. }, Life::Merged(into)) => Some(into),
        _ => None,
    };
    let key: Map<String, Value> = card
        .group_by
        .iter()
        .zip(alert.key.iter())
        .map(|(name, value)| (name.clone(), redact::text(value).into()))
        .collect();
    let mut own = json!({
        "code": card.code,
        "count_is_floor": alert.count_is_floor,
        "key": key,
        "level": alert.level.word(),
        "life": life(alert, view),
        "mark": card.mark,
        "merged_into": merged_into.map(|into| into.to_string()),
        "mode": card.mode.word(),
        "page": alert.incident.as_ref().is_some_and(|incident| incident.page),
        "revision": revision(alert, view),
        "timespan_secs": card.timespan_secs,
    });
    if matches!(view, View::Backfill { .. }) {
        own["backfill"] = true.into();
    }
    if let Some(incident) = &alert.incident {
        own["incident"] = (*incident.id).into();
        let codes = incident.enrichment.iter().map(|code| redact::text(code).into());
        set_list(&mut own, "enrichment", codes.collect());
    }
    let values = values(alert);
    if !values.is_empty() {
        own["values"] = Value::Object(values);
    }
    let answers = serde_json::to_value(answer).expect("answers are texts, numbers and lists");
    if let (Some(own), Value::Object(answers)) = (own.as_object_mut(), answers) {
        own.extend(answers);
    }
    own
}

/// The fields that the rule wants in its alert, each with its different values.
fn values(alert: &Alert) -> Map<String, Value> {
    let mut values = Map::new();
    for name in &alert.rule.evidence {
        let (Ok(path), false) = (Path::parse(name), name.split('.').any(redact::is_secret)) else {
            continue;
        };
        let mut found: Vec<Value> = Vec::new();
        for evidence in &alert.evidence {
            let Ok(record) = Record::decode(&evidence.record) else {
                continue;
            };
            let seen = Fields::of(&record).visit(&path, &mut |value| {
                if let Some(value) = owned(value).filter(|value| !found.contains(value)) {
                    found.push(value);
                }
                if found.len() < VALUES_MAX {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            if seen.is_break() {
                break;
            }
        }
        if !found.is_empty() {
            values.insert(name.clone(), found.into());
        }
    }
    values
}

fn owned(value: Found<'_>) -> Option<Value> {
    match value {
        Found::Missing | Found::Null => None,
        Found::Bool(yes) => Some(yes.into()),
        Found::Number(digits) => {
            Some(serde_json::from_str(&digits).unwrap_or_else(|_| Value::from(digits.into_owned())))
        }
        Found::Text(text) => Some(redact::text(&text).into()),
        Found::Array(raw) | Found::Object(raw) => Some(redact::record(raw.0).data),
    }
}

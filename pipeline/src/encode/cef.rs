//! An alert as one line of the ArcSight Common Event Format, version 0.
//!
//! In the header a backslash and a bar are escaped, in values a backslash and an equals sign, and
//! line ends are written `\n` and `\r` there; other control characters are replaced. Lengths are
//! counted after escaping, which is never too much, and no escape is cut in two.
//!
//! Source: ArcSight Common Event Format implementation standard, revision 26.

use std::net::IpAddr;

use floodmark_detectors::alert::Alert;
use floodmark_detectors::rule::Level;

use super::attack::Named;
use super::ocsf::{View, life, ms, revision, spoken_ms};
use super::redact::{printable, text};
use crate::answer::{Answer, Fact, Step, distinct, facts, unanimous};

/// Characters of the signature id, and of a value where its key has no narrower limit.
pub const VALUE_CHARS_MAX: usize = 1_023;
/// Characters of the name.
pub const NAME_CHARS_MAX: usize = 512;

/// Keys with a narrower limit.
const LIMITS: [(&str, usize); 3] = [("act", 63), ("outcome", 63), ("externalId", 40)];

/// The line, its end not in it.
#[must_use]
pub fn cef(alert: &Alert, view: View) -> String {
    let facts = facts(alert);
    let answer = Answer::of(alert, &facts);
    let card = &alert.rule;
    let mut line = format!(
        "CEF:0|Floodmark|Floodmark|{}|{}|{}|{}|",
        env!("CARGO_PKG_VERSION"),
        header(card.code.as_deref().unwrap_or(&card.id), VALUE_CHARS_MAX),
        header(&card.title, NAME_CHARS_MAX),
        severity(alert.level),
    );
    let values: Vec<String> = extension(alert, view, &facts, &answer)
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{key}={}", escaped(&value, limit(key))))
        .collect();
    line += &values.join(" ");
    line
}

fn severity(level: Level) -> u8 {
    match level {
        Level::Informational => 1,
        Level::Low => 3,
        Level::Medium => 5,
        Level::High => 8,
        Level::Critical => 10,
    }
}

fn extension(
    alert: &Alert,
    view: View,
    facts: &[Fact],
    answer: &Answer,
) -> Vec<(&'static str, String)> {
    let first = |path: &str| {
        let found = facts.iter().find_map(|fact| fact.text(path));
        found.map(str::to_owned).unwrap_or_default()
    };
    let join = |list: Vec<&str>| list.join(" ");
    let actor = answer.actors.first().map(|actor| &actor.what);
    let named = Named::of(&alert.rule.tags);
    let techniques = named.sub_techniques.iter().chain(&named.techniques);
    let techniques = join(techniques.map(|(id, _)| id.as_str()).collect());
    let key = alert.rule.group_by.iter().zip(alert.key.iter());
    let key: Vec<String> = key.map(|(name, value)| text(&format!("{name}={value}"))).collect();
    let account = unanimous(facts, Fact::account).unwrap_or_default();
    let command = answer.containment.iter().find(|step| step.command.is_some()).map(Step::line);
    let (mut v4, mut v6) = (String::new(), String::new());
    match facts.iter().find_map(Fact::ip) {
        Some(IpAddr::V4(ip)) => v4 = ip.to_string(),
        Some(IpAddr::V6(ip)) => v6 = ip.to_string(),
        None => {}
    }
    let outcome = match (answer.impact.calls_granted, answer.impact.calls_failed) {
        (1.., 0) => "success",
        (0, 1..) => "failure",
        _ => "unknown",
    };
    let mut values = vec![
        ("rt", spoken_ms(alert, view).to_string()),
        ("start", ms(alert.first.0).to_string()),
        ("end", ms(alert.last.0).to_string()),
        ("externalId", alert.id.to_string()),
        ("cnt", alert.count.to_string()),
        ("cat", answer.scenario.clone().unwrap_or_default()),
        ("act", life(alert, view).to_owned()),
        ("outcome", outcome.to_owned()),
        ("msg", answer.reason.clone()),
        ("src", v4),
        ("suser", actor.and_then(|actor| actor.name.clone()).unwrap_or_default()),
        ("suid", actor.and_then(|actor| actor.principal.clone()).unwrap_or_default()),
        ("requestClientApplication", first("/userAgent")),
        ("destinationServiceName", first("/eventSource")),
    ];
    let incident = alert.incident.as_ref();
    let page = incident.map(|incident| u8::from(incident.page).to_string());
    let backfill = if matches!(view, View::Backfill { .. }) { "true" } else { "" };
    let labelled = [
        ("cs1", "cs1Label", "key", key.join(" ")),
        ("cs2", "cs2Label", "attack", techniques),
        ("cs3", "cs3Label", "region", join(distinct(facts, |fact| fact.text("/awsRegion")))),
        ("cs4", "cs4Label", "account", account.to_owned()),
        ("cs5", "cs5Label", "events", join(distinct(facts, |fact| fact.text("/eventID")))),
        ("cs6", "cs6Label", "containment", command.unwrap_or_default()),
        ("cn1", "cn1Label", "revision", revision(alert, view).to_string()),
        ("cn2", "cn2Label", "timespan_secs", alert.rule.timespan_secs.to_string()),
        ("cn3", "cn3Label", "page", page.unwrap_or_default()),
        (
            "flexString1",
            "flexString1Label",
            "incident",
            incident.map(|incident| incident.id.to_string()).unwrap_or_default(),
        ),
        ("flexString2", "flexString2Label", "backfill", backfill.to_owned()),
        ("c6a2", "c6a2Label", "source IPv6 address", v6),
    ];
    for (key, label_key, label, value) in labelled {
        if !value.is_empty() {
            values.push((key, value));
            values.push((label_key, label.to_owned()));
        }
    }
    values
}

fn limit(key: &str) -> usize {
    let narrower = LIMITS.iter().find(|(known, _)| *known == key);
    narrower.map_or(VALUE_CHARS_MAX, |(_, limit)| *limit)
}

fn header(text: &str, chars_max: usize) -> String {
    bounded(&printable(text), chars_max, |c| match c {
        '\\' => Some("\\\\"),
        '|' => Some("\\|"),
        _ => None,
    })
}

fn escaped(text: &str, chars_max: usize) -> String {
    // Spaces at the end would be taken for the space before the next key.
    bounded(text.trim_end(), chars_max, |c| match c {
        '\\' => Some("\\\\"),
        '=' => Some("\\="),
        '\n' => Some("\\n"),
        '\r' => Some("\\r"),
        _ => None,
    })
}

fn bounded(text: &str, chars_max: usize, escape: impl Fn(char) -> Option<&'static str>) -> String {
    let mut out = String::new();
    let mut chars = 0;
    for c in text.chars() {
        let mut own = [0; 4];
        let piece = escape(c).map_or_else(|| printable(c.encode_utf8(&mut own)), str::to_owned);
        chars += piece.chars().count();
        if chars > chars_max {
            break;
        }
        out += &piece;
    }
    out
}

#[cfg(test)]
#[path = "cef_tests.rs"]
mod tests;

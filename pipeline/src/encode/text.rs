//! An alert as a person wants to read it in a terminal, and in one sentence.
//!
//! Names in it are chosen by whoever sends records, so control characters are replaced.

use floodmark_detectors::alert::{Alert, Life, Usual};
use floodmark_detectors::rule::Level;
use floodmark_detectors::time::EventTime;

use super::ocsf::View;
use super::redact::{printable, text};
use crate::answer::{Fact, distinct, facts, unanimous};

/// Operations named before the rest is only counted.
const OPERATIONS_MAX: usize = 3;

/// Two to five lines, each ended: level and title; what, by whom, from where, when; against which
/// mark; the key; the incident, and whether it pages.
#[must_use]
pub fn lines(alert: &Alert, view: View, colour: bool) -> String {
    let facts = facts(alert);
    let code = alert.rule.code.as_deref().map(|code| format!(" {code}"));
    let life = match alert.life {
        Life::Open => "",
        Life::Update => " (goes on)",
        Life::Closed => " (over)",
        Life::Merged(_) => " (merged)",
    };
    let life = match view {
        View::Backfill { .. } => format!("{life} (backfill)"),
        View::Life { .. } | View::Final => life.to_owned(),
    };
    let level = alert.level.word().to_uppercase();
    let head = format!("{level}{} {}", code.unwrap_or_default(), alert.rule.title);
    let mut lines = if colour {
        let paint = match alert.level {
            Level::Critical => "1;37;41",
            Level::High => "1;31",
            Level::Medium => "1;33",
            Level::Low => "1;36",
            Level::Informational => "1",
        };
        format!("\x1b[{paint}m{}\x1b[0m{life}\n", printable(&head))
    } else {
        format!("{}{life}\n", printable(&head))
    };
    let from = match distinct(&facts, |fact| fact.text("/sourceIPAddress")).as_slice() {
        [] => String::new(),
        [one] => format!(" from {one}"),
        [first, rest @ ..] => format!(" from {first} and {} more", rest.len()),
    };
    let said = format!("{}{}{from}, {}", what(alert, &facts), by(alert, &facts), span(alert));
    lines += &format!("  {}\n", printable(&said));
    if !alert.rule.mark.is_empty() {
        lines += &format!("  mark: {}\n", printable(&alert.rule.mark));
    }
    let key = key_in_words(alert);
    if !key.is_empty() {
        lines += &format!("  {key}\n");
    }
    if let Some(incident) = &alert.incident {
        let page = if incident.page { ", page" } else { "" };
        let also = match incident.enrichment.join(", ") {
            codes if codes.is_empty() => codes,
            codes => format!(", with {}", printable(&codes)),
        };
        lines += &format!("  incident {}{page}{also}\n", incident.id);
    }
    lines
}

/// The alert in one sentence, its title not in it.
#[must_use]
pub(crate) fn sentence(alert: &Alert, facts: &[Fact]) -> String {
    let mark = match alert.rule.mark.as_str() {
        "" => String::new(),
        mark => format!(" (mark: {mark})"),
    };
    let end = match alert.life {
        Life::Open | Life::Update => "",
        Life::Closed => "; it is over",
        Life::Merged(_) => "; it goes on in another alert, which it has grown together with",
    };
    printable(&format!("{}{}, {}{mark}{end}", what(alert, facts), by(alert, facts), span(alert)))
}

/// What a tired person wants to know first: who did what, how fast against which mark, from where,
/// whether it was granted, and what it is a sign of.
#[must_use]
pub(crate) fn reason(alert: &Alert, facts: &[Fact]) -> String {
    let secs = alert.last.0.saturating_sub(alert.first.0);
    let took = match secs {
        0 => "at once".to_owned(),
        1..=119 => format!("within {secs} seconds"),
        120..=7_199 => format!("within {} minutes", (secs + 59) / 60),
        _ => format!("within {} hours", (secs + 3_599) / 3_600),
    };
    let from = match distinct(facts, |fact| fact.text("/sourceIPAddress")).as_slice() {
        [] => String::new(),
        [one] => format!(" from {one}"),
        many => format!(" from {} addresses", many.len()),
    };
    let failed = facts.iter().filter(|fact| fact.failed()).count();
    let granted = match failed {
        0 => "",
        failed if failed == facts.len() => "; all that are kept were refused",
        _ => "; some were refused",
    };
    let mark = match alert.rule.mark.as_str() {
        "" => String::new(),
        mark => format!("; {mark} is the mark"),
    };
    let usual = match alert.usual {
        None => String::new(),
        Some(Usual { most, .. }) => format!(", at most {most} is usual"),
    };
    let sign = match alert.rule.scenario.as_deref().and_then(sign) {
        Some(sign) => format!("; a sign of {sign}"),
        None => String::new(),
    };
    let (what, by) = (what(alert, facts), by(alert, facts));
    printable(&format!("{what}{by}{from} {took}{granted}{mark}{usual}{sign}."))
}

/// A scenario of the playbook in words.
fn sign(scenario: &str) -> Option<&'static str> {
    Some(match scenario {
        "exfiltration" => "models or data being taken out",
        "poisoning" => "models or data being tampered with",
        "resource_abuse" => "computing that is not ours being run on our account",
        "cryptojacking" => "coins being mined on our account",
        "dos" => "service or budget being flooded away",
        "config_change" => "settings being opened up",
        "log_tampering" => "tracks being covered",
        "malware" => "hostile code being brought in",
        "credential_theft" => "stolen or borrowed credentials",
        "config_rule" | "scp" => "a practice that is not followed",
        _ => return None,
    })
}

/// `2 CreateTrainingJob calls` where the evidence is all there is; where it is the first and last
/// of more, `24 calls such as CreateTrainingJob`.
fn what(alert: &Alert, facts: &[Fact]) -> String {
    let floor = if alert.count_is_floor { "at least " } else { "" };
    let calls = if alert.count == 1 { "call" } else { "calls" };
    let operations = distinct(facts, |fact| fact.text("/eventName"));
    match operations.as_slice() {
        [] => format!("{floor}{} {calls}", alert.count),
        [one] if facts.len() as u64 >= alert.count => format!("{} {one} {calls}", alert.count),
        many => {
            let named: Vec<&str> = many.iter().take(OPERATIONS_MAX).copied().collect();
            let more = if many.len() > OPERATIONS_MAX { ", .." } else { "" };
            format!("{floor}{} {calls} such as {}{more}", alert.count, named.join(", "))
        }
    }
}

/// ` by ml-dev in account 111122223333`; without evidence, the key.
fn by(alert: &Alert, facts: &[Fact]) -> String {
    let account = unanimous(facts, Fact::account)
        .map(|account| format!(" in account {account}"))
        .unwrap_or_default();
    match distinct(facts, Fact::actor).as_slice() {
        [] if alert.key.is_empty() => account,
        [] => format!(" with {}{account}", key_in_words(alert)),
        [one] => format!(" by {one}{account}"),
        [first, rest @ ..] => format!(" by {first} and {} more{account}", rest.len()),
    }
}

/// `floodmark.principal=arn:aws:..  awsRegion=eu-west-1`.
fn key_in_words(alert: &Alert) -> String {
    let parts: Vec<String> = alert
        .rule
        .group_by
        .iter()
        .zip(alert.key.iter())
        .map(|(name, value)| printable(&text(&format!("{name}={value}"))))
        .collect();
    parts.join("  ")
}

/// `2026-01-31 10:00:00 to 10:03:00 UTC`, the second date only where it is another.
fn span(alert: &Alert) -> String {
    let (first, last) = (stamp(alert.first), stamp(alert.last));
    if first == last {
        return format!("{first} UTC");
    }
    match (first.split_once(' '), last.split_once(' ')) {
        (Some((day, _)), Some((same, time))) if day == same => format!("{first} to {time} UTC"),
        _ => format!("{first} to {last} UTC"),
    }
}

fn stamp(time: EventTime) -> String {
    time.to_string().replace('T', " ").replace('Z', "")
}

/// `1 rule`, `2 rules`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::ocsf::tests::burst;

    #[test]
    fn a_burst_reads_well() {
        assert_eq!(
            lines(&burst(), View::Final, false),
            "HIGH DOS-01 SageMaker job burst\n  \
             24 calls such as CreateTrainingJob by ml-dev in account 111122223333 from 198.51.100.7, \
             2026-01-01 00:00:00 to 00:03:00 UTC\n  \
             mark: at least 20 events in 180 s\n  \
             floodmark.principal=arn:aws:iam::111122223333:role/ml-dev\n"
        );
        let painted = lines(&burst(), View::Final, true);
        assert!(painted.starts_with("\x1b[1;31mHIGH DOS-01 SageMaker job burst\x1b[0m\n"));
        let late = lines(&burst(), View::Backfill { now_ms: 1 }, false);
        assert!(late.starts_with("HIGH DOS-01 SageMaker job burst (backfill)\n"));
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        let mut alert = burst();
        alert.key = vec!["a\x1b[2Jb\r\n\u{202e}c".into()].into();
        alert.evidence.clear();
        let lines = lines(&alert, View::Final, false);
        assert_eq!(lines.lines().count(), 4);
        assert!(!lines.contains(['\x1b', '\r', '\u{202e}']));
        assert!(lines.contains("24 calls with floodmark.principal=a\u{fffd}[2Jb"));
    }
}

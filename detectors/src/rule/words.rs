//! A rule's mark in words, for people.

use super::correlation::{Condition, SUM_UNIT};
use super::load::{Body, Draft};
use super::{Kind, Threshold};

/// `at least 20 events in 600 s`.
pub(crate) fn mark(draft: &Draft, kind: &Kind, timespan_secs: i64) -> String {
    let correlation = match &draft.body {
        Body::Correlation(correlation) => Some(correlation),
        _ => None,
    };
    let field = match correlation.map(|correlation| &correlation.condition) {
        Some(Condition::Numbers { field: Some((field, _)), .. }) => field.as_str(),
        _ => "",
    };
    let rules = |between: &str| {
        let rules = correlation.map(|correlation| correlation.rules.as_slice());
        let names = rules.unwrap_or_default().iter().map(|(name, _)| name.as_str());
        names.collect::<Vec<_>>().join(between)
    };
    let fields = |fields: &[(String, usize)]| {
        let names = fields.iter().map(|(name, _)| name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let special = draft.extension.special.as_ref();
    match kind {
        Kind::Count(threshold) if correlation.is_none() && *threshold == Threshold::at_least(1) => {
            "one event".to_owned()
        }
        Kind::Count(threshold) => {
            format!("{} events in {timespan_secs} s", numbers(threshold, 1))
        }
        Kind::Distinct(threshold) => {
            format!("{} different values of {field} in {timespan_secs} s", numbers(threshold, 1))
        }
        Kind::Sum(threshold) => {
            format!("{field} adding up to {} in {timespan_secs} s", numbers(threshold, SUM_UNIT))
        }
        Kind::Temporal(_) => match correlation.map(|correlation| &correlation.condition) {
            Some(Condition::Expression(expression, _)) => {
                format!("{expression} in {timespan_secs} s")
            }
            Some(Condition::Numbers { threshold, .. }) => {
                let numbers = numbers(threshold, 1);
                format!("{numbers} of {} in {timespan_secs} s", rules(", "))
            }
            _ => {
                let differ = match draft.extension.differ.as_slice() {
                    [] => String::new(),
                    differ => format!(", each with another {}", fields(differ)),
                };
                format!("{}{differ} in {timespan_secs} s", rules(" and "))
            }
        },
        Kind::Ordered(_) => format!("{} in {timespan_secs} s", rules(", then ")),
        Kind::FirstSeen { memory_secs, .. } => format!(
            "{} not seen for {} in {memory_secs} s",
            fields(special.map(|s| s.value.as_slice()).unwrap_or_default()),
            fields(special.map(|s| s.group_by.as_slice()).unwrap_or_default())
        ),
        Kind::Surge { bucket_secs, factor_milli, floor, .. } => format!(
            "at least {floor} events in {bucket_secs} s and {} times the mean before",
            format!("{}.{:03}", factor_milli / 1_000, factor_milli % 1_000)
                .trim_end_matches('0')
                .trim_end_matches('.')
        ),
        Kind::Silence { quiet_secs, .. } => format!("nothing for {quiet_secs} s"),
    }
}

fn numbers(threshold: &Threshold, unit: u64) -> String {
    let parts = [
        ("at least", threshold.gte),
        ("at most", threshold.lte),
        ("exactly", threshold.eq),
        ("other than", threshold.neq),
    ];
    let words = parts.into_iter().filter_map(|(word, number)| {
        let number = number?;
        let (whole, part) = (number / unit, number % unit);
        Some(if part == 0 {
            format!("{word} {whole}")
        } else {
            format!("{word} {whole}.{part:06}")
        })
    });
    words.collect::<Vec<_>>().join(" and ")
}

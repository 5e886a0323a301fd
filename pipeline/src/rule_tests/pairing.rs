//! Bursts and expectations, paired off.

use std::fmt;

use floodmark_detectors::alert::Alert;
use yaml_serde::Value;

use super::written::{Expected, Offset};

/// Expectations that no burst is left for, and bursts that no expectation is left for, by place.
///
/// As many as can be are paired (augmenting paths), so that a loose expectation never takes the
/// burst that a strict one needs.
pub(super) fn unpaired(expected: &[Expected], found: &[Alert]) -> (Vec<usize>, Vec<usize>) {
    let mut taken: Vec<Option<usize>> = vec![None; found.len()];
    let mut lonely = Vec::new();
    for place in 0..expected.len() {
        let mut asked = vec![false; found.len()];
        if !pair(place, expected, found, &mut taken, &mut asked) {
            lonely.push(place);
        }
    }
    let free = (0..found.len()).filter(|burst| taken.get(*burst) == Some(&None));
    (lonely, free.collect())
}

/// Finds a burst for the expectation at `place`. The depth is at most the number of bursts that
/// fit one test's expectations.
fn pair(
    place: usize,
    expected: &[Expected],
    found: &[Alert],
    taken: &mut [Option<usize>],
    asked: &mut [bool],
) -> bool {
    let Some(wish) = expected.get(place) else { return false };
    for (burst, alert) in found.iter().enumerate() {
        if asked.get(burst) != Some(&false) || !wish.fits(alert) {
            continue;
        }
        if let Some(asked) = asked.get_mut(burst) {
            *asked = true;
        }
        let holder = taken.get(burst).copied().flatten();
        if holder.is_none_or(|holder| pair(holder, expected, found, taken, asked)) {
            if let Some(slot) = taken.get_mut(burst) {
                *slot = Some(place);
            }
            return true;
        }
    }
    false
}

impl Expected {
    fn fits(&self, alert: &Alert) -> bool {
        let card = &alert.rule;
        let is_named = |name: &String| {
            card.id.eq_ignore_ascii_case(name)
                || card.name.as_ref() == Some(name)
                || card.title == *name
        };
        let has_key = |(field, wanted): (&String, &Value)| {
            let mut fields = card.group_by.iter().zip(alert.key.iter());
            fields.any(|(name, value)| name == field && text(wanted) == **value)
        };
        self.code.as_ref().is_none_or(|code| card.code.as_ref() == Some(code))
            && self.rule.as_ref().is_none_or(is_named)
            && self.count.is_none_or(|count| count == alert.count)
            && self.level.is_none_or(|level| level == alert.level)
            && self.first.is_none_or(|first| first.time() == alert.first)
            && self.last.is_none_or(|last| last.time() == alert.last)
            && self.key.iter().all(has_key)
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => yaml_serde::to_string(other).unwrap_or_default().trim_end().to_owned(),
    }
}

/// In the words of the format.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key: Vec<String> =
            self.key.iter().map(|(field, value)| format!("{field}: {}", text(value))).collect();
        let parts = [
            self.code.as_ref().map(|code| format!("code: {code}")),
            self.rule.as_ref().map(|rule| format!("rule: {rule}")),
            self.count.map(|count| format!("count: {count}")),
            self.level.map(|level| format!("level: {}", level.word())),
            (!key.is_empty()).then(|| format!("key: {{{}}}", key.join(", "))),
            self.first.map(|first| format!("first: {first}")),
            self.last.map(|last| format!("last: {last}")),
        ];
        write!(f, "{{{}}}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// A burst in the words of the format, all that an expectation can name.
pub(super) fn burst(alert: &Alert) -> String {
    let card = &alert.rule;
    let (what, name) = match &card.code {
        Some(code) => ("code", code),
        None => ("rule", card.name.as_ref().unwrap_or(&card.id)),
    };
    let fields = card.group_by.iter().zip(alert.key.iter());
    let key: Vec<String> = fields.map(|(field, value)| format!("{field}: {value}")).collect();
    format!(
        "{{{what}: {name}, count: {}, level: {}, key: {{{}}}, first: {}, last: {}}}",
        alert.count,
        alert.level.word(),
        key.join(", "),
        Offset::of(alert.first),
        Offset::of(alert.last)
    )
}

//! What a matched record leaves in a window: the only thing between matching and windows.

use std::borrow::Cow;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hash128, SipHasher13};
use smallvec::{SmallVec, smallvec};

use crate::field::{Fields, Path};
use crate::record::{EventId, Value};
use crate::rule::{Kind, Members, Rule, Tap};
use crate::time::EventTime;

/// The place of a rule in its [`RuleSet`](crate::rule::RuleSet).
pub type RuleIndex = usize;

/// Which window: a keyed hash of the rule's tag and the group-by values.
///
/// Group-by values are chosen by whoever sends records, so the hash is keyed (SipHash-1-3) and
/// 128 bits wide: nobody can aim two keys at one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WindowKey(pub u128);

impl WindowKey {
    /// The window of `rule_tag` for these group-by values, in the order of the rule's group-by.
    #[must_use]
    pub fn of<'a>(
        seed: u64,
        rule_tag: u64,
        values: impl Iterator<Item = &'a str> + Clone,
    ) -> WindowKey {
        WindowKey(hash(seed, rule_tag, values).as_u128())
    }

    /// The same for a key as it was drawn.
    pub(crate) fn of_key(seed: u64, rule_tag: u64, key: &DrawnKey<'_>) -> WindowKey {
        WindowKey::of(seed, rule_tag, key.iter().map(AsRef::as_ref))
    }
}

/// One matched record in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The rule whose window it goes to.
    pub rule: RuleIndex,
    /// The window.
    pub window: WindowKey,
    /// Event time.
    pub time: EventTime,
    /// Event identity.
    pub id: EventId,
    /// What the rule's kind asks for: nothing (0) for counts, the keyed hash of the value for
    /// distinct values and `first_seen`, millionths for sums, the bit of the member for temporal
    /// rules (where members must differ, see [`Members::apart`]).
    pub value: u64,
}

/// Most distinct elements of an array that count as keys or values of one record.
pub const ELEMENTS_MAX: usize = 64;

/// The group-by values of one window, in order: borrowed from the record while they only have to
/// be hashed.
pub type DrawnKey<'f> = SmallVec<[Cow<'f, str>; 3]>;

/// The samples that a matched record gives one tap: one for each combination of key and value.
#[derive(Debug, Default)]
pub struct Drawn<'f> {
    /// Samples, each with the place of its key in `keys`.
    pub samples: SmallVec<[(Sample, usize); 1]>,
    /// Group-by values.
    pub keys: SmallVec<[DrawnKey<'f>; 1]>,
    /// The record had no value for a group-by field: it is not counted.
    pub is_keyless: bool,
    /// A value to be summed was no non-negative number.
    pub is_odd_value: bool,
}

/// Draws the samples of one record for `tap`, whose rule is `rule`.
#[must_use]
pub fn draw<'f>(tap: &Tap, rule: &Rule, fields: &'f Fields<'_, '_>, seed: u64) -> Drawn<'f> {
    let mut drawn = Drawn { keys: keys(&tap.group_by, fields, &|_| None), ..Drawn::default() };
    drawn.is_keyless = drawn.keys.is_empty();
    if drawn.is_keyless {
        return drawn;
    }
    let values = values(tap, rule, fields, seed, &mut drawn.is_odd_value);
    let (time, id) = (fields.record().time(), fields.id(seed));
    for (place, key) in drawn.keys.iter().enumerate() {
        let window = WindowKey::of_key(seed, rule.tag, key);
        for value in &values {
            drawn.samples.push((Sample { rule: tap.rule, window, time, id, value: *value }, place));
        }
    }
    drawn
}

/// What the rule's kind measures of a record: one number a distinct value; none where it lacks it.
pub fn values(
    tap: &Tap,
    rule: &Rule,
    fields: &Fields<'_, '_>,
    seed: u64,
    is_odd_value: &mut bool,
) -> SmallVec<[u64; 2]> {
    match rule.kind {
        Kind::Count(_) | Kind::Surge { .. } | Kind::Silence { .. } => smallvec![0],
        Kind::Temporal(Members::Apart(_)) => hashes(&rule.differ, fields, seed)
            .map(|hash| Members::apart(tap.member, hash))
            .collect(),
        Kind::Temporal(_) | Kind::Ordered(_) => smallvec![1 << (tap.member & 63)],
        Kind::Distinct(_) | Kind::FirstSeen { .. } => hashes(&tap.value, fields, seed).collect(),
        Kind::Sum(_) => {
            let mut found = SmallVec::new();
            for value in tap.value.iter().flat_map(|path| texts(path, fields)) {
                match millionths(&value) {
                    Some(number) => found.push(number),
                    None => *is_odd_value = true,
                }
            }
            found
        }
    }
}

/// The keyed hash of every combination of the distinct values at `paths`.
fn hashes(paths: &[Path], fields: &Fields<'_, '_>, seed: u64) -> impl Iterator<Item = u64> {
    keys(paths, fields, &|_| None)
        .into_iter()
        .map(move |values| hash(seed, 1, values.iter().map(AsRef::as_ref)).h1)
}

/// The keyed hash of texts, no two lists of which are the same bytes.
fn hash<'a>(seed: u64, tag: u64, values: impl Iterator<Item = &'a str> + Clone) -> Hash128 {
    let hasher = SipHasher13::new_with_keys(seed, tag);
    let mut room = [0_u8; 256];
    let mut end = 0;
    for value in values.clone() {
        let Some(place) = room.get_mut(end..end + 8 + value.len()) else {
            let long = values.flat_map(|value| {
                (value.len() as u64).to_le_bytes().into_iter().chain(value.bytes())
            });
            return hasher.hash(&long.collect::<Vec<u8>>());
        };
        let (length, text) = place.split_at_mut(8);
        length.copy_from_slice(&(value.len() as u64).to_le_bytes());
        text.copy_from_slice(value.as_bytes());
        end += place.len();
    }
    hasher.hash(room.get(..end).unwrap_or_default())
}

/// Every combination of the distinct values at `paths`, at most [`ELEMENTS_MAX`]; none when a path
/// has no value. No path is one combination of nothing. Where `known` gives a value for a path, that
/// one holds, and the record is not asked.
pub fn keys<'f>(
    paths: &[Path],
    fields: &'f Fields<'_, '_>,
    known: &dyn Fn(&Path) -> Option<&'f str>,
) -> SmallVec<[DrawnKey<'f>; 1]> {
    let mut only = DrawnKey::new();
    only.extend(paths.iter().map_while(|path| match known(path) {
        Some(value) => Some(Cow::Borrowed(value)),
        None => fields.scalar(path).and_then(text),
    }));
    if only.len() == paths.len() {
        return smallvec![only];
    }
    let mut all: SmallVec<[DrawnKey<'f>; 1]> = smallvec![DrawnKey::new()];
    for path in paths {
        let mut found = match known(path) {
            Some(value) => smallvec![Cow::Borrowed(value)],
            None => texts(path, fields),
        };
        if let ([combination], [_]) = (all.as_mut_slice(), found.as_slice()) {
            combination.extend(found.pop());
            continue;
        }
        all = all
            .iter()
            .flat_map(|before| {
                found.iter().map(|value| {
                    let mut combination = before.clone();
                    combination.push(value.clone());
                    combination
                })
            })
            .take(ELEMENTS_MAX)
            .collect();
    }
    all
}

/// The distinct values at `path` as text; null, absent and empty are none.
fn texts<'f>(path: &Path, fields: &'f Fields<'_, '_>) -> SmallVec<[Cow<'f, str>; 1]> {
    let mut found: SmallVec<[Cow<'f, str>; 1]> = SmallVec::new();
    let mut keep = |value: Value<'f>| {
        let text = text(value).filter(|text| !found.contains(text));
        found.extend(text);
        if found.len() < ELEMENTS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    // Whether the visit ended early does not matter: what was found is bounded either way.
    let (ControlFlow::Continue(()) | ControlFlow::Break(())) = fields.visit(path, &mut keep);
    found
}

/// A value as text; null, absent and empty are none.
fn text(value: Value<'_>) -> Option<Cow<'_, str>> {
    let text = match value {
        Value::Text(text) | Value::Number(text) => text,
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        Value::Missing | Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// A non-negative decimal in millionths, rounded down, saturating: sums of integers do not depend
/// on the order in which they are added, sums of floats do.
#[must_use]
pub fn millionths(text: &str) -> Option<u64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        None => (text, 0),
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = whole.strip_prefix('+').unwrap_or(whole);
    if whole.is_empty() && fraction.is_empty() || exponent.abs() > 40 {
        return None;
    }
    let mut digits: u128 = 0;
    let mut scale = exponent + 6;
    for (digits_of, is_fraction) in [(whole, false), (fraction, true)] {
        for digit in digits_of.bytes() {
            if !digit.is_ascii_digit() {
                return None;
            }
            if digits < u128::MAX / 100 {
                digits = digits * 10 + u128::from(digit - b'0');
                scale -= i32::from(is_fraction);
            } else {
                scale += i32::from(!is_fraction);
            }
        }
    }
    let power = 10_u128.saturating_pow(scale.unsigned_abs());
    let scaled = if scale >= 0 { digits.saturating_mul(power) } else { digits / power };
    Some(u64::try_from(scaled).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_become_millionths() {
        let table = [
            ("0", Some(0)),
            ("1", Some(1_000_000)),
            ("2.5", Some(2_500_000)),
            (".5", Some(500_000)),
            ("1e3", Some(1_000_000_000)),
            ("1.5E-3", Some(1_500)),
            ("0.0000019", Some(1)),
            ("99999999999999999999999999", Some(u64::MAX)),
            ("-1", None),
            ("x", None),
            ("", None),
            (".", None),
            ("1e999", None),
        ];
        for (text, wanted) in table {
            assert_eq!(millionths(text), wanted, "{text}");
        }
    }
}

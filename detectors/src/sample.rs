//! What a matched record leaves in a window: the only thing between matching and windows.

use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::record::EventId;
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
    pub fn of<'a>(seed: u64, rule_tag: u64, values: impl Iterator<Item = &'a str>) -> WindowKey {
        let mut hasher = SipHasher13::new_with_keys(seed, rule_tag);
        for value in values {
            hasher.write_usize(value.len());
            hasher.write(value.as_bytes());
        }
        WindowKey(hasher.finish128().as_u128())
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
    /// rules.
    pub value: u64,
}

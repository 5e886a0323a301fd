//! The tag of a rule: what its windows remember it by.
//!
//! A hash of all that decides what is sampled and how long a window is. It is the same on every
//! machine and in every release, because windows outlive both.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::{Kind, Rule, Tap};

/// The part of a tag that is the rule's own: id, kind of window and its length. Marks are not in
/// it: a changed mark judges the windows anew that are there.
pub(crate) fn identity(rule: &Rule) -> SipHasher13 {
    let mut hasher = SipHasher13::new();
    let mut number = |number: i64| hasher.write(&number.to_le_bytes());
    number(match rule.kind {
        Kind::Count(_) => 1,
        Kind::Distinct(_) => 2,
        Kind::Sum(_) => 3,
        Kind::Temporal(_) => 4,
        Kind::Ordered(_) => 5,
        Kind::FirstSeen { .. } => 6,
        Kind::Surge { .. } => 7,
        Kind::Silence { .. } => 8,
    });
    number(rule.timespan_secs);
    if let Kind::Silence { slot_secs, .. } = rule.kind {
        number(slot_secs);
    }
    text(&mut hasher, &rule.card.id);
    rule.differ.iter().for_each(|path| text(&mut hasher, path.as_str()));
    hasher
}

/// Adds to each rule's tag what comes to it, from where and how.
pub(crate) fn feed(source: u64, taps: &[Tap], hashers: &mut [SipHasher13]) {
    for tap in taps {
        if let Some(hasher) = hashers.get_mut(tap.rule) {
            hasher.write(&source.to_le_bytes());
            hasher.write(&[tap.member]);
            for paths in [&tap.group_by, &tap.value] {
                hasher.write(&u64::try_from(paths.len()).unwrap_or(u64::MAX).to_le_bytes());
                paths.iter().for_each(|path| text(hasher, path.as_str()));
            }
        }
    }
}

/// Revision of a rule as a receiver sees it: unlike the tag it changes with marks and words too.
/// Where a rule stands is not in it.
pub(crate) fn version(rule: &Rule) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(&rule.tag.to_le_bytes());
    let words = format!("{:?}{:?}", rule.kind, rule.marks);
    text(&mut hasher, &words);
    let card = &rule.card;
    for said in [&card.title, &card.description, &card.mark] {
        text(&mut hasher, said);
    }
    let level = card.level.map_or("", super::Level::word);
    text(&mut hasher, level);
    for said in card.tags.iter().chain(&card.containment).chain(&card.scenario) {
        text(&mut hasher, said);
    }
    format!("{:016x}", hasher.finish())
}

fn text(hasher: &mut SipHasher13, text: &str) {
    hasher.write(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
    hasher.write(text.as_bytes());
}

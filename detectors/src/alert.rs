//! What is said about a burst: owned, so that it can leave.

use std::hash::Hasher;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::rule::{Card, Level};
use crate::time::EventTime;

/// The id of a burst: fixed when it opens, kept over all its revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertId(pub u128);

impl AlertId {
    /// The id of the burst of (rule, key) that begins with a sample at `time`: the same on every
    /// machine, so that a receiver can tell a repetition.
    #[must_use]
    pub fn of(rule_id: &str, key: &[Box<str>], time: EventTime) -> AlertId {
        let mut hasher = SipHasher13::new();
        hasher.write_usize(rule_id.len());
        hasher.write(rule_id.as_bytes());
        for value in key {
            hasher.write_usize(value.len());
            hasher.write(value.as_bytes());
        }
        hasher.write_i64(time.0);
        AlertId(hasher.finish128().as_u128())
    }
}

impl std::fmt::Display for AlertId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Where in its life a burst is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    /// It tripped.
    Open,
    /// Its count doubled or its level rose.
    Update,
    /// It is over.
    Closed,
    /// It grew together with the burst of this id, which goes on.
    Merged(AlertId),
}

impl Life {
    /// Whether nothing more will be said of the burst.
    #[must_use]
    pub fn is_last(self) -> bool {
        match self {
            Life::Open | Life::Update => false,
            Life::Closed | Life::Merged(_) => true,
        }
    }

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Life::Open => "open",
            Life::Update => "update",
            Life::Closed => "closed",
            Life::Merged(_) => "merged",
        }
    }
}

/// One record kept as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Event time.
    pub time: EventTime,
    /// The record's bytes as they came. They may hold secrets: encoders redact.
    #[serde(serialize_with = "crate::bytes::serialize")]
    pub record: Arc<[u8]>,
}

/// The window of a burst that holds most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// What the rule measures: events, different values, or a sum in whole units, rounded down.
    pub measure: u64,
    /// Event time of its last sample; of several windows that hold as much, the earliest.
    pub at: EventTime,
}

/// What a key usually does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usual {
    /// The most that one timespan held, as for [`Peak`]; 1 also stands for nothing.
    pub most: u64,
    /// Event time from which on that is so, about a day before the burst at most.
    pub since: EventTime,
}

/// What an alert belongs to, together with others of the same principal. Only whoever has the
/// alerts in order can tell: the engine leaves it open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The same for all alerts of the incident: 32 hexadecimal digits.
    pub id: Box<str>,
    /// Event time of the first event of the alert that began it.
    pub first: EventTime,
    /// Whether somebody is to be woken: the incident's first alert, or one graver than all before.
    pub page: bool,
    /// Codes of rules with `mode: enrich` that saw the same principal, in order.
    pub enrichment: Vec<Box<str>>,
}

/// What is said about a burst, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The burst's id.
    pub id: AlertId,
    /// From 1, one more each time the burst is spoken of.
    pub revision: u32,
    /// Its place in the order of opening: when two bursts grow together, the lower goes on.
    pub opened: u64,
    /// Where in its life the burst is.
    pub life: Life,
    /// The rule.
    pub rule: Arc<Card>,
    /// Values of the rule's group-by, in the order of `rule.group_by`.
    pub key: Arc<[Box<str>]>,
    /// Highest mark reached.
    pub level: Level,
    /// Event time of its first hot sample.
    pub first: EventTime,
    /// Event time of its last hot sample.
    pub last: EventTime,
    /// Hot samples.
    pub count: u64,
    /// Samples were compacted: `count` is "at least".
    pub count_is_floor: bool,
    /// First and last records by (time, event id): a function of the burst alone.
    pub evidence: Vec<Evidence>,
    /// The record whose arrival opened the burst; another order of arrival gives another one.
    pub crossing: Option<Evidence>,
    /// The window that holds most; none for rules that measure nothing, where the count is a floor,
    /// and in what was said by an earlier version.
    #[serde(default)]
    pub peak: Option<Peak>,
    /// What the window held that ends before the first sample, as far as it was known when the burst
    /// opened. It depends on arrival, so a burst's final form is without it.
    #[serde(default)]
    pub before: Option<u64>,
    /// What is usual of the key, as far as it was settled when the burst opened; none where it is not
    /// known. As `before`, it is left out of a burst's final form.
    #[serde(default)]
    pub usual: Option<Usual>,
    /// The incident it is part of; none as the engine says it, and for what is no alert.
    #[serde(default)]
    pub incident: Option<Incident>,
}

impl Alert {
    /// The form in which a burst is told once, when all of it is known: its id, and all else, is a
    /// function of the burst alone, whatever the order in which its records came.
    #[must_use]
    pub fn into_final(mut self) -> Alert {
        self.id = AlertId::of(&self.rule.id, &self.key, self.first);
        self.revision = 1;
        self.opened = 0;
        self.life = Life::Closed;
        self.crossing = None;
        self.before = None;
        self.usual = None;
        self.incident = None;
        self
    }
}

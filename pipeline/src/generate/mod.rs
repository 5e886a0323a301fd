//! An organisation at work: seeded CloudTrail, with attacks woven in and the truth beside it.
//!
//! A [`Plan`] says how much of what; [`deliveries`] is the feed, record by record in order of
//! arrival; [`planted`] says which bursts are in it, and that there are no others: ordinary work
//! is held under every mark by construction (`budget.rs`), not by luck, and near misses
//! (`near_miss.rs`) come close on purpose.
//!
//! The feed is the same bytes for the same plan on every machine. What is in flight are calls of
//! some fifty bytes, not records: a call is rendered when it arrives, and twice to the same
//! bytes when it is a duplicate. So memory is bounded by the calls of [`DELAY_SECS_MAX`] seconds.
//!
//! What it is not: a model of any real organisation. Names, numbers, addresses and keys are
//! invented; shapes follow the services' API references.

mod agent;
mod attack;
mod background;
mod budget;
mod delay;
mod filling;
mod history;
mod identity;
mod near_miss;
mod odd;
mod operation;
mod organisation;
mod payload;
mod random;
mod record;
mod scene;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod wrap;

use floodmark_detectors::time::EventTime;

pub use delay::{DELAY_SECS_MAX, Deliveries};
pub use history::history;
pub use payload::{
    Wrapping, aggregate, base64_string, cloud_watch, connect, event_bridge, gzip, string, zstd,
};
pub use wrap::{Payloads, write, write_files};

use organisation::Organisation;

/// What to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Everything random comes from this.
    pub seed: u64,
    /// The earliest event time.
    pub start: EventTime,
    /// How long the organisation is watched, seconds, at least 1.
    pub duration_secs: i64,
    /// Records of ordinary work. Scenes come on top: some 260 records of attacks, and some 1,100
    /// of near misses.
    pub records: u64,
    /// Ordinary roles and users. The services of each account, and the casts of the scenes, come
    /// on top.
    pub principals: u32,
    /// Ordinary accounts. The accounts of the scenes come on top: one for each attack and near
    /// miss, whether or not it is played.
    pub accounts: u32,
    /// Which attacks are woven in.
    pub attacks: Attacks,
    /// How records reach the reader.
    pub feed: Feed,
}

/// An hour of a middling organisation: 5,000 principals in 40 accounts, all attacks, disorder.
impl Default for Plan {
    fn default() -> Plan {
        Plan {
            seed: 1,
            // 2026-11-25T09:00:00Z, a Wednesday.
            start: EventTime(1_795_597_200),
            duration_secs: 3_600,
            records: 1_000_000,
            principals: 5_000,
            accounts: 40,
            attacks: Attacks::All,
            feed: Feed::Disordered,
        }
    }
}

/// Which attacks are woven in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attacks {
    /// A quiet day.
    None,
    /// At least one for each scenario of the playbook.
    All,
    /// Those that trip one of these rules, by code (`DOS-01`).
    Only(Vec<String>),
}

impl Attacks {
    fn include(&self, code: &str) -> bool {
        match self {
            Attacks::None => false,
            Attacks::All => true,
            Attacks::Only(codes) => codes.iter().any(|wanted| wanted == code),
        }
    }
}

/// How records reach the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// In order of event time, at once, each once.
    Ordered,
    /// As real feeds: half of the records within 195 s, one in a hundred later than 540 s, none
    /// later than 608 s; a tenth of them twice, byte for byte the same, up to ten minutes apart.
    Disordered,
    /// As CloudTrail fills a bucket: a file for each account and region every five minutes, its
    /// records in no order; some come again in a later file.
    FiveMinuteFiles,
}

/// One record as it reaches the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// When it arrives; never before its event time.
    pub at: EventTime,
    /// A number to choose a partition by, evenly spread. A duplicate has another, so that it may
    /// well lie in another partition.
    pub partition_hint: u64,
    /// Compact JSON, no newline.
    pub record: Vec<u8>,
}

/// A burst that is in the feed: the truth to hold a detector against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// The rule that must see it.
    pub code: &'static str,
    /// The account it happens in.
    pub account: String,
    /// Who does it: the ARN of the role or user. Where a rule looks at the whole account
    /// (`DOS-06`, `RES-04`), the first of several.
    pub principal: String,
    /// The event time of its first record.
    pub first: EventTime,
    /// The event time of its last record.
    pub last: EventTime,
    /// How many distinct events it consists of.
    pub count: u64,
    /// What is done, in words.
    pub why: String,
}

/// The feed of a plan, in order of arrival.
#[must_use]
pub fn deliveries(plan: &Plan) -> Deliveries {
    Deliveries::of(plan)
}

/// Every burst in the feed of a plan, in order of code. A rule that sees an attack twice over
/// (throttling in SageMaker is throttling as well) has an entry of its own.
#[must_use]
pub fn planted(plan: &Plan) -> Vec<Planted> {
    let organisation = Organisation::new(plan);
    let mut planted: Vec<Planted> = scene::played(plan, &organisation)
        .iter()
        .flat_map(|played| played.scene.codes.iter().map(move |code| (code, played)))
        .map(|(code, played)| {
            let (first, last) = (&played.calls[0], &played.calls[played.calls.len() - 1]);
            let actor = organisation.actor(first);
            Planted {
                code,
                account: organisation.account(actor).id.clone(),
                principal: organisation.principal(actor),
                first: first.time,
                last: last.time,
                count: played.calls.len() as u64,
                why: played.scene.why.to_owned(),
            }
        })
        .collect();
    planted.sort_by_key(|burst| burst.code);
    planted
}

/// One call: all that its record is made from, and small enough to have many in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Call {
    time: EventTime,
    /// Event id, request id and everything else that varies come from this.
    id: u64,
    /// The place of the actor in the organisation.
    actor: u32,
    /// The number of what it is about.
    resource: u32,
    /// The place of the operation in the table.
    operation: u16,
    session: u16,
    /// How many instances or jobs.
    count: u16,
    region: u8,
    /// The place of the instance type in the table.
    machine: u8,
    outcome: Outcome,
    quirk: Quirk,
}

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Success,
    Throttled,
    Denied,
    NotFound,
    LimitExceeded,
}

/// What is out of the ordinary about a record. The lower part of the list are the shapes that
/// break naive parsers; each was seen in a public corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quirk {
    None,
    /// Called by a service in the actor's name (CloudFormation).
    Forwarded,
    /// Called by Application Auto Scaling through its service-linked role.
    Scaling,
    /// The session number chooses the network, while the key stays.
    Roaming,
    /// An odd shape, by its place in `odd.rs`.
    Odd(odd::Odd),
}

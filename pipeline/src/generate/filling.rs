//! What goes into the holes of a template.

use super::random::{Concern, Random, quantile};
use super::record::{MACHINES, Scope};
use super::template::{Hole, Piece, Template};
use super::text::{put, put_base, put_blob, put_hex, put_number, put_time};

const WORDS: [&str; 16] = [
    "churn",
    "ranking",
    "forecast",
    "embedding",
    "anomaly",
    "pricing",
    "vision",
    "speech",
    "orders",
    "ledger",
    "customer",
    "stock",
    "routing",
    "consent",
    "session",
    "basket",
];
const STEPS: [&str; 8] = ["train", "eval", "prep", "score", "export", "nightly", "daily", "model"];

/// How many encryption keys an actor uses, and how many roles it assumes.
const OWN_KEYS: u16 = 5;
const OWN_PEERS: u16 = 3;

/// Bytes of a policy, of 10,000: mostly a few statements, rarely as much as CloudTrail keeps
/// (`requestParameters` is cut at 100 KB).
const POLICY_BYTES: [(u64, u64); 6] =
    [(0, 300), (5_000, 1_400), (9_000, 5_500), (9_900, 14_000), (9_990, 40_000), (10_000, 107_000)];
/// Entries of a list, of 10,000.
const ITEMS: [(u64, u64); 6] =
    [(0, 1), (5_000, 6), (8_000, 26), (9_500, 50), (9_950, 100), (10_000, 900)];

impl Scope<'_> {
    /// Walks a template.
    pub(super) fn fill(&mut self, template: &Template, out: &mut Vec<u8>) {
        for piece in &template.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Hole(hole) => self.fill_hole(*hole, out),
            }
        }
    }

    fn fill_hole(&mut self, hole: Hole, out: &mut Vec<u8>) {
        match hole {
            Hole::Account => put(out, &[&self.account.id]),
            Hole::Partition => put(out, &[self.account.partition()]),
            Hole::Region => put(out, &[self.region()]),
            Hole::Actor => put(out, &[&self.actor.name]),
            Hole::Resource => put_resource(out, self.call.resource),
            Hole::Machine => put(out, &[MACHINES[usize::from(self.call.machine)]]),
            Hole::Count => put_number(out, u64::from(self.call.count)),
            Hole::Tenth => put_number(out, u64::from(self.call.count / 10).max(1)),
            Hole::Domain => put(out, &[&self.account.domain]),
            Hole::Time => put_time(out, self.call.time),
            Hole::Bucket => {
                put(
                    out,
                    &["example-", WORDS[(self.call.resource % 16) as usize], "-", &self.account.id],
                );
            }
            Hole::Key => {
                put(out, &[WORDS[(self.call.id % 16) as usize], "/2026/11/25/part-"]);
                self.put_uuid(out);
                put(out, &[".parquet"]);
            }
            Hole::Address => self.put_address(out, false),
            Hole::KmsKey => put_uuid(out, &mut self.own(OWN_KEYS)),
            Hole::Peer => {
                let mut own = self.own(OWN_PEERS);
                put(out, &[own.pick(&WORDS), "-reader-"]);
                put_hex(out, own.next(), 6);
            }
            Hole::Uuid => self.put_uuid(out),
            Hole::Hex(digits) => self.repeat(digits, 16, out, put_hex),
            Hole::Base(letters) => self.repeat(letters, 12, out, put_base),
            Hole::Blob(letters) => self.repeat(letters, 10, out, put_blob),
            Hole::Number(below) => {
                let number = self.random.below(u64::from(below));
                put_number(out, number);
            }
            Hole::Policy => self.put_policy(out),
            Hole::Items => self.put_items(out),
        }
    }

    /// Appends `length` characters, a number's worth of at most `most` at a time.
    fn repeat(
        &mut self,
        length: u16,
        most: u16,
        out: &mut Vec<u8>,
        put: fn(&mut Vec<u8>, u64, u16),
    ) {
        let mut left = length;
        while left > 0 {
            put(out, self.random.next(), left.min(most));
            left = left.saturating_sub(most);
        }
    }

    pub(super) fn put_uuid(&mut self, out: &mut Vec<u8>) {
        put_uuid(out, &mut self.random);
    }

    /// What makes one of the `few` things of a kind that the actor has to do with.
    fn own(&self, few: u16) -> Random {
        let which = few + (self.call.id % u64::from(few)) as u16;
        Random::of(self.actor.session(which), Concern::Record, u64::from(few))
    }

    fn put_policy(&mut self, out: &mut Vec<u8>) {
        let end = out.len() + quantile(&POLICY_BYTES, &mut self.random) as usize;
        put(out, &["{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":["]);
        loop {
            put(
                out,
                &[
                    "{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":[\\\"s3:GetObject\\\",\\\"s3:PutObject\\\"],\\\"Resource\\\":\\\"arn:aws:s3:::example-",
                ],
            );
            put_hex(out, self.random.next(), 16);
            put(out, &["/*\\\"}"]);
            if out.len() >= end {
                break;
            }
            out.push(b',');
        }
        put(out, &["]}"]);
    }

    fn put_items(&mut self, out: &mut Vec<u8>) {
        let items = quantile(&ITEMS, &mut self.random);
        for item in 0..items {
            put(out, &[if item == 0 { "[" } else { "," }, "{\"resourceId\":\"i-0"]);
            put_hex(out, self.random.next(), 16);
            put(out, &["\",\"state\":\"running\",\"subnetId\":\"subnet-0"]);
            put_hex(out, self.random.next(), 16);
            put(out, &["\",\"complianceType\":\"COMPLIANT\"}"]);
        }
        out.push(b']');
    }
}

fn put_uuid(out: &mut Vec<u8>, random: &mut Random) {
    let (high, low) = (random.next(), random.next());
    put_hex(out, high, 8);
    out.push(b'-');
    put_hex(out, high >> 32, 4);
    put(out, &["-4"]);
    put_hex(out, high >> 48, 3);
    put(out, &["-", ["8", "9", "a", "b"][(low >> 62) as usize]]);
    put_hex(out, low >> 48, 3);
    out.push(b'-');
    put_hex(out, low, 12);
}

/// Appends the name of a thing, made from its number, so that two numbers are two names.
fn put_resource(out: &mut Vec<u8>, number: u32) {
    let (word, step) = (number % 16, number / 16 % 8);
    put(out, &[WORDS[word as usize], "-", STEPS[step as usize], "-"]);
    put_number(out, 1_000 + u64::from(number));
}

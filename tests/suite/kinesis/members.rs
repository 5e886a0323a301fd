//! Several processes that share a stream by leases, keyed by account.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use floodmark::ledger::Ledger;

use super::super::members::{Members, account};
use super::super::program::until;
use super::server::{Kinesis, Stream, aggregated, dynamodb, rows};

/// Lines put at once: a few minutes, so that what their order in a shard loses by it stays within the
/// lateness bound.
const STEP: usize = 100;

/// Lines that may be put and not be done, as the table has it.
const BEHIND_MAX: usize = 500;

/// Partition keys; each account has one of them.
const KEYS: u64 = 10;

/// How often the table is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What each process reads: the stream, with leases in a table of its name.
fn source(stream: &Stream) -> impl Fn(&str) -> String {
    let text = format!(
        "[[source]]\ntype = \"kinesis\"\nstream = \"{0}\"\nregion = \"us-east-1\"\n\
         start = \"earliest\"\npolls_per_second = 5\n\
         endpoints = {{ kinesis = \"{1}\", dynamodb = \"{2}\" }}\n\
         [source.leases]\ntable = \"{0}\"\nfailover = \"3s\"\n\
         keyed_by = [\"floodmark.account\"]\n",
        stream.name,
        Kinesis::shared().plain,
        dynamodb(),
    );
    move |name| format!("{text}worker = \"{name}\"\n")
}

/// The traffic on its way into a stream, never far ahead of those who read it. Lines of one key are
/// put as aggregated records, so that positions and notes stand within them.
struct Feed<'s> {
    stream: &'s Stream,
    lines: &'s [String],
    written: usize,
    /// What is in each shard.
    shards: BTreeMap<String, Vec<String>>,
    /// By shard: the last sequence number.
    ends: BTreeMap<String, String>,
    /// Steps that are not done: how many were written with it, and where the shards then ended.
    behind: VecDeque<(usize, BTreeMap<String, String>)>,
}

impl<'s> Feed<'s> {
    fn of(stream: &'s Stream, lines: &'s [String]) -> Feed<'s> {
        let (shards, ends, behind) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Feed { stream, lines, written: 0, shards, ends, behind }
    }

    /// Writes until so many twelfths are written, as long as those who read keep up.
    fn write_to(&mut self, twelfths: usize) {
        let until = self.lines.len() * twelfths / 12;
        while self.written < until {
            let upto = until.min(self.written + STEP);
            self.write(&self.lines[self.written..upto]);
            self.written = upto;
            self.behind.push_back((upto, self.ends.clone()));
            self.follow(BEHIND_MAX);
        }
    }

    fn write(&mut self, lines: &[String]) {
        let mut by_key: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for line in lines {
            let account = account(line).and_then(|account| account.parse::<u64>().ok());
            by_key.entry(account.unwrap_or(0) % KEYS).or_default().push(line.clone());
        }
        let entries = by_key.iter().map(|(key, lines)| (format!("key-{key}"), aggregated(lines)));
        let places = self.stream.put_by(entries.collect());
        for ((shard, number), lines) in places.into_iter().zip(by_key.into_values()) {
            self.ends.insert(shard.clone(), number);
            self.shards.entry(shard).or_default().extend(lines);
        }
    }

    /// Waits until no more than this is left to be done.
    fn follow(&mut self, behind_max: usize) {
        until("what was put is done", || {
            if self.is_followed(behind_max) {
                return true;
            }
            std::thread::park_timeout(LOOK);
            let rows = rows(&self.stream.name);
            let is_done = |(shard, end): (&String, &String)| {
                let at = |number: &str| (number.len(), number.to_owned());
                let checkpoint = rows.get(shard).and_then(|row| row.get("checkpoint"));
                checkpoint.is_some_and(|it| {
                    it == "SHARD_END" || it.starts_with(char::is_numeric) && at(it) >= at(end)
                })
            };
            while self.behind.front().is_some_and(|(_, ends)| ends.iter().all(is_done)) {
                self.behind.pop_front();
            }
            self.is_followed(behind_max)
        });
    }

    fn is_followed(&self, behind_max: usize) -> bool {
        let is_little = |(upto, _): &(usize, _)| self.written + STEP - upto <= behind_max;
        self.behind.front().is_none_or(is_little)
    }
}

#[test]
fn windows_go_with_their_shards_from_process_to_process() {
    let stream = Stream::create("members", 4);
    let members = Members::new(source(&stream));
    let oracle = members.oracle(Members::traffic("5000", "4h"));
    let mut feed = Feed::of(&stream, &oracle.lines);
    let one = members.start("one");
    feed.write_to(2);
    // Another comes, while there is something to read.
    let two = members.join("two");
    feed.write_to(4);
    // One leaves, and comes back after the other has read on.
    one.stop();
    feed.write_to(5);
    let one = members.join("one");
    feed.write_to(6);
    // One dies, its leases run out, and it comes back.
    two.kill();
    feed.write_to(8);
    let two = members.join("two");
    feed.write_to(10);
    // One dies and comes back before anybody has noticed.
    one.kill();
    let one = members.start("one");
    feed.write_to(12);
    feed.follow(0);
    two.stop();
    one.stop();
    let told = members.finish();
    assert!(told.closed_before_the_end() >= 5, "windows close while it runs");
    told.assert_is(&oracle);
}

#[test]
fn what_lies_in_a_shard_is_told_with_it_when_shards_are_split_and_merged() {
    let stream = Stream::create("members-resharded", 2);
    let members = Members::new(source(&stream));
    let lines = Members::traffic("5000", "4h");
    let mut feed = Feed::of(&stream, &lines);
    let one = members.start("one");
    feed.write_to(2);
    let two = members.join("two");
    feed.write_to(4);
    // One dies before it has come to the end of what is split.
    for shard in stream.open_shards() {
        stream.split(&shard);
    }
    one.kill();
    feed.write_to(6);
    let one = members.join("one");
    feed.write_to(8);
    // Each of two that are merged may have another reader; one leaves, and comes back.
    stream.merge_two();
    feed.write_to(9);
    two.stop();
    feed.write_to(10);
    let two = members.join("two");
    feed.write_to(12);
    feed.follow(0);
    two.stop();
    one.stop();
    let told = members.finish();
    assert!(told.closed_before_the_end() >= 5, "windows close while it runs");
    let shards: Vec<Vec<String>> = feed.shards.into_values().collect();
    assert_eq!(shards.len(), 7);
    told.assert_is(&members.oracle_apart(lines.clone(), &shards));
    // Each end is on record, and what is over has gone from the ledgers: where a stop came before that,
    // with the next start.
    assert!(members.finish().is_over());
    let rows = rows(&stream.name);
    let (ended, open): (Vec<_>, Vec<_>) =
        rows.values().partition(|row| row["checkpoint"] == "SHARD_END");
    assert_eq!((ended.len(), open.len()), (4, 3));
    for name in ["one", "two"] {
        let ledger = Ledger::read(&members.path(name, "ledger")).unwrap();
        let kept = ledger.resume().unwrap();
        let is_over = |it: &&String| ended.iter().any(|row| it.ends_with(&row["leaseKey"]));
        assert_eq!(kept.inputs.keys().find(is_over), None);
        assert_eq!(kept.lanes.keys().find(is_over), None);
    }
}

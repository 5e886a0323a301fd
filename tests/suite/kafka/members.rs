//! Several processes that share a topic which is keyed by account.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::PathBuf;

use floodmark_detectors::record::{Key, Record};
use tempfile::TempDir;

use super::super::daemon::{Daemon, Metronome};
use super::super::oracle::{Oracle, Told};
use super::super::program::{args, floodmark, until};
use super::broker::Broker;
use super::{Feed, PARTITIONS};

/// A kind of each: counted, of unlike values, further marks, in order, and what only the watermark
/// decides. All within an account.
const RULES: &str = "
title: A call
name: call
status: experimental
description: Every call.
author: Floodmark
logsource: {product: aws, service: cloudtrail}
detection:
  call: {eventSource|exists: true}
  condition: call
---
title: A failure
name: failure
status: experimental
description: Every call that failed.
author: Floodmark
logsource: {product: aws, service: cloudtrail}
detection:
  failure: {errorCode|exists: true}
  condition: failure
floodmark: {code: M-00}
---
title: Many calls
name: many
id: 1c9ad34e-6a3c-4b38-a46a-6d3f8dd9d601
status: experimental
description: Many calls of one principal.
author: Floodmark
level: low
correlation:
  type: event_count
  rules: [call]
  group-by: [floodmark.account, floodmark.principal]
  timespan: 5m
  condition: {gte: 12}
floodmark:
  code: M-01
  marks: [{gte: 40, timespan: 15m, level: high}]
---
title: Many kinds of calls
id: 1c9ad34e-6a3c-4b38-a46a-6d3f8dd9d602
status: experimental
description: Calls of many names in an account.
author: Floodmark
level: low
correlation:
  type: value_count
  rules: [call]
  group-by: [floodmark.account]
  timespan: 5m
  condition: {field: eventName, gte: 12}
floodmark: {code: M-02}
---
title: A failure after many calls
id: 1c9ad34e-6a3c-4b38-a46a-6d3f8dd9d603
status: experimental
description: Many calls, and then a failure.
author: Floodmark
level: medium
correlation:
  type: temporal_ordered
  rules: [many, failure]
  group-by: [floodmark.account, floodmark.principal]
  timespan: 30m
generate: true
floodmark: {code: M-03}
---
title: Quite a few failures
id: 1c9ad34e-6a3c-4b38-a46a-6d3f8dd9d604
status: experimental
description: Some failures, but not many.
author: Floodmark
level: low
correlation:
  type: event_count
  rules: [failure]
  group-by: [floodmark.account]
  timespan: 15m
  condition: {gte: 4, lt: 9}
floodmark: {code: M-04}
";

/// The members of one group, each with a ledger and a file of alerts.
struct Members {
    folder: TempDir,
    /// The topic, and the group.
    topic: &'static str,
}

impl Members {
    /// With the rules above.
    fn new(broker: &Broker, topic: &'static str) -> Members {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules.yml");
        std::fs::write(&rules, RULES).unwrap();
        let rules = format!("shipped = false\npaths = [\"{}\"]\n", rules.display());
        Members::of(broker, topic, folder, &rules)
    }

    /// With the shipped rules, but for those that would be split.
    fn shipped(broker: &Broker, topic: &'static str) -> Members {
        let members = Members::of(broker, topic, tempfile::tempdir().unwrap(), "");
        let checked = floodmark(&args!["check", "--config", members.path("one", "toml")]).expect(1);
        let rule = |line: &str| {
            let (_, rest) = line.split_once("keyed_by: rule ")?;
            Some(rest.split(' ').next()?.to_owned())
        };
        let said = checked.text() + &checked.stderr;
        let split: BTreeSet<String> = said.lines().filter_map(rule).collect();
        assert!((1..20).contains(&split.len()), "most rules stay: {split:?}");
        let off = |rule: &String| format!("[rules.{rule}]\nenabled = false\n");
        members.configure(broker, &split.iter().map(off).collect::<String>());
        members
    }

    fn of(broker: &Broker, topic: &'static str, folder: TempDir, rules: &str) -> Members {
        broker.topic(topic, PARTITIONS);
        let members = Members { folder, topic };
        members.configure(broker, rules);
        members
    }

    fn configure(&self, broker: &Broker, rules: &str) {
        let topic = self.topic;
        for name in ["one", "two"] {
            let text = format!(
                "[[source]]\ntype = \"kafka\"\nbrokers = [\"{}\"]\ntopic = \"{topic}\"\n\
                 group = \"{topic}\"\nstart = \"earliest\"\nkeyed_by = [\"floodmark.account\"]\n\
                 [source.properties]\n\"session.timeout.ms\" = 6000\n\
                 \"group.instance.id\" = \"{topic}-{name}\"\n\
                 [[sink]]\ntype = \"file\"\npath = \"{}\"\n\
                 [ledger]\ncheckpoint = \"1s\"\n\
                 [engine]\nworkers = 2\ntime_follows = \"records\"\n\
                 [rules]\n{rules}",
                broker.address,
                self.path(name, "ndjson").display(),
            );
            std::fs::write(self.path(name, "toml"), text).unwrap();
        }
    }

    fn path(&self, name: &str, end: &str) -> PathBuf {
        self.folder.path().join(name).with_extension(end)
    }

    fn start(&self, name: &str) -> Daemon {
        Daemon::start(&self.path(name, "toml"), &Metronome::default())
    }

    /// Starts one, and waits until it has partitions.
    fn join(&self, name: &str) -> Daemon {
        let said = |daemon: &Daemon| daemon.said().matches("reads again").count();
        let mut daemon = self.start(name);
        let before = said(&daemon);
        until("it has partitions", || {
            daemon.assert_runs();
            said(&daemon) > before
        });
        daemon
    }

    /// Traffic by account, and what the rules find in it.
    fn feed(&self, broker: &Broker) -> (Oracle, Feed) {
        let arguments = [
            "generate",
            "--records",
            "24000",
            "--duration",
            "6h",
            "--accounts",
            "40",
            "--principals",
            "200",
            "--start",
            "2025-11-25T09:00:00Z",
        ];
        let lines = floodmark(&arguments).expect(0).text();
        let rules = args!["--config", self.path("one", "toml")];
        let oracle = Oracle::by(&rules, lines.lines().map(str::to_owned).collect());
        let partitions = oracle.lines.iter().map(partition).collect();
        let feed = Feed::to(broker, self.topic, oracle.lines.clone(), partitions);
        (oracle, feed)
    }

    /// Lets each close what is open with it, and reads what both told. One that starts while the group
    /// waits for another to be missed has no partitions yet, and nothing to close.
    fn finish(&self) -> Told {
        let mut told = Told::default();
        until("all is over", || {
            for name in ["one", "two"] {
                let config = self.path(name, "toml");
                floodmark(&args!["run", "--config", config, "--until-idle"]).expect(0);
            }
            told = Told::default();
            for name in ["one", "two"] {
                told.join(Told::read(&self.path(name, "ndjson")));
            }
            told.is_over()
        });
        told
    }
}

/// Where a test fails, what the members said tells why.
impl Drop for Members {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["one", "two"] {
                let said = std::fs::read_to_string(self.path(name, "log")).unwrap_or_default();
                eprintln!("--- {name}\n{said}");
            }
        }
    }
}

/// The partition of a record's account.
fn partition(line: &String) -> i32 {
    let record = Record::decode(line.as_bytes());
    let account = record
        .ok()
        .and_then(|record| record.text(Key::RecipientAccountId).map(std::borrow::Cow::into_owned));
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(account);
    i32::try_from(hash % u64::try_from(PARTITIONS).unwrap()).unwrap()
}

#[test]
fn windows_go_with_their_partitions_from_member_to_member() {
    let broker = Broker::shared();
    let members = Members::shipped(broker, "shared");
    let (oracle, mut feed) = members.feed(broker);
    let part = feed.lines.len() / 7;
    let one = members.start("one");
    feed.write_to(part);
    // Another comes, while there is something to read.
    let two = members.join("two");
    feed.write_to(2 * part);
    // One leaves, and comes back after the other has read on.
    one.stop();
    feed.write_to(3 * part);
    let one = members.join("one");
    feed.write_to(4 * part);
    // One dies, and comes back.
    two.kill();
    feed.write_to(5 * part);
    let two = members.join("two");
    feed.write_to(6 * part);
    // One dies and comes back before anybody has noticed.
    one.kill();
    let one = members.start("one");
    while feed.step() {}
    until("all is read", || feed.progress.has(&feed.writer.ends));
    two.stop();
    one.stop();
    let told = members.finish();
    assert!(told.closed_before_the_end() >= 5, "windows close while it runs");
    told.assert_is(&oracle);
}

#[test]
fn who_leaves_in_the_middle_of_joining_holds_up_nobody() {
    let broker = Broker::shared();
    let members = Members::new(broker, "joining");
    let (oracle, mut feed) = members.feed(broker);
    let one = members.start("one");
    // Each stay is a little longer than the one before: the group is told, asked, and answers.
    let stays = 8;
    let part = feed.lines.len() / (stays + 1);
    for stay in 1..=stays {
        feed.write_to(stay * part);
        let mut two = members.start("two");
        two.until_said("reads kafka");
        feed.write_to(stay * part + 250 * stay);
        if stay % 2 == 0 { two.stop() } else { two.kill() }
    }
    while feed.step() {}
    until("all is read", || feed.progress.has(&feed.writer.ends));
    one.stop();
    members.finish().assert_is(&oracle);
}

//! Amazon's own library beside us on one table: each takes over from the other, in the middle of an
//! aggregated record.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use floodmark::source::batch::Handover;
use floodmark_detectors::time::EventTime;

use super::super::program::until;
use super::proxy::Proxy;
use super::server::{Stream, aggregated, dynamodb, rows};
use super::{FAILOVER_MS, Reading, leased, named, owners, server};

/// Longest wait for what a worker is to do: version 3 waits two minutes for a dead leader.
const PATIENCE: Duration = Duration::from_secs(300);

/// A worker of the Kinesis Client Library, killed when it is dropped.
struct Worker {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Worker {
    fn start(version: &str, stream: &str, worker: &str, only_after: i64) -> Worker {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let mut child = Command::new(root.join("tests/servers/kcl/start"))
            .args([version, stream, stream, worker, &server::Kinesis::shared().plain, dynamodb()])
            .args([FAILOVER_MS.to_string(), only_after.to_string()])
            .env("CARGO_TARGET_DIR", target)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (say, lines) = unbounded();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        Worker { child, lines, said: Vec::new() }
    }

    /// Waits for a line that contains all of these.
    fn until(&mut self, parts: &[&str]) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no {parts:?} after {:?}", self.tail()));
            self.said.push(line.clone());
            if parts.iter().all(|part| line.contains(part)) {
                return line;
            }
        }
    }

    fn tail(&self) -> &[String] {
        &self.said[self.said.len().saturating_sub(5)..]
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn both_ways(version: &str) {
    let stream = Stream::create(&format!("kcl-{version}"), 2);
    let users = named("user", 1_200);
    stream.put(&named("plain", 60));
    stream.put_bytes(&aggregated(&users));

    // The library reads first; it checkpoints in the middle of the aggregated record, and no more.
    let mut theirs = Worker::start(version, &stream.name, "kcl", 99);
    let line = theirs.until(&["CHECKPOINT", " 99"]);
    let shard = line.split(' ').nth(1).unwrap().to_owned();
    theirs.until(&["user-1199"]);

    // We join, and take one of its two leases; it lets go of that one and keeps the other.
    let way = Proxy::start(dynamodb(), |_, _| None);
    let mut ours = Reading::start(leased(&stream, &way.url, "ours"), &Default::default());
    ours.commits = false;
    ours.until("one lease each", |_| {
        owners(&stream.name) == [("kcl".to_owned(), 1), ("ours".to_owned(), 1)].into()
    });
    theirs.until(&["LOST"]);
    // It dies, and we have both; the record is gone on with where it had checkpointed. Of what we
    // read, only the first batch of it becomes durable.
    drop(theirs);
    let is_user = |payload: &&String| payload.contains("user-");
    ours.until("the takeover", |it| {
        let has_all = it.payloads.iter().filter(is_user).count() >= 1_100;
        has_all && owners(&stream.name) == [("ours".to_owned(), 2)].into()
    });
    let read: Vec<&String> = ours.payloads.iter().filter(is_user).collect();
    assert_eq!(read[0], &users[100], "at the sub-sequence");
    assert_eq!(read.len(), 1_100);
    let batch = ours
        .batches
        .iter()
        .find(|(name, _, payload)| name.ends_with(&shard) && payload.contains("user-"));
    let (input, position, last) = batch.cloned().unwrap();
    // With it goes a note of ours, which the library knows nothing of.
    let (settled, judges_from) = (EventTime(70), EventTime(60));
    let handover = Handover { reread_from: position.clone().into(), settled, judges_from };
    ours.durable(&input, &position, Some(handover));
    ours.until("our checkpoint in the table", |_| {
        let row = &rows(&stream.name)[&shard];
        position == format!("{}:{}", row["checkpoint"], row["checkpointSubSequenceNumber"])
    });
    if version.starts_with('3') {
        let entities: Vec<String> = rows(&stream.name)
            .into_values()
            .filter_map(|row| row.get("entityType").cloned())
            .collect();
        assert!(entities.contains(&"LEADER".to_owned()), "{entities:?}");
    }

    // Now we are gone, and it takes over from us, at our sub-sequence.
    way.cut();
    let mut theirs = Worker::start(version, &stream.name, "kcl2", -1);
    theirs.until(&["BEGIN", &shard, &position]);
    let first = theirs.until(&["RECORD", &shard, "user-"]);
    let next = users.iter().position(|user| *user == last).unwrap() + 1;
    assert!(first.ends_with(&users[next]), "{first} after {last}");
    theirs.until(&["user-1199"]);
    // It has read on, and left the note as it was: beside its own checkpoint that means nothing.
    until("it has its checkpoint in the table", || {
        let row = &rows(&stream.name)[&shard];
        assert!(row["floodmarkHandover"].contains(&position), "{row:?}");
        position != format!("{}:{}", row["checkpoint"], row["checkpointSubSequenceNumber"])
    });
}

#[test]
#[ignore = "minutes: real workers of the Kinesis Client Library"]
fn version_2_and_we_take_over_from_each_other() {
    both_ways("2.7.2");
}

#[test]
#[ignore = "minutes: real workers of the Kinesis Client Library"]
fn version_3_and_we_take_over_from_each_other() {
    both_ways("3.5.1");
}

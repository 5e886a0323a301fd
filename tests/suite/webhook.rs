//! A webhook as a sink, on a receiver that is busy, broken, gone and choosy.

mod receiver;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::program::{args, floodmark, until};
use super::traffic::{Traffic, life_of, values_in};
use receiver::{Answer, Receiver, Request};

/// A daemon that reads a pipe, and sends to a file and to an address.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(url: &str, more: &str) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let shown = folder.path().display();
        let config = format!(
            "[[source]]\ntype = \"stdin\"\n\
             [[sink]]\ntype = \"webhook\"\nurl = \"{url}\"\n{more}\n\
             [[sink]]\ntype = \"file\"\npath = \"{shown}/alerts.ndjson\"\n\
             [ledger]\npath = \"{shown}/floodmark.ledger\"\n[engine]\nworkers = 2\n",
        );
        std::fs::write(folder.path().join("floodmark.toml"), config).unwrap();
        Place { folder }
    }

    fn start(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_floodmark"));
        command.args(args![
            "run",
            "--config",
            self.folder.path().join("floodmark.toml"),
            "--rejects",
            self.folder.path().join("rejects.ndjson"),
        ]);
        // The receiver is on the loopback, whatever the machine's way out is.
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command
            .env("FLOODMARK_TEST_TOKEN", "Bearer hidden-1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(self.folder.path().join("log")).unwrap())
            .spawn()
            .unwrap()
    }

    /// Starts it, and writes these lines to it; it goes on until the pipe is dropped.
    fn start_on(&self, lines: &[String]) -> (Child, ChildStdin) {
        let mut daemon = self.start();
        let mut pipe = daemon.stdin.take().unwrap();
        for line in lines {
            writeln!(pipe, "{line}").unwrap();
        }
        (daemon, pipe)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// Whole lines of the file sink.
    fn alerts(&self) -> Vec<Value> {
        let text = self.read("alerts.ndjson");
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

fn uid(alert: &Value) -> String {
    alert["metadata"]["uid"].as_str().unwrap().to_owned()
}

fn uids<'a>(alerts: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    alerts.into_iter().map(uid).collect()
}

/// Fails unless each burst's revisions first came in order.
#[track_caller]
fn assert_in_order(alerts: &[Value]) {
    let mut said: BTreeMap<&str, u64> = BTreeMap::new();
    for alert in alerts {
        let id = alert["finding_info"]["uid"].as_str().unwrap();
        let revision = alert["metadata"]["sequence"].as_u64().unwrap();
        let before = said.entry(id).or_default();
        assert!(revision <= *before + 1, "{id}: {revision} after {before}");
        *before = revision.max(*before);
    }
}

/// What the receiver does at the moment.
#[derive(Clone)]
enum Mood {
    Broken,
    Hanging,
    Busy,
    /// Takes all but this one.
    Well(String),
}

#[test]
fn a_receiver_that_fails_in_every_way_loses_nothing_and_holds_up_nobody() {
    let mood = Arc::new(Mutex::new(Mood::Broken));
    let (of_receiver, was_busy) = (mood.clone(), Mutex::new(false));
    let answer = move |request: &Request| {
        let mood = of_receiver.lock().unwrap().clone();
        match mood {
            Mood::Broken => Answer::status(500),
            Mood::Hanging => Answer::Hang,
            Mood::Busy if !std::mem::replace(&mut *was_busy.lock().unwrap(), true) => {
                Answer::Status(429, "retry-after: 1\r\n")
            }
            Mood::Busy => Answer::status(503),
            Mood::Well(poison) if uids(&request.alerts()).contains(&poison) => Answer::status(400),
            Mood::Well(_) => Answer::status(202),
        }
    };
    let mut receiver = Receiver::start(answer);
    let more = "timeout = \"1s\"\nheaders = { Authorization = { env = \"FLOODMARK_TEST_TOKEN\" } }";
    let place = Place::new(&receiver.url("/hook/hidden-2"), more);
    let (mut daemon, pipe) = place.start_on(&Traffic::shared().lines());
    // One after the other: each is met at least once, and the file has its alerts meanwhile.
    until("it met a broken receiver", || receiver.answered(500) >= 2);
    *mood.lock().unwrap() = Mood::Hanging;
    until("it met one that hangs", || receiver.hung() >= 1);
    *mood.lock().unwrap() = Mood::Busy;
    until("it met one that is busy", || receiver.answered(429) >= 1);
    let refused_before = place.read("log").matches("Connection refused").count();
    receiver.stop();
    until("it met none", || {
        place.read("log").matches("Connection refused").count() > refused_before
    });
    until("the file has alerts", || place.alerts().len() >= 5);
    let poison = uid(&place.alerts()[1]);
    assert!(receiver.taken().is_empty(), "nothing was taken until now");
    *mood.lock().unwrap() = Mood::Well(poison.clone());
    receiver.go_on();
    until("it is delivered again", || !receiver.taken().is_empty());
    drop(pipe);
    let ended = daemon.wait().unwrap();
    let log = place.read("log");
    assert_eq!(ended.code(), Some(1), "one was refused: {log}");
    assert!(log.contains(", 1 refused by sinks"), "{log}");

    let (in_file, taken) = (place.alerts(), receiver.taken());
    let mut expected = uids(&in_file);
    assert!(in_file.iter().any(|alert| life_of(alert) == "closed"));
    assert!(expected.remove(&poison));
    assert_eq!(uids(&taken), expected);
    let without_poison: Vec<Value> =
        in_file.iter().filter(|it| uid(it) != poison).cloned().collect();
    for alert in &without_poison {
        assert!(taken.contains(alert), "the same is said to both: {alert}");
    }
    assert_in_order(&in_file);
    let id = poison.split(':').next().unwrap();
    let others: Vec<Value> =
        taken.iter().filter(|it| it["finding_info"]["uid"] != *id).cloned().collect();
    assert_in_order(&others);

    // The refused one is among the rejects, in the log, and in the ledger.
    let rejects = values_in(&place.path("rejects.ndjson"));
    let refused: Vec<&Value> = rejects.iter().filter(|it| it["input"] == "webhook").collect();
    assert_eq!(refused.len(), 1, "{rejects:?}");
    assert!(refused[0]["excerpt"].as_str().unwrap().contains(id), "{refused:?}");
    assert!(refused[0]["reason"].as_str().unwrap().contains("400 Bad Request"), "{refused:?}");
    assert!(log.contains(&format!("{id} refused: ")), "{log}");
    let shown = floodmark(&args!["alerts", "--ledger", place.path("floodmark.ledger"), "show", id]);
    let shown = shown.expect(0).text();
    assert!(shown.contains("refused: http://127.0.0.1:"), "{shown}");
    assert!(shown.contains("delivered"), "{shown}");
    // Old traffic is a backlog, and secrets stay where they are.
    assert!(taken.iter().all(|alert| alert["unmapped"]["floodmark"]["backfill"] == true));
    assert!(receiver.requests().iter().all(|it| it.header("authorization") == "Bearer hidden-1"));
    for text in [&log, &place.read("rejects.ndjson"), &shown] {
        assert!(!text.contains("hidden"), "{text}");
    }
}

#[test]
fn alerts_come_packed_in_an_array_and_few_at_once() {
    let receiver = Receiver::start(|_| Answer::status(200));
    let more = "body = \"array\"\ngzip = true\nalerts_max = 3\nheaders = { X-Source = \"test\" }";
    let place = Place::new(&receiver.url("/"), more);
    let (mut daemon, pipe) = place.start_on(&Traffic::shared().lines());
    drop(pipe);
    assert_eq!(daemon.wait().unwrap().code(), Some(0), "{}", place.read("log"));
    assert_eq!(uids(&receiver.taken()), uids(&place.alerts()));
    for request in receiver.requests() {
        assert_eq!(request.header("content-type"), "application/json");
        assert_eq!(request.header("content-encoding"), "gzip");
        assert_eq!(request.header("x-source"), "test");
        assert!(request.header("user-agent").starts_with("floodmark/"));
        assert!((1..=3).contains(&request.alerts().len()));
    }
    assert!(receiver.requests().iter().any(|request| request.alerts().len() == 3));
}

#[test]
fn what_waits_at_a_stop_is_sent_at_the_next_start() {
    let mut receiver = Receiver::start(|_| Answer::status(204));
    let place = Place::new(&receiver.url("/"), "");
    receiver.stop();
    let run = |lines: &[String]| {
        let (mut daemon, pipe) = place.start_on(lines);
        drop(pipe);
        daemon.wait().unwrap().code()
    };
    assert_eq!(run(&Traffic::shared().lines()), Some(0), "{}", place.read("log"));
    assert!(place.read("log").contains("alerts wait in the ledger for their sinks"));
    assert!(receiver.taken().is_empty());
    receiver.go_on();
    assert_eq!(run(&[]), Some(0), "{}", place.read("log"));
    assert_eq!(uids(&receiver.taken()), uids(&place.alerts()));
    assert_in_order(&receiver.taken());
}

/// The server is no receiver of alerts, but it speaks TLS, and says so.
#[cfg(feature = "kinesis")]
#[test]
fn only_who_has_a_trusted_certificate_is_told_anything() {
    use super::kinesis::server::Kinesis;
    let server = Kinesis::shared();
    let log_with = |more: &str| {
        let place = Place::new(&format!("{}/hidden", server.tls), more);
        let lines = Traffic::shared().lines();
        // The last part has attacks; those who read what comes before learn from it what is usual.
        let (mut daemon, pipe) = place.start_on(&lines[lines.len() - 3_000..]);
        until("it was told why not", || place.read("log").contains("sink webhook: "));
        drop(pipe);
        daemon.wait().unwrap();
        assert!(place.alerts().len() > 1);
        place.read("log")
    };
    let log = log_with("");
    assert!(log.contains(&format!("{}: ", server.tls)), "{log}");
    assert!(log.contains("certificate"), "{log}");
    let log = log_with(&format!("trusted = \"{}\"", server.ca.display()));
    assert!(!log.contains("certificate"), "{log}");
    // An answer of HTTP: it was reached.
    assert!(log.contains(&format!("{}: 4", server.tls)), "{log}");
}

#[test]
fn a_secret_that_is_not_there_starts_nothing_and_check_says_so() {
    let place = Place::new("http://127.0.0.1:1/", "headers = { X-Key = { env = \"FM_UNSET\" } }");
    let config = place.path("floodmark.toml");
    let done = floodmark(&args!["check", "--config", config]).expect(0);
    assert!(done.text().contains("sink webhook: X-Key: the variable FM_UNSET is not set"));
    assert!(done.text().contains("sink webhook: url sends secrets without TLS"));
    let done = floodmark(&args!["run", "--config", config]).expect(2);
    let expected = "sink webhook: cannot be opened: headers.X-Key: environment variable FM_UNSET";
    assert!(done.stderr.contains(expected), "{}", done.stderr);
    assert!(!Path::new(&place.path("alerts.ndjson")).exists());
}

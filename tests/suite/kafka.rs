//! `floodmark run` on a real Kafka broker, killed, stopped, and beside others.

mod broker;
mod members;
mod outage;
#[cfg(feature = "kafka-tls")]
mod secure;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use rdkafka::message::{Headers, Message};
use serde_json::Value;

use super::daemon::{Daemon, Metronome};
use super::oracle::{LONG, SHORT, Told, event_time, own};
use super::program::{args, floodmark, until};
use super::traffic::{code_of, life_of, shuffle, sorted, values};
use broker::{Broker, Progress, Writer};

/// Partitions of a topic.
const PARTITIONS: i32 = 12;

/// Records written at once.
const STEP: usize = 250;

/// Records that the daemon may be behind: what the next step waits for.
///
/// In the stream's time that is half an hour: a partition that is an hour ahead of the metronome
/// would not be read on, and the metronome waits for it.
const BEHIND_MAX: usize = 2_000;

#[test]
fn killed_at_random_moments_it_loses_and_renames_nothing() {
    let kills: usize = std::env::var("FLOODMARK_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let place = Place::new("killed", "");
    let mut feed = Feed::of(Broker::shared(), place.name, LONG.lines.clone());
    let lines = feed.lines.len();
    // Each kill at a random count of written records, and there at once, or when the daemon has
    // just committed, or has just sent, or is just starting.
    let mut moments: Vec<usize> = (1..lines).collect();
    shuffle(&mut moments, 4);
    moments.truncate(kills);
    moments.sort_unstable();
    let mut moments = VecDeque::from(moments);
    let mut daemon = Daemon::start(&place.config, &feed.metronome);
    let mut killed = 0;
    while feed.step() {
        while moments.front().is_some_and(|moment| *moment <= feed.written) {
            moments.pop_front();
            match killed % 4 {
                0 => {}
                1 => feed.until_committed(),
                2 => place.until_sent(&feed),
                _ => {
                    daemon.kill();
                    daemon = Daemon::start(&place.config, &feed.metronome);
                }
            }
            daemon.kill();
            killed += 1;
            daemon = Daemon::start(&place.config, &feed.metronome);
        }
    }
    daemon.kill();
    assert_eq!(killed, kills);
    place.finish();
    let told = Told::read(&place.alerts);
    assert!(told.torn <= 2 * kills, "{} torn lines", told.torn);
    assert!(told.closed_before_the_end() >= 5, "windows close while it runs");
    told.assert_is(&LONG);
}

#[test]
fn alerts_reach_a_topic_as_they_reach_a_file() {
    let broker = Broker::shared();
    broker.topic("alerts", 1);
    let sink = format!(
        "[[sink]]\ntype = \"kafka\"\nbrokers = [\"{}\"]\ntopic = \"alerts\"\n",
        broker.address
    );
    let place = Place::new("sink", &sink);
    let mut writer = broker.writer(place.name, PARTITIONS);
    for (number, line) in SHORT.lines.iter().enumerate() {
        writer.write(partition(number), line);
    }
    writer.flush();
    place.finish();
    let in_file = std::fs::read_to_string(&place.alerts).unwrap();
    let sent = broker.read("alerts", |message| {
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
        let headers: BTreeMap<String, String> = message
            .headers()
            .unwrap()
            .iter()
            .map(|header| (header.key.to_owned(), text(header.value)))
            .collect();
        (text(message.key()), headers, text(message.payload()))
    });
    let mut told = Told::default();
    for (key, headers, payload) in &sent {
        let finding: Value = serde_json::from_str(payload).unwrap();
        assert_eq!(finding["finding_info"]["uid"], key.as_str());
        assert_eq!(headers["id"], *key);
        assert_eq!(headers["revision"], own(&finding)["revision"].to_string());
        told.add(finding);
    }
    told.assert_is(&SHORT);
    assert_eq!(
        sorted(sent.iter().map(|(_, _, payload)| payload.as_str())),
        sorted(in_file.lines())
    );
}

#[test]
fn alerts_are_listed_and_shown_beside_the_daemon() {
    let place = Place::new("listed", "");
    let mut feed = Feed::of(Broker::shared(), place.name, SHORT.lines.clone());
    let mut daemon = Daemon::start(&place.config, &feed.metronome);
    let config = place.config.to_str().unwrap();
    let list = |more: &[&str]| {
        let arguments = [&["alerts", "--config", config], more].concat();
        floodmark(&arguments).expect(0).text()
    };
    let mut seen = Vec::new();
    let mut steps = 0;
    while feed.step() {
        steps += 1;
        if steps % 8 == 0 {
            seen.extend(values(&list(&["--json", "--limit", "100000"])));
            daemon.assert_runs();
        }
    }
    place.until_sent(&feed);
    let open = values(&list(&["--json", "--open", "--level", "high"]));
    assert!(open.iter().all(|it| ["open", "update"].contains(&life_of(it))), "{open:?}");
    assert!(open.iter().all(|it| it["severity_id"].as_u64().unwrap() >= 4), "{open:?}");
    let code = code_of(&seen[0]).to_owned();
    let of_rule = list(&["--rule", &code.to_lowercase()]);
    let rows: Vec<&str> = of_rule.lines().collect();
    assert!(rows[0].starts_with("id        opened"), "{of_rule}");
    assert!(rows.len() > 1 && rows[1..].iter().all(|row| row.contains(&code)), "{of_rule}");
    assert!(list(&["--since", "2100-01-01T00:00:00Z"]).contains("no alerts"));
    let id = seen[0]["finding_info"]["uid"].as_str().unwrap();
    let shown = list(&["show", &id[..20]]);
    for part in [id, "reason ", "\nrevisions\n  1  ", "\nevidence", "\ndeliveries\n  file\n"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let revisions = values(&list(&["show", id, "--json"]));
    assert!(revisions.iter().all(|it| it["finding_info"]["uid"] == id));
    daemon.assert_runs();
    daemon.kill();
    // A reader is as welcome when nobody writes.
    assert!(list(&["--limit", "1"]).lines().count() == 2);
    let unknown = floodmark(&["alerts", "--config", config, "show", "zz"]).expect(2);
    assert!(unknown.stderr.contains("no alert has an id that begins with zz"));
    place.finish();
    // What was listed is what was sent, word by word; nothing was disturbed by it.
    let mut told = Told::read(&place.alerts);
    let said: usize = told.bursts.values().map(BTreeMap::len).sum();
    assert!(seen.len() >= 50, "{} were listed", seen.len());
    seen.into_iter().chain(open).chain(revisions).for_each(|finding| told.add(finding));
    let listed: usize = told.bursts.values().map(BTreeMap::len).sum();
    assert_eq!(listed, said, "something was listed that was never sent");
    told.assert_is(&SHORT);
}

#[test]
fn the_demo_plays_through_a_real_broker_and_leaves_nothing_there() {
    let broker = Broker::shared();
    let arguments = ["demo", "--kafka", &broker.address, "--quiet", "--records", "5000"];
    for more in [&["--envelope", "cloudwatch", "--rate", "0"][..], &["--partitions", "2"]] {
        let done = floodmark(&[&arguments[..], more].concat()).expect(0);
        assert!(done.text().contains(" 0 missed, 0 false,"), "{}", done.text());
    }
    let own = |topic: &String| topic.starts_with("floodmark-demo-");
    until("the topics of the demo are gone", || !broker.topics().iter().any(own));
    // What is there already is not touched.
    broker.topic("precious", 1);
    let refused = floodmark(&[&arguments[..], &["--topic", "precious"]].concat()).expect(2);
    assert!(refused.stderr.contains("topic precious is there already"), "{}", refused.stderr);
    assert!(broker.topics().iter().any(|topic| topic == "precious"));
}

#[test]
fn what_is_generated_into_a_topic_is_read_from_it() {
    let broker = Broker::shared();
    let place = Place::new("generated", "");
    let to = ["generate", "--kafka", &broker.address, "--topic", "generated", "--records", "3000"];
    let mut written = 0;
    for more in [
        &["--start", "2025-11-25T09:00:00Z", "--envelope", "cloudwatch", "--rate", "20000"][..],
        &["--start", "2025-11-26T09:00:00Z", "--envelope", "kpl", "--per-payload", "7"],
        &["--start", "2025-11-27T09:00:00Z", "--feed", "ordered"],
    ] {
        let done = floodmark(&[&to[..], more].concat()).expect(0);
        written += done.stderr.split_once(" records").unwrap().0.parse::<u64>().unwrap();
    }
    let run = floodmark(&args!["run", "--config", place.config, "--until-idle"]).expect(0);
    let read = format!("ended: {written} records, ");
    assert!(run.stderr.contains(&read) && run.stderr.contains(" 0 rejected"), "{}", run.stderr);
    let absent = [&to[..4], &["absent"]].concat();
    let absent = floodmark(&absent).expect(2).stderr;
    assert!(absent.contains("there is no topic absent on"), "{absent}");
}

/// A test's folder, topic and group.
struct Place {
    _folder: tempfile::TempDir,
    name: &'static str,
    config: PathBuf,
    alerts: PathBuf,
}

impl Place {
    /// One on the broker that is shared, with these lines more in its configuration.
    fn new(name: &'static str, more: &str) -> Place {
        Place::on(Broker::shared(), name, more)
    }

    fn on(broker: &Broker, name: &'static str, more: &str) -> Place {
        broker.topic(name, PARTITIONS);
        let folder = tempfile::tempdir().unwrap();
        let alerts = folder.path().join("alerts.ndjson");
        let config = configure(folder.path(), "floodmark", broker, name, more);
        Place { _folder: folder, name, config, alerts }
    }

    /// Waits until an alert more is in the file, unless all was read that could bring one.
    fn until_sent(&self, feed: &Feed) {
        let size = || std::fs::metadata(&self.alerts).map_or(0, |metadata| metadata.len());
        let before = size();
        until("an alert is sent", || size() > before || feed.progress.has(&feed.writer.ends));
    }

    /// Reads what is left, and closes what is open.
    fn finish(&self) {
        floodmark(&args!["run", "--config", self.config, "--until-idle"]).expect(0);
    }
}

/// Writes a configuration that reads the topic and a pipe, with a file of alerts beside it.
fn configure(folder: &Path, file: &str, broker: &Broker, topic: &str, more: &str) -> PathBuf {
    let config = folder.join(file).with_extension("toml");
    let text = format!(
        "[[source]]\ntype = \"kafka\"\nbrokers = [\"{}\"]\ntopic = \"{topic}\"\n\
         group = \"{topic}\"\nstart = \"earliest\"\n\
         [source.properties]\n\"group.instance.id\" = \"{topic}-{file}\"\n\
         \"session.timeout.ms\" = 6000\n\
         [[source]]\ntype = \"stdin\"\n\
         [[sink]]\ntype = \"file\"\npath = \"{}\"\n{more}\n\
         [ledger]\ncheckpoint = \"1s\"\n[engine]\nworkers = 2\n",
        broker.address,
        folder.join("alerts.ndjson").display(),
    );
    std::fs::write(&config, text).unwrap();
    config
}

/// The traffic on its way into a topic, never far ahead of who reads it.
struct Feed {
    lines: Vec<String>,
    /// Where each goes.
    partitions: Vec<i32>,
    written: usize,
    writer: Writer,
    progress: Progress,
    metronome: Metronome,
    /// Steps that the group has not committed: how many were written with it, where the partitions
    /// then ended, and the record with the latest time until then.
    behind: VecDeque<(usize, BTreeMap<i32, i64>, usize)>,
    /// The record with the latest time, and that time.
    latest: (usize, String),
}

impl Feed {
    fn of(broker: &Broker, topic: &str, lines: Vec<String>) -> Feed {
        let partitions = (0..lines.len()).map(partition).collect();
        Feed::to(broker, topic, lines, partitions)
    }

    /// Each record to its partition.
    fn to(broker: &Broker, topic: &str, lines: Vec<String>, partitions: Vec<i32>) -> Feed {
        let metronome = Metronome::default();
        metronome.set(&lines[0]);
        Feed {
            writer: broker.writer(topic, PARTITIONS),
            progress: broker.group(topic, topic, PARTITIONS),
            lines,
            partitions,
            written: 0,
            metronome,
            behind: VecDeque::new(),
            latest: (0, String::new()),
        }
    }

    /// Writes the next records; false where there are none.
    fn step(&mut self) -> bool {
        let upto = self.lines.len().min(self.written + STEP);
        if self.written == upto {
            return false;
        }
        for number in self.written..upto {
            let line = &self.lines[number];
            let time = event_time(line);
            if time > self.latest.1 {
                self.latest = (number, time);
            }
            self.writer.write(self.partitions[number], line);
        }
        self.writer.flush();
        self.written = upto;
        self.behind.push_back((upto, self.writer.ends.clone(), self.latest.0));
        self.follow();
        true
    }

    /// Writes until so many records are written.
    fn write_to(&mut self, count: usize) {
        while self.written < count {
            self.step();
        }
    }

    /// Waits until what is not read is little enough, and lets the metronome follow.
    fn follow(&mut self) {
        until("the group has committed what was written", || {
            let committed = self.progress.committed();
            while let Some((_, ends, latest)) = self.behind.front()
                && ends.iter().all(|(p, end)| committed.get(p).unwrap_or(&0) >= end)
            {
                self.metronome.set(&self.lines[*latest]);
                self.behind.pop_front();
            }
            let done = self.behind.front().map_or(self.written, |(upto, ..)| upto - STEP);
            self.written.saturating_sub(done) <= BEHIND_MAX
        });
    }

    /// Waits until the group commits again, unless it has committed all.
    fn until_committed(&self) {
        let before = self.progress.committed();
        until("the group commits", || {
            let committed = self.progress.committed();
            committed != before && !committed.is_empty() || self.progress.has(&self.writer.ends)
        });
    }
}

/// Where a record goes.
fn partition(number: usize) -> i32 {
    i32::try_from(number * 7_919 % 104_729).unwrap() % PARTITIONS
}

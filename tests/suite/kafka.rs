//! `floodmark run` on a real Kafka broker, killed, stopped, and beside others.

mod broker;
mod daemon;
mod outage;
#[cfg(feature = "kafka-tls")]
mod secure;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rdkafka::message::{Headers, Message};
use serde_json::Value;

use super::program::{args, floodmark};
use super::traffic::{PLAN, code_of, life_of, shuffle, sorted, values};
use broker::{Broker, Progress, Writer, until};
use daemon::{Daemon, Metronome};

/// Partitions of a topic.
const PARTITIONS: i32 = 12;

/// Records written at once.
const STEP: usize = 250;

/// Records that the daemon may be behind: what the next step waits for.
///
/// In the stream's time that is half an hour: a partition that is an hour ahead of the metronome
/// would not be read on, and the metronome waits for it.
const BEHIND_MAX: usize = 2_000;

/// A burst, told apart by what it is: rule, key, first, last and count.
type Burst = (String, String, i64, i64, u64);

/// A disordered feed with duplicates, and what the definition finds in it, read from a file.
struct Oracle {
    lines: Vec<String>,
    bursts: Vec<Burst>,
}

/// The weeks before are left out: all that is new is a burst then, so there are hundreds.
static LONG: LazyLock<Oracle> = LazyLock::new(|| {
    let mut arguments = args!["generate"].to_vec();
    arguments.extend(PLAN.iter().map(Into::into));
    let feed = floodmark(&arguments).expect(0).text();
    let oracle = Oracle::of(feed.lines().map(str::to_owned).collect());
    assert!(oracle.bursts.len() >= 300, "{} bursts", oracle.bursts.len());
    oracle
});

/// Its first third, where it is not the length that matters.
static SHORT: LazyLock<Oracle> =
    LazyLock::new(|| Oracle::of(LONG.lines[..LONG.lines.len() / 3].to_vec()));

impl Oracle {
    fn of(lines: Vec<String>) -> Oracle {
        let folder = tempfile::tempdir().unwrap();
        let feed = folder.path().join("feed.ndjson");
        std::fs::write(&feed, lines.join("\n") + "\n").unwrap();
        let done = floodmark(&args!["replay", feed, "--alerts", "-", "--quiet"]).expect(0);
        let bursts = sorted(values(&done.text()).iter().map(burst));
        assert!(bursts.len() >= 50, "{} bursts", bursts.len());
        assert!(bursts.windows(2).all(|pair| pair[0] != pair[1]), "no two bursts are the same");
        Oracle { lines, bursts }
    }
}

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
        let metronome = Metronome::default();
        metronome.set(&lines[0]);
        Feed {
            writer: broker.writer(topic, PARTITIONS),
            progress: broker.group(topic, topic, PARTITIONS),
            lines,
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
            self.writer.write(partition(number), line);
        }
        self.writer.flush();
        self.written = upto;
        self.behind.push_back((upto, self.writer.ends.clone(), self.latest.0));
        self.follow();
        true
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

/// A record's event time, as text; nothing where it has none.
fn event_time(line: &str) -> String {
    let record: Value = serde_json::from_str(line).unwrap();
    record["eventTime"].as_str().unwrap_or_default().to_owned()
}

/// What was said of all bursts, by id and revision.
#[derive(Default)]
struct Told {
    bursts: BTreeMap<String, BTreeMap<u64, Value>>,
    /// Lines that a kill tore.
    torn: usize,
}

impl Told {
    fn read(path: &Path) -> Told {
        let mut told = Told::default();
        for line in std::fs::read_to_string(path).unwrap().lines() {
            match serde_json::from_str(line) {
                Ok(finding) => told.add(finding),
                Err(_) => told.torn += 1,
            }
        }
        told
    }

    /// The same burst's same revision may come again, but says the same then.
    #[track_caller]
    fn add(&mut self, finding: Value) {
        let id = finding["finding_info"]["uid"].as_str().unwrap().to_owned();
        let revision = own(&finding)["revision"].as_u64().unwrap();
        let revisions = self.bursts.entry(id).or_default();
        let known = revisions.entry(revision).or_insert_with(|| finding.clone());
        assert_eq!(*known, finding, "the same revision says two things");
    }

    fn last(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.bursts.iter().filter_map(|(id, said)| Some((id, said.last_key_value()?.1)))
    }

    /// Bursts that were not only closed by the end of all input: said at another moment than the
    /// last.
    fn closed_before_the_end(&self) -> usize {
        let moments: BTreeSet<u64> =
            self.last().map(|(_, finding)| finding["time"].as_u64().unwrap()).collect();
        moments.len()
    }

    /// Fails unless each burst of the oracle has exactly one id, and each id a burst.
    #[track_caller]
    fn assert_is(&self, oracle: &Oracle) {
        let mut closed = Vec::new();
        for (id, finding) in self.last() {
            let revisions = &self.bursts[id];
            let numbers: Vec<u64> = revisions.keys().copied().collect();
            assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "{finding}");
            assert_eq!(life_of(&revisions[&1]), "open", "{finding}");
            match life_of(finding) {
                "closed" => closed.push(burst(finding)),
                "merged" => {
                    let into = own(finding)["merged_into"].as_str().unwrap();
                    assert!(self.bursts.contains_key(into), "merged into nothing: {finding}");
                }
                other => panic!("the last that was said is {other}: {finding}"),
            }
        }
        closed.sort_unstable();
        let missing: Vec<&Burst> =
            oracle.bursts.iter().filter(|burst| !closed.contains(burst)).collect();
        let false_: Vec<&Burst> =
            closed.iter().filter(|burst| !oracle.bursts.contains(burst)).collect();
        assert!(missing.is_empty() && false_.is_empty(), "missing {missing:#?}\nfalse {false_:#?}");
        assert_eq!(closed, oracle.bursts, "a burst has two ids");
    }
}

/// Floodmark's own part of a finding.
fn own(finding: &Value) -> &Value {
    &finding["unmapped"]["floodmark"]
}

fn burst(finding: &Value) -> Burst {
    (
        code_of(finding).to_owned(),
        own(finding)["key"].to_string(),
        finding["start_time"].as_i64().unwrap(),
        finding["end_time"].as_i64().unwrap(),
        finding["count"].as_u64().unwrap(),
    )
}

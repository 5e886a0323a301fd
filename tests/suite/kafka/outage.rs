//! Brokers that stop, fail and come back, and topics that change, under a daemon that runs.

use std::path::{Path, PathBuf};

use floodmark::clock;
use serde_json::Value;
use tempfile::TempDir;

use super::super::daemon::{Daemon, Metronome};
use super::super::oracle::{SHORT, Told};
use super::super::program::until;
use super::super::traffic::{PAIR, call, values};
use super::broker::Broker;
use super::{Feed, PARTITIONS, Place};

/// Writes the rest, and fails unless all was read and said, and once.
#[track_caller]
fn assert_read_to_its_end(mut feed: Feed, daemon: Daemon, place: &Place) {
    while feed.step() {}
    until("all is read", || feed.progress.has(&feed.writer.ends));
    daemon.stop();
    place.finish();
    Told::read(&place.alerts).assert_is(&SHORT);
}

#[test]
fn a_broker_that_stops_and_comes_back_costs_nothing() {
    let mut broker = Broker::start();
    let place = Place::on(&broker, "stopped", "");
    let mut feed = Feed::of(&broker, place.name, SHORT.lines.clone());
    let mut daemon = Daemon::start(&place.config, &feed.metronome);
    feed.write_to(feed.lines.len() / 2);
    broker.stop();
    daemon.until_said(&format!("{PARTITIONS} partitions (stopped["));
    broker.go_on();
    daemon.until_said("all partitions can be heard again");
    assert_read_to_its_end(feed, daemon, &place);
}

#[test]
fn a_leader_that_is_killed_costs_nothing() {
    let mut cluster = Broker::cluster(3);
    let place = Place::on(&cluster, "led", "");
    let mut feed = Feed::of(&cluster, place.name, SHORT.lines.clone());
    let daemon = Daemon::start(&place.config, &feed.metronome);
    feed.write_to(feed.lines.len() / 3);
    cluster.kill(cluster.leader(place.name, 0));
    feed.write_to(feed.lines.len() * 2 / 3);
    cluster.go_on();
    assert_read_to_its_end(feed, daemon, &place);
}

#[test]
fn time_waits_for_a_broker_that_cannot_be_heard() {
    let lateness_secs = 30;
    let mut broker = Broker::start();
    broker.topic("silent", 1);
    let calls = Calls::new(&broker, "silent", "earliest", lateness_secs);
    let mut daemon = calls.start();
    let mut writer = broker.writer("silent", 1);
    let progress = broker.group("silent", "silent", 1);
    let first = clock::wall_time();
    writer.write(0, &call(1, first));
    writer.flush();
    until("the first is read", || progress.has(&writer.ends));
    broker.stop();
    daemon.until_said("1 partition (silent[0]) cannot be heard");
    // Its session ends meanwhile, and the group gives up what it read. By the clock the window of
    // the first is over then, and whatever is as old is late.
    let over = first.plus(lateness_secs + PAIR_SECS + 1);
    until("the clock has gone on", || clock::wall_time() > over);
    broker.go_on();
    writer.write(0, &call(2, first.plus(1)));
    writer.flush();
    calls.until_a_burst_of_two();
    daemon.stop();
}

#[test]
fn a_partition_that_a_topic_grows_by_is_read_from_its_beginning() {
    let broker = Broker::shared();
    broker.topic("grown", 1);
    let calls = Calls::new(broker, "grown", "latest", 900);
    let mut daemon = calls.start();
    let progress = broker.group("grown", "grown", 1);
    until("the end is where reading begins", || !progress.known().is_empty());
    broker.grow("grown", 2);
    let mut writer = broker.writer("grown", 2);
    let now = clock::wall_time();
    writer.write(1, &call(1, now));
    writer.write(1, &call(2, now));
    writer.flush();
    calls.until_a_burst_of_two();
    daemon.until_said("grown[1] is new, and read from its beginning");
    daemon.stop();
}

#[test]
fn what_was_deleted_before_it_was_read_is_told_and_the_rest_is_read() {
    let broker = Broker::shared();
    broker.topic("deleted", 1);
    // At the end, so that it is not the beginning that is asked for at first.
    let calls = Calls::new(broker, "deleted", "latest", 900);
    let daemon = calls.start();
    let progress = broker.group("deleted", "deleted", 1);
    until("the end is where reading begins", || !progress.known().is_empty());
    daemon.stop();
    let mut writer = broker.writer("deleted", 1);
    let now = clock::wall_time();
    for number in 1..=5 {
        // The first three are long over.
        let time = if number <= 3 { now.plus(-3_600) } else { now };
        writer.write(0, &call(number, time));
    }
    writer.flush();
    broker.delete_before("deleted", 0, 3);
    let mut daemon = calls.start();
    daemon.until_said("records were deleted before they were read");
    calls.until_a_burst_of_two();
    daemon.stop();
}

/// Seconds that [`PAIR`] spans.
const PAIR_SECS: i64 = 2;

/// A daemon's place that looks for two calls, with nothing but the clock to make time pass.
struct Calls {
    _folder: TempDir,
    config: PathBuf,
    alerts: PathBuf,
}

impl Calls {
    fn new(broker: &Broker, topic: &str, start: &str, lateness_secs: i64) -> Calls {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| -> PathBuf { folder.path().join(name) };
        let (rule, config, alerts) = (at("pair.yml"), at("floodmark.toml"), at("alerts.ndjson"));
        std::fs::write(&rule, PAIR).unwrap();
        let show = |path: &Path| path.display().to_string();
        let text = format!(
            "[[source]]\ntype = \"kafka\"\nbrokers = [\"{}\"]\ntopic = \"{topic}\"\n\
             group = \"{topic}\"\nstart = \"{start}\"\n\
             [source.properties]\n\"session.timeout.ms\" = 6000\n\
             \"topic.metadata.refresh.interval.ms\" = 1000\n\
             [[sink]]\ntype = \"file\"\npath = \"{}\"\n\
             [ledger]\ncheckpoint = \"1s\"\n[engine]\nlateness = \"{lateness_secs}s\"\n\
             [rules]\nshipped = false\npaths = [\"{}\"]\n",
            broker.address,
            show(&alerts),
            show(&rule),
        );
        std::fs::write(&config, text).unwrap();
        Calls { _folder: folder, config, alerts }
    }

    fn start(&self) -> Daemon {
        Daemon::start(&self.config, &Metronome::default())
    }

    #[track_caller]
    fn until_a_burst_of_two(&self) {
        until("two calls are a burst", || {
            std::fs::read_to_string(&self.alerts).is_ok_and(|told| told.ends_with('\n'))
        });
        let told = values(&std::fs::read_to_string(&self.alerts).unwrap());
        assert_eq!(told[0]["count"], Value::from(2), "{told:?}");
    }
}

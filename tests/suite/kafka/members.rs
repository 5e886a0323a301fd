//! Several processes that share a topic which is keyed by account.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rusqlite::Connection;

use super::super::daemon::Daemon;
use super::super::members::{Members, account};
use super::super::oracle::{Oracle, SHORT};
use super::super::program::until;
use super::broker::Broker;
use super::{Feed, PARTITIONS, Place};

/// What each member reads: the topic, in the group of the same name.
fn source(broker: &Broker, topic: &'static str) -> impl Fn(&str) -> String {
    broker.topic(topic, PARTITIONS);
    let brokers = broker.address.clone();
    move |name| {
        format!(
            "[[source]]\ntype = \"kafka\"\nbrokers = [\"{brokers}\"]\ntopic = \"{topic}\"\n\
             group = \"{topic}\"\nstart = \"earliest\"\nkeyed_by = [\"floodmark.account\"]\n\
             [source.properties]\n\"session.timeout.ms\" = 6000\n\
             \"group.instance.id\" = \"{topic}-{name}\"\n"
        )
    }
}

/// Traffic on its way, and what the rules find in it.
fn feed(members: &Members, broker: &Broker, topic: &str) -> (Oracle, Feed) {
    let oracle = members.oracle(Members::traffic("24000", "6h"));
    let partitions = oracle.lines.iter().map(|line| partition(line)).collect();
    let feed = Feed::to(broker, topic, oracle.lines.clone(), partitions);
    (oracle, feed)
}

/// The partition of a record's account.
fn partition(line: &str) -> i32 {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(account(line));
    i32::try_from(hash % u64::try_from(PARTITIONS).unwrap()).unwrap()
}

#[test]
fn windows_go_with_their_partitions_from_member_to_member() {
    let broker = Broker::shared();
    let members = Members::shipped(source(broker, "shared"));
    let (oracle, mut feed) = feed(&members, broker, "shared");
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
    let members = Members::new(source(broker, "joining"));
    let (oracle, mut feed) = feed(&members, broker, "joining");
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

/// A daemon that has let go of nothing yet of what the group takes away for another member, since it
/// cannot write its ledger. Its session does not end while a test waits.
struct Moving {
    place: Place,
    feed: Feed,
    daemon: Daemon,
    other: BaseConsumer,
    ledger: Connection,
}

impl Moving {
    fn of(name: &'static str) -> Moving {
        let place = Place::new(name, "");
        let config = std::fs::read_to_string(&place.config).unwrap();
        let config = config.replace("ms\" = 6000", "ms\" = 300000");
        std::fs::write(&place.config, config).unwrap();
        let mut feed = Feed::of(Broker::shared(), name, SHORT.lines.clone());
        let mut daemon = Daemon::start(&place.config, &feed.metronome);
        feed.step();
        until("it has read from all", || {
            daemon.assert_runs();
            feed.progress.has(&feed.writer.ends)
        });
        let ledger = Connection::open(place.config.with_extension("ledger")).unwrap();
        ledger.execute_batch("BEGIN IMMEDIATE").unwrap();
        feed.step();
        daemon.until_said("reading waits until the ledger can be written");
        let other = Broker::shared().member(name, name);
        until("the group takes partitions away", || {
            assert!(other.poll(Duration::ZERO).is_none(), "it reads nothing");
            daemon.assert_runs();
            daemon.said().contains("another member of group")
        });
        Moving { place, feed, daemon, other, ledger }
    }
}

/// Waits until a member has so many partitions.
fn until_has(member: &BaseConsumer, partitions: i32) {
    until("the other has its part", || {
        drop(member.poll(Duration::ZERO));
        member.assignment().unwrap().count() == partitions as usize
    });
}

#[test]
fn who_stops_while_partitions_move_leaves_all_to_others() {
    let Moving { daemon, other, .. } = Moving::of("moving");
    daemon.stop();
    until_has(&other, PARTITIONS);
}

#[test]
fn who_was_killed_while_partitions_moved_leaves_none_to_nobody() {
    let Moving { place, feed, daemon, other, ledger } = Moving::of("moved");
    daemon.kill();
    ledger.execute_batch("ROLLBACK").unwrap();
    let mut daemon = Daemon::start(&place.config, &feed.metronome);
    until_has(&other, PARTITIONS / 2);
    daemon.until_said("nobody in group moved reads");
}

//! Several processes that share a topic which is keyed by account.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use super::super::members::{Members, account};
use super::super::oracle::Oracle;
use super::super::program::until;
use super::broker::Broker;
use super::{Feed, PARTITIONS};

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

//! The Kinesis source against a server that speaks the API, and DynamoDB Local for its leases.
//!
//! Each test has a stream and a table of its own. What must hold is about sets and order: every
//! record is read, within a shard in order, and a child's never before all of its parents'.

mod kcl;
mod killed;
mod members;
pub(super) mod proxy;
pub(super) mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use floodmark::source::batch::{Durable, Handover, Next, Source, Word};
use floodmark::source::kinesis::settings::{Access, Fetch, Key, Leases, Role};
use floodmark::source::kinesis::{Kinesis, Position, Settings};
use floodmark_detectors::time::EventTime;

use self::proxy::Proxy;
use self::server::{Stream, aggregated, dynamodb, rows};

/// Longest wait for news, and how often it may bring none before a test gives up: a minute together.
const WAIT: Duration = Duration::from_millis(50);
const WAITS_MAX: u32 = 1_200;

const FAILOVER_MS: i64 = 4_000;

fn settings(stream: &Stream, start: Position) -> Settings {
    Settings {
        stream: stream.name.clone(),
        start,
        fetch: Fetch::Poll { per_second: 5 },
        leases: None,
        rereads: false,
        access: Access {
            region: Some("us-east-1".to_owned()),
            kinesis_endpoint: Some(server::Kinesis::shared().plain.clone()),
            key: Some(Key { id: "test".to_owned(), secret: "test".to_owned() }),
            ..Access::default()
        },
    }
}

fn leased(stream: &Stream, endpoint: &str, worker: &str) -> Settings {
    let mut settings = settings(stream, Position::Oldest);
    settings.access.dynamodb_endpoint = Some(endpoint.to_owned());
    settings.leases = Some(Leases {
        table: stream.name.clone(),
        failover_ms: FAILOVER_MS,
        worker: Some(worker.to_owned()),
        keyed_by: Vec::new(),
    });
    settings
}

/// A source, and all that it has brought.
struct Reading {
    source: Kinesis,
    payloads: Vec<String>,
    /// Input's name and payload, in order of arrival.
    order: Vec<(String, String)>,
    positions: BTreeMap<String, Box<str>>,
    /// Of each batch: input's name, position, last payload.
    batches: Vec<(String, String, String)>,
    inputs: BTreeMap<String, u32>,
    ended: Vec<String>,
    lost: Vec<String>,
    caught_up: BTreeSet<String>,
    /// Inputs that others had read on, and payloads that were read again.
    overtaken: Vec<String>,
    reread: Vec<String>,
    /// Whether positions are durable as soon as they are known.
    commits: bool,
}

impl Reading {
    fn start(settings: Settings, positions: &BTreeMap<String, Box<str>>) -> Reading {
        let tell = Box::new(|what: &str| eprintln!("{what}"));
        Reading {
            source: Kinesis::start(settings, positions, tell).unwrap(),
            payloads: Vec::new(),
            order: Vec::new(),
            positions: positions.clone(),
            batches: Vec::new(),
            inputs: BTreeMap::new(),
            ended: Vec::new(),
            lost: Vec::new(),
            caught_up: BTreeSet::new(),
            overtaken: Vec::new(),
            reread: Vec::new(),
            commits: true,
        }
    }

    /// Takes one piece of news; whether there was any.
    fn take(&mut self, wait: Duration) -> bool {
        match self.source.next(wait).unwrap() {
            Next::Batch(batch) => {
                let name = self.source.name_of(batch.input);
                if batch.is_reread {
                    let texts = batch.payloads().map(|(_, it)| String::from_utf8(it.to_vec()));
                    self.reread.extend(texts.map(Result::unwrap));
                    return true;
                }
                for (_, payload) in batch.payloads() {
                    let payload = String::from_utf8(payload.to_vec()).unwrap();
                    self.order.push((name.clone(), payload.clone()));
                    self.payloads.push(payload);
                }
                let position = batch.position.clone().expect("every batch has one");
                self.inputs.insert(name.clone(), batch.input);
                if self.commits {
                    self.durable(&name, &position, None);
                }
                let last = self.payloads.last().cloned().unwrap_or_default();
                self.batches.push((name.clone(), position.to_string(), last));
                self.positions.insert(name, position);
            }
            Next::Lost(inputs) => {
                self.lost.extend(inputs.into_iter().map(|input| self.source.name_of(input)));
            }
            Next::Overtaken(inputs) => {
                let names = inputs.into_iter().map(|(input, _)| self.source.name_of(input));
                self.overtaken.extend(names);
            }
            Next::Leaving(_) => panic!("it asks for nothing"),
            Next::Unheard(_) => panic!("a shard is heard, or its reader says why not"),
            Next::Ended(input) => self.ended.push(self.source.name_of(input)),
            Next::CaughtUp(input) => drop(self.caught_up.insert(self.source.name_of(input))),
            Next::Nothing => return false,
            Next::Gained(_) => {}
            Next::End => panic!("a stream does not end"),
        }
        true
    }

    /// Says that this much is in the ledger, and what the next reader needs.
    fn durable(&mut self, name: &str, position: &str, handover: Option<Handover>) {
        let (input, position) = (self.inputs[name], position.into());
        let word = Word::Durable(vec![Durable { input, position, handover }]);
        self.source.hear(word).unwrap();
    }

    /// Reads until it has what is wanted, or nothing has come for too long.
    fn until(&mut self, what: &str, mut is_done: impl FnMut(&Reading) -> bool) {
        let mut waits = 0;
        while !is_done(self) {
            waits += u32::from(!self.take(WAIT));
            assert!(waits < WAITS_MAX, "{what}: has {:?}", self.payloads.len());
        }
    }

    fn until_all(&mut self, expected: &[String]) {
        let expected: BTreeSet<&String> = expected.iter().collect();
        self.until("all records", |it| expected.len() <= it.set().len());
        assert_eq!(self.set(), expected);
    }

    fn set(&self) -> BTreeSet<&String> {
        self.payloads.iter().collect()
    }

    /// Where in the order of arrival an input first and last brought something.
    fn span(&self, input: &str) -> Option<(usize, usize)> {
        let is_its = |(_, (name, _)): &(usize, &(String, String))| name == input;
        let first = self.order.iter().enumerate().find(is_its)?.0;
        let last = self.order.iter().enumerate().rfind(is_its)?.0;
        Some((first, last))
    }
}

fn named(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{{\"eventID\":\"{prefix}-{number}\"}}")).collect()
}

/// What goes wrong now and then on the way to Kinesis.
fn faults(operation: &str, number: u64) -> Option<&'static str> {
    match (operation, number) {
        ("GetRecords", 4 | 9 | 30) => Some("ExpiredIteratorException"),
        ("GetRecords", 6 | 7 | 21) => Some("ProvisionedThroughputExceededException"),
        ("GetRecords", 12) => Some("InternalFailure"),
        ("GetShardIterator", 2) => Some("LimitExceededException"),
        _ => None,
    }
}

#[test]
fn every_shard_is_read_through_splits_and_merges_and_faults() {
    let stream = Stream::create("resharded", 2);
    let proxy = Proxy::start(&server::Kinesis::shared().plain, faults);
    let mut settings = settings(&stream, Position::Oldest);
    settings.access.kinesis_endpoint = Some(proxy.url.clone());
    let mut expected = named("first", 150);
    stream.put(&expected);
    let mut reading = Reading::start(settings.clone(), &BTreeMap::new());
    reading.until_all(&expected);

    // A split, and a merge of one of its children with the shard beside it.
    let shards = stream.open_shards();
    stream.split(&shards[0]);
    let more = named("split", 150);
    stream.put(&more);
    expected.extend(more);
    let shards = stream.open_shards();
    let of = |id: &str| shards.iter().find(|shard| shard.shard_id.ends_with(id)).unwrap();
    stream.merge(of("3"), of("1"));
    let more = named("merged", 150);
    stream.put(&more);
    expected.extend(more);
    reading.until_all(&expected);
    assert_eq!(reading.payloads.len(), expected.len(), "once each, faults or not");

    let name = |number: u32| format!("resharded/shardId-{number:012}");
    let ended: BTreeSet<&String> = reading.ended.iter().collect();
    assert_eq!(ended, [&name(0), &name(1), &name(3)].into(), "parents end");
    for (parent, child) in [(0, 2), (0, 3), (1, 4), (3, 4)] {
        let (_, last) = reading.span(&name(parent)).unwrap();
        let (first, _) = reading.span(&name(child)).unwrap();
        assert!(last < first, "{parent} before {child}");
    }
    assert_eq!(&*reading.positions[&name(0)], "SHARD_END");
    let iterators = proxy.calls("GetShardIterator");
    assert!(iterators >= 5 + 3, "expired iterators were renewed: {iterators}");

    // A restart goes on where the positions are, in the children too.
    let positions = reading.positions.clone();
    drop(reading);
    let later = named("later", 50);
    stream.put(&later);
    let mut again = Reading::start(settings, &positions);
    again.until_all(&later);
    again.until("all caught up", |it| it.caught_up.len() == 2);
    assert_eq!(again.payloads.len(), later.len(), "nothing was read again");
}

#[test]
fn an_aggregated_record_is_gone_on_with_in_its_middle() {
    let stream = Stream::create("aggregated", 1);
    let users = named("user", 1_200);
    stream.put_bytes(&aggregated(&users));
    let plain = named("plain", 1);
    stream.put(&plain);
    let mut reading = Reading::start(settings(&stream, Position::Oldest), &BTreeMap::new());
    // One batch holds a part of the record.
    reading.until("the first batch", |it| !it.payloads.is_empty());
    let part = reading.payloads.len();
    assert!(part < users.len());
    let position = reading.positions["aggregated/shardId-000000000000"].clone();
    assert!(position.ends_with(&format!(":{}", part - 1)), "{position}");
    let positions = reading.positions.clone();
    drop(reading);
    let mut rest = Reading::start(settings(&stream, Position::Oldest), &positions);
    let expected: Vec<String> = users[part..].iter().chain(&plain).cloned().collect();
    rest.until_all(&expected);
    assert_eq!(rest.payloads, expected, "in order, none twice");
}

#[test]
fn the_latest_begins_with_what_comes_and_a_time_with_what_came_since() {
    let stream = Stream::create("begun", 1);
    stream.put(&named("before", 20));
    let mut latest = Reading::start(settings(&stream, Position::Latest), &BTreeMap::new());
    latest.until("the end", |it| !it.caught_up.is_empty());
    let after = named("after", 20);
    stream.put(&after);
    latest.until_all(&after);
    drop(latest);
    let since = Position::At(floodmark::clock::wall_ms() - 3_600_000);
    let mut timed = Reading::start(settings(&stream, since), &BTreeMap::new());
    let all: Vec<String> = named("before", 20).into_iter().chain(after).collect();
    timed.until_all(&all);
}

#[test]
fn enhanced_fan_out_reads_the_same() {
    let stream = Stream::create("fanned", 2);
    let kinesis = server::Kinesis::shared();
    let mut settings = settings(&stream, Position::Oldest);
    settings.fetch = Fetch::FanOut { consumer: "floodmark".to_owned() };
    settings.access.kinesis_endpoint = Some(kinesis.tls.clone());
    settings.access.trusted = Some(kinesis.ca.clone());
    let mut expected = named("first", 100);
    stream.put(&expected);
    let mut reading = Reading::start(settings, &BTreeMap::new());
    reading.until_all(&expected);
    stream.split(&stream.open_shards()[0]);
    let more = named("more", 100);
    stream.put(&more);
    expected.extend(more);
    reading.until_all(&expected);
    let (_, last) = reading.span("fanned/shardId-000000000000").unwrap();
    let (first, _) = reading.span("fanned/shardId-000000000002").unwrap();
    assert!(last < first);
}

/// Takes what both have, in turn, until it is done.
fn until_both(
    one: &mut Reading,
    other: &mut Reading,
    what: &str,
    mut is_done: impl FnMut(&Reading, &Reading) -> bool,
) {
    let mut waits = 0;
    while !is_done(one, other) {
        let some = one.take(WAIT / 2) | other.take(WAIT / 2);
        waits += u32::from(!some);
        assert!(waits < WAITS_MAX, "{what}");
    }
}

fn owners(table: &str) -> BTreeMap<String, usize> {
    let mut owners = BTreeMap::new();
    // What has no checkpoint is no lease.
    let is_open = |row: &&BTreeMap<String, String>| {
        row.get("checkpoint").is_some_and(|checkpoint| checkpoint != "SHARD_END")
    };
    for row in rows(table).values().filter(is_open) {
        let owner = row.get("leaseOwner").map_or("nobody", |it| it.split('-').next().unwrap());
        *owners.entry(owner.to_owned()).or_default() += 1;
    }
    owners
}

#[test]
fn two_share_a_stream_and_one_takes_over_what_another_leaves() {
    let stream = Stream::create("shared", 4);
    let mut expected = named("first", 200);
    stream.put(&expected);
    let way = Proxy::start(dynamodb(), |_, _| None);
    let mut one = Reading::start(leased(&stream, &way.url, "one"), &BTreeMap::new());
    one.until_all(&expected);
    let mut two = Reading::start(leased(&stream, dynamodb(), "two"), &BTreeMap::new());
    until_both(&mut one, &mut two, "two leases each", |_, _| {
        owners("shared") == [("one".to_owned(), 2), ("two".to_owned(), 2)].into()
    });

    // One of them loses its way to the table: as if it were dead, for the other.
    way.cut();
    stream.split(&stream.open_shards()[0]);
    let more = named("second", 200);
    stream.put(&more);
    expected.extend(more);
    let all: BTreeSet<String> = expected.iter().cloned().collect();
    until_both(&mut one, &mut two, "the takeover", |_, two| {
        let is_over = owners("shared") == [("two".to_owned(), 5)].into();
        is_over && two.payloads.iter().filter(|it| it.contains("second")).count() >= 200
    });
    let read: BTreeSet<String> = one.payloads.iter().chain(&two.payloads).cloned().collect();
    assert_eq!(read, all);
    one.until("it lets go by itself", |it| it.lost.len() + it.ended.len() >= 4);

    // The other goes in order: its leases are free at once, with what is durable.
    drop(one);
    let positions = two.positions.clone();
    drop(two);
    let rows = rows("shared");
    assert!(
        rows.values()
            .all(|row| { row["checkpoint"] == "SHARD_END" || !row.contains_key("leaseOwner") })
    );
    for (name, position) in positions {
        let row = &rows[name.rsplit('/').next().unwrap()];
        let checkpoint = match row["checkpoint"].as_str() {
            "SHARD_END" => "SHARD_END".to_owned(),
            sequence => format!("{sequence}:{}", row["checkpointSubSequenceNumber"]),
        };
        assert_eq!(checkpoint, *position, "{name}");
    }
    let later = named("later", 40);
    stream.put(&later);
    let mut three = Reading::start(leased(&stream, dynamodb(), "three"), &BTreeMap::new());
    three.until_all(&later);
}

/// What windows rest on is read again by the next reader, where the note belongs to the checkpoint.
#[test]
fn what_a_note_names_is_read_again_unless_another_wrote_the_checkpoint() {
    let stream = Stream::create("noted", 1);
    let users = named("user", 1_200);
    stream.put_bytes(&aggregated(&users));
    let rereading = |worker: &str| {
        let settings = leased(&stream, dynamodb(), worker);
        Reading::start(Settings { rereads: true, ..settings }, &BTreeMap::new())
    };
    let mut one = rereading("one");
    one.commits = false;
    one.until("all of it", |it| it.payloads.len() == users.len());
    assert_eq!((&one.overtaken, &one.reread), (&vec![], &vec![]), "nobody had it before");
    let (name, position, last) = one.batches[0].clone();
    let done = users.iter().position(|user| *user == last).unwrap() + 1;
    let (sequence, _) = position.split_once(':').unwrap();
    let (settled, judges_from) = (EventTime(70), EventTime(60));
    let reread_from = format!("{sequence}:100").into();
    one.durable(&name, &position, Some(Handover { reread_from, settled, judges_from }));
    drop(one);

    // Both stand within an aggregated record, and none is passed over or comes twice.
    let mut two = rereading("two");
    two.commits = false;
    two.until("the rest", |it| it.payloads.len() >= users.len() - done);
    assert_eq!(two.overtaken, [name]);
    assert_eq!(two.reread, users[100..done]);
    assert_eq!(two.payloads, users[done..]);
    drop(two);

    // Another reads on, and knows nothing of notes: it leaves this one as it is.
    let foreign = done + 100;
    server::checkpoint("noted", "shardId-000000000000", sequence, foreign - 1);
    assert!(rows("noted")["shardId-000000000000"].contains_key("floodmarkHandover"));
    let mut three = rereading("three");
    three.until("the rest", |it| it.payloads.len() >= users.len() - foreign);
    assert_eq!(three.reread, Vec::<String>::new());
    assert_eq!(three.payloads, users[foreign..]);
}

/// A token service that hands out one key, and the request it got.
fn token_service() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut some = [0; 4_096];
        while !String::from_utf8_lossy(&request).contains("ExternalId=") {
            let count = stream.read(&mut some).unwrap();
            assert!(count > 0, "no external id in {}", String::from_utf8_lossy(&request));
            request.extend_from_slice(&some[..count]);
        }
        let body = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
            <AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>\
            <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
            <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
            <AssumedRoleUser><AssumedRoleId>R:s</AssumedRoleId><Arn>arn:aws:sts::1:a/r/s</Arn>\
            </AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>";
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        String::from_utf8(request).unwrap()
    });
    (url, answering)
}

#[test]
fn a_role_is_assumed_with_its_external_id() {
    let stream = Stream::create("foreign", 1);
    let expected = named("one", 3);
    stream.put(&expected);
    let (url, asked) = token_service();
    let mut settings = settings(&stream, Position::Oldest);
    settings.access.sts_endpoint = Some(url);
    settings.access.role = Some(Role {
        arn: "arn:aws:iam::123456789012:role/reader".to_owned(),
        external_id: Some("their-word".to_owned()),
    });
    let mut reading = Reading::start(settings, &BTreeMap::new());
    reading.until_all(&expected);
    let asked = asked.join().unwrap();
    assert!(asked.contains("ExternalId=their-word"), "{asked}");
    assert!(asked.contains("role%2Freader"), "{asked}");
}

#[test]
fn a_stream_that_is_not_there_is_told_at_once() {
    let mut settings = settings(&Stream::create("there", 1), Position::Oldest);
    settings.stream = "nowhere".to_owned();
    let mut source = Kinesis::start(settings, &BTreeMap::new(), Box::new(|_| {})).unwrap();
    let mut next = source.next(WAIT);
    for _ in 0..WAITS_MAX {
        if !matches!(next, Ok(Next::Nothing)) {
            break;
        }
        next = source.next(WAIT);
    }
    let error = next.unwrap_err().to_string();
    assert!(error.starts_with("kinesis nowhere: ResourceNotFoundException"), "{error}");
}

#[test]
fn a_position_of_something_else_is_refused() {
    let stream = Stream::create("strange", 1);
    let positions = [("strange/shardId-000000000000".to_owned(), "12x".into())].into();
    let started = Kinesis::start(settings(&stream, Position::Oldest), &positions, Box::new(|_| {}));
    let error = started.err().unwrap().to_string();
    assert!(error.contains("the ledger's position of strange/shardId-000000000000"), "{error}");
}

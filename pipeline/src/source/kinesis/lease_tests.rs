//! A model of several workers on one table, with everything that can go wrong between them.
//!
//! Each worker has a clock of its own. Requests and answers take time, get lost, or come after
//! everybody has stopped waiting; workers die, pause and are replaced. What the driver does around
//! [`Leases`] is done here by an event loop: so the algorithm is what is tested, in thousands of hours.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use floodmark_detectors::time::EventTime;

use super::super::position::{Place, Sequence};
use super::super::shards::{Shard, plan, row_of};
use super::*;
use crate::source::batch::Handover;

const FAILOVER_MS: i64 = 10_000;
const LOOK_MS: i64 = FAILOVER_MS / 5;
const TICK_MS: i64 = FAILOVER_MS / 40;
/// Records of a shard.
const RECORDS: u64 = 40;
/// Runs; each is some minutes of the workers' time.
const RUNS: u64 = 40;

/// What happens at a time.
#[derive(Debug, Clone)]
enum Event {
    Tick(usize),
    Look(usize),
    /// A request reaches the table.
    Arrives {
        worker: usize,
        write: Write,
        asked_ms: i64,
        is_expiry: bool,
    },
    /// An answer, or the end of waiting for one, reaches the worker.
    Answered {
        worker: usize,
        write: Write,
        answer: Answer,
        asked_ms: i64,
    },
    Read(usize),
    Kill(usize),
    Wake(usize),
}

struct Worker {
    leases: Leases,
    name: String,
    /// Its clock, against the model's.
    offset_ms: i64,
    is_alive: bool,
    is_paused: bool,
    /// Shards whose reader runs: next record to be read.
    readers: BTreeMap<String, u64>,
}

struct Model {
    random: Xoshiro256PlusPlus,
    now_ms: i64,
    events: BTreeMap<(i64, u64), Event>,
    serial: u64,
    table: BTreeMap<String, Row>,
    workers: Vec<Worker>,
    shards: Vec<(i64, Shard)>,
    read: BTreeSet<(String, u64)>,
    /// Everything goes well from here on.
    is_quiet: bool,
    takeovers: u64,
    steals: u64,
    lost_answers: u64,
}

/// The shards of the stream, each with the time of its birth, when its parents were closed.
fn shards() -> Vec<(i64, Shard)> {
    let shard = |born: i64, id: &str, parents: &[&str]| {
        let parents = parents.iter().map(|&it| it.to_owned()).collect();
        let shard = Shard { id: id.to_owned(), parents, hash_range: None, is_open: true };
        (born * FAILOVER_MS, shard)
    };
    vec![
        shard(0, "a", &[]),
        shard(0, "b", &[]),
        shard(0, "c", &[]),
        shard(0, "d", &[]),
        shard(2, "e", &["a"]),
        shard(2, "f", &["a"]),
        shard(3, "g", &["b", "f"]),
        shard(7, "h", &["c"]),
        shard(7, "i", &["c"]),
    ]
}

fn after(record: u64) -> Position {
    let sequence = Sequence::parse(&record.to_string()).unwrap();
    Position::After(Place { sequence, sub_sequence: 0 })
}

/// Done up to there, with a note that belongs to it.
fn done(record: u64) -> Done {
    let time = EventTime(i64::try_from(record).unwrap());
    let reread_from = after(record / 2).to_string().into();
    let handover = Handover { reread_from, settled: time, judges_from: time };
    Done { checkpoint: after(record), handover: Some(handover) }
}

fn next_record(position: &Position) -> u64 {
    match position {
        Position::After(place) => place.sequence.as_str().parse::<u64>().unwrap() + 1,
        _ => 0,
    }
}

impl Model {
    fn new(seed: u64) -> Model {
        Model {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            now_ms: 0,
            events: BTreeMap::new(),
            serial: 0,
            table: BTreeMap::new(),
            workers: Vec::new(),
            shards: shards(),
            read: BTreeSet::new(),
            is_quiet: false,
            takeovers: 0,
            steals: 0,
            lost_answers: 0,
        }
    }

    fn at(&mut self, after_ms: i64, event: Event) {
        self.serial += 1;
        self.events.insert((self.now_ms + after_ms, self.serial), event);
    }

    fn hire(&mut self) {
        let worker = self.workers.len();
        let name = format!("w{worker}");
        self.workers.push(Worker {
            leases: Leases::new(name.clone(), FAILOVER_MS),
            name,
            offset_ms: self.random.random_range(-1_000_000..1_000_000),
            is_alive: true,
            is_paused: false,
            readers: BTreeMap::new(),
        });
        for event in [Event::Tick(worker), Event::Look(worker), Event::Read(worker)] {
            let soon_ms = self.random.random_range(0..LOOK_MS);
            self.at(soon_ms, event);
        }
    }

    fn delay(&mut self) -> i64 {
        let is_slow = !self.is_quiet && self.random.random_bool(0.02);
        self.random.random_range(if is_slow { 1_000..3 * FAILOVER_MS } else { 1..100 })
    }

    fn write(&mut self, worker: usize, write: Write, is_expiry: bool) {
        let asked_ms = self.now_ms;
        let (there_ms, back_ms) = (self.delay(), self.delay());
        let is_lost = !self.is_quiet && self.random.random_bool(0.03);
        if !is_lost {
            self.at(there_ms, Event::Arrives { worker, write: write.clone(), asked_ms, is_expiry });
        }
        // The driver waits for a third of the failover time and then takes it that nobody knows.
        if is_lost || there_ms + back_ms >= FAILOVER_MS / 3 {
            self.lost_answers += u64::from(!is_lost);
            let answer = Answer::Unknown;
            self.at(FAILOVER_MS / 3, Event::Answered { worker, write, answer, asked_ms });
        }
    }

    fn step(&mut self) {
        let ((now_ms, _), event) = self.events.pop_first().unwrap();
        self.now_ms = now_ms;
        match event {
            Event::Arrives { worker, write, asked_ms, is_expiry } => {
                let name = self.workers[worker].name.clone();
                let owner_was = self.table.get(write.key()).and_then(|row| row.owner.clone());
                let answer = write.apply(&mut self.table, &name);
                if answer == Answer::Done && matches!(write, Write::Take { .. }) {
                    self.check_takeover(worker, write.key(), owner_was, is_expiry);
                }
                let back_ms = self.delay();
                if now_ms + back_ms - asked_ms < FAILOVER_MS / 3 {
                    self.at(back_ms, Event::Answered { worker, write, answer, asked_ms });
                } else if now_ms - asked_ms < FAILOVER_MS / 3 {
                    let left_ms = asked_ms + FAILOVER_MS / 3 - now_ms;
                    let answer = Answer::Unknown;
                    self.at(left_ms, Event::Answered { worker, write, answer, asked_ms });
                }
            }
            Event::Kill(worker) => {
                self.workers[worker].is_alive = false;
                self.workers[worker].readers.clear();
            }
            Event::Wake(worker) => {
                self.workers[worker].is_paused = false;
                self.tick(worker);
            }
            Event::Tick(worker) | Event::Look(worker) | Event::Read(worker)
                if self.workers[worker].is_paused =>
            {
                self.at(TICK_MS, event);
            }
            Event::Answered { worker, .. } if self.workers[worker].is_paused => {
                self.at(TICK_MS, event);
            }
            Event::Tick(worker) if self.workers[worker].is_alive => {
                self.tick(worker);
                self.at(TICK_MS, event);
            }
            Event::Look(worker) if self.workers[worker].is_alive => {
                self.look(worker);
                let next_ms = LOOK_MS + self.random.random_range(0..50);
                self.at(next_ms, event);
            }
            Event::Read(worker) if self.workers[worker].is_alive => {
                self.read_some(worker);
                let next_ms = self.random.random_range(100..400);
                self.at(next_ms, event);
            }
            Event::Answered { worker, write, answer, asked_ms }
                if self.workers[worker].is_alive =>
            {
                let it = &mut self.workers[worker];
                let offset_ms = it.offset_ms;
                let change =
                    it.leases.written(&write, answer, asked_ms + offset_ms, now_ms + offset_ms);
                if let Change::Lost(shard) = change {
                    it.readers.remove(&shard);
                }
                self.start_readers(worker);
            }
            Event::Tick(_) | Event::Look(_) | Event::Read(_) | Event::Answered { .. } => {}
        }
    }

    /// A lease that was taken because it had run out is not being read by its owner any more.
    fn check_takeover(
        &mut self,
        worker: usize,
        shard: &str,
        owner_was: Option<String>,
        is_expiry: bool,
    ) {
        let Some(owner) = owner_was.filter(|owner| *owner != self.workers[worker].name) else {
            return;
        };
        if !is_expiry {
            self.steals += 1;
            return;
        }
        self.takeovers += 1;
        let old = self.workers.iter().find(|it| it.name == owner).unwrap();
        // While it is paused it reads nothing, and looks at the clock before it goes on.
        let reads = old.is_alive && !old.is_paused && old.readers.contains_key(shard);
        assert!(!reads, "{owner} still reads {shard} at {}", self.now_ms);
    }

    fn tick(&mut self, worker: usize) {
        let it = &mut self.workers[worker];
        let now_ms = self.now_ms + it.offset_ms;
        for shard in it.leases.expired(now_ms) {
            it.readers.remove(&shard);
        }
        for write in it.leases.due(now_ms) {
            self.write(worker, write, false);
        }
    }

    fn look(&mut self, worker: usize) {
        if !self.is_quiet && self.random.random_bool(0.05) {
            return;
        }
        if self.random.random_bool(0.2) {
            self.make_leases();
        }
        let rows = self.table.values().cloned().collect();
        let chance = self.random.next_u64();
        let it = &mut self.workers[worker];
        let now_ms = self.now_ms + it.offset_ms;
        it.leases.look(rows, now_ms);
        let wanted = it.leases.wanted(now_ms, chance);
        for write in wanted {
            let seen = &self.workers[worker].leases.seen[write.key()];
            let is_expiry = now_ms - seen.since_ms >= FAILOVER_MS;
            self.write(worker, write, is_expiry);
        }
        self.start_readers(worker);
    }

    /// The stream's shards as it lists them now.
    fn listed(&self) -> Vec<Shard> {
        let born = self.shards.iter().filter(|(born_ms, _)| *born_ms <= self.now_ms);
        born.map(|(_, shard)| shard.clone()).collect()
    }

    fn children(&self, shard: &str) -> Vec<String> {
        let listed = self.listed().into_iter();
        listed.filter(|it| it.parents.iter().any(|id| id == shard)).map(|it| it.id).collect()
    }

    /// What the driver does with a list of shards; here it may die in the middle of it.
    fn make_leases(&mut self) {
        let rows: Vec<Row> = self.table.values().cloned().collect();
        let writes = plan(&self.listed(), &rows, &Position::Oldest, &BTreeMap::new());
        for generation in writes {
            for create in generation {
                create.apply(&mut self.table, "");
            }
            if !self.is_quiet && self.random.random_bool(0.3) {
                return;
            }
        }
    }

    fn start_readers(&mut self, worker: usize) {
        let it = &mut self.workers[worker];
        for (shard, from) in it.leases.readable() {
            if it.readers.contains_key(&shard) {
                continue;
            }
            let next = next_record(&from.checkpoint);
            it.readers.insert(shard.clone(), next);
            if next > 0 {
                assert_eq!(from, done(next - 1), "a note comes with its checkpoint");
            }
            let parents = self.shards.iter().filter(|(_, it)| it.id == shard);
            let parents = parents.flat_map(|(_, it)| &it.parents);
            for parent in parents {
                for record in 0..RECORDS {
                    let is_read = self.read.contains(&(parent.clone(), record));
                    assert!(is_read, "{shard} is begun before {parent} has been read to its end");
                }
            }
        }
    }

    /// Reads a record of each shard, and makes some of it durable.
    fn read_some(&mut self, worker: usize) {
        let shards: Vec<String> = self.workers[worker].readers.keys().cloned().collect();
        for shard in shards {
            let it = &mut self.workers[worker];
            assert!(it.leases.holds(&shard), "what is read is held");
            let next = it.readers[&shard];
            if next < RECORDS {
                self.read.insert((shard.clone(), next));
                it.readers.insert(shard.clone(), next + 1);
                if next % 5 == 4 {
                    it.leases.durable(&shard, done(next));
                }
                continue;
            }
            let children = self.children(&shard);
            if children.is_empty() {
                continue;
            }
            self.make_leases();
            let is_known = |child: &String| self.table.contains_key(child);
            if children.iter().all(is_known) {
                let it = &mut self.workers[worker];
                it.readers.remove(&shard);
                it.leases.drained(&shard, children);
                let end = Done { checkpoint: Position::End, handover: None };
                it.leases.durable(&shard, end);
            }
        }
    }

    fn run(&mut self, for_ms: i64) {
        let until_ms = self.now_ms + for_ms;
        while self.events.keys().next().is_some_and(|(at_ms, _)| *at_ms <= until_ms) {
            self.step();
        }
        self.now_ms = until_ms;
    }

    fn pause(&mut self, worker: usize) {
        self.workers[worker].is_paused = true;
        let long_ms = self.random.random_range(100..3 * FAILOVER_MS);
        self.at(long_ms, Event::Wake(worker));
    }

    /// How many leases each living worker holds.
    fn shares(&self) -> Vec<usize> {
        let alive = self.workers.iter().filter(|it| it.is_alive);
        alive.map(|it| it.leases.held.len()).collect()
    }
}

#[test]
fn workers_share_take_over_and_never_read_past_a_fence() {
    let (mut takeovers, mut steals, mut lost_answers) = (0, 0, 0);
    for seed in 0..RUNS {
        let mut model = Model::new(seed);
        for _ in 0..model.random.random_range(2..5) {
            model.hire();
        }
        // Everything that can go wrong.
        for _ in 0..12 {
            model.run(FAILOVER_MS);
            let worker = model.random.random_range(0..model.workers.len());
            if !model.workers[worker].is_alive || model.workers[worker].is_paused {
                continue;
            }
            if model.random.random_bool(0.3) {
                model.at(0, Event::Kill(worker));
                model.hire();
            } else if model.random.random_bool(0.5) {
                model.pause(worker);
            }
        }
        model.run(4 * FAILOVER_MS);
        // Then nothing does, and all of it comes to rest: everything is read, evenly shared.
        model.is_quiet = true;
        model.run(20 * FAILOVER_MS);
        for (_, shard) in &model.shards {
            for record in 0..RECORDS {
                let is_read = model.read.contains(&(shard.id.clone(), record));
                assert!(is_read, "seed {seed}: {} of {} is unread", record, shard.id);
            }
        }
        for row in model.table.values().filter(|row| !model.children(&row.key).is_empty()) {
            assert_eq!(row.checkpoint, Position::End, "seed {seed}: {}", row.key);
        }
        let shares = model.shares();
        let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
        assert!(most - least <= 1, "seed {seed}: {shares:?}");
        // A dead owner's leases are taken within the failover time and two looks.
        let dead = (0..model.workers.len()).find(|it| model.workers[*it].is_alive).unwrap();
        let name = model.workers[dead].name.clone();
        model.at(0, Event::Kill(dead));
        if model.shares().len() > 1 {
            model.run(FAILOVER_MS + 2 * LOOK_MS + 500);
            let is_left = model
                .table
                .values()
                .any(|row| row.checkpoint != Position::End && row.owner.as_ref() == Some(&name));
            assert!(!is_left, "seed {seed}: a lease of the dead is left");
        }
        takeovers += model.takeovers;
        steals += model.steals;
        lost_answers += model.lost_answers;
    }
    // Or the model has met nothing.
    assert!(takeovers > 2 * RUNS, "{takeovers}");
    assert!(steals > RUNS / 2, "{steals}");
    assert!(lost_answers > 4 * RUNS, "{lost_answers}");
}

fn held(leases: &mut Leases, key: &str, now_ms: i64) {
    let shard = Shard { id: key.into(), parents: Vec::new(), hash_range: None, is_open: true };
    leases.look(vec![row_of(&shard, Position::Oldest)], now_ms);
    let take = leases.wanted(now_ms, 0).remove(0);
    let gained = leases.written(&take, Answer::Done, now_ms, now_ms);
    assert_eq!(gained, Change::Gained);
}

#[test]
fn a_lost_answer_is_recognised_and_a_fence_obeyed() {
    let mut leases = Leases::new("me".into(), FAILOVER_MS);
    held(&mut leases, "s", 0);
    assert_eq!(leases.due(100), []);
    leases.durable("s", done(7));
    let renew = leases.due(4_000).remove(0);
    assert_eq!(leases.due(4_000), [], "one write at a time");
    assert_eq!(leases.written(&renew, Answer::Unknown, 4_000, 7_400), Change::None);
    // It was done all the same: the row is ours, and further.
    let again = leases.due(7_500).remove(0);
    let shard = Shard { id: "s".into(), parents: Vec::new(), hash_range: None, is_open: true };
    let (owner, handover) = (Some("me".into()), done(7).handover);
    let mut row = Row { owner, counter: 2, handover, ..row_of(&shard, after(7)) };
    let answer = Answer::Refused(Some(Box::new(row.clone())));
    assert_eq!(leases.written(&again, answer, 7_500, 7_600), Change::None);
    let third = leases.due(7_600).remove(0);
    assert_eq!(
        third,
        Write::Renew { key: "s".into(), counter_was: 2, done: None, children: vec![] }
    );
    row.owner = Some("other".into());
    let fenced = leases.written(&third, Answer::Refused(Some(Box::new(row))), 7_600, 7_700);
    assert_eq!(fenced, Change::Lost("s".into()));
    assert_eq!(leases.readable(), []);
}

#[test]
fn what_cannot_be_renewed_is_given_up_before_others_may_take_it() {
    let mut leases = Leases::new("me".into(), FAILOVER_MS);
    held(&mut leases, "s", 0);
    assert_eq!(leases.expired(FAILOVER_MS / 2), Vec::<String>::new());
    assert_eq!(leases.expired(FAILOVER_MS - 1_000), ["s"]);
    assert!(!leases.holds("s"));
}

#[test]
fn everything_is_given_back_with_what_is_durable() {
    let mut leases = Leases::new("me".into(), FAILOVER_MS);
    held(&mut leases, "s", 0);
    leases.durable("s", done(3));
    // What is known of the same position by now replaces what was; what lies before it does not.
    let now = Done { handover: None, ..done(3) };
    leases.durable("s", now.clone());
    leases.durable("s", done(2));
    let back = Write::Release { key: "s".into(), done: Some(now) };
    assert_eq!(leases.release_all(), [back]);
    assert_eq!(leases.due(FAILOVER_MS), []);
}

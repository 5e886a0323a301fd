//! Ordinary work: who calls what, when, in order of event time.

use super::budget::{self, Allowance, Budgets};
use super::odd::Odd;
use super::operation::Persona;
use super::organisation::{Kind, Organisation};
use super::random::{Concern, Random, mix};
use super::record::{MACHINES_PLAIN, machine};
use super::{Call, Outcome, Plan, Quirk};

/// How busy each hour of the day is (UTC), of a hundred.
const HOURS: [u64; 24] = [
    38, 35, 33, 32, 34, 40, 52, 70, 88, 97, 100, 98, 92, 96, 99, 97, 92, 82, 70, 60, 54, 49, 45, 41,
];
/// Below this busyness people sleep, and every second call of theirs is somebody else's.
const QUIET: u64 = 50;
/// Names are drawn from so many.
const RESOURCES: u64 = 2_000;

/// The calls of ordinary work, in order of time.
pub(super) struct Background {
    random: Random,
    budgets: Budgets,
    seed: u64,
    start: i64,
    duration_secs: u64,
    records: u64,
    /// The sum of the weights of all seconds, and of those before the next one.
    weight_total: u64,
    weight_done: u64,
    second: u64,
    /// Records made, and records due by the end of the current second.
    made: u64,
    due: u64,
    tuning: u16,
    fallbacks: [u16; 3],
}

impl Background {
    pub(super) fn new(plan: &Plan, organisation: &Organisation) -> Background {
        let duration_secs = plan.duration_secs.max(1) as u64;
        let (seed, start) = (plan.seed, plan.start.0);
        let operations = &organisation.operations;
        Background {
            random: Random::of(seed, Concern::Background, 0),
            budgets: Budgets::new(organisation.casts, organisation.accounts.len()),
            seed,
            start,
            duration_secs,
            records: plan.records,
            weight_total: (0..duration_secs).map(|s| weight(seed, start, s)).sum(),
            weight_done: 0,
            second: 0,
            made: 0,
            due: 0,
            tuning: operations.place("sagemaker", "CreateHyperParameterTuningJob"),
            fallbacks: [
                operations.place("ec2", "DescribeInstances"),
                operations.place("sagemaker", "ListTrainingJobs"),
                operations.place("sts", "AssumeRole"),
            ],
        }
    }

    /// The next call, until all records of the plan are made.
    pub(super) fn next(&mut self, organisation: &Organisation) -> Option<Call> {
        while self.made == self.due {
            if self.second == self.duration_secs {
                return None;
            }
            self.weight_done += weight(self.seed, self.start, self.second);
            self.second += 1;
            let due = u128::from(self.records) * u128::from(self.weight_done);
            self.due = (due / u128::from(self.weight_total)) as u64;
        }
        let id = self.made;
        self.made += 1;
        Some(self.call(id, organisation))
    }

    fn call(&mut self, id: u64, organisation: &Organisation) -> Call {
        let second = self.start + self.second as i64 - 1;
        let time = floodmark_detectors::time::EventTime(second);
        let place = self.actor(second, organisation);
        let actor = &organisation.actors[place as usize];
        let random = &mut self.random;
        let operations = &organisation.operations;
        let mut call = Call {
            time,
            id,
            actor: place,
            resource: random.below(RESOURCES) as u32,
            operation: operations.mix(actor.persona).draw(random) as u16,
            session: random.below(u64::from(actor.sessions)) as u16,
            count: 1 + random.below(2) as u16,
            region: if random.chance(85, 100) { actor.home } else { actor.away },
            machine: random.below(MACHINES_PLAIN) as u8,
            outcome: Outcome::Success,
            quirk: Quirk::None,
        };
        if !self.allowed(&mut call, organisation) {
            call.operation = match actor.persona {
                Persona::Scientist => self.fallbacks[1],
                Persona::Service => self.fallbacks[2],
                _ => self.fallbacks[0],
            };
        }
        if operations.at(call.operation).is_global() && !organisation.account(actor).gov {
            call.region = 0;
        }
        if actor.persona != Persona::Service {
            self.vary(&mut call, organisation);
        }
        call
    }

    /// Who calls next: a service now and then, else whoever is busy.
    fn actor(&mut self, second: i64, organisation: &Organisation) -> u32 {
        let random = &mut self.random;
        if random.chance(22, 100) {
            let services = (organisation.casts - organisation.services) as u64;
            return (organisation.services as u64 + random.below(services)) as u32;
        }
        let drawn = organisation.zipf.draw(random);
        let person = organisation.actors[drawn].persona == Persona::Human;
        if person && busyness(second) < QUIET && random.chance(1, 2) {
            return organisation.zipf.draw(random) as u32;
        }
        drawn as u32
    }

    /// Holds a guarded call to its budgets, and fills in what such calls need besides.
    fn allowed(&mut self, call: &mut Call, organisation: &Organisation) -> bool {
        let guard = organisation.operations.at(call.operation).guard;
        let actor = &organisation.actors[call.actor as usize];
        let allowance = Allowance::of(guard);
        if let Some(allowance) = allowance
            && !self.budgets.actor(call.actor, allowance, call.time)
        {
            return false;
        }
        if !guard.is_compute() {
            return true;
        }
        if !self.budgets.account(actor.account, budget::COMPUTE, 1, call.time) {
            return false;
        }
        // Compute stays in one region, and a tuning job stays small.
        call.region = actor.home;
        let accelerated = call.operation != self.tuning && self.random.chance(12, 100);
        let count = u32::from(call.count);
        if accelerated
            && self.budgets.account(actor.account, budget::ACCELERATORS, count, call.time)
        {
            call.machine = machine("ml.g5.xlarge");
        }
        if call.operation == self.tuning {
            call.count = 10 + self.random.below(90) as u16;
        }
        if self.random.chance(2, 100) && self.budgets.actor(call.actor, budget::REFUSED, call.time)
        {
            call.outcome = Outcome::LimitExceeded;
        }
        true
    }

    /// Errors at background rates, and odd shapes.
    fn vary(&mut self, call: &mut Call, organisation: &Organisation) {
        let operation = organisation.operations.at(call.operation);
        let kind = organisation.actors[call.actor as usize].kind;
        let (actor, time) = (call.actor, call.time);
        match self.random.below(1_000) {
            _ if call.outcome != Outcome::Success => {}
            0..12 if self.budgets.actor(actor, budget::DENIED, time) => {
                call.outcome = Outcome::Denied;
            }
            12..16 if self.budgets.actor(actor, budget::THROTTLED, time) => {
                call.outcome = Outcome::Throttled;
            }
            16..26 if operation.access.is_read() => call.outcome = Outcome::NotFound,
            26..30 if operation.guard == super::operation::Guard::None => {
                call.quirk = Quirk::Odd(Odd::draw(&mut self.random));
            }
            30..190 if kind == Kind::Deployment => call.quirk = Quirk::Forwarded,
            30..50 if kind == Kind::SingleSignOn => call.quirk = Quirk::Forwarded,
            _ => {}
        }
    }
}

/// How much happens in one second: the hour's share, the day's, and some unrest by the minute.
fn weight(seed: u64, start: i64, second: u64) -> u64 {
    let at = start + second as i64;
    let unrest = 70 + mix(seed, at.div_euclid(60) as u64) % 60;
    busyness(at) * unrest
}

fn busyness(at: i64) -> u64 {
    let hour = HOURS[(at.div_euclid(3_600).rem_euclid(24)) as usize];
    // 1970-01-01 was a Thursday: days 2 and 3 of each seven are a weekend.
    let weekend = matches!(at.div_euclid(86_400).rem_euclid(7), 2 | 3);
    if weekend { hour / 2 } else { hour }
}

//! Scenes: short scripts played into the background, attacks and near misses alike.

use floodmark_detectors::time::EventTime;

use super::organisation::{Kind, Organisation};
use super::random::{Concern, Random};
use super::{Call, Outcome, Plan, Quirk, attack, near_miss};

/// Ids from here on are a scene's: this, the scene's place, the place in the scene.
const SCENE_IDS: u64 = 1 << 63;
/// Set besides where every record comes twice when the feed has duplicates at all.
const TWICE: u64 = 1 << 62;

/// The bins of `DOS-06`, seconds.
const BIN_SECS: i64 = 600;

/// A script.
pub(super) struct Scene {
    /// The rules an attack trips; a near miss trips none.
    pub(super) codes: &'static [&'static str],
    /// What it does.
    pub(super) why: &'static str,
    /// How many actors play in it.
    pub(super) cast: u32,
    /// What they are.
    pub(super) kind: Kind,
    /// From its first call to its last.
    pub(super) span_secs: i64,
    /// Puts its calls on the stage.
    pub(super) play: fn(&mut Stage<'_>),
}

impl Scene {
    fn is_attack(&self) -> bool {
        !self.codes.is_empty()
    }

    /// Whether its rule counts in bins aligned to the epoch: then it plays within one.
    fn fills_a_bin(&self) -> bool {
        self.codes.contains(&"DOS-06")
    }

    /// An attack plays when it is asked for, and in a short feed plays faster. A near miss, played
    /// faster, would be none, so it plays where it has the time.
    fn plays(&self, plan: &Plan) -> bool {
        if self.is_attack() {
            self.codes.iter().any(|code| plan.attacks.include(code))
        } else {
            self.span_secs < plan.duration_secs
        }
    }
}

/// All scenes, in the order of their accounts.
pub(super) fn all() -> impl Iterator<Item = &'static Scene> {
    attack::SCENES.iter().chain(near_miss::SCENES)
}

/// A scene that was played.
pub(super) struct Played {
    pub(super) scene: &'static Scene,
    /// In order of time; never empty.
    pub(super) calls: Vec<Call>,
}

/// Plays every scene that the plan has room for.
pub(super) fn played(plan: &Plan, organisation: &Organisation) -> Vec<Played> {
    let mut actor = organisation.casts as u32;
    let mut played = Vec::new();
    for (place, scene) in all().enumerate() {
        let first_actor = actor;
        actor += scene.cast;
        if !scene.plays(plan) {
            continue;
        }
        let mut random = Random::of(plan.seed, Concern::Scene, place as u64);
        let room = plan.duration_secs.max(1);
        let span = scene.span_secs.min(room - 1);
        let mut begin = plan.start.plus(random.below((room - span) as u64) as i64);
        if scene.fills_a_bin() && room > 2 * BIN_SECS {
            begin = EventTime(begin.0.div_euclid(BIN_SECS) * BIN_SECS).max(plan.start);
        }
        let twice = if scene.is_attack() { 0 } else { TWICE };
        let mut stage = Stage {
            organisation,
            first_actor,
            begin,
            slow: (span, scene.span_secs.max(1)),
            id: SCENE_IDS | twice | ((place as u64) << 32),
            calls: Vec::new(),
        };
        (scene.play)(&mut stage);
        let mut calls = stage.calls;
        calls.sort_by_key(|call| (call.time, call.id));
        played.push(Played { scene, calls });
    }
    played
}

/// Whether every record of this id comes twice in a feed with duplicates.
pub(super) fn comes_twice(id: u64) -> bool {
    id & (SCENE_IDS | TWICE) == SCENE_IDS | TWICE
}

/// Where a scene puts its calls.
pub(super) struct Stage<'a> {
    organisation: &'a Organisation,
    first_actor: u32,
    begin: EventTime,
    /// Seconds of the feed for seconds of the script.
    slow: (i64, i64),
    id: u64,
    calls: Vec<Call>,
}

/// One call of a script; what it leaves out is ordinary.
#[derive(Clone, Copy)]
pub(super) struct Line {
    /// Seconds after the scene begins.
    pub(super) at: i64,
    /// Who of the cast.
    pub(super) who: u32,
    pub(super) call: (&'static str, &'static str),
    /// The number of what it is about.
    pub(super) resource: u32,
    /// How many regions from the actor's own.
    pub(super) region: u8,
    pub(super) outcome: Outcome,
    /// An instance type.
    pub(super) machine: &'static str,
    /// How many instances or jobs.
    pub(super) count: u16,
    /// Which session, and with it from which network.
    pub(super) session: u16,
    pub(super) quirk: Quirk,
}

impl Line {
    pub(super) const ORDINARY: Line = Line {
        at: 0,
        who: 0,
        call: ("sagemaker", "ListTrainingJobs"),
        resource: 1,
        region: 0,
        outcome: Outcome::Success,
        machine: "ml.m5.large",
        count: 1,
        session: 0,
        quirk: Quirk::None,
    };
}

impl Stage<'_> {
    /// Puts one call on the stage.
    pub(super) fn put(&mut self, line: Line) {
        let actor = self.first_actor + line.who;
        let home = self.organisation.actors[actor as usize].home;
        let (fast, script) = self.slow;
        self.calls.push(Call {
            time: self.begin.plus(line.at * fast / script),
            id: self.id + self.calls.len() as u64,
            actor,
            operation: self.organisation.operations.place(line.call.0, line.call.1),
            resource: line.resource,
            region: (home + line.region) % 6,
            session: line.session,
            outcome: line.outcome,
            machine: super::record::machine(line.machine),
            count: line.count,
            quirk: line.quirk,
        });
    }
}

//! The way of records to the reader: late, out of order, some of them twice.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use floodmark_detectors::time::EventTime;

use super::background::Background;
use super::organisation::Organisation;
use super::random::{Concern, Random, mix, quantile};
use super::record::Renderer;
use super::{Call, Delivered, Feed, Plan, scene};

/// No record arrives later than this after its event, duplicates among them, seconds. A reader
/// that allows a lateness of 15 minutes finds none late.
pub const DELAY_SECS_MAX: i64 = 880;

/// Seconds from event to arrival, of 10,000 records: as measured on public feeds.
const DELAY_SECS: [(u64, u64); 6] =
    [(0, 5), (500, 60), (5_000, 195), (9_000, 390), (9_900, 540), (10_000, 608)];
/// Records of which one comes twice, and how much later at most, seconds.
const TWICE_ONE_IN: u64 = 10;
const TWICE_SECS_MAX: u64 = 600;
/// How often CloudTrail writes a file, seconds.
const FILE_SECS: i64 = 300;

/// The feed of a plan, in order of arrival.
pub struct Deliveries {
    renderer: Renderer,
    background: Background,
    /// The next call of the background, and those of the scenes, latest first.
    next: Option<Call>,
    scenes: Vec<Call>,
    in_flight: BinaryHeap<Reverse<InFlight>>,
    feed: Feed,
    seed: u64,
    drawn: u64,
}

/// Where a delivery lies among the files of its feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) at: EventTime,
    pub(super) partition_hint: u64,
    /// The file's account and region, by place.
    pub(super) account: u16,
    pub(super) region: u8,
}

/// A call on its way.
#[derive(Debug)]
struct InFlight {
    at: EventTime,
    /// Which file of those that arrive in this second.
    file: u32,
    /// Breaks what is left of the order.
    order: u64,
    copy: u8,
    call: Call,
}

impl Deliveries {
    pub(super) fn of(plan: &Plan) -> Deliveries {
        let organisation = Organisation::new(plan);
        let played = scene::played(plan, &organisation);
        let mut scenes: Vec<Call> = played.into_iter().flat_map(|played| played.calls).collect();
        scenes.sort_by_key(|call| Reverse((call.time, call.id)));
        let mut background = Background::new(plan, &organisation);
        let next = background.next(&organisation);
        Deliveries {
            renderer: Renderer::new(organisation),
            background,
            next,
            scenes,
            in_flight: BinaryHeap::new(),
            feed: plan.feed,
            seed: plan.seed,
            drawn: 0,
        }
    }

    /// Appends the next record to `record`, and says when it arrives and which partition may have
    /// it: the way to read the feed without an allocation for each record.
    pub fn next_into(&mut self, record: &mut Vec<u8>) -> Option<(EventTime, u64)> {
        let arrival = self.advance(record)?;
        Some((arrival.at, arrival.partition_hint))
    }

    pub(super) fn advance(&mut self, record: &mut Vec<u8>) -> Option<Arrival> {
        // Whatever comes later arrives no sooner than its event time, so what arrives before
        // the next event is settled.
        while let Some(time) = self.next_time() {
            match self.in_flight.peek() {
                Some(Reverse(first)) if first.at < time => break,
                _ => self.send(),
            }
        }
        let Reverse(first) = self.in_flight.pop()?;
        self.renderer.render(&first.call, record);
        Some(Arrival {
            at: first.at,
            partition_hint: mix(first.call.id, u64::from(first.copy)),
            account: self.renderer.organisation.actor(&first.call).account,
            region: first.call.region,
        })
    }

    pub(super) fn organisation(&self) -> &Organisation {
        &self.renderer.organisation
    }

    fn next_time(&self) -> Option<EventTime> {
        let scene = self.scenes.last().map(|call| call.time);
        let background = self.next.map(|call| call.time);
        [scene, background].into_iter().flatten().min()
    }

    /// Sends the next call, and its duplicate if it has one, on its way.
    fn send(&mut self) {
        let scene_is_next = match (self.scenes.last(), &self.next) {
            (Some(scene), Some(call)) => scene.time <= call.time,
            (scene, _) => scene.is_some(),
        };
        let call = if scene_is_next {
            self.scenes.pop()
        } else {
            let following = self.background.next(&self.renderer.organisation);
            std::mem::replace(&mut self.next, following)
        };
        let Some(call) = call else { return };
        self.drawn += 1;
        if self.feed == Feed::Ordered {
            let order = self.drawn;
            let sent = InFlight { at: call.time, file: 0, order, copy: 0, call };
            self.in_flight.push(Reverse(sent));
            return;
        }
        let mut random = Random::of(self.seed, Concern::Delay, call.id);
        let delay = quantile(&DELAY_SECS, &mut random) as i64;
        let twice = random.chance(1, TWICE_ONE_IN) || scene::comes_twice(call.id);
        let gap = 1 + random.below(TWICE_SECS_MAX) as i64;
        let order = random.next();
        let (file, at, gap) = match self.feed {
            Feed::Ordered | Feed::Disordered => (0, call.time.plus(delay), gap),
            Feed::FiveMinuteFiles => {
                let file = self.file(&call);
                (file, written(file, call.time.plus(delay / 2)), FILE_SECS)
            }
        };
        self.in_flight.push(Reverse(InFlight { at, file, order, copy: 0, call }));
        let room = call.time.plus(DELAY_SECS_MAX).0 - at.0;
        let again = match self.feed {
            Feed::FiveMinuteFiles if gap > room => None,
            _ => Some(at.plus(gap.min(room))),
        };
        if let Some(at) = again.filter(|_| twice) {
            self.in_flight.push(Reverse(InFlight { at, file, order, copy: 1, call }));
        }
    }

    /// The file a call goes to: one for each account and region.
    fn file(&self, call: &Call) -> u32 {
        let account = self.renderer.organisation.actor(call).account;
        u32::from(account) * 8 + u32::from(call.region)
    }
}

/// When the file is written that is open at `time`: every five minutes, each at a second of its
/// own.
fn written(file: u32, time: EventTime) -> EventTime {
    let offset = (mix(u64::from(file), 0) % FILE_SECS as u64) as i64;
    EventTime((time.0 - offset).div_euclid(FILE_SECS) * FILE_SECS + offset + FILE_SECS)
}

impl Iterator for Deliveries {
    type Item = Delivered;

    fn next(&mut self) -> Option<Delivered> {
        let mut record = Vec::with_capacity(2_048);
        let (at, partition_hint) = self.next_into(&mut record)?;
        Some(Delivered { at, partition_hint, record })
    }
}

impl InFlight {
    fn key(&self) -> (EventTime, u32, u64, u64, u8) {
        (self.at, self.file, self.order, self.call.id, self.copy)
    }
}

impl PartialEq for InFlight {
    fn eq(&self, other: &InFlight) -> bool {
        self.key() == other.key()
    }
}

impl Eq for InFlight {}

impl PartialOrd for InFlight {
    fn partial_cmp(&self, other: &InFlight) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for InFlight {
    fn cmp(&self, other: &InFlight) -> Ordering {
        self.key().cmp(&other.key())
    }
}

//! What was before the feed: enough of it for rules that ask whether something is new.

use super::operation::Persona;
use super::organisation::Organisation;
use super::random::{Concern, mix};
use super::record::{Renderer, machine};
use super::{Call, Delivered, Outcome, Plan, Quirk};

/// Days before the start on which each account asked for an accelerated instance. The first lies
/// before the warm-up of the shipped `first_seen` rules (14 days), the last within their memory.
const DAYS_BEFORE: [i64; 3] = [16, 8, 1];

/// A thin feed of the weeks before a plan's start, in order: each account that will ask for
/// accelerators has asked for the family `g5` before. A detector that has read it knows what is
/// new in the feed itself: `CRY-01` is planted against this history, and without it, like every
/// `first_seen` rule in its warm-up, stays silent.
#[must_use]
pub fn history(plan: &Plan) -> Vec<Delivered> {
    let renderer = Renderer::new(Organisation::new(plan));
    let organisation = &renderer.organisation;
    let operation = organisation.operations.place("sagemaker", "CreateTrainingJob");
    let mut scientists: Vec<Option<u32>> = vec![None; organisation.accounts.len()];
    for (place, actor) in organisation.actors.iter().enumerate() {
        let known = &mut scientists[usize::from(actor.account)];
        if actor.persona == Persona::Scientist && known.is_none() {
            *known = Some(place as u32);
        }
    }
    let mut delivered = Vec::new();
    for days in DAYS_BEFORE {
        for actor in scientists.iter().copied().flatten() {
            let time = plan.start.plus(-days * 86_400 + i64::from(actor % 3_600));
            let id = mix(mix(Concern::History as u64, u64::from(actor)), days as u64) | 1 << 61;
            let call = Call {
                time,
                id,
                actor,
                resource: days as u32,
                operation,
                session: 0,
                count: 1,
                region: organisation.actors[actor as usize].home,
                machine: machine("ml.g5.xlarge"),
                outcome: Outcome::Success,
                quirk: Quirk::None,
            };
            let mut record = Vec::new();
            renderer.render(&call, &mut record);
            delivered.push(Delivered { at: time, partition_hint: mix(id, 0), record });
        }
    }
    delivered.sort_by_key(|delivered| delivered.at);
    delivered
}

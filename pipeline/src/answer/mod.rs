//! What an alert answers: the questions of an incident, from its evidence alone.
//!
//! The playbook asks fifteen questions (`docs/alerts.md` lists them, and where each answer stands).
//! Here they are answered from the records that the alert carries: who acted, from where, with
//! which tools, on what, what came of it, what it may have cost, which practices were not followed,
//! what to do first. Where the evidence cannot know the answer, [`query`] writes the query that
//! finds it. Everything is redacted before it is derived, and every list is bounded.
//!
//! Evidence is the first and the last records of a burst and the one that opened it; where a burst
//! has more, lists say what is known, not all there is (`is_whole` tells).

mod actor;
mod agent;
mod change;
mod containment;
mod fact;
mod impact;
mod origin;
mod posture;
pub mod query;
mod resource;
mod shell;
mod touch;
mod window;

use floodmark_detectors::alert::Alert;
use serde::Serialize;

pub(crate) use actor::Actor;
pub(crate) use containment::Step;
pub(crate) use fact::{Fact, distinct, facts, unanimous};
pub(crate) use impact::{Harm, Impact};
pub(crate) use origin::Origin;
pub(crate) use resource::{Resource, subjects};

use crate::encode::text::reason;

/// Elements of any list of answers.
pub(crate) const ANSWERS_MAX: usize = 32;

/// The answers, as they stand in an alert under `unmapped.floodmark`.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    /// What happened and why it counts, in one sentence.
    pub(crate) reason: String,
    /// Scenario of the playbook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scenario: Option<String>,
    /// Revision of the rule: another one counts otherwise.
    #[serde(rename = "rule_version", skip_serializing_if = "String::is_empty")]
    pub(crate) version: String,
    pub(crate) window: window::Window,
    pub(crate) evidence: window::Marked,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) actors: Vec<Counted<Actor>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) network: Vec<Counted<Origin>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) agents: Vec<Counted<agent::Agent>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) operations: Vec<change::Operation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) created: Vec<change::Change>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) changed: Vec<change::Change>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) deleted: Vec<change::Change>,
    pub(crate) touched: touch::Touched,
    pub(crate) data: touch::Data,
    pub(crate) notebooks: touch::Notebooks,
    pub(crate) impact: Impact,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) posture: Vec<posture::Lapse>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) containment: Vec<Step>,
    pub(crate) query: query::Query,
}

impl Answer {
    /// The answers of an alert, from its evidence and the record that opened it.
    pub(crate) fn of(alert: &Alert, facts: &[Fact]) -> Answer {
        let card = &alert.rule;
        let is_whole = !alert.count_is_floor && facts.len() as u64 >= alert.count;
        let actors = actor::actors(facts);
        Answer {
            reason: reason(alert, facts),
            scenario: card.scenario.clone(),
            version: card.version.clone(),
            window: window::Window::of(alert, facts, is_whole),
            evidence: window::Marked::of(alert, facts, is_whole),
            network: origin::origins(facts),
            agents: agent::agents(facts),
            operations: change::operations(facts),
            created: change::changes(facts, change::Verb::Create),
            changed: change::changes(facts, change::Verb::Change),
            deleted: change::changes(facts, change::Verb::Delete),
            touched: touch::Touched::of(facts),
            data: touch::Data::of(facts),
            notebooks: touch::Notebooks::of(facts),
            impact: Impact::of(card.scenario.as_deref(), facts),
            posture: posture::lapses(facts),
            containment: containment::steps(alert, facts, &actors, is_whole),
            query: query::Query::of(alert, facts, is_whole),
            actors,
        }
    }
}

/// Adds what is not there yet, up to [`ANSWERS_MAX`].
fn add<T: PartialEq>(into: &mut Vec<T>, new: T) {
    if into.len() < ANSWERS_MAX && !into.contains(&new) {
        into.push(new);
    }
}

/// Something of the evidence, and how many of its records have it.
#[derive(Debug, Serialize)]
pub(crate) struct Counted<T> {
    #[serde(flatten)]
    pub(crate) what: T,
    /// Records of the evidence.
    pub(crate) events: u64,
}

/// Different things in order of appearance, at most [`ANSWERS_MAX`], with how often each.
fn counted<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<Counted<T>> {
    let mut found: Vec<Counted<T>> = Vec::new();
    for what in all {
        let is_full = found.len() == ANSWERS_MAX;
        match found.iter_mut().find(|known| known.what == what) {
            Some(known) => known.events += 1,
            None if is_full => {}
            None => found.push(Counted { what, events: 1 }),
        }
    }
    found
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

#[cfg(test)]
mod tests;

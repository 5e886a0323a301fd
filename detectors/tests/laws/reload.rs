//! Other rules while it runs: windows of the same rule go on, and nothing of a rule that is gone stays
//! open.

use std::sync::Arc;

use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::definition::Point;
use floodmark_detectors::engine::{Engine, Options};
use floodmark_detectors::rule::{Card, Kind, Rule, RuleSet, Threshold};
use floodmark_detectors::time::EventTime;
use proptest::prelude::*;

use super::stream::{Inputs, closed, engine, plain_step, rule, take, truth};
use super::{cases, fit, rules, streams};

fn set(rules: Vec<Rule>) -> Arc<RuleSet> {
    Arc::new(RuleSet::of(rules, Vec::new()))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_same_rules_again_change_nothing(
        rule in rules(),
        stream in streams(),
        choices in prop::collection::vec((any::<u8>(), any::<u8>(), any::<bool>()), 1..20),
    ) {
        let stream = fit(&rule, stream);
        let mut engine = engine(&rule);
        let mut alerts = Vec::new();
        let mut inputs = Inputs { stream: &stream, done: vec![0; stream.inputs.len()] };
        let mut choices = choices.iter().cycle();
        while inputs.done.iter().zip(&stream.inputs).any(|(done, all)| *done < all.len()) {
            let (input, size, reloads) = choices.next().copied().unwrap();
            plain_step(&engine, &mut inputs, (input, size), &mut alerts);
            if reloads {
                let (next, outcome) = engine.hand_over(set(vec![rule.clone()]));
                prop_assert!(outcome.alerts.is_empty());
                prop_assert_eq!(engine.window_count(), 0);
                engine = next;
            }
        }
        alerts.extend(engine.finish().alerts);
        prop_assert_eq!(closed(&alerts), truth(&rule, &stream));
    }
}

fn three() -> Rule {
    rule(Kind::Count(Threshold::at_least(3)), 60, Vec::new())
}

/// An engine in which a burst of three is open, that was saved; and what was said.
fn bursting() -> (Engine, Alert) {
    let options = Options { keeps_changes: true, ..Options::default() };
    let engine = Engine::new(set(vec![three()]), options);
    let calls: Vec<(u8, Point)> =
        (0..3).map(|n| (0, Point { time: 100 + n, id: n.unsigned_abs(), value: 0 })).collect();
    let alerts = take(&engine, &calls).alerts;
    let [open] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!(engine.changes(EventTime(0)).windows.len(), 1);
    (engine, open.clone())
}

#[test]
fn a_burst_of_a_rule_that_is_gone_is_over() {
    let (engine, open) = bursting();
    let (next, outcome) = engine.hand_over(set(Vec::new()));
    let over = Alert { revision: open.revision + 1, life: Life::Closed, ..open };
    assert_eq!(outcome.alerts, [over]);
    assert_eq!(next.window_count(), 0);
    let state = next.changes(EventTime(0));
    let [(_, window)] = state.windows.as_slice() else { panic!("{state:?}") };
    assert!(window.is_empty(), "what was saved of it goes");
}

#[test]
fn a_restart_without_the_rule_says_so_too() {
    let (engine, open) = bursting();
    let state = engine.export(EventTime(0));
    let options = Options { keeps_changes: true, ..Options::default() };
    let next = Engine::new(set(Vec::new()), options);
    let over = Alert { revision: open.revision + 1, life: Life::Closed, ..open.clone() };
    assert_eq!(next.restore(state, &[open]).alerts, [over]);
    assert!(next.changes(EventTime(0)).windows.iter().all(|(_, window)| window.is_empty()));
}

#[test]
fn a_rule_that_has_changed_goes_on_with_its_bursts() {
    let (engine, open) = bursting();
    let mut wider = three();
    (wider.tag, wider.timespan_secs) = (8, 120);
    wider.card = Arc::new(Card { title: "wider".into(), ..Card::clone(&wider.card) });
    let (next, outcome) = engine.hand_over(set(vec![wider]));
    assert_eq!(outcome.alerts, []);
    // Nothing more comes: what was said of it ends by itself.
    let over = next.advance(EventTime(10_000)).alerts;
    let [over] = over.as_slice() else { panic!("{over:?}") };
    assert_eq!((over.id, over.revision, over.life), (open.id, open.revision + 1, Life::Closed));
    assert_eq!(next.window_count(), 0);
}

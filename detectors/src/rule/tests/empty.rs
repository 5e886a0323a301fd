//! What a rule means while a list of the environment is empty.

use super::*;

const WHILE_EMPTY: &str = "\
title: Call
name: call
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventSource: a.amazonaws.com, 'eventName|expand': '%mine%'}
  condition: s
floodmark:
  code: A-01
  environment:
    mine: {empty: {level: low, mode: enrich, first_seen: {key: [x], value: [y], memory: 1d, warmup: 1d}}}
---
title: Calls
level: high
generate: true
correlation: {type: event_count, rules: [call], group-by: [x], timespan: 10m, condition: {gte: 2}}
floodmark: {code: A-02, environment: {mine: {empty: {level: medium}}}}
";

/// Level and mode of the rules, with these values in the list.
fn while_empty(mine: &[&str], changes: &[Override]) -> Vec<(String, Level, Mode)> {
    let mine = mine.iter().map(ToString::to_string).collect();
    let environment = Environment { lists: [("mine".to_owned(), mine)].into() };
    let (documents, options) = ([document(WHILE_EMPTY)], LoadOptions::default());
    let set = RuleSet::load_changed(&documents, &environment, options, changes);
    let set = set.unwrap_or_else(|faults| panic!("{}", told(&faults)));
    let rules = set.rules.iter().filter(|rule| rule.speaks);
    rules
        .map(|rule| {
            let card = &rule.card;
            (card.code.clone().unwrap(), card.level.unwrap(), card.mode)
        })
        .collect()
}

#[test]
fn a_rule_may_weigh_less_while_a_list_is_empty() {
    let said = |level, mode, other| {
        vec![("A-01".to_owned(), level, mode), ("A-02".to_owned(), other, Mode::Alert)]
    };
    let sorted = |mut rules: Vec<(String, Level, Mode)>| {
        rules.sort_by(|a, b| a.0.cmp(&b.0));
        rules
    };
    let filled = sorted(while_empty(&["b"], &[]));
    assert_eq!(filled, said(Level::Medium, Mode::Alert, Level::High));
    let empty = sorted(while_empty(&[], &[]));
    assert_eq!(empty, said(Level::Low, Mode::Enrich, Level::Medium));
    // What a deployment says holds while it is empty, too.
    let change = Override {
        rule: "A-01".into(),
        path: "f.toml".into(),
        line: 1,
        settings: vec![(2, Setting { key: "level", value: SettingValue::Level(Level::Critical) })],
    };
    let changed = sorted(while_empty(&[], &[change]));
    assert_eq!(changed, said(Level::Critical, Mode::Enrich, Level::Medium));
}

#[test]
fn a_list_that_nothing_names_is_a_fault() {
    let text = WHILE_EMPTY.replace("A-02, environment: {mine:", "A-02, environment: {mime:");
    assert_eq!(
        told(&load_with_mine(&text).unwrap_err()),
        "r.yml:16: `floodmark.environment.mime`: nothing that the rule counts uses such a list \
         (did you mean `mine`?)"
    );
    let text = WHILE_EMPTY.replace("{level: medium}", "{level: medium, first_seen: {}}");
    assert!(told(&load_with_mine(&text).unwrap_err()).contains("first_seen"));
    let text = WHILE_EMPTY.replace("{level: medium}", "{}");
    assert!(told(&load_with_mine(&text).unwrap_err()).contains("must say `empty: {level: ..}`"));
}

fn load_with_mine(text: &str) -> Result<RuleSet, Vec<Fault>> {
    let environment = Environment { lists: [("mine".to_owned(), Vec::new())].into() };
    RuleSet::load(&[document(text)], &environment)
}

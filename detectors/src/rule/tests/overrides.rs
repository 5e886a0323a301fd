//! What a deployment changes of rules: what comes of it, and what is refused where.

use super::*;

const RULES: &str = "\
title: Job
name: job
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventName: A}
  condition: s
---
title: Jobs
id: 00000000-0000-4000-8000-000000000001
level: medium
correlation: {type: event_count, rules: [job], group-by: [x], timespan: 10m, condition: {gt: 19}}
floodmark: {code: A-01, marks: [{level: high, gte: 100, timespan: 5m}, {level: critical, gte: 200}]}
---
title: New
id: 00000000-0000-4000-8000-000000000002
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventName|expand: '%mine%'}
  condition: s
floodmark:
  code: B-01
  environment:
    mine: {empty: {first_seen: {key: [x], value: [y], memory: 30d, warmup: 14d}}}
---
title: Surge
id: 00000000-0000-4000-8000-000000000003
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventName: A}
  condition: s
floodmark:
  code: B-01
  surge: {group-by: [x], bucket: 10m, baseline: 24h, factor: 10, floor: 50, min_buckets: 12}
---
title: Twin
id: 00000000-0000-4000-8000-000000000004
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventName: B}
  condition: s
floodmark: {code: SCP-01, scenario: scp, mode: posture}
";

fn change(rule: &str, settings: Vec<(&'static str, SettingValue)>) -> Override {
    let settings = settings.into_iter().zip(11..);
    let settings = settings.map(|((key, value), line)| (line, Setting { key, value }));
    Override { rule: rule.into(), path: "f.toml".into(), line: 10, settings: settings.collect() }
}

fn with(changes: &[Override]) -> Result<RuleSet, Vec<Fault>> {
    let environment = Environment { lists: [("mine".to_owned(), Vec::new())].into() };
    RuleSet::load_changed(&[document(RULES)], &environment, LoadOptions::default(), changes)
}

fn rule<'r>(rules: &'r RuleSet, title: &str) -> &'r Rule {
    rules.rules.iter().find(|rule| rule.card.title == title).unwrap()
}

use SettingValue::{Flag, Level as To, Marks, Mode as Becomes, Secs, Thousandths, Whole};

#[test]
fn numbers_levels_and_modes_are_changed() {
    let changes = [
        change("a-01", vec![("gte", Whole(40)), ("timespan", Secs(60))]),
        change("00000000-0000-4000-8000-000000000001", vec![("level", To(Level::High))]),
        change(
            "B-01",
            vec![
                ("mode", Becomes(Mode::Observe)),
                ("memory", Secs(86_400)),
                ("factor", Thousandths(2_500)),
            ],
        ),
    ];
    let rules = with(&changes).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    let jobs = rule(&rules, "Jobs");
    assert_eq!(jobs.kind, Kind::Count(Threshold::at_least(40)));
    assert_eq!((jobs.timespan_secs, jobs.card.level), (60, Some(Level::High)));
    assert_eq!(jobs.card.mark, "at least 40 events in 60 s");
    // A mark at the rule's own level says nothing more; the other stays.
    assert_eq!(jobs.marks, [Mark { level: Level::Critical, gte: 200, timespan_secs: 60 }]);
    let new = rule(&rules, "New");
    let memory = Kind::FirstSeen { memory_secs: 86_400, warmup_secs: 14 * 86_400 };
    assert_eq!((&new.kind, new.card.mode), (&memory, Mode::Observe));
    let surge = rule(&rules, "Surge");
    assert!(matches!(surge.kind, Kind::Surge { factor_milli: 2_500, floor: 50, .. }));
    assert_eq!(surge.card.mode, Mode::Observe);
}

#[test]
fn marks_take_the_place_of_the_rules_own() {
    let mark = MarkSetting { level: Level::Critical, gte: 7, timespan_secs: Some(30) };
    let rules = with(&[change("A-01", vec![("marks", Marks(vec![mark]))])]).unwrap();
    let expected = [Mark { level: Level::Critical, gte: 7, timespan_secs: 30 }];
    assert_eq!(rule(&rules, "Jobs").marks, expected);
    let rules = with(&[change("A-01", vec![("marks", Marks(Vec::new()))])]).unwrap();
    assert!(rule(&rules, "Jobs").marks.is_empty());
}

#[test]
fn what_is_switched_off_costs_nothing() {
    let all = with(&[]).unwrap();
    let rules = with(&[change("A-01", vec![("enabled", Flag(false))])]).unwrap();
    assert_eq!(rules.rules.len(), all.rules.len() - 1);
    // The detection that only it counted is gone too.
    assert_eq!(rules.detections.len(), all.detections.len() - 1);
    assert!(rules.rules.iter().all(|rule| rule.card.title != "Jobs"));
    assert!(rules.detections.iter().all(|detection| detection.name != "job"));
}

#[test]
fn every_fault_stands_where_the_change_does() {
    let low = MarkSetting { level: Level::Medium, gte: 7, timespan_secs: None };
    let changes = [
        change("A-1", vec![("gte", Whole(1))]),
        change("B-01", vec![("gte", Whole(4)), ("quiet", Secs(1)), ("min_buckets", Whole(9_999))]),
        change("A-01", vec![("marks", Marks(vec![low])), ("floor", Whole(1))]),
    ];
    let expected = "\
f.toml:10: rules.A-1: there is no rule `A-1` (did you mean `A-01`?)
f.toml:10: rules.B-01: `min_buckets` must be at least 1 and at most the buckets in `baseline`
f.toml:11: rules.B-01.gte: goes with a correlation whose condition has `gte` or `gt`, and this rule is none
f.toml:11: rules.A-01.marks: a mark's level must be above the rule's, which is medium: medium is not
f.toml:12: rules.B-01.quiet: goes with `silence`, and this rule is none
f.toml:12: rules.A-01.floor: goes with `surge`, and this rule is none";
    assert_eq!(told(&with(&changes).unwrap_err()), expected);
}

#[test]
fn a_number_for_two_documents_is_refused() {
    let text = RULES.replace("mine: {empty: {first_seen: {key: [x], value: [y], memory: 30d, warmup: 14d}}}",
        "mine: {empty: {surge: {group-by: [x], bucket: 10m, baseline: 24h, factor: 10, floor: 50, min_buckets: 12}}}");
    let environment = Environment { lists: [("mine".to_owned(), Vec::new())].into() };
    let changes = [change("B-01", vec![("floor", Whole(4))])];
    let options = LoadOptions::default();
    let faults = RuleSet::load_changed(&[document(&text)], &environment, options, &changes);
    let told = told(&faults.unwrap_err());
    assert!(
        told.contains("2 documents have this code and a place for it (name one: 0000"),
        "{told}"
    );
}

#[test]
fn a_policy_in_force_turns_its_twin_into_an_alert() {
    let mode = |names: &[&str]| {
        let lists = [("mine", Vec::new()), (SCPS_IN_FORCE, names.to_vec())];
        let owned = |values: Vec<&str>| values.into_iter().map(str::to_owned).collect();
        let lists = lists.map(|(name, values)| (name.to_owned(), owned(values)));
        let rules = RuleSet::load(&[document(RULES)], &Environment { lists: lists.into() });
        rule(&rules.unwrap(), "Twin").card.mode
    };
    assert_eq!(mode(&[]), Mode::Posture);
    assert_eq!(mode(&["SCP-02"]), Mode::Posture);
    assert_eq!(mode(&["scp-01"]), Mode::Alert);
}

#[test]
fn lists_are_told_with_what_an_empty_one_means() {
    let rules = with(&[]).unwrap();
    let meaning = "y not seen for x in 2592000 s".to_owned();
    let expected =
        ListUse { list: "mine".into(), rule: "B-01".into(), len: 0, empty: Some(meaning) };
    assert_eq!(rules.lists, [expected]);
    assert_eq!(lists_named(&[document(RULES)]).into_iter().collect::<Vec<_>>(), ["mine"]);
}

//! The eight rules that show the dialect.

use super::*;

const EIGHT: &str = include_str!("eight.yml");

fn paths(paths: &[Path]) -> Vec<&str> {
    paths.iter().map(Path::as_str).collect()
}

#[test]
fn all_load() {
    let set = rules(EIGHT);
    let speaking: Vec<(&str, &str)> = set
        .rules
        .iter()
        .filter(|rule| rule.speaks)
        .map(|rule| (rule.card.code.as_deref().unwrap_or(""), rule.card.mark.as_str()))
        .collect();
    assert_eq!(
        speaking,
        [
            ("CRE-01", "floodmark.source_network not seen for floodmark.actor in 2592000 s"),
            ("EXF-02", "one event"),
            ("DOS-01", "at least 20 events in 600 s"),
            ("EXF-01", "at least 25 different values of floodmark.resource in 600 s"),
            ("RES-04", "floodmark.accelerators adding up to at least 32 in 3600 s"),
            ("CRY-01", "(accel_new and (accel_regions or accel_five or quota_asked)) in 3600 s"),
            ("CFG-05", "role_created, then admin_attached, then role_passed in 3600 s"),
            ("LOG-04", "nothing for 1800 s"),
        ]
    );
    for (at, rule) in set.rules.iter().enumerate() {
        assert!(rule.taps.iter().all(|tap| tap.rule > at), "{}", rule.card.title);
        assert_ne!(rule.tag, 0);
    }
    let rule = |code: &str| {
        let found = set.rules.iter().position(|r| r.card.code.as_deref() == Some(code));
        (found.unwrap(), &set.rules[found.unwrap()])
    };
    let detection = |name: &str| set.detections.iter().find(|d| d.name == name).unwrap();

    let (dos, dos_rule) = rule("DOS-01");
    assert_eq!(dos_rule.kind, Kind::Count(Threshold::at_least(20)));
    assert_eq!(dos_rule.marks, [Mark { level: Level::High, gte: 100, timespan_secs: 600 }]);
    let taps = &detection("sm_job_create").taps;
    assert_eq!(taps.len(), 1);
    assert_eq!(taps[0].rule, dos);
    assert_eq!(paths(&taps[0].group_by), ["floodmark.account", "floodmark.principal"]);

    let (_, res) = rule("RES-04");
    assert_eq!(res.kind, Kind::Sum(Threshold::at_least(32_000_000)));

    let (cry, cry_rule) = rule("CRY-01");
    let or = Members::Or(vec![Members::One(1), Members::One(2), Members::One(3)]);
    assert_eq!(cry_rule.kind, Kind::Temporal(Members::And(vec![Members::One(0), or])));
    assert_eq!(cry_rule.delay_secs, 3_600, "fed by what waits for the watermark");
    let accel_new = set.rules.iter().find(|r| r.card.name.as_deref() == Some("accel_new")).unwrap();
    assert!(!accel_new.speaks);
    assert_eq!((accel_new.taps[0].rule, accel_new.taps[0].member), (cry, 0));
    assert_eq!(paths(&detection("accel_new").taps[0].value), ["floodmark.families"]);
    assert_eq!(detection("accel_new").taps.len(), 1);
    assert_eq!(detection("quota_asked").taps[0].member, 3);

    let (cfg, cfg_rule) = rule("CFG-05");
    assert_eq!(cfg_rule.kind, Kind::Ordered(3));
    assert_eq!(cfg_rule.card.group_by, ["floodmark.account", "role"]);
    let passed = detection("role_passed").taps.iter().find(|tap| tap.rule == cfg).unwrap();
    assert_eq!(passed.member, 2);
    assert_eq!(paths(&passed.group_by), ["floodmark.account", "floodmark.passed_role_names"]);

    let (_, silent) = rule("LOG-04");
    assert!(!silent.speaks, "the silences of all keys together speak");
    assert_eq!(silent.kind, Kind::Silence { quiet_secs: 1_800, slot_secs: 1_800, slots: 48 });
}

#[test]
fn strict_about_services() {
    let options = LoadOptions { strict_services: true };
    let loaded = RuleSet::load_with(&[document(EIGHT)], &environment(), options);
    assert!(loaded.is_ok(), "{}", told(&loaded.unwrap_err()));
    let without = document(&detecting("{s: {eventName: A}, condition: s}"));
    let faults = RuleSet::load_with(&[without], &environment(), options).unwrap_err();
    assert_eq!(
        told(&faults),
        "r.yml:5: the detection names no `eventSource` (or say `floodmark: {all_services: true}`)"
    );
}

#[test]
fn an_empty_list_means_what_the_rule_says() {
    let mut environment = environment();
    environment.lists.remove("allowed_buckets");
    let set = RuleSet::load(&[document(EIGHT)], &environment).unwrap();
    let rule = set.rules.iter().find(|r| r.card.code.as_deref() == Some("EXF-02")).unwrap();
    assert_eq!(rule.kind, Kind::FirstSeen { memory_secs: 30 * 86_400, warmup_secs: 14 * 86_400 });
    assert_eq!(rule.card.group_by, ["floodmark.account"]);
}

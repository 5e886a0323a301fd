//! What rules become.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::field::Fields;
use crate::record::Record;

fn kind(condition: &str) -> Kind {
    let text = correlating(&format!(
        "{{type: event_count, rules: [d], group-by: [a], timespan: 1m, condition: {condition}}}"
    ));
    rules(&text).rules[0].kind.clone()
}

fn threshold(gte: Option<u64>, lte: Option<u64>, eq: Option<u64>, neq: Option<u64>) -> Kind {
    Kind::Count(Threshold { gte, lte, eq, neq })
}

#[test]
fn numbers_of_conditions() {
    assert_eq!(kind("{gte: 5}"), threshold(Some(5), None, None, None));
    assert_eq!(kind("{gt: 5}"), threshold(Some(6), None, None, None));
    assert_eq!(kind("{lt: 5}"), threshold(None, Some(4), None, None));
    assert_eq!(kind("{lte: 5}"), threshold(None, Some(5), None, None));
    assert_eq!(kind("{eq: 5}"), threshold(None, None, Some(5), None));
    assert_eq!(kind("{neq: 5}"), threshold(None, None, None, Some(5)));
    assert_eq!(kind("{gt: 5, lte: 9}"), threshold(Some(6), Some(9), None, None));
    assert_eq!(kind("{gt: 5, gte: 9}"), threshold(Some(9), None, None, None));
    let sum = |condition: &str| {
        let text = correlating(&format!(
            "{{type: value_sum, rules: [d], timespan: 1m, condition: {{field: a, {condition}}}}}"
        ));
        let set = rules(&text);
        (set.rules[0].kind.clone(), set.rules[0].card.mark.clone())
    };
    assert_eq!(
        sum("gt: 5"),
        (
            Kind::Sum(Threshold::at_least(5_000_001)),
            "a adding up to at least 5.000001 in 60 s".to_owned()
        )
    );
}

/// Three detections, then a temporal rule over them.
fn temporal(condition: &str) -> String {
    let mut text = String::new();
    for name in ["a", "b", "c"] {
        let detection = detecting(&format!("{{s: {{eventName: {name}}}, condition: s}}"));
        writeln!(text, "{}---", detection.replace("name: d", &format!("name: {name}"))).unwrap();
    }
    text + "title: t\nname: t\ncorrelation: {type: temporal, rules: [a, b, c], group-by: [u], \
            timespan: 1m"
        + condition
        + "}\n"
}

#[test]
fn members_of_temporal_rules() {
    let one = Members::One;
    for (condition, expected) in [
        ("", Members::And(vec![one(0), one(1), one(2)])),
        (
            ", condition: a and (b or c)",
            Members::And(vec![one(0), Members::Or(vec![one(1), one(2)])]),
        ),
        (
            ", condition: a and not b and c",
            Members::And(vec![one(0), Members::Not(Box::new(one(1))), one(2)]),
        ),
        (", condition: 1 of them", Members::Or(vec![one(0), one(1), one(2)])),
        (
            ", condition: {gte: 2}",
            Members::Or(vec![
                Members::And(vec![one(0), one(1)]),
                Members::And(vec![one(0), one(2)]),
                Members::And(vec![one(1), one(2)]),
            ]),
        ),
        (", condition: {gte: 3}", Members::And(vec![one(0), one(1), one(2)])),
    ] {
        let set = rules(&temporal(condition));
        assert_eq!(set.rules[0].kind, Kind::Temporal(expected), "{condition}");
        let bits: Vec<u8> = set.detections.iter().map(|d| d.taps[0].member).collect();
        assert_eq!(bits, [0, 1, 2]);
    }
}

#[test]
fn members_that_must_differ() {
    let text = detecting("{s: {eventName: Create}, condition: s}").replace("name: d", "name: made")
        + "---\n"
        + &detecting("{s: {eventName: Stop}, condition: s}").replace("name: d", "name: stopped")
        + "---\ntitle: t\nname: t\ncorrelation: {type: temporal, rules: [made, stopped], \
           group-by: [requestParameters.job], timespan: 1h}\n"
        + "floodmark: {differ: [userIdentity.arn]}\n";
    let set = rules(&text);
    assert_eq!(set.rules[0].kind, Kind::Temporal(Members::Apart(2)));
    assert_eq!(
        set.rules[0].card.mark,
        "made and stopped, each with another userIdentity.arn in 3600 s"
    );
    let engine = crate::engine::Engine::new(set.into(), Default::default());
    let alerts = |name: &str, arn: &str, job: &str| {
        let json = format!(
            r#"{{"eventTime":"2026-11-07T10:00:00Z","eventID":"{name}{arn}{job}","eventName":"{name}",
                "userIdentity":{{"arn":"{arn}"}},"requestParameters":{{"job":"{job}"}}}}"#
        );
        let records = [Record::decode(json.as_bytes()).unwrap()];
        engine.apply(&records).alerts.len()
    };
    assert_eq!(alerts("Create", "alice", "1"), 0);
    assert_eq!(alerts("Stop", "alice", "1"), 0, "one's own");
    assert_eq!(alerts("Stop", "", "1"), 0, "who does not tell differs from nobody");
    assert_eq!(alerts("Stop", "bob", "2"), 0, "another job");
    assert_eq!(alerts("Stop", "bob", "1"), 1, "another's");
}

/// The index leaves nothing out, whatever shape a record's name and source have.
#[test]
fn the_index_asks_all_that_match() {
    let text = [
        "{s: {eventSource: x.com, eventName: [A, B]}, condition: s}",
        "{s: {eventSource: [x.com, y.com], errorCode: E}, condition: s}",
        "{s: {eventSource: x.com, eventName|cased: A}, t: {awsRegion: r}, condition: s or t}",
        "{s: {eventName|cased: A}, condition: s}",
        "{s: {eventName: A}, t: {eventName: [A, B, C]}, condition: s and t}",
        "{s: {eventName: A}, t: {eventSource: y.com}, condition: s and not t}",
        "{s: {eventName|all: [A, B]}, condition: s}",
        "{s: {userIdentity.type|exists: true}, condition: s}",
        "{s: {userIdentity.type: null}, condition: s}",
        "{s: {errorCode|neq: E}, condition: s}",
        "{s: {errorCode|exists: true, eventName: [A, B]}, condition: s}",
        "{s: {errorCode|exists: false}, condition: s}",
        "{s: {eventName: A}, failed: {errorCode|exists: true}, condition: s and not failed}",
        "{failed: {errorCode|exists: false}, condition: not failed}",
        "{s: {eventName: 7}, condition: s}",
        "{s: {eventName|contains: a}, condition: s}",
    ];
    let documents: Vec<String> = text
        .iter()
        .enumerate()
        .map(|(n, detection)| detecting(detection).replace("name: d", &format!("name: d{n}")))
        .collect();
    let set = rules(&documents.join("---\n"));
    let names = [r#""A""#, r#""a""#, r#""B""#, r#"["A","B"]"#, "7", "null", r#""\u0041""#, "{}"];
    let sources = [r#""x.com""#, r#""X.COM""#, r#"["x.com","y.com"]"#, r#""z""#, "null"];
    let others = [
        "",
        r#","errorCode":"E""#,
        r#","errorCode":null,"awsRegion":"r""#,
        r#","errorCode":"""#,
        r#","errorCode":[null]"#,
        r#","errorCode":["E"]"#,
        r#","errorCode":{},"awsRegion":"r""#,
        r#","errorCode":1"#,
        r#","errorCode":"E","errorCode":null"#,
        r#","error\u0043ode":"E""#,
        r#","userIdentity":{"type":"T"}"#,
        r#","userIdentity.type":"T","ERRORCODE":"e""#,
    ];
    let mut matches = 0;
    let all = names.len() * sources.len() * others.len();
    for n in 0..all {
        let name = names[n % names.len()];
        let source = sources[n / names.len() % sources.len()];
        let other = others[n / names.len() / sources.len()];
        let json = format!(
            r#"{{"eventTime":"2026-11-07T10:00:00Z","eventName":{name},"eventSource":{source}{other}}}"#
        );
        let record = Record::decode(json.as_bytes()).unwrap();
        let fields = Fields::of(&record);
        let mut found = Vec::new();
        set.matching(&fields, &mut |detection| found.push(detection.name.clone()));
        let fits = set.detections.iter().filter(|detection| detection.matcher.fits(&fields));
        let wanted: Vec<String> = fits.map(|detection| detection.name.clone()).collect();
        assert_eq!(found, wanted, "{json}");
        matches += found.len();
    }
    assert!(matches > 300, "{matches}");
}

#[test]
fn who_speaks() {
    let base = detecting("{s: {eventName: A}, condition: s}");
    let alone = rules(&base);
    assert_eq!(alone.rules.len(), 1);
    let rule = &alone.rules[0];
    assert!(rule.speaks);
    assert_eq!(rule.kind, Kind::Count(Threshold::at_least(1)));
    assert_eq!(rule.timespan_secs, 3_600);
    assert_eq!(rule.card.group_by, ["floodmark.account", "floodmark.principal"]);
    assert_eq!((rule.card.file.as_str(), rule.card.line), ("r.yml", 1));
    assert_eq!(rule.card.level, Some(Level::Medium));

    let count = "{type: event_count, rules: [d], timespan: 1m, condition: {gte: 2}}";
    let counted = rules(&correlating(count));
    assert_eq!(counted.rules.len(), 1);
    assert_eq!(counted.rules[0].card.name.as_deref(), Some("c"));

    let generating = rules(&format!("{}generate: true\n", correlating(count)));
    let speaking: Vec<bool> = generating.rules.iter().map(|rule| rule.speaks).collect();
    assert_eq!(speaking, [true, true]);
    let taps: Vec<usize> = generating.detections[0].taps.iter().map(|tap| tap.rule).collect();
    assert_eq!(taps, [0, 1]);

    let own = rules(&format!("{base}floodmark: {{group-by: [awsRegion], timespan: 10m}}\n"));
    assert_eq!(own.rules[0].timespan_secs, 600);
    assert_eq!(own.rules[0].card.group_by, ["awsRegion"]);
}

#[test]
fn correlations_over_correlations() {
    // The upper one stands first: order in the file means nothing.
    let text = "title: upper\ncorrelation: {type: event_count, rules: [lower], group-by: [u], timespan: 1h, condition: {gte: 2}}\n---\n\
                title: lower\nname: lower\ncorrelation: {type: event_count, rules: [d], group-by: [u, awsRegion], timespan: 5m, condition: {lt: 9}}\n---\n";
    let set = rules(&(text.to_owned() + &detecting("{s: {eventName: A}, condition: s}")));
    let titles: Vec<&str> = set.rules.iter().map(|rule| rule.card.title.as_str()).collect();
    assert_eq!(titles, ["lower", "upper"]);
    assert_eq!(set.rules[0].taps[0].rule, 1);
    assert_eq!((set.rules[0].delay_secs, set.rules[1].delay_secs), (0, 300));
    assert_eq!((set.rules[0].speaks, set.rules[1].speaks), (false, true));
}

#[test]
fn filters_narrow_detections() {
    let base = detecting("{s: {eventName: A}, condition: s}");
    let filtered = |rules_named: &str| {
        let text = format!(
            "{base}---\ntitle: f\nlogsource: {{product: aws, service: cloudtrail}}\n\
             filter: {{rules: {rules_named}, s: {{awsRegion: x}}, condition: not s}}\n"
        );
        let set = rules(&text);
        ["x", "y"].map(|region| {
            let record = format!(
                r#"{{"eventTime": "2026-01-05T22:30:00Z", "eventName": "A", "awsRegion": "{region}"}}"#
            );
            let record = Record::decode(record.as_bytes()).unwrap();
            set.detections[0].matcher.fits(&Fields::of(&record))
        })
    };
    assert_eq!(filtered("[d]"), [false, true]);
    assert_eq!(filtered("any"), [false, true]);
}

#[test]
fn tags_change_with_what_is_sampled_only() {
    let text = |detection: &str, correlation: &str, more: &str| {
        let base = detecting(detection);
        format!("{base}---\ntitle: c\nname: c\ncorrelation: {correlation}\n{more}")
    };
    let count = "{type: event_count, rules: [d], group-by: [a], timespan: 1m, condition: {gte: 2}}";
    let tag = |detection: &str, correlation: &str, more: &str| {
        rules(&text(detection, correlation, more)).rules[0].tag
    };
    let first = tag("{s: {eventName: A}, condition: s}", count, "");
    // The same number on every machine and in every release: windows are kept under it.
    assert_eq!(first, 602_575_162_413_697_387);
    let same = [
        tag("{condition: s, s: {'eventName': A}}", count, "level: high\n"),
        tag("{s: {eventName: A}, condition: s}", &count.replace("gte: 2", "gte: 3"), ""),
        tag(
            "{s: {eventName: A}, condition: s}",
            count,
            "floodmark: {marks: [{level: high, gte: 9}]}\n",
        ),
    ];
    assert_eq!(same, [first; 3]);
    let other = [
        tag("{s: {eventName: B}, condition: s}", count, ""),
        tag("{s: {eventName: A}, condition: not s}", count, ""),
        tag("{s: {eventName: A}, condition: s}", &count.replace("[a]", "[b]"), ""),
        tag("{s: {eventName: A}, condition: s}", &count.replace("1m", "2m"), ""),
        tag(
            "{s: {eventName: A}, condition: s}",
            &count.replace("event_count", "value_count").replace("gte", "field: b, gte"),
            "",
        ),
    ];
    assert!(!other.contains(&first));
}

#[test]
fn necessary_values() {
    for (detection, names, sources) in [
        ("{s: {eventName: [A, B], eventSource: X}, condition: s}", Some("a b"), Some("x")),
        ("{s: {eventName: A}, t: {eventName: B}, condition: s or t}", Some("a b"), None),
        ("{s: {eventName: A}, t: {awsRegion: B}, condition: s or t}", None, None),
        ("{s: {eventName: A}, t: {awsRegion: B}, condition: s and not t}", Some("a"), None),
        ("{s: {eventName: A}, condition: not s}", None, None),
        ("{s: {eventName: A*}, condition: s}", None, None),
        ("{s: {eventName: [A, null]}, condition: s}", None, None),
        ("{s: {eventName|cased: A}, condition: s}", Some("a"), None),
        ("{s: {eventName|neq: A}, condition: s}", None, None),
        ("{s: [{eventName: A}, {eventName: B}], condition: s}", Some("a b"), None),
        (
            "{s: {eventName|expand: '%jobs%'}, condition: s}",
            Some("createprocessingjob createtrainingjob"),
            None,
        ),
        (
            "{s: {eventName: [a, b, c, d, e, f, g, h, i]}, condition: s}",
            Some("a b c d e f g h i"),
            None,
        ),
        ("{s: {eventName: A}, t: {eventName: B}, condition: 2 of them}", Some("a b"), None),
    ] {
        let necessary = rules(&detecting(detection)).detections[0].matcher.necessary();
        let joined = |values: Option<std::collections::BTreeSet<String>>| {
            values.map(|values| values.into_iter().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(joined(necessary.names).as_deref(), names, "{detection}");
        assert_eq!(joined(necessary.sources).as_deref(), sources, "{detection}");
    }
}

#[test]
fn members_that_must_be_there_are_known_beforehand() {
    for (detection, members) in [
        ("{s: {eventName: A, errorCode: X}, condition: s}", "errorCode eventName"),
        ("{s: {userIdentity.accessKeyId|exists: true}, condition: s}", "userIdentity"),
        ("{s: {errorCode|exists: false}, condition: s}", ""),
        ("{s: {errorCode: [X, null]}, condition: s}", ""),
        ("{s: {errorCode|neq: X}, condition: s}", "errorCode"),
        ("{s: {errorCode: X}, t: {errorMessage: Y}, condition: s or t}", ""),
        ("{s: {errorCode: X, awsRegion: r}, t: {errorCode: Y}, condition: s or t}", "errorCode"),
        ("{s: {errorCode: X}, t: {errorMessage: Y}, condition: s and not t}", "errorCode"),
        ("{s: {floodmark.params: true, own.field: x}, condition: s}", ""),
    ] {
        let necessary = rules(&detecting(detection)).detections[0].matcher.necessary();
        let mut found: Vec<&str> = necessary.members.iter().map(|key| key.name()).collect();
        found.sort_unstable();
        assert_eq!(found.join(" "), members, "{detection}");
    }
}

#[test]
fn a_rule_s_version_changes_with_what_it_samples_and_its_mark() {
    let version = |gte: u32, name: &str| {
        let rule =
            "{type: event_count, rules: [d], group-by: [a], timespan: 5m, condition: {gte: N}}";
        let text = correlating(&rule.replace('N', &gte.to_string()));
        let set = rules(&text.replace("eventName: A", &format!("eventName: {name}")));
        set.rules.last().unwrap().card.version.clone()
    };
    assert_eq!(version(5, "A"), version(5, "A"));
    assert_ne!(version(5, "A"), version(6, "A"));
    assert_ne!(version(5, "A"), version(5, "B"));
    assert_eq!(version(5, "A").len(), 16);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is cut out of the eight rules, put in or doubled: rules or faults, never a panic,
    /// and every fault on a line that is there.
    #[test]
    fn mutated_rules_load_or_are_refused(
        cuts in prop::collection::vec((0_usize..12_000, 0_usize..40, "[ -~\n]{0,12}"), 1..6)
    ) {
        let mut text: Vec<char> = include_str!("eight.yml").chars().collect();
        for (at, len, put) in cuts {
            let at = at.min(text.len());
            let end = (at + len).min(text.len());
            text.splice(at..end, put.chars());
        }
        let text: String = text.into_iter().collect();
        let lines = text.lines().count() + 1;
        match RuleSet::load(&[document(&text)], &environment()) {
            Ok(set) => prop_assert!(!set.rules.is_empty()),
            Err(faults) => {
                prop_assert!(!faults.is_empty());
                for fault in faults {
                    prop_assert!((1..=lines).contains(&fault.line), "{}", fault);
                    prop_assert!(!fault.to_string().contains('\n'), "{}", fault);
                }
            }
        }
    }

    #[test]
    fn any_text_loads_or_is_refused(text in "[a-z:\\[\\]{}&*!|>'\"%#,?\n -]{0,200}") {
        let _loaded = RuleSet::load(&[document(&text)], &environment()).is_ok();
    }
}

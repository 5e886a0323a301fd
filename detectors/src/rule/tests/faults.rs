//! What is refused, in which words: each line is a mistake and the whole of what is told.

use super::*;

/// The faults of a text.
fn faults(text: &str) -> String {
    match load(text) {
        Ok(_) => panic!("it loads:\n{text}"),
        Err(faults) => told(&faults),
    }
}

fn in_detection(detection: &str, expected: &str) {
    assert_eq!(faults(&detecting(detection)), format!("r.yml:5: {expected}"), "{detection}");
}

fn in_correlation(correlation: &str, expected: &str) {
    let text = correlating(correlation);
    assert_eq!(faults(&text), format!("r.yml:9: {expected}"), "{correlation}");
}

#[test]
fn keys_at_every_depth() {
    let head = "title: t\nlogsource: {product: aws, service: cloudtrail}\n";
    let tail = "detection: {s: {eventName: A}, condition: s}\n";
    for (text, expected) in [
        (
            format!("{head}levl: high\n{tail}"),
            "r.yml:3: unknown key `levl` (did you mean `level`?)",
        ),
        (format!("{head}{tail}custom_thing: 1\n"), "r.yml:4: unknown key `custom_thing`"),
        (
            format!("title: t\nlogsource: {{product: aws, servce: cloudtrail}}\n{tail}"),
            "r.yml:2: unknown key `servce` in `logsource` (did you mean `service`?)",
        ),
        (
            format!("{head}{tail}floodmark:\n  code: X\n  mod: alert\n"),
            "r.yml:6: unknown key `mod` in `floodmark` (did you mean `mode`?)",
        ),
        (
            format!("{head}{tail}floodmark: {{mode: alrt}}\n"),
            "r.yml:4: unknown mode `alrt` (did you mean `alert`?)",
        ),
        (
            format!(
                "{head}{tail}floodmark:\n  first_seen:\n    key: [eventName]\n    values: [awsRegion]\n    memory: 30d\n    warmup: 1d\n"
            ),
            "r.yml:6: `first_seen` needs `value`\n\
             r.yml:7: unknown key `values` in `first_seen` (did you mean `value`?)",
        ),
        (
            format!("{head}{tail}floodmark: {{marks: [{{levle: high, gte: 2}}]}}\n"),
            "r.yml:4: unknown key `levle` in `marks` (did you mean `level`?)\n\
             r.yml:4: `marks` needs `level`",
        ),
        (
            format!("{head}{tail}related: [{{id: x, type: derved}}]\n"),
            "r.yml:4: unknown type `derved` (did you mean `derived`?)",
        ),
    ] {
        assert_eq!(faults(&text), expected, "{text}");
    }
}

#[test]
fn metadata() {
    let head = "logsource: {product: aws, service: cloudtrail}\ndetection: {s: {eventName: A}, condition: s}\n";
    for (line, expected) in [
        ("name: x", "r.yml:1: a rule needs a `title`"),
        ("title: [x]", "r.yml:3: `title` must be a text, not a list"),
        ("title: x\nid: abc", "r.yml:4: id `abc` is no UUID (`name` may be any word)"),
        ("title: x\nlevel: hgih", "r.yml:4: unknown level `hgih` (did you mean `high`?)"),
        ("title: x\nstatus: tset", "r.yml:4: unknown status `tset` (did you mean `test`?)"),
        ("title: x\nsigma-version: 9", "r.yml:4: `sigma-version` must be 1 to 3"),
        ("title: x\ntags: [a, {b: c}]", "r.yml:4: `tags` holds texts, not a map"),
        ("title: x\ntitle: y", "r.yml:4: key `title` stands twice"),
    ] {
        assert_eq!(faults(&format!("{head}{line}\n")), expected, "{line}");
    }
    assert_eq!(
        faults("title: t\ndetection: {s: {eventName: A}, condition: s}\n"),
        "r.yml:1: a rule needs a `logsource` (write `logsource: {product: aws, service: cloudtrail}`)"
    );
    assert_eq!(
        faults("title: t\nlogsource: {product: windows}\ndetection: {s: {a: A}, condition: s}\n"),
        "r.yml:2: only CloudTrail is read here: product `windows` gives no record \
         (write `logsource: {product: aws, service: cloudtrail}`)"
    );
    assert_eq!(
        faults("title: t\n"),
        "r.yml:1: a rule needs `detection`, `correlation` or `filter`"
    );
    assert_eq!(
        faults("action: global\ntitle: t\n"),
        "r.yml:1: `action` documents are not read (write each rule whole)"
    );
    assert_eq!(faults("- a\n"), "r.yml:1: a rule is a map of keys, this is a list");
}

#[test]
fn conditions() {
    for (detection, expected) in [
        (
            "{selection: {eventName: A}, condition: selektion}",
            "the condition names `selektion`, which is no selection (did you mean `selection`?)\n\
             r.yml:5: selection `selection` is not in the condition",
        ),
        ("{s: {eventName: A}}", "`detection` needs a `condition`"),
        (
            "{s: {eventName: A}, t: {eventName: B}, condition: s}",
            "selection `t` is not in the condition",
        ),
        (
            "{s: {eventName: A}, condition: s and}",
            "the condition `s and` cannot be read from character 6 on\n\
             r.yml:5: selection `s` is not in the condition",
        ),
        (
            "{s: {eventName: A}, condition: 's | count() > 5'}",
            "conditions with `|` are not read (count with a correlation rule)\n\
             r.yml:5: selection `s` is not in the condition",
        ),
        ("{s: {eventName: A}, condition: s or 1 of filter_*}", "no selection is called `filter_*`"),
        (
            "{s: {eventName: A}, condition: 3 of s*}",
            "`3 of s*` among 1 selections never holds or always does",
        ),
        (
            "{s: {eventName: A}, timeframe: 5m, condition: s}",
            "unknown key `timeframe` in `detection` (count with a correlation rule and its `timespan`)",
        ),
        ("{s: {}, condition: s}", "an empty selection holds for every record"),
        ("{s: [], condition: s}", "an empty list holds for no record"),
        ("{s: {eventName: []}, condition: s}", "an empty list holds for no record"),
        ("{s: [[a]], condition: s}", "a list in a list says nothing"),
    ] {
        in_detection(detection, expected);
    }
    let deep = format!("{}s{}", "(".repeat(40), ")".repeat(40));
    in_detection(
        &format!("{{s: {{eventName: A}}, condition: '{deep}'}}"),
        "the condition is nested too deep\nr.yml:5: selection `s` is not in the condition",
    );
}

#[test]
fn fields_and_values() {
    for (selection, expected) in [
        ("{eventName|contians: A}", "unknown modifier `contians` (did you mean `contains`?)"),
        ("{eventName|not: A}", "`not` is no modifier: negate in the condition, or use `neq`"),
        ("{eventName|all|all: A}", "modifier `all` stands twice"),
        (
            "{eventName|contains|endswith: A}",
            "modifiers `contains` and `endswith` do not go together",
        ),
        ("{eventName|re|contains: A}", "modifiers `re` and `contains` do not go together"),
        ("{eventName|i: A}", "modifiers `i`, `m` and `s` belong to `re`"),
        ("{eventName|exists|cased: true}", "modifiers `cased` and `exists` do not go together"),
        ("{eventName|gt|neq: 1}", "modifiers `neq` and `gt` do not go together"),
        ("{eventName|all|neq: [a]}", "modifiers `all` and `neq` do not go together"),
        (
            "{eventName|cidr|expand: '%compute%'}",
            "modifiers `expand` and `cidr` do not go together",
        ),
        ("{eventName|wide: a}", "modifier `wide` stands before `base64` or `base64offset`"),
        (
            "{eventName|contains|base64: a}",
            "modifier `base64` stands before `contains`, `startswith` or `endswith`",
        ),
        (
            "{eventName|base64offset: a}",
            "modifier `base64offset` finds a part of a text: write `base64offset|contains`",
        ),
        (
            "{eventName|base64: a*}",
            "`a*` has wildcards, which cannot be encoded (`\\*` is a plain one)",
        ),
        ("{eventName|exists: maybe}", "`exists` wants true or false"),
        ("{eventName|gt: many}", "`many` is no decimal number"),
        ("{eventName|gt: null}", "`null` is no number"),
        ("{eventName|contains: null}", "null is no text to be a part of another"),
        ("{eventName|neq: null}", "null does not go with `neq`: use `exists`"),
        (
            "{eventName|cidr: 10.0.0.1/8}",
            "`10.0.0.1/8` has bits set beyond its length, `10.0.0.0/8` is the network",
        ),
        (
            "{eventName|re: '(?=a)'}",
            "`(?=a)` is no regular expression this engine reads: look-around, including look-ahead and look-behind, is not supported",
        ),
        (
            "{eventName|re: 'a{1000}{1000}'}",
            "`a{1000}{1000}` is no regular expression this engine reads: it needs more than 1048576 bytes",
        ),
        (
            "{eventName: {a: b}}",
            "a value must be a text, a number, true, false or null, not a map (write `eventName.a`)",
        ),
        ("{eventName: [[a]]}", "a value must be a text, a number, true, false or null, not a list"),
        ("{a..b: x}", "`a..b` is no field: a name is missing"),
        (
            "{'a[some]': x}",
            "`[some]` is no array selector: there are any, all, all_or_empty, none and whole numbers",
        ),
        ("{'a[any': x}", "`a[any` has a `[` without a `]`"),
        ("{'a[any]b': x}", "`a[any]b`: a `.` and a name must follow `]`"),
        (
            "{'a[any]|contains': {b: c}}",
            "modifiers do not go with a block: put them on the fields inside it",
        ),
        (
            "{'a[any].floodmark.actor': x}",
            "`floodmark.actor` belongs to the record, not to an element of it",
        ),
        ("{eventName|expand: '%compte%'}", "there is no list `%compte%` (did you mean `compute`?)"),
        (
            "{eventName|expand: '%nothing%'}",
            "list `%nothing%` is empty (say what that means under `floodmark.environment.nothing.empty`)",
        ),
        ("{eventName|expand: plain}", "`expand` wants a list such as `%compute%`"),
        (
            "{eventName|expand: '%jobs%-%compute%'}",
            "`%jobs%-%compute%` names two lists: one value may name one",
        ),
        (
            "{eventName: '%compute%'}",
            "`%compute%` stands for a list only with `expand` (write `eventName|expand`)",
        ),
        (
            "{'|gt': 5}",
            "keywords take `contains`, `startswith`, `endswith`, `re`, `all` and `cased` only: name a field",
        ),
    ] {
        in_detection(&format!("{{s: {selection}, condition: s}}"), expected);
    }
    let old = detecting("{s: {'a[any]': x}, condition: s}").replace("sigma-version: 3\n", "");
    assert_eq!(
        faults(&old),
        "r.yml:4: `a[any]` has an array selector (say `sigma-version: 3` at the top of the rule)"
    );
}

#[test]
fn the_line_is_that_of_the_value() {
    let text = "title: t\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n  s:\n    \
                sourceIPAddress|cidr:\n      - 10.0.0.0/8\n      - 10.0.0.0/40\n  condition: s or t\n";
    assert_eq!(
        faults(text),
        "r.yml:7: `10.0.0.0/40` is no network: its length must be 0 to 32\n\
         r.yml:8: the condition names `t`, which is no selection (did you mean `s`?)"
    );
}

#[test]
fn correlations() {
    for (correlation, expected) in [
        (
            "{type: event_count, rules: [d], group_by: [eventName], timespan: 1m, condition: {gte: 2}}",
            "unknown key `group_by` in `correlation` (did you mean `group-by`?)",
        ),
        (
            "{type: event_cont, rules: [d], timespan: 1m, condition: {gte: 2}}",
            "unknown type `event_cont` (did you mean `event_count`?)",
        ),
        (
            "{type: value_avg, rules: [d], timespan: 1m, condition: {field: a, gte: 2}}",
            "type `value_avg` is not supported: a late record could move it either way at any time",
        ),
        (
            "{type: event_count, rules: [dd], timespan: 1m, condition: {gte: 2}}",
            "there is no rule `dd` (did you mean `d`?)",
        ),
        (
            "{type: event_count, rules: [d], timespan: 1m, condition: {gte: -2}}",
            "`gte` must be a whole number, zero or more, not `-2`",
        ),
        (
            "{type: event_count, rules: [d], timespan: 1m, condition: {gte: 2.5}}",
            "`gte` must be a whole number, zero or more, not `2.5`",
        ),
        (
            "{type: event_count, rules: [d], timespan: 1m, condition: {gte: '2'}}",
            "`gte` must be a whole number, zero or more, not `2`",
        ),
        (
            "{type: event_count, rules: [d], timespan: 1m, condition: {get: 2}}",
            "unknown key `get` in `condition` (did you mean `gt`?)",
        ),
        (
            "{type: event_count, rules: [d], timespan: 1m, condition: {}}",
            "`condition` needs one of gt, gte, lt, lte, eq, neq",
        ),
        (
            "{type: event_count, rules: [d], timespan: 1m}",
            "`correlation` needs a `condition` (such as `condition: {gte: 20}`)",
        ),
        (
            "{type: value_count, rules: [d], timespan: 1m, condition: {gte: 2}}",
            "`value_count` needs a `field` in its condition",
        ),
        (
            "{type: value_count, rules: [d], timespan: 1m, condition: {filed: a, gte: 2}}",
            "unknown key `filed` in `condition` (did you mean `field`?)\n\
             r.yml:9: `value_count` needs a `field` in its condition",
        ),
        (
            "{type: event_count, rules: [d], timespan: 1m, condition: {field: a, gte: 2}}",
            "`field` belongs to `value_count` and `value_sum`",
        ),
        (
            "{type: event_count, rules: [d], timespan: 1m, condition: {gte: 5, lt: 5}}",
            "no window can satisfy this condition",
        ),
        (
            "{type: event_count, rules: [d], timespan: 1m, condition: {gte: 0}}",
            "every window satisfies this condition",
        ),
        (
            "{type: event_count, rules: [d], timespan: 1m, condition: {lt: 5}}",
            "a condition that a late record can undo needs a group-by",
        ),
        (
            "{type: event_count, rules: [d], timespan: 10, condition: {gte: 2}}",
            "`timespan` must be a span such as 90s, 10m, 1h or 7d, not `10`",
        ),
        (
            "{type: event_count, rules: [d], timespan: 0s, condition: {gte: 2}}",
            "`timespan` must be at least 1s",
        ),
        (
            "{type: event_count, rules: [d], timespan: 1M, condition: {gte: 2}}",
            "`timespan` of `1M`: months and years have no fixed length (write days: 30d)",
        ),
        (
            "{type: event_count, rules: [d], timespan: 99d, condition: {gte: 2}}",
            "`timespan` may be 31d at most, got `99d`",
        ),
        (
            "{type: event_count, rules: [d], timespan: 1m, window: tumbling, condition: {gte: 2}}",
            "`window` is not supported: windows always slide (leave it out)",
        ),
        (
            "{type: event_count, rules: [d, d], timespan: 1m, condition: {gte: 2}}",
            "`d` stands twice in `rules`",
        ),
        (
            "{type: event_count, rules: [c], timespan: 1m, condition: {gte: 2}}",
            "rule `c` counts itself, by way of `rules`",
        ),
        (
            "{type: temporal, rules: [d], timespan: 1m, condition: d and e}",
            "the condition names `e`, which is not in `rules` (did you mean `d`?)",
        ),
        (
            "{type: temporal, rules: [d], group-by: [a], timespan: 1m, condition: not d}",
            "the condition holds for a window without samples",
        ),
        (
            "{type: temporal_ordered, rules: [d], timespan: 1m}",
            "`temporal_ordered` needs two rules to have an order",
        ),
        (
            "{type: event_count, rules: [d], group-by: [u], aliases: {v: {d: a}}, timespan: 1m, condition: {gte: 2}}",
            "alias `v` is used nowhere (did you mean `u`?)",
        ),
        (
            "{type: event_count, rules: [d], group-by: [u], aliases: {u: {e: a}}, timespan: 1m, condition: {gte: 2}}",
            "alias `u`: `e` is not in `rules` (did you mean `d`?)\n\
             r.yml:9: alias `u` names no field for rule `d`",
        ),
        (
            "{type: event_count, rules: [d], group-by: ['a[any]'], timespan: 1m, condition: {gte: 2}}",
            "`a[any]` is no field",
        ),
    ] {
        in_correlation(correlation, expected);
    }
}

#[test]
fn rules_among_each_other() {
    let d = detecting("{s: {eventName: A}, condition: s}");
    assert_eq!(
        faults(&format!("{d}---\n{d}")),
        "r.yml:7: name `d` is taken by the rule at r.yml:1"
    );
    let count = |name: &str, rules: &str, group: &str| {
        format!(
            "---\ntitle: {name}\nname: {name}\ncorrelation: {{type: event_count, rules: [{rules}], \
             group-by: [{group}], timespan: 1m, condition: {{gte: 2}}}}\n"
        )
    };
    assert_eq!(
        faults(&format!("{d}{}{}", count("a", "b", "x"), count("b", "a", "x"))),
        "r.yml:9: rule `a` counts itself, by way of `rules`\n\
         r.yml:13: rule `b` counts itself, by way of `rules`"
    );
    assert_eq!(
        faults(&format!("{d}{}{}", count("a", "d", "userName"), count("b", "a", "userNames"))),
        "r.yml:13: it groups by `userNames`, but rule `a`, which it counts, does not \
         (did you mean `userName`?)"
    );
    assert_eq!(
        faults(&format!(
            "{d}---\ntitle: f\nlogsource: {{product: aws}}\nfilter: {{rules: [e], s: {{a: b}}, condition: not s}}\n"
        )),
        "r.yml:9: there is no rule `e` (did you mean `d`?)"
    );
    assert_eq!(
        faults(&format!(
            "{d}---\ntitle: f\nlogsource: {{product: aws}}\nfilter: {{s: {{a: b}}, condition: not s}}\n"
        )),
        "r.yml:9: `filter` needs `rules` (a list of rules, or `any`)"
    );
}

#[test]
fn members_can_differ_where_all_must_be_there() {
    let d = detecting("{s: {eventName: A}, condition: s}");
    let e = d.replace("name: d", "name: e");
    for (sort, condition) in [
        ("temporal_ordered", ""),
        ("temporal", ", condition: d or e"),
        ("temporal", ", condition: {gte: 1}"),
    ] {
        let text = format!(
            "{d}---\n{e}---\ntitle: c\nname: c\ncorrelation: {{type: {sort}, rules: [d, e], \
             group-by: [a], timespan: 5m{condition}}}\nfloodmark: {{differ: [awsRegion]}}\n"
        );
        assert_eq!(
            faults(&text),
            "r.yml:16: `floodmark.differ` goes with `temporal` over 2 to 8 rules that must all be \
             there, without `condition`",
            "{sort}{condition}"
        );
    }
}

#[test]
fn marks_and_other_windows() {
    let base = correlating("{type: event_count, rules: [d], timespan: 5m, condition: {gte: 2}}");
    for (floodmark, expected) in [
        ("{marks: [{level: low, gte: 5}]}", "a mark's level must be above the rule's"),
        ("{marks: [{level: high, gte: 0}]}", "a mark must be at least 1"),
        ("{differ: [awsRegion]}", "`floodmark.differ` belongs to a temporal rule"),
        ("{all_services: true}", "`floodmark.all_services` belongs to a detection"),
        ("{needs: [managment]}", "unknown feed `managment` (did you mean `management`?)"),
    ] {
        let text = format!("{base}floodmark: {floodmark}\n");
        assert_eq!(faults(&text), format!("r.yml:10: {expected}"), "{floodmark}");
    }
    let base = detecting("{s: {eventName: A}, condition: s}");
    for (floodmark, expected) in [
        (
            "{surge: {group-by: [a], bucket: 7m, baseline: 24h, factor: 10, floor: 1, min_buckets: 2}}",
            "`baseline` must be 1 to 10000 times `bucket`, without a rest",
        ),
        (
            "{surge: {group-by: [a], bucket: 10m, baseline: 1h, factor: 0.5, floor: 1, min_buckets: 2}}",
            "`factor` must be more than 1",
        ),
        (
            "{surge: {group-by: [a], bucket: 10m, baseline: 1h, factor: 2, floor: 1, min_buckets: 9}}",
            "`min_buckets` must be at least 1 and at most the buckets in `baseline`",
        ),
        (
            "{environment: {allowed: {empty: {}}}}",
            "`floodmark.environment.allowed` must say `empty: {first_seen: ..}`: what the rule means while the list is empty",
        ),
        (
            "{environment: {allowed: {empty: {level: low}}}}",
            "`floodmark.environment.allowed` must say `empty: {first_seen: ..}`: what the rule means while the list is empty",
        ),
        (
            "{environment: {allowed_buckets: {empty: {first_seen: {key: [a], value: [b], memory: 1d, warmup: 1d}}}}}",
            "`floodmark.environment.allowed_buckets`: the rule uses no such list",
        ),
    ] {
        let text = format!("{base}floodmark: {floodmark}\n");
        assert_eq!(faults(&text), format!("r.yml:6: {expected}"), "{floodmark}");
    }
}

#[test]
fn all_at_once_by_file_and_line() {
    let documents = [
        Document {
            path: "b.yml".to_owned(),
            text: detecting("{s: {eventName|re: '('}, condition: x}"),
        },
        Document { path: "a.yml".to_owned(), text: "title: [\n".to_owned() },
    ];
    let faults = RuleSet::load(&documents, &environment()).unwrap_err();
    let places: Vec<(&str, usize)> = faults.iter().map(|f| (f.path.as_str(), f.line)).collect();
    assert_eq!(places, [("a.yml", 2), ("b.yml", 5), ("b.yml", 5), ("b.yml", 5)]);
    assert_eq!(faults[1].rule.as_deref(), Some("d"));
}

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use super::dialect::literal;
use super::*;
use crate::encode::ocsf::{View, ocsf, tests::burst};

fn query() -> Query {
    Query::read(&ocsf(&burst(), View::Final)).unwrap()
}

const ASKS: [Ask; 11] = [
    Ask::Burst,
    Ask::Timeline,
    Ask::Access,
    Ask::Changes,
    Ask::Data,
    Ask::Supply,
    Ask::Logging,
    Ask::Permissions,
    Ask::Network,
    Ask::Notebooks,
    Ask::Abroad,
];
const DIALECTS: [Dialect; 3] = [Dialect::Athena, Dialect::Insights, Dialect::Lake];

#[test]
fn the_burst_for_athena() {
    let text = query().write(Ask::Burst, Dialect::Athena, "cloudtrail").unwrap();
    insta::assert_snapshot!(text);
    assert_eq!(query().athena, text, "the alert carries it");
}

#[test]
fn the_burst_for_the_others() {
    insta::assert_snapshot!(query().write(Ask::Burst, Dialect::Insights, "").unwrap());
    insta::assert_snapshot!(query().write(Ask::Access, Dialect::Lake, "EDS").unwrap());
}

#[test]
fn the_table() {
    insta::assert_snapshot!(schema(&Schema {
        table: "cloudtrail".into(),
        location: "s3://trail/AWSLogs/o-1".into(),
        accounts: vec!["111122223333".into(), "444455556666".into()],
        regions: vec!["eu-west-1".into()],
        since: "2024/01/01".into(),
    }));
}

#[test]
fn what_is_no_alert_is_refused() {
    assert!(Query::read(&json!({})).unwrap_err().contains("no alert"));
    let mut odd = query();
    odd.from = "' OR 1 = 1 --".into();
    assert!(odd.write(Ask::Burst, Dialect::Athena, "t").is_err());
}

/// A text of SQL without its literals and comments; none where one of them is open at the end.
fn outside_literals(sql: &str) -> Option<String> {
    let (mut outside, mut rest) = (String::new(), sql);
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..)?;
        match c {
            '\'' => loop {
                rest = rest.split_once('\'')?.1;
                match rest.strip_prefix('\'') {
                    Some(behind) => rest = behind,
                    None => break,
                }
            },
            '-' if rest.starts_with('-') => {
                rest = rest.split_once('\n').map_or("", |(_, rest)| rest)
            }
            c => outside.push(c),
        }
    }
    Some(outside)
}

/// Fills every text of the query but its times.
fn filled(with: &str) -> Query {
    let part = |field: &str| Part { field: field.into(), value: with.into(), is_prefix: false };
    Query {
        title: with.into(),
        alert: with.into(),
        accounts: vec![with.into()],
        regions: vec![with.into()],
        accounts_are_all: true,
        regions_are_all: true,
        principals: vec![
            part("userIdentity.arn"),
            Part { is_prefix: true, ..part("userIdentity.arn") },
        ],
        keys: vec![part("sourceIPAddress"), part("requestParameters.a.b")],
        sources: vec![with.into()],
        names: vec![with.into()],
        is_whole: true,
        access_keys: vec![with.into()],
        ..query()
    }
}

#[test]
fn literals_of_sql() {
    assert_eq!(literal("a'b"), "'a''b'");
    assert_eq!(literal("a\\'b"), "'a\\''b'");
    assert_eq!(literal("a\n'\\"), "U&'a\\+00000a''\\\\'");
}

proptest! {
    #[test]
    fn no_value_leaves_its_literal(
        text in prop_oneof![
            any::<String>(),
            proptest::collection::vec(
                proptest::sample::select(vec![
                    "'", "''", "\\", "\n", "--", "/*", "*/", ";", "\"", "/", "|", ") OR (1 = 1",
                    "x", "\r", "\u{2028}", "`", "%", "$", "{", "#", " and ", "filter",
                ]),
                0..8,
            )
            .prop_map(|parts| parts.concat()),
        ],
    ) {
        let (plain, odd) = (filled("x"), filled(&text));
        for ask in ASKS {
            for dialect in [Dialect::Athena, Dialect::Lake] {
                let plain = plain.write(ask, dialect, "t").unwrap();
                let odd = odd.write(ask, dialect, "t").unwrap();
                // All that is not a literal is the same, but for the mark of one with codes in it.
                let bare = |sql: &str| outside_literals(sql).map(|sql| sql.replace("U&", ""));
                prop_assert_eq!(bare(&plain), bare(&odd), "{:?}", dialect);
            }
            let insights = odd.write(ask, Dialect::Insights, "").unwrap();
            prop_assert_eq!(insights.matches('"').count() % 2, 0);
            for line in insights.lines().filter(|line| !line.starts_with('#')) {
                let known = line.starts_with("fields ") || line.starts_with("  userIdentity")
                    || line.starts_with("| filter ") || line.starts_with("| sort ")
                    || line.starts_with("| dedup ") || line.starts_with("| limit ");
                prop_assert!(known, "{}", line);
                // Outside of quotes and patterns there are only our own words.
                let outside: String = line.split(['"', '/']).step_by(2).collect();
                prop_assert!(outside.matches('|').count() <= 1, "{}", line);
            }
        }
    }
}

#[test]
fn a_field_that_is_no_path_is_never_written() {
    for field in ["a'b", "a b", "x) OR (1 = 1", "a\nb"] {
        let key = Part { field: field.into(), value: "v".into(), is_prefix: false };
        let query = Query { keys: vec![key], ..query() };
        let text = query.write(Ask::Burst, Dialect::Athena, "t").unwrap();
        assert!(text.contains("NULL IN ('v')") && !text.contains(field), "{text}");
    }
}

#[test]
fn every_question_is_written_everywhere() {
    for ask in ASKS {
        for dialect in DIALECTS {
            let text = query().write(ask, dialect, dialect.table()).unwrap();
            assert!(text.contains(ask.in_words()), "{text}");
            assert!(!text.contains("NULL"), "{text}");
        }
    }
}

use floodmark_detectors::alert::Life;

use super::*;
use crate::encode::ocsf::tests::{burst, hostile};

/// What a reader of CEF makes of a line: seven fields of the header, then keys and values.
fn read(line: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (mut header, mut field, mut chars) = (Vec::new(), String::new(), line.chars());
    while header.len() < 7 {
        match chars.next().expect("a header of seven fields") {
            '\\' => field.extend(chars.next()),
            '|' => header.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    let rest: String = chars.collect();
    let mut values: Vec<(String, String)> = Vec::new();
    for word in rest.split(' ') {
        let key = word
            .split_once('=')
            .filter(|(key, _)| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric()));
        match (key, values.last_mut()) {
            (Some((key, value)), _) => values.push((key.to_owned(), value.to_owned())),
            (None, Some((_, value))) => {
                value.push(' ');
                value.push_str(word);
            }
            (None, None) => panic!("no key before {word:?}"),
        }
    }
    for (_, value) in &mut values {
        let (mut plain, mut chars) = (String::new(), value.chars());
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next().expect("no escape is cut in two") {
                    'n' => plain.push('\n'),
                    'r' => plain.push('\r'),
                    c => plain.push(c),
                },
                '=' => panic!("an equals sign that is not escaped in {value:?}"),
                c => plain.push(c),
            }
        }
        *value = plain;
    }
    (header, values)
}

#[test]
fn a_burst() {
    insta::assert_snapshot!(cef(&burst(), View::Final));
}

#[test]
fn a_close_in_life() {
    let mut alert = burst();
    (alert.life, alert.revision) = (Life::Closed, 3);
    let line = cef(&alert, View::Life { now_ms: 1_767_226_000_123 });
    let (_, values) = read(&line);
    let of = |key: &str| values.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    assert_eq!(of("rt"), Some("1767226000123"));
    assert_eq!(
        (of("act"), of("cn1"), of("cn1Label")),
        (Some("closed"), Some("3"), Some("revision"))
    );
}

#[test]
fn names_stay_in_their_field() {
    let evil = "x|y=z \\ a\nb\r\u{1b}[2J =src=1.2.3.4 \\";
    let line = cef(&hostile(evil), View::Final);
    assert_eq!(line.lines().count(), 1);
    let (header, values) = read(&line);
    assert_eq!(header.len(), 7);
    assert_eq!(header[0], "CEF:0");
    let keys: Vec<&str> = values.iter().map(|(key, _)| key.as_str()).collect();
    let mut once = keys.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), keys.len(), "no key stands twice: {keys:?}");
    assert!(values.iter().all(|(key, _)| key != "z"), "{keys:?}");
}

#[test]
fn lengths_end_at_their_limits() {
    let line = cef(&hostile(&"=é\\".repeat(5_000)), View::Final);
    let (header, values) = read(&line);
    assert!(
        header[4].chars().count() <= VALUE_CHARS_MAX && header[5].chars().count() <= NAME_CHARS_MAX
    );
    for (key, value) in values {
        assert!(value.chars().count() <= limit(&key), "{key}");
    }
}

#[test]
fn addresses_of_version_6_have_their_own_key() {
    let text = r#"{"eventTime":"2026-01-01T00:00:00Z","sourceIPAddress":"2001:db8::1"}"#;
    let mut alert = burst();
    alert.evidence.truncate(1);
    alert.evidence[0].record = text.as_bytes().into();
    let (_, values) = read(&cef(&alert, View::Final));
    assert!(values.contains(&("c6a2".into(), "2001:db8::1".into())));
    assert!(values.iter().all(|(key, _)| key != "src"));
}

#[test]
fn a_backlog_is_marked() {
    let mark = |view| {
        let (_, values) = read(&cef(&burst(), view));
        values.into_iter().find(|(key, _)| key == "flexString2").map(|(_, value)| value)
    };
    assert_eq!(mark(View::Backfill { now_ms: 1 }).as_deref(), Some("true"));
    assert_eq!(mark(View::Life { now_ms: 1 }), None);
}

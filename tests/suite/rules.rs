//! `floodmark rules` and what it writes; manual pages.

use std::collections::BTreeSet;

use serde_json::Value;

use super::program::{args, floodmark};
use super::traffic::Traffic;

/// One detection of two names, of which one record of three is.
const RULE: &str = "title: Keys\nid: 6d5b1f9a-3d6c-4e6e-8b8e-3a3d8b7c1a10\n\
     logsource: {product: aws, service: cloudtrail}\n\
     detection:\n  s: {eventSource: kms.amazonaws.com, eventName|expand: '%mine%'}\n  condition: s\n";

#[test]
fn coverage_is_the_same_in_every_form() {
    let table = floodmark(&["rules", "coverage"]);
    let json = floodmark(&["rules", "coverage", "--format", "json"]);
    let all: Value = serde_json::from_slice(&json.stdout).unwrap();
    let operations = all["operations"].as_array().unwrap();
    let uncovered = operations.iter().filter(|o| o["seen"] == "uncovered").count();
    let expected = i32::from(uncovered > 0);
    assert_eq!((table.code, json.code), (expected, expected));
    assert_eq!(operations.len(), 205 + 41);
    for operation in operations {
        let row = format!("{} ", operation["operation"].as_str().unwrap());
        let row = table.text().lines().find(|line| line.starts_with(&row)).unwrap().to_owned();
        assert!(row.contains(operation["seen"].as_str().unwrap()), "{row}: {operation}");
    }
    let layer = floodmark(&["rules", "coverage", "--format", "navigator"]);
    let layer: Value = serde_json::from_slice(&layer.stdout).unwrap();
    assert_eq!(layer["domain"], "enterprise-attack");
    assert!(layer["techniques"].as_array().unwrap().len() > 5);
}

#[test]
fn what_is_exported_finds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    floodmark(&args!["rules", "export", rules]).expect(0);
    floodmark(&args!["check", "--rules", rules]).expect(0);
    let feed = Traffic::shared().feed();
    let replay = |rules: &[&std::ffi::OsStr]| {
        let mut arguments = args!["replay", feed, "--alerts", "-", "--quiet"].to_vec();
        arguments.extend(rules.iter().map(std::ffi::OsString::from));
        let done = floodmark(&arguments).expect(0);
        let names = |line: &str| {
            let alert: Value = serde_json::from_str(line).unwrap();
            let uid = |pointer| alert.pointer(pointer).cloned().unwrap();
            (uid("/finding_info/uid").to_string(), uid("/count").to_string())
        };
        done.text().lines().map(names).collect::<BTreeSet<_>>()
    };
    let shipped = replay(&[]);
    assert!(shipped.len() > 3, "{shipped:?}");
    assert_eq!(replay(&["--rules".as_ref(), rules.as_os_str()]), shipped);
    // It must be empty: what is left from before would be taken for rules in force.
    let again = floodmark(&args!["rules", "export", rules]).expect(2);
    assert!(again.stderr.contains("is not empty"), "{}", again.stderr);
}

#[test]
fn matches_are_told_event_by_event() {
    let folder = tempfile::tempdir().unwrap();
    let (rule, config) = (folder.path().join("keys.yml"), folder.path().join("floodmark.toml"));
    std::fs::write(&rule, RULE).unwrap();
    std::fs::write(
        &config,
        format!(
            "[rules]\nshipped = false\npaths = [{rule:?}]\n[environment]\nmine = [\"Decrypt\"]\n"
        ),
    )
    .unwrap();
    let record = |id: &str, name: &str| {
        format!(
            "{{\"eventTime\":\"2026-01-05T09:00:00Z\",{id}\"eventSource\":\"kms.amazonaws.com\",\
             \"eventName\":\"{name}\"}}\n"
        )
    };
    let records = folder.path().join("records.ndjson");
    let lines = [
        record("\"eventID\":\"b\",", "Decrypt"),
        record("\"eventID\":\"c\",", "Encrypt"),
        record("\"eventID\":\"a\",", "decrypt"),
        record("", "Decrypt"),
    ];
    std::fs::write(&records, lines.concat()).unwrap();
    let told = floodmark(&args!["rules", "matches", records, "--config", config]).expect(0).text();
    assert_eq!(told, "detection\t6d5b1f9a-3d6c-4e6e-8b8e-3a3d8b7c1a10\t@4 a b\t\n");
    let exported = folder.path().join("exported");
    floodmark(&args!["rules", "export", exported, "--config", config]).expect(0);
    let written = walkdir(&exported);
    let text = std::fs::read_to_string(written.first().unwrap()).unwrap();
    assert!(text.contains("    eventName:\n      - Decrypt\n"), "{text}");
}

/// The files below a folder.
fn walkdir(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut ahead = vec![folder.to_path_buf()];
    while let Some(path) = ahead.pop() {
        if path.is_dir() {
            ahead.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    floodmark(&args!["man", folder.path()]).expect(0);
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(page("floodmark.1").contains("CloudTrail"));
    for command in ["run", "replay", "tune", "rules-coverage"] {
        assert!(page(&format!("floodmark-{command}.1")).contains(".SH"), "{command}");
    }
}

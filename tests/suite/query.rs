//! `floodmark query`

use super::program::{args, floodmark, floodmark_on};
use super::traffic::{Traffic, values};

/// The alerts of the shared traffic, in a file.
fn alerts(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("alerts.ndjson");
    floodmark(&args!["replay", "--quiet", "--alerts", path, Traffic::shared().feed()]).expect(0);
    path
}

#[test]
fn every_alert_of_a_replay_has_its_queries() {
    let folder = tempfile::tempdir().unwrap();
    let path = alerts(folder.path());
    let findings = values(&std::fs::read_to_string(&path).unwrap());
    // One of each rule: each call starts the program.
    let by_code: std::collections::BTreeMap<&str, _> = findings
        .iter()
        .map(|finding| (finding["unmapped"]["floodmark"]["code"].as_str().unwrap(), finding))
        .collect();
    for finding in by_code.values() {
        let id = finding["finding_info"]["uid"].as_str().unwrap();
        for dialect in ["athena", "insights", "lake"] {
            let text =
                floodmark(&args!["query", path, "--id", id, "--for", dialect]).expect(0).text();
            let code = finding["unmapped"]["floodmark"]["code"].as_str().unwrap();
            assert!(text.contains("eventSource") || text.contains("eventsource"), "{code}: {text}");
            assert!(!text.contains("NULL"), "{code}: {text}");
        }
        let text = floodmark(&args!["query", path, "--id", id]).expect(0).text();
        assert_eq!(finding["unmapped"]["floodmark"]["query"]["athena"], text);
    }
}

#[test]
fn which_alert_is_asked_for_where_there_are_several() {
    let folder = tempfile::tempdir().unwrap();
    let path = alerts(folder.path());
    let done = floodmark(&args!["query", path]).expect(2);
    assert!(done.stderr.contains("choose one with --id"), "{}", done.stderr);
    let done = floodmark(&args!["query", path, "--id", "nothing"]).expect(2);
    assert!(done.stderr.contains("no alert has this id"), "{}", done.stderr);
    let line = std::fs::read_to_string(&path).unwrap().lines().next().unwrap().to_owned();
    let one = folder.path().join("one.json");
    std::fs::write(&one, line).unwrap();
    let text = floodmark_on(&args!["query", "-", "--ask", "timeline"], &one).expect(0).text();
    assert!(text.starts_with("-- Floodmark alert "), "{text}");
}

#[test]
fn what_is_no_alert_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    std::fs::write(&path, "{\"a\": 1}").unwrap();
    let done = floodmark(&args!["query", path]).expect(2);
    assert!(done.stderr.contains("no alert of Floodmark"), "{}", done.stderr);
    let done = floodmark(&args!["query", path, "--table", "x; DROP TABLE y"]).expect(2);
    assert!(done.stderr.contains("letters, digits"), "{}", done.stderr);
}

#[test]
fn the_table_projects_its_partitions() {
    let location = ["--location", "s3://trail/AWSLogs/o-1", "--account", "444455556666"];
    let mut arguments = args!["query", "--schema"].to_vec();
    arguments.extend(location.iter().map(Into::into));
    let text = floodmark(&arguments).expect(0).text();
    assert!(text.contains("'projection.account.values' = '444455556666'"), "{text}");
    assert!(
        text.contains("'s3://trail/AWSLogs/o-1/${account}/CloudTrail/${region}/${day}'"),
        "{text}"
    );
}

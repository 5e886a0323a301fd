//! `floodmark replay`

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::program::{Done, args, floodmark, floodmark_on};
use super::traffic::{PLAN, Traffic, shuffle, sorted, values, values_in};

/// What a replay of the feed, as it was generated, writes.
static AS_IS: LazyLock<Vec<u8>> =
    LazyLock::new(|| alerts(&[Traffic::shared().feed()], &["--workers", "1"]));

fn replay(paths: &[PathBuf], options: &[&str]) -> Done {
    let mut arguments = args!["replay", "--alerts", "-", "--quiet"].to_vec();
    arguments.extend(options.iter().map(Into::into));
    arguments.extend(paths.iter().map(Into::into));
    floodmark(&arguments)
}

fn alerts(paths: &[PathBuf], options: &[&str]) -> Vec<u8> {
    replay(paths, options).expect(0).stdout
}

#[track_caller]
fn assert_as_is(paths: &[PathBuf], options: &[&str]) {
    let written = alerts(paths, options);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(written == *AS_IS, "as is:\n{}\nbut now:\n{}", text(&AS_IS), text(&written));
}

fn write(path: &Path, lines: &[String]) -> PathBuf {
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
    path.to_path_buf()
}

#[test]
fn finds_what_was_planted_and_nothing_else() {
    let text = String::from_utf8(AS_IS.clone()).unwrap();
    Traffic::shared().assert_found(&values(&text));
}

#[test]
fn workers_make_no_difference() {
    assert_as_is(&[Traffic::shared().feed()], &["--workers", "4"]);
}

#[test]
fn order_of_lines_makes_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = Traffic::shared().lines();
    shuffle(&mut lines, 7);
    let shuffled = write(&folder.path().join("shuffled.ndjson"), &lines);
    assert_as_is(&[shuffled], &["--workers", "4"]);
}

#[test]
fn split_into_files_makes_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = vec![Vec::new(); 5];
    for (place, line) in Traffic::shared().lines().into_iter().enumerate() {
        parts[place * 31 % 5].push(line);
    }
    let mut paths: Vec<PathBuf> = parts
        .iter()
        .enumerate()
        .map(|(number, lines)| write(&folder.path().join(format!("{number}.json")), lines))
        .collect();
    assert_as_is(&[folder.path().to_path_buf()], &["--workers", "2"]);
    paths.reverse();
    assert_as_is(&paths, &["--workers", "2"]);
}

#[test]
fn standard_input_makes_no_difference() {
    let done =
        floodmark_on(&args!["replay", "-", "--alerts", "-", "--quiet"], &Traffic::shared().feed());
    assert!(done.expect(0).stdout == *AS_IS);
}

/// The gzip files of a bucket hold the same organisation's records, without the weeks before.
#[test]
fn files_of_five_minutes_give_what_the_feed_in_order_gives() {
    let folder = tempfile::tempdir().unwrap();
    let (bucket, ordered) = (folder.path().join("bucket"), folder.path().join("ordered.ndjson"));
    for (feed, out) in [("files", &bucket), ("ordered", &ordered)] {
        let mut arguments = args!["generate", "--feed", feed, "--out", out].to_vec();
        arguments.extend(PLAN.iter().map(Into::into));
        floodmark(&arguments).expect(0);
    }
    let of_bucket = alerts(&[bucket], &[]);
    assert!(of_bucket.iter().filter(|byte| **byte == b'\n').count() >= 10);
    assert!(of_bucket == alerts(&[ordered], &[]));
}

#[test]
fn what_is_broken_is_rejected_and_the_rest_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = Traffic::shared().lines();
    let broken = [
        "no json at all",
        "{\"eventTime\":\"2025-11-25T09:00:00Z\",\"eventName\":\"Cut",
        "{\"eventName\":\"WithoutATime\"}",
        "[1, 2]",
    ];
    for (number, line) in broken.iter().enumerate() {
        lines.insert(lines.len() / 5 * (number + 1), (*line).to_owned());
    }
    let feed = write(&folder.path().join("broken.ndjson"), &lines);
    let rejects = folder.path().join("rejects.ndjson");
    let done = floodmark(&args!["replay", feed, "--alerts", "-", "--rejects", rejects]).expect(0);
    assert!(done.stdout == *AS_IS);
    let rejects = values_in(&rejects);
    let shown = sorted(rejects.iter().map(|reject| {
        format!("{}: {}", reject["reason"].as_str().unwrap(), reject["excerpt"].as_str().unwrap())
    }));
    insta::assert_snapshot!(shown.join("\n"));
    assert!(done.stderr.contains(" rejected: not a JSON object\n"), "{}", done.stderr);
}

#[test]
fn an_input_that_is_not_there_fails_and_is_named() {
    let done = replay(&[Traffic::shared().feed(), "/nowhere/at-all.json".into()], &[]).expect(1);
    assert!(done.stderr.contains("/nowhere/at-all.json: "), "{}", done.stderr);
    assert!(done.stdout == *AS_IS, "the others are read all the same");
}

//! What a deployment changes of rules: told when it is wrong, and in force when it is right.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::program::{args, floodmark};

/// OCSF's severity of a critical alert.
const CRITICAL: u64 = 5;

/// A configuration in a folder of its own, and a day in which one role starts so many jobs, one
/// every ten seconds, on each of three days.
struct Day {
    folder: TempDir,
    config: PathBuf,
    records: PathBuf,
}

impl Day {
    fn of(jobs: i64, config: &str) -> Day {
        let folder = tempfile::tempdir().unwrap();
        let (path, records) =
            (folder.path().join("floodmark.toml"), folder.path().join("records.ndjson"));
        let source = format!("[[source]]\ntype = \"file\"\npaths = [{records:?}]\n");
        std::fs::write(&path, source + config).unwrap();
        let mut lines = String::new();
        for day in 5..8 {
            for n in 0..jobs {
                let (minute, second) = (n / 6, n % 6 * 10);
                lines += &format!(
                    "{{\"eventTime\":\"2026-01-0{day}T09:{minute:02}:{second:02}Z\",\
                     \"eventID\":\"{day}-{n}\",\"eventSource\":\"sagemaker.amazonaws.com\",\
                     \"eventName\":\"CreateTrainingJob\",\"eventType\":\"AwsApiCall\",\
                     \"recipientAccountId\":\"111122223333\",\"awsRegion\":\"us-east-1\",\
                     \"requestParameters\":{{\"trainingJobName\":\"{day}-{n}\"}},\
                     \"userIdentity\":{{\"type\":\"IAMUser\",\"userName\":\"u\",\
                     \"accountId\":\"111122223333\",\"arn\":\"arn:aws:iam::111122223333:user/u\"}}}}\n"
                );
            }
        }
        std::fs::write(&records, lines).unwrap();
        Day { folder, config: path, records }
    }

    /// Severity and count of what a replay with the configuration sends, of DOS-01.
    fn alerts(&self) -> Vec<(u64, u64)> {
        let done = floodmark(&args![
            "replay",
            self.records,
            "--config",
            self.config,
            "--alerts",
            "-",
            "--quiet"
        ]);
        let text = done.expect(0).text();
        let alerts = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ours = alerts.filter(|alert| alert.to_string().contains("DOS-01"));
        ours.map(|alert| {
            let number = |field: &str| alert[field].as_u64().unwrap();
            (number("severity_id"), number("count"))
        })
        .collect()
    }
}

#[test]
fn a_changed_mark_is_in_force() {
    assert_eq!(Day::of(25, "").alerts().len(), 3);
    assert!(Day::of(25, "[rules.DOS-01]\ngte = 40\n").alerts().is_empty());
    assert_eq!(Day::of(45, "[rules.dos-01]\ngte = 40\n").alerts().len(), 3);
    let graver = Day::of(25, "[rules.DOS-01]\nlevel = \"critical\"\n").alerts();
    assert_eq!(graver, [(CRITICAL, 25); 3]);
    assert!(Day::of(25, "[rules.DOS-01]\nenabled = false\n").alerts().is_empty());
}

#[test]
fn what_only_observes_is_counted_and_not_sent() {
    let day = Day::of(25, "[rules.DOS-01]\nmode = \"observe\"\n");
    assert!(day.alerts().is_empty());
    let replayed =
        floodmark(&args!["replay", day.records, "--config", day.config]).expect(0).stderr;
    assert!(replayed.contains("Mass job creation in SageMaker (observe)"), "{replayed}");
    let ran = floodmark(&args!["run", "--config", day.config, "--until-idle"]).expect(0);
    assert!(!ran.text().contains("DOS-01"), "{}", ran.text());
    assert!(ran.stderr.contains("DOS-01: 3 bursts, not sent"), "{}", ran.stderr);
}

#[test]
fn all_faults_of_changes_and_lists_are_told_at_once() {
    let day = Day::of(
        1,
        "[rules.DOS-0l]\ngte = 40\n[rules.DOS-01]\ngte = 0\ntimspan = \"10m\"\nlevel = \"hgih\"\n\
         marks = [{ level = \"low\", gte = 1 }]\n[rules.DOS-05]\ngte = 3\n[rules.DOS-06]\n\
         factor = 0.5\n[rules.DOS-02]\n[environment]\nallowed_bucket = [\"x\"]\n\
         own_networks = [\"10.0.0.0/33\"]\n",
    );
    let told = floodmark(&args!["check", "--config", day.config]).expect(1).text();
    let told = told.replace(&day.folder.path().display().to_string(), "DIR");
    insta::assert_snapshot!(told);
}

#[test]
fn marks_are_proposed_with_the_evidence_and_can_be_pasted() {
    let day = Day::of(25, "");
    let tuned = floodmark(&args!["tune", day.records, "--quiet"]).expect(0).text();
    for part in [
        "# DOS-01 Mass job creation in SageMaker: at least 20 events in 600 s\n",
        "gte     20: 3 bursts of 1 keys: 3 medium  <- now\n",
        "3 of 111122223333, arn:aws:iam::111122223333:user/u\n",
        "gte     40: 0 bursts of 0 keys\n",
        "[rules.DOS-01]\ngte = 40\nmarks = [{ level = \"high\", gte = 200, timespan = \"600s\" }]\n",
    ] {
        assert!(tuned.contains(part), "{part:?} is not in\n{tuned}");
    }
    let changes = day.folder.path().join("changes.toml");
    std::fs::write(&changes, tuned).unwrap();
    let compared =
        floodmark(&args!["replay", day.records, "--compare", "shipped", changes]).expect(0).text();
    assert!(compared.contains("- DOS-01 medium 25 events"), "{compared}");
    assert!(compared.contains("0 added, 3 gone"), "{compared}");
    // What is bearable is not changed.
    let bearable = floodmark(&args!["tune", day.records, "--bursts-a-week", "70", "--quiet"]);
    assert!(!bearable.expect(0).text().contains("[rules.DOS-01]"));
}

#[test]
fn a_comparison_of_the_same_finds_no_difference() {
    let day = Day::of(25, "");
    let same = floodmark(&args!["replay", day.records, "--compare", "shipped", day.config]);
    let text = same.expect(0).text();
    assert!(text.contains("0 added, 0 gone, 0 changed"), "{text}");
    assert!(!text.contains("\n+ ") && !text.starts_with("- "), "{text}");
}

//! `floodmark run`

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::program::{args, floodmark, floodmark_on};
use super::traffic::{Traffic, account_of, code_of, life_of, values_in};

/// What a burst's findings have in common.
fn bursts(findings: &[Value], life: &str) -> BTreeSet<(String, String)> {
    let of_life = findings.iter().filter(|finding| life_of(finding) == life);
    of_life.map(|finding| (code_of(finding).to_owned(), account_of(finding).to_owned())).collect()
}

fn planted() -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let traffic = Traffic::shared();
    traffic.planted.iter().map(|burst| (text(&burst["code"]), text(&burst["account"]))).collect()
}

/// Writes a configuration with two sinks, and splits the feed into files of its first source.
fn prepare(folder: &Path, second_source: &str) {
    std::fs::create_dir(folder.join("in")).unwrap();
    let lines = Traffic::shared().lines();
    for part in 0..3 {
        let of_part = lines.iter().skip(part).step_by(3);
        let text: String = of_part.map(|line| format!("{line}\n")).collect();
        std::fs::write(folder.join(format!("in/{part}.json")), text).unwrap();
    }
    let shown = folder.display();
    let config = format!(
        "[[source]]\ntype = \"file\"\npaths = [\"{shown}/in\"]\n{second_source}\n\
         [[sink]]\ntype = \"file\"\npath = \"{shown}/out/alerts.ndjson\"\n\
         [[sink]]\ntype = \"stdout\"\nformat = \"text\"\n\
         [engine]\nworkers = 2\n",
    );
    std::fs::write(folder.join("floodmark.toml"), config).unwrap();
}

#[test]
fn until_idle_every_burst_opens_and_closes() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), "");
    let config = folder.path().join("floodmark.toml");
    let done = floodmark(&args!["run", "--config", config, "--until-idle"]).expect(0);
    let findings = values_in(&folder.path().join("out/alerts.ndjson"));
    assert_eq!(bursts(&findings, "open"), planted());
    assert_eq!(bursts(&findings, "closed"), planted());
    assert!(done.stderr.contains(" 0 open bursts,"), "{}", done.stderr);
    assert!(done.text().contains("Mass job creation in SageMaker"), "{}", done.text());
    // A file sink goes on where it ended.
    floodmark(&args!["run", "--config", config, "--until-idle"]).expect(0);
    let again = values_in(&folder.path().join("out/alerts.ndjson"));
    assert_eq!(again.len(), 2 * findings.len());
}

#[test]
fn a_pipe_is_read_beside_files_and_what_is_open_at_the_end_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), "[[source]]\ntype = \"stdin\"");
    let (config, rejects) =
        (folder.path().join("floodmark.toml"), folder.path().join("rejects.ndjson"));
    let pipe = folder.path().join("pipe");
    // The last records of the day by time, some broken ones, and the day's first one.
    std::fs::write(&pipe, "broken\n{\"Records\":[{\"eventTime\":\"2025-11-25T14:59:59Z\"}]}\n").unwrap();
    let done =
        floodmark_on(&args!["run", "--config", config, "--rejects", rejects], &pipe).expect(0);
    let findings = values_in(&folder.path().join("out/alerts.ndjson"));
    assert!(done.stderr.contains("reads file, stdin; "), "{}", done.stderr);
    let opened = bursts(&findings, "open");
    assert!(opened.is_subset(&planted()), "{opened:?}");
    let rejects = values_in(&rejects);
    assert!(
        rejects.iter().any(|r| r["input"] == "stdin" && r["reason"] == "not a JSON object"),
        "{rejects:?}"
    );
}

#[test]
fn a_faulty_configuration_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("floodmark.toml");
    std::fs::write(&config, "[[source]]\ntype = \"fail\"\n[engine]\nworkers = 0\n").unwrap();
    let done = floodmark(&args!["run", "--config", config]).expect(2);
    assert!(done.stderr.contains("2 faults; nothing was started"), "{}", done.stderr);
}

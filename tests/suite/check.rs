//! `floodmark check`

use super::program::{args, floodmark};

#[test]
fn all_faults_of_configuration_and_rules_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (config, rules) = (folder.path().join("floodmark.toml"), folder.path().join("rules"));
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(
        rules.join("burst.yml"),
        "title: Jobs\nid: 6d5b1f9a-3d6c-4e6e-8b8e-3a3d8b7c1a10\nname: jobs\n\
         logsource: {product: aws, service: cloudtrail}\n\
         detection:\n  jobs: {eventName: CreateTrainingJob}\n  condition: job\n\
         ---\ntitle: Many jobs\nid: 0b1c6d53-51f5-4e53-9a39-4f9a2c8a7d11\n\
         correlation:\n  type: event_count\n  rules: [jobz]\n  group_by: [userIdentity.arn]\n  \
         timespan: 10m\n  condition: {gte: -1}\n",
    )
    .unwrap();
    let text = format!(
        "[[source]]\ntype = \"kafka\"\nbrokers = [\"kafka-1\"]\ntopic = \"cloudtrail\"\n\
         [source.properties]\n\"sasl.password\" = \"hunter2\"\n\
         [[sink]]\ntype = \"file\"\nformt = \"text\"\n\
         [engine]\nlateness = \"soon\"\n\
         [rules]\npaths = [\"{}\"]\n",
        rules.display()
    );
    std::fs::write(&config, text).unwrap();
    let done = floodmark(&args!["check", "--config", config]).expect(1);
    let shown = done.text().replace(&folder.path().display().to_string(), "DIR");
    assert!(!shown.contains("hunter2"), "a secret is shown");
    insta::assert_snapshot!(shown);
}

#[test]
fn what_is_well_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("floodmark.toml");
    std::fs::write(
        &config,
        "[[source]]\ntype = \"file\"\npaths = [\"/nowhere/at-all\"]\n\
         [[source]]\ntype = \"kafka\"\nbrokers = [\"localhost:1\"]\ntopic = \"cloudtrail\"\n\
         [source.properties]\n\"sasl.password\" = { env = \"FLOODMARK_TEST_UNSET\" }\n",
    )
    .unwrap();
    let done = floodmark(&args!["check", "--config", config]).expect(0);
    let shown = done.text().replace(&folder.path().display().to_string(), "DIR");
    for part in [
        "note: source file: /nowhere/at-all is not there\n",
        "note: source kafka: sasl.password: the variable FLOODMARK_TEST_UNSET is not set\n",
        "DIR/floodmark.toml: 2 sources, 1 sink\n",
        "\nno faults\n",
    ] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
}

#[test]
fn the_example_and_the_shipped_rules_are_well() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/floodmark.example.toml");
    floodmark(&args!["check", "--config", example]).expect(0);
    let done = floodmark(&["check"]).expect(0);
    assert!(done.text().starts_with("rules: "), "{}", done.text());
}

#[test]
fn what_is_not_there_is_a_fault() {
    let done = floodmark(&["check", "--config", "/nowhere/a.toml", "--rules", "/nowhere/b"]);
    let text = done.expect(1).text();
    assert!(text.contains("/nowhere/a.toml: cannot be read: "), "{text}");
    assert!(text.contains("/nowhere/b: "), "{text}");
    assert!(text.ends_with("2 faults\n"), "{text}");
}

#[test]
fn a_topic_that_is_shared_wants_rules_that_group_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let (config, rule) = (folder.path().join("floodmark.toml"), folder.path().join("jobs.yml"));
    let text = format!(
        "[[source]]\ntype = \"kafka\"\nbrokers = [\"localhost:1\"]\ntopic = \"cloudtrail\"\n\
         keyed_by = [\"floodmark.account\"]\n[rules]\nshipped = false\npaths = [\"{}\"]\n",
        rule.display()
    );
    std::fs::write(&config, text).unwrap();
    for (group_by, code) in [("floodmark.account, awsRegion", 0), ("userIdentity.arn", 1)] {
        let text = format!(
            "title: Jobs\nname: jobs\nlogsource: {{product: aws, service: cloudtrail}}\n\
             detection:\n  jobs: {{eventSource: sagemaker.amazonaws.com}}\n  condition: jobs\n\
             ---\ntitle: Many jobs\nid: 0b1c6d53-51f5-4e53-9a39-4f9a2c8a7d11\n\
             correlation:\n  type: event_count\n  rules: [jobs]\n  group-by: [{group_by}]\n  \
             timespan: 10m\n  condition: {{gte: 2}}\nfloodmark: {{code: JOBS-01}}\n"
        );
        std::fs::write(&rule, text).unwrap();
        let shown = floodmark(&args!["check", "--config", config]).expect(code).text();
        let fault = "source kafka: keyed_by: rule JOBS-01 groups by userIdentity.arn and not by \
                     floodmark.account, so its windows lie over several partitions";
        assert_eq!(shown.contains(fault), code == 1, "{shown}");
    }
}

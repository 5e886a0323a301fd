//! `floodmark demo`, on the Kafka inside the process and on Kinesis. (`kafka.rs` has a real Kafka.)

use floodmark_detectors::rule::SCENARIOS;

use super::program::floodmark;

/// Scenarios of findings about settings, which are no attacks.
const POSTURE: [&str; 2] = ["config_rule", "scp"];

#[test]
fn finds_what_it_planted_in_what_it_made() {
    let done = floodmark(&["demo", "--records", "20000", "--quiet"]).expect(0);
    let text = done.text();
    assert!(text.contains(" 0 missed, 0 false, 0 with another count\n"), "{text}");
    // Each row of the table names the scenario of its rule.
    let scenarios: Vec<&str> =
        text.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    for scenario in SCENARIOS.iter().filter(|scenario| !POSTURE.contains(scenario)) {
        assert!(scenarios.contains(scenario), "no attack of {scenario}:\n{text}");
    }
}

#[cfg(feature = "kinesis")]
#[test]
fn the_demo_plays_through_a_stream_of_its_own_and_removes_it() {
    use super::kinesis::proxy::Proxy;
    use super::kinesis::server::{Kinesis, Stream};
    // A stream that is not ready at once, and takes no more now and then.
    let proxy =
        Proxy::start(&Kinesis::shared().plain, |operation, number| match (operation, number) {
            ("DescribeStreamSummary", 1) => Some("LimitExceededException"),
            ("PutRecords", 2 | 3) => Some("ProvisionedThroughputExceededException"),
            _ => None,
        });
    let demo = |name: &str| {
        let endpoint = &proxy.url;
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_floodmark"));
        command.args(["demo", "--kinesis", name, "--region", "us-east-1", "--endpoint", endpoint]);
        command.args(["--records", "2000", "--rate", "0", "--partitions", "2", "--quiet"]);
        command.args(["--envelope", "kpl"]);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        let done = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (done.status.code(), text(&done.stdout), text(&done.stderr))
    };
    let (code, stdout, stderr) = demo("shown");
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains(" 0 missed, 0 false,"), "{stdout}");
    assert!(proxy.calls("PutRecords") > 3);
    // It is gone, so there can be another one; that one is not touched.
    let precious = Stream::create("shown", 1);
    let (code, _, stderr) = demo("shown");
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("stream shown is there already"), "{stderr}");
    assert_eq!(precious.open_shards().len(), 1);
}

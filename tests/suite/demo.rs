//! `floodmark demo`, with a real Kafka client and the Kafka inside the process.

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

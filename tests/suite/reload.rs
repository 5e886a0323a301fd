//! Other rules under a daemon that runs.

use floodmark::clock;
use serde_json::Value;

use super::daemon::{Daemon, Metronome};
use super::program::until;
use super::traffic::{PAIR, call, life_of, values};

#[test]
fn rules_are_reloaded_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (rule, config, alerts) = (at("rules/calls.yml"), at("floodmark.toml"), at("alerts.ndjson"));
    std::fs::create_dir(at("rules")).unwrap();
    std::fs::write(&rule, PAIR).unwrap();
    let shown = folder.path().display();
    let text = format!(
        "[[source]]\ntype = \"stdin\"\n[[sink]]\ntype = \"file\"\npath = \"{}\"\n\
         [rules]\nshipped = false\npaths = [\"{shown}/rules\"]\n",
        alerts.display(),
    );
    std::fs::write(&config, &text).unwrap();
    let told = || values(&std::fs::read_to_string(&alerts).unwrap_or_default());
    let until_told = |what: &str, count: usize| until(what, || told().len() == count);
    let now = clock::wall_time();
    let calls = |numbers: std::ops::Range<usize>| {
        let lines: Vec<String> = numbers.map(|number| call(number, now)).collect();
        lines.join("\n")
    };
    let metronome = Metronome::default();
    metronome.set(&calls(1..3));
    let mut daemon = Daemon::start(&config, &metronome);
    until_told("two calls are a burst", 1);

    // What is wrong is told with its place, and all goes on as it was.
    std::fs::write(&rule, PAIR.replace("gte: 2", "gte: two")).unwrap();
    daemon.reload();
    daemon.until_said("the rules stay as they are");
    assert!(daemon.said().contains("rules/calls.yml:"), "{}", daemon.said());
    metronome.set(&calls(1..5));
    until_told("the burst has doubled", 2);

    // The rule that is gone has its burst closed; the new one counts from now on.
    let three = PAIR.replace("gte: 2", "gte: 3").replace("1c9ad34e", "2c9ad34e");
    std::fs::write(&rule, three).unwrap();
    std::fs::write(&config, text + "[engine]\nworkers = 1\n").unwrap();
    metronome.set("");
    daemon.reload();
    daemon.until_said("reloaded: 1 rule, 1 new, 0 changed, 1 gone");
    daemon.until_said("has changed in more than rules and their environment");
    until_told("the burst of the rule that is gone is over", 3);
    metronome.set(&calls(10..13));
    until_told("three calls are a burst", 4);
    daemon.stop();
    let told = told();
    let lives: Vec<&str> = told.iter().map(life_of).collect();
    assert_eq!(lives, ["open", "update", "closed", "open"]);
    assert_eq!(told[3]["count"], Value::from(3), "{}", told[3]);
    let id = |at: usize| told[at]["finding_info"]["uid"].as_str().unwrap();
    assert!(id(0) == id(1) && id(1) == id(2) && id(2) != id(3));
}

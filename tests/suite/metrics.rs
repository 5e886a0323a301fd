//! Metrics and health of a daemon that runs, asked for over HTTP.

use std::net::TcpListener;

use super::daemon::{Daemon, Metronome};
use super::program::{args, floodmark, until};

const RECORD: &str = r#"{"eventTime":"2026-01-31T12:00:00Z","eventID":"e","eventSource":"s3.amazonaws.com",
"eventName":"PutObject","recipientAccountId":"111122223333","userIdentity":{"type":"IAMUser",
"arn":"arn:aws:iam::111122223333:user/ada"}}"#;

const RULE: &str = "
title: Any call
level: low
logsource: {product: aws, service: cloudtrail}
detection: {call: {eventName: PutObject}, condition: call}
floodmark: {code: ANY}
";

/// What an address answers, by status; with the token where there is one.
fn get(address: &str, token: Option<&str>) -> (u16, String) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = agent.get(address);
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let mut answer = request.call().unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

#[test]
fn a_daemon_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("any.yml"), RULE).unwrap();
    std::fs::write(at("token"), "open sesame\n").unwrap();
    let config = at("watched.toml");
    let text = format!(
        "[[source]]\ntype = \"stdin\"\n[[sink]]\nname = \"soc\"\ntype = \"file\"\npath = {:?}\n\
         [http]\nlisten = \"127.0.0.1:0\"\ntoken = {{ file = {:?} }}\n\
         [rules]\nshipped = false\npaths = [{:?}]\n",
        at("alerts.ndjson"),
        at("token"),
        at("any.yml"),
    );
    std::fs::write(&config, text).unwrap();
    let metronome = Metronome::default();
    metronome.set(&RECORD.replace('\n', ""));
    let mut daemon = Daemon::start(&config, &metronome);
    daemon.until_said("metrics at ");
    let said = daemon.said();
    let address = said.split("metrics at ").nth(1).unwrap().split(',').next().unwrap();
    let health = address.replace("/metrics", "/health");
    assert_eq!(get(&health, None), (200, "ok\n".to_owned()));
    assert_eq!(get(address, None).0, 401);
    assert!(!said.contains("sesame"), "{said}");
    // Within seconds each kind of metric has what happened.
    let mut text = String::new();
    until("all is counted", || {
        text = get(address, Some("open sesame")).1;
        [
            "floodmark_alerts_total{rule=\"ANY\",level=\"low\",life=\"open\"} 1",
            "floodmark_sink_delivered_alerts_total{sink=\"soc\"} 1",
            "floodmark_sink_waiting_alerts{sink=\"soc\"} 0",
            "floodmark_windows 1",
            "floodmark_open_bursts 1",
        ]
        .iter()
        .all(|line| text.lines().any(|told| told == *line))
    });
    assert!(text.contains("floodmark_build_info{version="), "{text}");
    daemon.stop();
}

#[test]
fn an_address_that_is_taken_is_said_at_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("taken.toml");
    let text = format!("[[source]]\ntype = \"stdin\"\n[http]\nlisten = \"{address}\"\n");
    std::fs::write(&config, text).unwrap();
    let done = floodmark(&args!["run", "--config", config]).expect(2);
    let wanted = format!("cannot listen on {address} (http.listen)");
    assert!(done.stderr.contains(&wanted), "{}", done.stderr);
}

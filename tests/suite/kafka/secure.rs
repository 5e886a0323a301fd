//! Brokers that want TLS, a certificate or a password.

use std::path::{Path, PathBuf};

use floodmark::clock;
use serde_json::Value;

use super::super::daemon::{Daemon, Metronome};
use super::super::program::{args, floodmark};
use super::super::traffic::{PAIR, call, values};
use super::broker::Broker;

#[test]
fn secure_brokers_are_read_from_and_written_to() {
    let broker = Broker::secure();
    let [with_certificate, with_sasl] = broker.secure_addresses();
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path();
    std::fs::write(secrets.join("scram"), "scram-secret\n").unwrap();
    std::fs::write(secrets.join("plain"), "plain-secret\n").unwrap();
    std::fs::write(secrets.join("wrong"), "wrong-secret\n").unwrap();
    let tls = broker.certificates();
    let trusted = format!("\"ssl.ca.location\" = \"{}\"\n", tls.join("ca.crt").display());
    let certificate = format!(
        "{trusted}\"security.protocol\" = \"SSL\"\n\"ssl.certificate.location\" = \"{}\"\n\
         \"ssl.key.location\" = \"{}\"\n",
        tls.join("client.crt").display(),
        tls.join("client.key").display(),
    );
    let sasl = |mechanism: &str, secret: &str| {
        format!(
            "{trusted}\"security.protocol\" = \"SASL_SSL\"\n\"sasl.mechanism\" = \"{mechanism}\"\n\
             \"sasl.username\" = \"ada\"\n\"sasl.password\" = {{ file = \"{}\" }}\n",
            secrets.join(secret).display(),
        )
    };
    for (topic, address, properties) in [
        ("certificate", &with_certificate, certificate),
        ("scram", &with_sasl, sasl("SCRAM-SHA-512", "scram")),
        ("plain", &with_sasl, sasl("PLAIN", "plain")),
    ] {
        expect_an_alert(&broker, topic, &configure(folder.path(), topic, address, "", &properties));
    }
    // The demo, too, is let in: its topic is made, written, read and removed.
    let properties = folder.path().join("client.properties");
    let lines = format!(
        "ssl.ca.location={}\nsecurity.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=ada\n\
         sasl.password=plain-secret\n",
        tls.join("ca.crt").display()
    );
    std::fs::write(&properties, lines).unwrap();
    let played = floodmark(&args![
        "demo",
        "--quiet",
        "--kafka",
        with_sasl,
        "--kafka-properties",
        properties,
        "--records",
        "4000",
        "--duration",
        "2h",
        "--rate",
        "0",
        "--attacks",
        "DOS-01"
    ]);
    let played = played.expect(0);
    assert!(!played.stderr.contains("plain-secret"), "{}", played.stderr);
    // Who is not let in says so, and tries again: a password may be set right at the broker.
    let wrong = sasl("SCRAM-SHA-512", "wrong");
    let config = configure(folder.path(), "wrong", &with_sasl, "", &wrong);
    let mut daemon = Daemon::start(&config, &Metronome::default());
    daemon.until_said("SASL authentication error: Authentication failed");
    assert!(!daemon.said().contains("wrong-secret"), "{}", daemon.said());
}

/// Amazon's own brokers are not to be had here: a real one judges the token as they word it.
#[cfg(feature = "kafka-iam")]
#[test]
fn who_signs_in_by_iam_is_let_in() {
    let broker = Broker::secure();
    let [_, with_sasl] = broker.secure_addresses();
    let folder = tempfile::tempdir().unwrap();
    let authority = broker.certificates().join("ca.crt");
    let trusted = format!("\"ssl.ca.location\" = \"{}\"\n", authority.display());
    let signing = |region: &str| format!("iam = {{ region = \"{region}\" }}\n");
    let here = signing("eu-central-1");
    expect_an_alert(&broker, "iam", &configure(folder.path(), "iam", &with_sasl, &here, &trusted));
    // The broker is of another region: it refuses, and says so.
    let elsewhere = signing("eu-west-1");
    let config = configure(folder.path(), "elsewhere", &with_sasl, &elsewhere, &trusted);
    let mut daemon = Daemon::start(&config, &Metronome::default());
    daemon.until_said("invalid_token: kafka.eu-west-1.amazonaws.com");
}

/// Two calls on a topic of this name make an alert on its other.
fn expect_an_alert(broker: &Broker, topic: &str, config: &Path) {
    let (told, now) = (format!("{topic}-alerts"), clock::wall_time());
    broker.topic(topic, 1);
    broker.topic(&told, 1);
    let mut writer = broker.writer(topic, 1);
    writer.write(0, &call(1, now));
    writer.write(0, &call(2, now));
    writer.flush();
    floodmark(&args!["run", "--config", config, "--until-idle"]).expect(0);
    let alerts = broker.read(&told, |message| {
        let payload = rdkafka::message::Message::payload(message).unwrap();
        String::from_utf8(payload.to_vec()).unwrap()
    });
    let alerts = values(&alerts.join("\n"));
    assert_eq!(alerts[0]["count"], Value::from(2), "{topic}: {alerts:?}");
}

/// A configuration that reads a topic and writes to another, over the same listener, with these
/// lines about both.
fn configure(folder: &Path, topic: &str, address: &str, lines: &str, properties: &str) -> PathBuf {
    let (config, rule) = (folder.join(topic).with_extension("toml"), folder.join("pair.yml"));
    std::fs::write(&rule, PAIR).unwrap();
    let text = format!(
        "[[source]]\ntype = \"kafka\"\nbrokers = [\"{address}\"]\ntopic = \"{topic}\"\n{lines}\
         group = \"{topic}\"\nstart = \"earliest\"\n[source.properties]\n{properties}\
         [[sink]]\ntype = \"kafka\"\nbrokers = [\"{address}\"]\ntopic = \"{topic}-alerts\"\n{lines}\
         [sink.properties]\n{properties}[rules]\nshipped = false\npaths = [\"{}\"]\n",
        rule.display(),
    );
    std::fs::write(&config, text).unwrap();
    config
}

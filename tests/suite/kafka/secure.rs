//! Brokers that want TLS, a certificate or a password.

use std::path::Path;

use floodmark::clock;
use serde_json::Value;

use super::super::daemon::{Daemon, Metronome};
use super::super::program::{args, floodmark};
use super::super::traffic::values;
use super::broker::Broker;
use super::outage::{PAIR, call};

#[test]
fn secure_brokers_are_read_from_and_written_to() {
    let broker = Broker::secure();
    let [with_certificate, with_sasl] = broker.secure_addresses();
    let folder = tempfile::tempdir().unwrap();
    let (rule, secrets) = (folder.path().join("pair.yml"), folder.path());
    std::fs::write(&rule, PAIR).unwrap();
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
        let (told, now) = (format!("{topic}-alerts"), clock::wall_time());
        broker.topic(topic, 1);
        broker.topic(&told, 1);
        let mut writer = broker.writer(topic, 1);
        writer.write(0, &call(1, now));
        writer.write(0, &call(2, now));
        writer.flush();
        let config = folder.path().join(topic).with_extension("toml");
        configure(&config, topic, address, &properties, &rule);
        floodmark(&args!["run", "--config", config, "--until-idle"]).expect(0);
        let alerts = broker.read(&told, |message| {
            let payload = rdkafka::message::Message::payload(message).unwrap();
            String::from_utf8(payload.to_vec()).unwrap()
        });
        let alerts = values(&alerts.join("\n"));
        assert_eq!(alerts[0]["count"], Value::from(2), "{topic}: {alerts:?}");
    }
    // Who is not let in says so, and tries again: a password may be set right at the broker.
    let config = folder.path().join("wrong.toml");
    configure(&config, "scram", &with_sasl, &sasl("SCRAM-SHA-512", "wrong"), &rule);
    let mut daemon = Daemon::start(&config, &Metronome::default());
    daemon.until_said("SASL authentication error: Authentication failed");
    assert!(!daemon.said().contains("wrong-secret"), "{}", daemon.said());
}

/// A configuration that reads a topic and writes to another, over the same listener.
fn configure(config: &Path, topic: &str, address: &str, properties: &str, rule: &Path) {
    let text = format!(
        "[[source]]\ntype = \"kafka\"\nbrokers = [\"{address}\"]\ntopic = \"{topic}\"\n\
         group = \"{topic}\"\nstart = \"earliest\"\n[source.properties]\n{properties}\
         [[sink]]\ntype = \"kafka\"\nbrokers = [\"{address}\"]\ntopic = \"{topic}-alerts\"\n\
         [sink.properties]\n{properties}[rules]\nshipped = false\npaths = [\"{}\"]\n",
        rule.display(),
    );
    std::fs::write(config, text).unwrap();
}

//! `floodmark run`

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use serde_json::Value;

use super::program::{args, floodmark, floodmark_on};
use super::traffic::{Traffic, account_of, code_of, life_of, values, values_in, wakes};

/// What a burst's findings have in common.
fn bursts(findings: &[Value], life: &str) -> BTreeSet<(String, String)> {
    let of_life = findings.iter().filter(|finding| wakes(finding) && life_of(finding) == life);
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
    // A file sink goes on where it ended. (How often a burst is updated in between depends on the
    // order in which two workers bring its records.)
    floodmark(&args!["run", "--config", config, "--until-idle"]).expect(0);
    let again = values_in(&folder.path().join("out/alerts.ndjson"));
    assert_eq!(again[..findings.len()], findings);
    for life in ["open", "closed"] {
        let of_life = |findings: &[Value]| findings.iter().filter(|f| life_of(f) == life).count();
        assert_eq!(of_life(&again), 2 * of_life(&findings), "{life}");
    }
}

#[test]
fn a_pipe_is_read_beside_files_and_what_is_open_at_the_end_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), "[[source]]\ntype = \"stdin\"");
    let (config, rejects) =
        (folder.path().join("floodmark.toml"), folder.path().join("rejects.ndjson"));
    let pipe = folder.path().join("pipe");
    std::fs::write(&pipe, "broken\n{\"Records\":[{\"eventTime\":\"2025-11-25T14:59:59Z\"}]}\n")
        .unwrap();
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

/// Old bursts are told as a backlog; what is of this hour is not.
#[test]
fn only_what_was_over_for_long_is_backfill() {
    let mark = |start: &str, duration: &str| {
        let folder = tempfile::tempdir().unwrap();
        let (feed, config) = (folder.path().join("feed"), folder.path().join("floodmark.toml"));
        let records = ["--records", "1000", "--start", start, "--duration", duration];
        let arguments = args!["generate", "--history", "--out", feed];
        let records = records.map(Into::into);
        floodmark(&[&arguments[..], &records].concat()).expect(0);
        let text = format!("[[source]]\ntype = \"file\"\npaths = [\"{}\"]\n", feed.display());
        std::fs::write(&config, text).unwrap();
        let done = floodmark(&args!["run", "--config", config, "--until-idle"]).expect(0);
        let findings = values(&done.text());
        let marks = findings.iter().filter(|finding| wakes(finding));
        let marks = marks.map(|finding| finding["unmapped"]["floodmark"]["backfill"] == true);
        let marks: Vec<bool> = marks.collect();
        assert!(marks.len() >= 10, "{} alerts", marks.len());
        marks
    };
    assert!(mark("2025-11-25T09:00:00Z", "6h").into_iter().all(|is_backfill| is_backfill));
    let recent = floodmark::clock::wall_time().plus(-1_900).to_string();
    assert!(mark(&recent, "30m").into_iter().any(|is_backfill| !is_backfill));
}

#[test]
fn a_faulty_configuration_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("floodmark.toml");
    std::fs::write(&config, "[[source]]\ntype = \"fail\"\n[engine]\nworkers = 0\n").unwrap();
    let done = floodmark(&args!["run", "--config", config]).expect(2);
    assert!(done.stderr.contains("2 faults; nothing was started"), "{}", done.stderr);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_and_what_was_read_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("floodmark.toml");
    let alerts = folder.path().join("alerts.ndjson");
    let text = format!(
        "[[source]]\ntype = \"stdin\"\n[[sink]]\ntype = \"stdout\"\n\
         [[sink]]\ntype = \"file\"\npath = \"{}\"\n",
        alerts.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_floodmark"))
        .args(args!["run", "--config", config])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = daemon.stdin.take().unwrap();
    let mut stdout = BufReader::new(daemon.stdout.take().unwrap());
    let lines = Traffic::shared().lines();
    // The pipe stays open; an alert on the other side says that what was written is read.
    let writer = std::thread::spawn(move || {
        for line in lines {
            writeln!(pipe, "{line}").unwrap();
        }
        pipe
    });
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    let rest = std::thread::spawn(move || std::io::read_to_string(stdout.take(1 << 30)).unwrap());
    let pipe = writer.join().unwrap();
    let killed = Command::new("kill").args(["-TERM", &daemon.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let ended = daemon.wait_with_output().unwrap();
    drop(pipe);
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("floodmark: stopped: "), "{stderr}");
    let stdout = first + &rest.join().unwrap();
    assert!(life_of(&serde_json::from_str(stdout.lines().next().unwrap()).unwrap()) == "open");
    let findings = values_in(&alerts);
    assert_eq!(findings.len(), stdout.lines().count(), "both sinks have all alerts");
}

/// Partitions that hold the feed: the Kafka inside the process keeps 5 MiB of each.
const PARTITIONS: i32 = 32;

#[test]
fn kafka_is_read_until_it_holds_nothing_more() {
    let cluster = MockCluster::new(1).unwrap();
    // One more partition, which is empty.
    cluster.create_topic("cloudtrail", PARTITIONS + 1, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &brokers)
        .set("compression.type", "lz4")
        .create()
        .unwrap();
    for (partition, line) in (0..PARTITIONS).cycle().zip(Traffic::shared().lines()) {
        produce(&producer, partition, &line);
    }
    producer.flush(Duration::from_secs(30)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("floodmark.toml");
    let text = format!(
        "[[source]]\ntype = \"kafka\"\nbrokers = [{}]\ntopic = \"cloudtrail\"\nstart = \"earliest\"\n",
        brokers.split(',').map(|broker| format!("{broker:?}")).collect::<Vec<_>>().join(", ")
    );
    std::fs::write(&config, text).unwrap();
    let done = floodmark(&args!["run", "--config", config, "--until-idle"]).expect(0);
    let findings = values(&done.text());
    assert_eq!(bursts(&findings, "open"), planted(), "{}", done.stderr);
    assert_eq!(bursts(&findings, "closed"), planted(), "{}", done.stderr);
}

fn produce(producer: &BaseProducer<DefaultProducerContext>, partition: i32, line: &str) {
    let mut record = BaseRecord::<(), str>::to("cloudtrail").payload(line).partition(partition);
    loop {
        match producer.send(record) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                producer.poll(Duration::from_millis(5));
                record = back;
            }
            Err((error, _)) => panic!("{error}"),
        }
    }
}

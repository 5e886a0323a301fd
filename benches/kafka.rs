//! What does a record cost from Kafka to the alert, against a consumer that does nothing with it?
//!
//! Both are processes of their own on the same topic of the same real broker, one after the other,
//! several times in turn; what is compared is processor time, of which waiting and neighbours take
//! none. See `benches/README.md`.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod hour;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hour::hour;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

const RECORDS: u64 = 300_000;
const PARTITIONS: i32 = 12;
const TURNS: u32 = 5;
const TOPIC: &str = "cloudtrail";
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "consume") {
        Some(at) => consume(&arguments[at + 1], arguments[at + 2].parse().unwrap()),
        None => compare(),
    }
}

fn compare() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = start_broker(&folder.path().join("broker"));
    let address = first_line(&mut broker);
    let written = fill(&address);
    println!("{RECORDS} records, {} MB, {PARTITIONS} partitions, lz4", written >> 20);
    let mut costs: [Vec<f64>; 3] = Default::default();
    let bare = || {
        let mut bare = Command::new(std::env::current_exe().unwrap());
        bare.args(["consume", &address, &RECORDS.to_string()]);
        bare
    };
    for turn in 0..TURNS {
        let one = configured(folder.path(), &address, turn, true);
        let all = configured(folder.path(), &address, turn, false);
        let programs = [bare(), floodmark(&one), floodmark(&all)];
        for (mut program, costs) in programs.into_iter().zip(&mut costs) {
            costs.push(cost_us(&mut program));
        }
    }
    let least = costs.map(|costs| costs.into_iter().fold(f64::MAX, f64::min));
    for (what, cost) in ["bare consumer", "one rule", "all shipped rules"].iter().zip(least) {
        println!("{what:18} {cost:6.2} us a record  {:5.2} x", cost / least[0]);
    }
    drop(broker.stdin.take());
    broker.wait().unwrap();
}

fn start_broker(folder: &Path) -> Child {
    let start = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/servers/kafka/start");
    Command::new(start).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn first_line(child: &mut Child) -> String {
    use std::io::{BufRead, BufReader};
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.trim().is_empty(), "the broker did not start");
    line.trim().to_owned()
}

/// Writes the records, in batches of 100 KB. How many bytes they are.
fn fill(address: &str) -> u64 {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("compression.type", "lz4")
        .set("batch.size", "100000")
        .set("linger.ms", "50")
        .create()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let admin: rdkafka::admin::AdminClient<_> =
        ClientConfig::new().set("bootstrap.servers", address).create().unwrap();
    let topic = rdkafka::admin::NewTopic::new(
        TOPIC,
        PARTITIONS,
        rdkafka::admin::TopicReplication::Fixed(1),
    );
    runtime.block_on(admin.create_topics([&topic], &Default::default())).unwrap();
    let mut bytes = 0;
    for (number, payload) in hour(RECORDS as usize).enumerate() {
        bytes += payload.len() as u64;
        // A stream of what many put there: each batch holds records of everybody.
        let partition = (number / 64) as i32 % PARTITIONS;
        let mut record = BaseRecord::<(), [u8]>::to(TOPIC).partition(partition).payload(&payload);
        while let Err((error, back)) = producer.send(record) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            assert_eq!(error, full);
            producer.poll(Duration::from_millis(50));
            record = back;
        }
    }
    producer.flush(PATIENCE).unwrap();
    bytes
}

/// Reads so many records, and looks at none.
fn consume(address: &str, records: u64) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", format!("bare-{}", std::process::id()))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    consumer.subscribe(&[TOPIC]).unwrap();
    // A poll also ends without a record when the group has changed.
    let (mut read, mut nothing) = (0, 0);
    while read < records {
        match consumer.poll(PATIENCE) {
            Some(message) => read += u64::from(message.unwrap().payload_len() > 0),
            None => nothing += 1,
        }
        assert!(nothing < 100, "{read} of {records} records came");
    }
}

/// The program under test, reading the topic to its end.
fn floodmark(config: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_floodmark"));
    program.args(["run", "--until-idle", "--config"]).arg(config);
    program
}

fn configured(folder: &Path, address: &str, turn: u32, with_one_rule: bool) -> PathBuf {
    let name = format!("{}-{turn}", if with_one_rule { "one" } else { "all" });
    let rule =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../detectors/rules/sagemaker/dos/dos_01.yml");
    let rules = match with_one_rule {
        true => format!("[rules]\nshipped = false\npaths = [{rule:?}]\n"),
        false => String::new(),
    };
    let config = folder.join(&name).with_extension("toml");
    let text = format!(
        "[[source]]\ntype = \"kafka\"\nbrokers = [\"{address}\"]\ntopic = \"{TOPIC}\"\n\
         group = \"{name}\"\nstart = \"earliest\"\n\
         [[sink]]\ntype = \"file\"\npath = \"{}\"\n{rules}",
        folder.join(&name).with_extension("ndjson").display(),
    );
    std::fs::write(&config, text).unwrap();
    config
}

/// Processor time of a process for each record, user and system, microseconds.
fn cost_us(program: &mut Command) -> f64 {
    let before = children_ticks();
    let done = program.stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    let is_bare = said.is_empty();
    assert!(is_bare || said.contains(&format!("ended: {RECORDS} records")), "{said}");
    // A tick is a hundredth of a second on Linux (proc(5)).
    (children_ticks() - before) as f64 * 10_000.0 / RECORDS as f64
}

/// What processes that have ended took, in ticks (`cutime` and `cstime` of proc(5)).
fn children_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let behind_name = stat.rsplit_once(") ").unwrap().1;
    let field = |number: usize| behind_name.split(' ').nth(number).unwrap().parse::<u64>().unwrap();
    field(13) + field(14)
}

//! `floodmark generate`: an organisation's traffic to a file, standard output, a topic or a stream.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use floodmark_detectors::time::EventTime;
use indicatif::ProgressBar;

use super::brokers::BrokersArgs;
use super::signals;
use super::writer::{PER_PAYLOAD, Packs, Producing, StreamArgs};
use crate::clock::Stopwatch;
use crate::config::parse_duration;
use crate::generate::{
    Attacks, Feed, Payloads, Plan, Wrapping, deliveries, history, planted, write_files,
};

/// Write an organisation's CloudTrail: thousands of principals at work, and attacks woven in. The
/// same arguments give the same bytes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  floodmark generate --records 100000 > feed.ndjson
  floodmark generate --feed files --out bucket/ --truth truth.ndjson
  floodmark generate --envelope cloudwatch --per-payload 50 > subscription.gz
  floodmark generate --kafka localhost:9092 --topic cloudtrail --envelope eventbridge --rate 2000
  floodmark generate --kinesis cloudtrail --region eu-central-1 --envelope kpl")]
pub(super) struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// How records reach the reader.
    #[arg(long, value_enum, default_value_t = FeedArg::Disordered)]
    feed: FeedArg,
    /// A file, `-` for standard output, or for `--feed files` a folder.
    #[arg(long, default_value = "-")]
    out: PathBuf,
    /// Write to a topic of this Kafka instead: host:port of brokers, comma-separated.
    #[arg(long, value_name = "BROKERS", requires = "topic", conflicts_with = "out")]
    kafka: Option<String>,
    /// The topic, which must be there, for --kafka.
    #[arg(long, value_name = "NAME", requires = "kafka")]
    topic: Option<String>,
    #[command(flatten)]
    brokers: BrokersArgs,
    /// Write to this stream of Kinesis instead, which must be there. AWS credentials come by the
    /// default chain; the policy has to allow DescribeStreamSummary and PutRecords.
    #[arg(long, value_name = "STREAM", conflicts_with_all = ["out", "kafka"])]
    kinesis: Option<String>,
    #[command(flatten)]
    stream: StreamArgs,
    /// Records written a second to Kafka or Kinesis; 0 is as many as can be.
    #[arg(long, value_name = "N", default_value_t = 0)]
    rate: u64,
    /// What the records are wrapped in. Text comes a payload a line, what is packed with gzip or
    /// Zstandard one behind the other, and `kpl` in base64, a payload a line.
    #[arg(long, value_enum, default_value_t = Wrapping::Plain)]
    envelope: Wrapping,
    /// Records in one payload; 1 where an envelope holds one, else 100.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    per_payload: Option<u32>,
    /// Begin with the weeks before, from which `first_seen` rules learn what is not new.
    #[arg(long)]
    history: bool,
    /// Write the planted bursts as NDJSON to this file.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
}

/// What to play.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct PlanArgs {
    /// Everything random comes from this.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Records of ordinary work; attacks and near misses come on top.
    #[arg(long, default_value_t = 250_000)]
    records: u64,
    /// Event time that the feed spans.
    #[arg(long, default_value = "6h", value_parser = parse_duration)]
    duration: i64,
    /// Event time at which it begins.
    #[arg(long, value_parser = parse_time)]
    start: Option<EventTime>,
    /// Ordinary principals.
    #[arg(long, default_value_t = 5_000)]
    principals: u32,
    /// Ordinary accounts.
    #[arg(long, default_value_t = 40)]
    accounts: u32,
    /// Attacks to weave in, by the code of the rule that must see them: `all`, `none`, or codes.
    #[arg(long, value_delimiter = ',', default_value = "all")]
    attacks: Vec<String>,
}

/// See [`Feed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FeedArg {
    /// In order of event time, each record once.
    Ordered,
    /// Minutes late, out of order, a tenth twice: as real feeds are.
    Disordered,
    /// A gzip file for each account and region every five minutes, as in a bucket.
    Files,
}

impl PlanArgs {
    pub(super) fn plan(&self, feed: Feed) -> Plan {
        let attacks = match self.attacks.as_slice() {
            [one] if one == "all" => Attacks::All,
            [one] if one == "none" => Attacks::None,
            codes => Attacks::Only(codes.to_vec()),
        };
        Plan {
            seed: self.seed,
            start: self.start.unwrap_or(Plan::default().start),
            duration_secs: self.duration.max(1),
            records: self.records,
            principals: self.principals,
            accounts: self.accounts,
            attacks,
            feed,
        }
    }
}

fn parse_time(text: &str) -> Result<EventTime, String> {
    EventTime::parse(text)
        .ok_or_else(|| format!("`{text}` is no time such as 2026-11-25T09:00:00Z"))
}

pub(super) fn run(args: &Args) -> anyhow::Result<bool> {
    let plan = args.plan.plan(match args.feed {
        FeedArg::Ordered => Feed::Ordered,
        FeedArg::Disordered => Feed::Disordered,
        FeedArg::Files => Feed::FiveMinuteFiles,
    });
    let into = || format!("cannot write {}", args.out.display());
    if let Some(path) = &args.truth {
        let lines: String = planted(&plan)
            .iter()
            .map(|p| {
                let line = serde_json::json!({
                    "code": p.code, "account": p.account, "principal": p.principal,
                    "first": p.first.to_string(), "last": p.last.to_string(),
                    "count": p.count, "why": p.why,
                });
                format!("{line}\n")
            })
            .collect();
        std::fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let records = if args.kafka.is_some() || args.kinesis.is_some() {
        anyhow::ensure!(args.feed != FeedArg::Files, "--feed files writes files: see --out");
        fill(args, &plan)?
    } else if args.feed == FeedArg::Files {
        let is_plain = args.envelope == Wrapping::Plain;
        anyhow::ensure!(is_plain, "--feed files writes files of `Records`: leave --envelope out");
        anyhow::ensure!(args.out.as_os_str() != "-", "--feed files needs a folder: --out DIR");
        write_files(&plan, &args.out).with_context(into)?
    } else if args.out.as_os_str() == "-" {
        let stdout = std::io::stdout().lock();
        match write_feed(args, &plan, BufWriter::new(stdout)) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(true),
            written => written.with_context(into)?,
        }
    } else {
        let file = std::fs::File::create(&args.out).with_context(into)?;
        write_feed(args, &plan, BufWriter::new(file)).with_context(into)?
    };
    eprintln!("{records} records, seed {}", plan.seed);
    Ok(true)
}

/// Writes all to a topic or stream, at the rate that is wished; how many records.
fn fill(args: &Args, plan: &Plan) -> anyhow::Result<u64> {
    let stopped = signals::stop()?;
    let (mut writer, partitions) = match (&args.kafka, &args.topic) {
        (Some(addresses), Some(topic)) => {
            Producing::into_topic(&args.brokers.at(addresses)?, topic)?
        }
        _ => {
            let stream = args.kinesis.as_deref().unwrap_or_default();
            args.stream.way_into(stream, stopped.clone())?
        }
    };
    let mut packs = Packs::new(args.envelope, args.per_payload, partitions);
    let history = args.history.then(|| history(plan)).into_iter().flatten();
    let bar = ProgressBar::new_spinner();
    let stopwatch = Stopwatch::start();
    let mut written = 0;
    for delivered in history.chain(deliveries(plan)) {
        anyhow::ensure!(!stopped.load(Ordering::Relaxed), "stopped after {written} records");
        if let Some((partition, payload)) = packs.add(delivered.partition_hint, delivered.record) {
            writer.write(partition, payload)?;
        }
        written += 1;
        if written % 64 == 0 {
            bar.set_position(written);
            writer.tend()?;
        }
        let due = |elapsed: Duration| elapsed.as_millis() * u128::from(args.rate);
        while args.rate > 0 && u128::from(written) * 1_000 > due(stopwatch.elapsed()) {
            writer.tend()?;
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
    for (partition, payload) in packs.rest() {
        writer.write(partition, payload)?;
    }
    writer.flush()?;
    bar.finish_and_clear();
    Ok(written)
}

fn write_feed(args: &Args, plan: &Plan, out: impl Write) -> std::io::Result<u64> {
    let per_payload =
        if args.envelope.is_single() { 1 } else { args.per_payload.unwrap_or(PER_PAYLOAD) };
    let mut payloads = Payloads::new(out, args.envelope, per_payload as usize);
    if args.history {
        for delivered in history(plan) {
            payloads.put(&delivered.record)?;
        }
    }
    payloads.put_feed(plan)?;
    payloads.finish()
}

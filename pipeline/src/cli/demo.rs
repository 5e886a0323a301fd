//! `floodmark demo`: the main job on a Kafka of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::engine::{Counts, Engine, Options};
use floodmark_detectors::rule::{Mode, RuleSet};
use hdrhistogram::Histogram;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};

use super::generate::PlanArgs;
use super::replay::workers;
use super::{Chosen, stop};
use crate::clock::Stopwatch;
use crate::encode::text;
use crate::flow;
use crate::generate::{Delivered, Feed, Plan, Planted, deliveries, history, planted};
use crate::progress::Input;
use crate::source::batch::{Next, Source, SourceError};
use crate::source::kafka::{Kafka, Settings};

/// The topic.
const TOPIC: &str = "cloudtrail";

/// Partitions. The mock cluster keeps 5 MiB of each and silently drops what exceeds it, so there
/// are several, records are packed, and the generator stays near the consumer. It also searches
/// what it keeps from the beginning at each fetch, so packets should not be tiny.
const PARTITIONS: i32 = 16;

/// How many records the generator may be ahead of the consumer: at most some 3 MiB a partition,
/// even if nothing packs.
const AHEAD_RECORDS_MAX: u64 = 32_000;

/// How long joining the consumer group may take before records are made all the same.
const JOIN_SECS_MAX: u64 = 15;

/// How long after the last record is made the consumer may take to read it.
const DRAIN_SECS_MAX: u64 = 30;

/// Watch Floodmark work: an organisation's CloudTrail, late, out of order and with duplicates, goes
/// through a Kafka inside this process, and attacks woven into it come out as alerts.
///
/// Exit code 0: every attack that was planted was found, nothing else was, and every record that
/// was made was read. Needs nothing installed and no network beyond loopback.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// Records made a second; 0 is as many as the machine can, and then latency is that of a
    /// backlog.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// Threads that detect.
    #[arg(long)]
    workers: Option<usize>,
    /// Show only the summary.
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<bool> {
    let plan = args.plan.plan(Feed::Disordered);
    let rules = Arc::new(Chosen::default().load()?);
    let cluster = MockCluster::new(1).context("cannot start the Kafka inside this process")?;
    cluster.create_topic(TOPIC, PARTITIONS, 1).context("cannot create the topic")?;
    let brokers = cluster.bootstrap_servers();
    let (made, read) = (AtomicU64::new(0), Arc::new(AtomicU64::new(0)));
    let (all_made, done) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
    let has_joined = Arc::new(AtomicBool::new(false));
    let stopped = stop::on_signal()?;
    let source = Demo {
        kafka: Kafka::subscribe(&Settings {
            brokers: brokers.clone(),
            topics: vec![TOPIC.into()],
            group: "floodmark-demo".into(),
            // The cluster inside this process answers a fetch when its time is up, not before.
            properties: BTreeMap::from([("fetch.wait.max.ms".into(), "10".into())]),
            is_from_start: true,
            ..Settings::default()
        })?,
        has_joined: has_joined.clone(),
        all_made: all_made.clone(),
    };
    let engine = Engine::new(rules.clone(), Options::default());
    let settings = flow::Settings {
        lateness_secs: 900,
        workers: args.workers.unwrap_or_else(workers),
        has_end: false,
        ..flow::Settings::default()
    };
    let bar = status(args.quiet, plan.records);
    let mut show = Show::new(&rules, &planted(&plan), &bar, args.quiet)?;
    let stopwatch = Stopwatch::start();
    let mut drained = None;
    let outcome = std::thread::scope(|scope| {
        let generator = scope.spawn(|| {
            // What is made before the group has its partitions would wait for that alone.
            let joining = Stopwatch::start();
            while !has_joined.load(Ordering::Acquire)
                && joining.elapsed() < Duration::from_secs(JOIN_SECS_MAX)
                && !stopped.load(Ordering::Relaxed)
            {
                std::thread::park_timeout(Duration::from_millis(10));
            }
            let result = produce(&plan, args.rate, &brokers, &made, &read, &stopped);
            all_made.store(true, Ordering::Release);
            result
        });
        let ran = flow::run(&engine, Box::new(source), &settings, &done, &mut |report| {
            read.fetch_add(report.counts.records, Ordering::Release);
            bar.set_position(read.load(Ordering::Relaxed));
            show.hear(report);
            if all_made.load(Ordering::Acquire) {
                let waited: &Stopwatch = drained.get_or_insert_with(Stopwatch::start);
                let is_all = read.load(Ordering::Acquire) >= made.load(Ordering::Acquire);
                if is_all || waited.elapsed() > Duration::from_secs(DRAIN_SECS_MAX) {
                    done.store(true, Ordering::Relaxed);
                }
            }
        });
        let produced = generator.join().expect("the generator returns its error");
        ran.map_err(anyhow::Error::from).and(produced)
    });
    outcome?;
    let elapsed = stopwatch.elapsed();
    show.hear(super::replay::finished(&engine));
    bar.finish_and_clear();
    let (made, read) = (made.into_inner(), read.load(Ordering::Acquire));
    Ok(show.summary(made, read, elapsed))
}

/// Kafka, until all that was made has been handed out.
struct Demo {
    kafka: Kafka,
    has_joined: Arc<AtomicBool>,
    all_made: Arc<AtomicBool>,
}

impl Source for Demo {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        match self.kafka.next(wait)? {
            // The generator never waits for what is live: a partition whose end is reached before
            // all is made will bring more of the same hour, so it goes on holding time.
            Next::CaughtUp(_) if !self.all_made.load(Ordering::Acquire) => Ok(Next::Nothing),
            next => {
                if matches!(next, Next::Gained(_)) {
                    self.has_joined.store(true, Ordering::Release);
                }
                Ok(next)
            }
        }
    }

    fn name_of(&self, input: Input) -> String {
        self.kafka.name_of(input)
    }
}

/// Plays the organisation into the topic, never far ahead of the reader.
fn produce(
    plan: &Plan,
    rate: u64,
    brokers: &str,
    made: &AtomicU64,
    read: &AtomicU64,
    stopped: &AtomicBool,
) -> anyhow::Result<()> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("compression.type", "lz4")
        .set("linger.ms", "20")
        .set("queue.buffering.max.messages", "100000")
        .create()
        .context("cannot start a producer")?;
    let stopwatch = Stopwatch::start();
    // Nothing is due yet that would be sent in the next few milliseconds.
    let is_early = |sent: u64| {
        rate > 0 && u128::from(sent) * 1_000 > stopwatch.elapsed().as_millis() * u128::from(rate)
    };
    for delivered in history(plan).into_iter().chain(deliveries(plan)) {
        if stopped.load(Ordering::Relaxed) {
            anyhow::bail!("stopped");
        }
        send(&producer, &delivered)?;
        let sent = made.fetch_add(1, Ordering::Release) + 1;
        if sent.is_multiple_of(64) {
            producer.poll(Duration::ZERO);
            let is_ahead = || sent - read.load(Ordering::Acquire).min(sent) > AHEAD_RECORDS_MAX;
            while (is_ahead() || is_early(sent)) && !stopped.load(Ordering::Relaxed) {
                producer.poll(Duration::ZERO);
                // Polling with a time limit would spin.
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
    }
    producer.flush(Duration::from_secs(10)).context("the last records did not reach the topic")
}

fn send(
    producer: &BaseProducer<DefaultProducerContext>,
    delivered: &Delivered,
) -> anyhow::Result<()> {
    let partition = delivered.partition_hint % u64::from(PARTITIONS.unsigned_abs());
    let mut record = BaseRecord::<(), [u8]>::to(TOPIC)
        .payload(&delivered.record)
        .partition(i32::try_from(partition).unwrap_or(0));
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                producer.poll(Duration::ZERO);
                std::thread::park_timeout(Duration::from_millis(1));
                record = back;
            }
            Err((error, _)) => return Err(error).context("cannot produce"),
        }
    }
}

fn status(quiet: bool, records: u64) -> ProgressBar {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(records) };
    let style = ProgressStyle::with_template("{spinner} {human_pos} records, {per_sec}  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// What is shown, and what is kept for the summary.
struct Show<'b> {
    rules: &'b RuleSet,
    bar: &'b ProgressBar,
    quiet: bool,
    /// What was planted, and the burst that found it.
    planted: Vec<(Planted, Option<Alert>)>,
    /// Bursts that were not planted, by their last word.
    others: BTreeMap<u128, Alert>,
    /// Findings of rules that look at settings.
    posture: u64,
    merged: u64,
    counts: Counts,
    rejects: u64,
    bytes: u64,
    latency: Histogram<u64>,
}

impl<'b> Show<'b> {
    fn new(
        rules: &'b RuleSet,
        planted: &[Planted],
        bar: &'b ProgressBar,
        quiet: bool,
    ) -> anyhow::Result<Show<'b>> {
        Ok(Show {
            rules,
            bar,
            quiet,
            planted: planted.iter().map(|p| (p.clone(), None)).collect(),
            others: BTreeMap::new(),
            posture: 0,
            merged: 0,
            counts: Counts::default(),
            rejects: 0,
            bytes: 0,
            latency: Histogram::new_with_bounds(1, 3_600_000_000, 3)?,
        })
    }

    fn hear(&mut self, report: flow::Report) {
        self.counts.add(report.counts);
        self.rejects += report.rejects.len() as u64;
        self.bytes += report.bytes;
        if let Some((micros, records)) = report.latency {
            self.latency.saturating_record(micros.max(1));
            self.latency.record_n(micros.clamp(1, 3_600_000_000), records.saturating_sub(1)).ok();
        }
        for alert in report.alerts {
            match alert.rule.mode {
                Mode::Alert => {}
                // A weak setting is listed, and wakes nobody.
                Mode::Posture => {
                    self.posture += u64::from(alert.life == Life::Open);
                    continue;
                }
                Mode::Enrich | Mode::Observe => continue,
            }
            if alert.life == Life::Open && !self.quiet {
                let lines = text::lines(&alert, console_has_colour());
                self.bar.suspend(|| print!("{lines}"));
            }
            self.note(alert);
        }
        let found = self.planted.iter().filter(|(_, alert)| alert.is_some()).count();
        self.bar.set_message(format!(
            "attacks found {found} of {}, others {}",
            self.planted.len(),
            self.others.len()
        ));
    }

    fn note(&mut self, alert: Alert) {
        if let Life::Merged(_) = alert.life {
            self.merged += 1;
            self.others.remove(&alert.id.0);
            return;
        }
        for (planted, found) in &mut self.planted {
            if is_of(planted, &alert) {
                *found = Some(alert);
                return;
            }
        }
        self.others.insert(alert.id.0, alert);
    }

    /// The scenario of the playbook that a rule belongs to; a bar for a rule of no scenario.
    fn scenario(&self, code: &str) -> &str {
        let mut cards = self.rules.rules.iter().map(|rule| &rule.card);
        let card = cards.find(|card| card.code.as_deref() == Some(code));
        card.and_then(|card| card.scenario.as_deref()).unwrap_or("-")
    }

    /// Prints how it went; whether all went well.
    fn summary(&self, made: u64, read: u64, elapsed: Duration) -> bool {
        let seconds = elapsed.as_secs_f64();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let (rate, mean) =
            ((read as f64 / seconds) as u64, self.bytes as f64 / self.counts.records.max(1) as f64);
        println!(
            "\n{:<8} {:<17} {:>8} {:>7}  {:<13} principal",
            "rule", "scenario", "planted", "found", "account"
        );
        let mut missed = 0;
        let mut inexact = 0;
        for (planted, found) in &self.planted {
            let count = found.as_ref().map_or("MISSED".to_owned(), |a| a.count.to_string());
            missed += usize::from(found.is_none());
            inexact += usize::from(found.as_ref().is_some_and(|a| a.count != planted.count));
            println!(
                "{:<8} {:<17} {:>8} {count:>7}  {:<13} {}",
                planted.code,
                self.scenario(planted.code),
                planted.count,
                planted.account,
                planted.principal
            );
        }
        for alert in self.others.values() {
            let code = alert.rule.code.as_deref().unwrap_or("-");
            println!("{code:<8} FALSE  {} {:?}", alert.rule.title, alert.key);
        }
        println!(
            "\nattacks  {} planted, {} found, {missed} missed, {} false, {inexact} with another count",
            self.planted.len(),
            self.planted.len() - missed,
            self.others.len(),
        );
        println!(
            "posture  {} findings about settings, which wake nobody",
            HumanCount(self.posture)
        );
        println!(
            "records  {} made, {} read, {} rejected, {} samples, {} duplicates of samples; {mean:.0} bytes each",
            HumanCount(made),
            HumanCount(read),
            self.rejects,
            HumanCount(self.counts.samples),
            HumanCount(self.counts.duplicates),
        );
        println!("speed    {}/s over {seconds:.1} s", HumanCount(rate));
        let ms = |quantile| {
            #[allow(clippy::cast_precision_loss)]
            let micros = self.latency.value_at_quantile(quantile) as f64;
            micros / 1_000.0
        };
        println!(
            "latency  p50 {:.0} ms, p90 {:.0} ms, p99 {:.0} ms, max {:.0} ms, from Kafka's time stamp to the end of the record's batch",
            ms(0.5),
            ms(0.9),
            ms(0.99),
            ms(1.0)
        );
        missed == 0 && self.others.is_empty() && made == read && self.rejects == 0
    }
}

/// Whether the burst is the planted one: the rule, and every part of its key that the truth names.
fn is_of(planted: &Planted, alert: &Alert) -> bool {
    alert.rule.code.as_deref() == Some(planted.code)
        && alert.first <= planted.last
        && planted.first <= alert.last
        && alert.rule.group_by.iter().zip(alert.key.iter()).all(|(field, value)| {
            match field.as_str() {
                "floodmark.account" => **value == *planted.account,
                "floodmark.principal" => **value == *planted.principal,
                _ => true,
            }
        })
}

fn console_has_colour() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stdout())
}

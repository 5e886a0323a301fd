//! `floodmark demo`: the main job, on a Kafka of its own or on real servers.

mod place;
mod show;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use floodmark_detectors::engine::{Engine, Options};
use indicatif::{ProgressBar, ProgressStyle};

use super::brokers::BrokersArgs;
use super::generate::PlanArgs;
use super::replay::workers;
use super::writer::{Packs, StreamArgs, Writer};
use super::{Chosen, signals};
use crate::clock::Stopwatch;
use crate::flow::{self, Lanes};
use crate::generate::{Feed, Plan, Wrapping, deliveries, history, planted};
use crate::progress::Input;
use crate::source::batch::{Next, Source, SourceError, Word};
use place::Place;
use show::Show;

/// How many records the generator may be ahead of the consumer: at most some 3 MiB a partition of
/// the Kafka inside this process, even if nothing packs.
const AHEAD_RECORDS_MAX: u64 = 32_000;

/// How long joining the consumer group may take before records are made all the same.
const JOIN_SECS_MAX: u64 = 15;

/// How long nothing may be read before no more is made.
const STUCK_SECS_MAX: u64 = 120;

/// How long nothing may come after the last record is made before the rest is given up.
const DRAIN_SECS_MAX: u64 = 30;

/// Watch Floodmark work: an organisation's CloudTrail, late, out of order and with duplicates, goes
/// through a Kafka inside this process, and attacks woven into it come out as alerts.
///
/// Exit code 0: every attack that was planted was found, nothing else was, and every record that
/// was made was read. Needs nothing installed and no network beyond loopback.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --kafka or --kinesis the records go through real servers: a topic or stream is made for them, under
a name of its own unless one is given, and removed at the end. One that is there already is refused:
nothing is written beside what is yours. AWS credentials come by the default chain; the policy has to
allow CreateStream, DeleteStream, DescribeStreamSummary, ListShards, GetShardIterator, GetRecords and
PutRecords.

Examples:
  floodmark demo
  floodmark demo --kafka localhost:9092 --envelope cloudwatch
  floodmark demo --kinesis floodmark-demo --region eu-central-1 --envelope kpl --rate 2000

deploy/compose.yaml starts a Kafka for it.")]
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
    /// Use this Kafka: host:port of brokers, comma-separated.
    #[arg(long, value_name = "BROKERS")]
    kafka: Option<String>,
    /// The topic's name, for --kafka.
    #[arg(long, value_name = "NAME", requires = "kafka")]
    topic: Option<String>,
    #[command(flatten)]
    brokers: BrokersArgs,
    /// Use Kinesis, with a stream of this name, or of its own.
    #[arg(long, value_name = "STREAM", num_args = 0..=1, default_missing_value = "", conflicts_with = "kafka")]
    kinesis: Option<String>,
    #[command(flatten)]
    #[cfg_attr(not(feature = "kinesis"), allow(dead_code, reason = "Kinesis alone reads it"))]
    stream: StreamArgs,
    /// Partitions of the topic, or shards of the stream, on real servers; 4 if nothing is said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    partitions: Option<u32>,
    /// What the records are wrapped in.
    #[arg(long, value_enum, default_value_t = Wrapping::Plain)]
    envelope: Wrapping,
    /// Records in one payload; 1 where an envelope holds one, else 100.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    per_payload: Option<u32>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<bool> {
    let plan = args.plan.plan(Feed::Disordered);
    let rules = Arc::new(Chosen::default().load()?);
    let stopped = signals::stop()?;
    let Place { name, server, partitions, source, mut writer, mut kept } =
        Place::open(args, &stopped)?;
    if !args.quiet {
        eprintln!("floodmark: plays through {name}");
    }
    let (made, read) = (AtomicU64::new(0), Arc::new(AtomicU64::new(0)));
    let (all_made, done) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
    let has_joined = Arc::new(AtomicBool::new(false));
    let source = Demo { source, has_joined: has_joined.clone(), all_made: all_made.clone() };
    let engine = Arc::new(Engine::new(rules.clone(), Options::default()));
    let lanes = Lanes::shared(rules.clone(), engine.clone());
    let settings = flow::Settings {
        lateness_secs: 900,
        workers: args.workers.unwrap_or_else(workers),
        has_end: false,
        ..flow::Settings::default()
    };
    let packs = Packs::new(args.envelope, args.per_payload, partitions);
    let bar = status(args.quiet, plan.records);
    let mut show = Show::new(&rules, &planted(&plan), &bar, args.quiet)?;
    let stopwatch = Stopwatch::start();
    // How much was read when last something was, once all is made.
    let mut drained: Option<(u64, Stopwatch)> = None;
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
            let mut player = Player { packs, writer: writer.as_mut(), made: &made, read: &read };
            let result = player.play(&plan, args.rate, &stopped);
            if result.is_err() {
                done.store(true, Ordering::Relaxed);
            }
            all_made.store(true, Ordering::Release);
            result
        });
        let ran = flow::run(&lanes, Box::new(source), &settings, &done, &mut |report| {
            read.fetch_add(report.counts.records, Ordering::Release);
            let now = read.load(Ordering::Acquire);
            bar.set_position(now);
            show.hear(report);
            // One that has panicked makes nothing any more either.
            if all_made.load(Ordering::Acquire) || generator.is_finished() {
                let (before, waited) = drained.get_or_insert_with(|| (now, Stopwatch::start()));
                if *before != now {
                    (*before, *waited) = (now, Stopwatch::start());
                }
                let is_all = now >= made.load(Ordering::Acquire);
                if is_all || waited.elapsed() > Duration::from_secs(DRAIN_SECS_MAX) {
                    done.store(true, Ordering::Relaxed);
                }
            }
        });
        // Where reading failed, nothing need be made any more.
        if ran.is_err() {
            stopped.store(true, Ordering::Relaxed);
        }
        let produced = generator.join().expect("the generator returns its error");
        ran.map_err(anyhow::Error::from).and(produced)
    });
    let elapsed = stopwatch.elapsed();
    bar.finish_and_clear();
    let removed = kept.remove();
    outcome?;
    removed?;
    show.hear(super::replay::finished(&engine));
    let (made, read) = (made.into_inner(), read.load(Ordering::Acquire));
    Ok(show.summary(made, read, elapsed, server))
}

/// The source, until all that was made has been handed out.
struct Demo {
    source: Box<dyn Source>,
    has_joined: Arc<AtomicBool>,
    all_made: Arc<AtomicBool>,
}

impl Source for Demo {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        match self.source.next(wait)? {
            // The generator never waits for what is live: an input whose end is reached before
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

    fn hear(&mut self, word: Word) -> Result<(), SourceError> {
        match word {
            // The generator stays near the reader: no input need wait for another, and one of which
            // nothing has come would hold up all.
            Word::Ahead(_) => Ok(()),
            word => self.source.hear(word),
        }
    }

    fn name_of(&self, input: Input) -> String {
        self.source.name_of(input)
    }
}

/// Plays the organisation, never far ahead of the reader.
struct Player<'p> {
    packs: Packs,
    writer: &'p mut dyn Writer,
    made: &'p AtomicU64,
    read: &'p AtomicU64,
}

impl Player<'_> {
    fn play(&mut self, plan: &Plan, rate: u64, stopped: &AtomicBool) -> anyhow::Result<()> {
        let stopwatch = Stopwatch::start();
        // Nothing is due yet that would be sent in the next few milliseconds.
        let is_early = |sent: u64| {
            rate > 0
                && u128::from(sent) * 1_000 > stopwatch.elapsed().as_millis() * u128::from(rate)
        };
        for delivered in history(plan).into_iter().chain(deliveries(plan)) {
            if stopped.load(Ordering::Relaxed) {
                anyhow::bail!("stopped");
            }
            let sent = self.made.fetch_add(1, Ordering::Release) + 1;
            if let Some((partition, payload)) =
                self.packs.add(delivered.partition_hint, delivered.record)
            {
                self.writer.write(partition, payload)?;
            }
            if !sent.is_multiple_of(64) {
                continue;
            }
            self.writer.tend()?;
            let read = self.read;
            let is_ahead = || sent - read.load(Ordering::Acquire).min(sent) > AHEAD_RECORDS_MAX;
            if is_ahead() {
                // What waits here cannot be read.
                self.send_rest()?;
            }
            let (waiting, before) = (Stopwatch::start(), read.load(Ordering::Acquire));
            while (is_ahead() || is_early(sent)) && !stopped.load(Ordering::Relaxed) {
                self.writer.tend()?;
                let is_stuck = is_ahead() && read.load(Ordering::Acquire) == before;
                if is_stuck && waiting.elapsed() > Duration::from_secs(STUCK_SECS_MAX) {
                    anyhow::bail!("nothing was read for {STUCK_SECS_MAX} s");
                }
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
        self.send_rest()?;
        self.writer.flush()
    }

    fn send_rest(&mut self) -> anyhow::Result<()> {
        for (partition, payload) in self.packs.rest() {
            self.writer.write(partition, payload)?;
        }
        Ok(())
    }
}

fn status(quiet: bool, records: u64) -> ProgressBar {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(records) };
    let style = ProgressStyle::with_template("{spinner} {human_pos} records, {per_sec}  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

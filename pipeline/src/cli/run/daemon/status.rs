//! How the daemon is: a line now and then, and the metrics that rise and fall.

use std::io::Write;
use std::time::Duration;

use floodmark_detectors::time::EventTime;

use super::Daemon;
use crate::clock::{self, Stopwatch};
use crate::encode::text::counted;
use crate::flow::Lanes;
use crate::metrics::{Feed, Sink, metrics};

/// How often the daemon says how it is.
const STATUS: Duration = Duration::from_secs(30);

/// How often the metrics that rise and fall are set.
const MEASURE: Duration = Duration::from_secs(2);

/// Event times beyond this (the year 5138) stand for the end of the input.
const SECONDS_MAX: i64 = 100_000_000_000;

/// How often old alerts are forgotten.
const PRUNE: Duration = Duration::from_secs(600);

/// Alerts of bursts that ended less than this before the watermark are never forgotten, seconds.
const PRUNE_BEFORE_SECS: i64 = 3 * 86_400;

impl Daemon {
    /// Every [`STATUS`], one line.
    pub(in super::super) fn tell_status(&mut self, lanes: &Lanes) {
        if self.since_pruned.elapsed() >= PRUNE {
            self.since_pruned = Stopwatch::start();
            self.prune();
        }
        if self.since_measured.elapsed() >= MEASURE {
            self.since_measured = Stopwatch::start();
            self.measure(lanes);
        }
        let elapsed = self.since_status.elapsed();
        if elapsed < STATUS {
            return;
        }
        self.look_at_feeds();
        let since = self.counts.records - self.records_at_status;
        eprintln!("floodmark: {}", self.status(lanes, since, elapsed));
        self.records_at_status = self.counts.records;
        self.since_status = Stopwatch::start();
        if let Some(file) = &mut self.reject_file
            && let Err(error) = file.flush()
        {
            self.reject_fault.get_or_insert(error);
        }
    }

    /// Sets the metrics that rise and fall.
    fn measure(&self, lanes: &Lanes) {
        let metrics = metrics();
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        metrics.windows.set(whole(lanes.window_count() as u64));
        metrics.evidence_bytes.set(whole(lanes.evidence_bytes()));
        metrics.open_bursts.set(whole(self.open.len() as u64));
        if let watermark @ EventTime(1..=SECONDS_MAX) = lanes.watermark() {
            metrics.watermark.set(watermark.0);
        }
        let now_ms = clock::wall_ms();
        metrics.blind_rules.clear();
        for (feed, codes, _) in self.feeds.missing(now_ms) {
            let feed = Feed { feed: feed.to_owned() };
            metrics.blind_rules.get_or_create(&feed).set(whole(codes.len() as u64));
        }
        for sink in &self.sinks {
            let Ok(waiting) = self.ledger.waiting(sink) else { continue };
            let sink = Sink { sink: sink.clone() };
            metrics.sink_waiting.get_or_create(&sink).set(whole(waiting.count));
            let waited_ms = waiting.oldest_ms.map_or(0, |said_ms| (now_ms - said_ms).max(0));
            let waited_secs = waited_ms as f64 / 1_000.0;
            metrics.sink_waiting_seconds.get_or_create(&sink).set(waited_secs);
        }
    }

    /// Says which feeds are missing, and keeps when each was seen.
    fn look_at_feeds(&mut self) {
        let news = self.feeds.news(clock::wall_ms());
        self.say("", &news);
        self.keep_feeds();
    }

    pub(super) fn keep_feeds(&self) {
        if let Err(error) = self.ledger.keep_feeds(self.feeds.seen_ms()) {
            eprintln!("floodmark: {error}");
        }
    }

    /// Forgets old alerts that every sink has.
    pub(super) fn prune(&self) {
        let sinks: Vec<&str> = self.sinks.iter().map(String::as_str).collect();
        if let Err(error) = self.ledger.prune(&sinks, self.alerts_max, PRUNE_BEFORE_SECS) {
            eprintln!("floodmark: {error}");
        }
    }

    /// How it is, with the rate of so many records in that time.
    pub(super) fn status(&self, lanes: &Lanes, records: u64, elapsed: Duration) -> String {
        let rate = rate(records, elapsed);
        let watermark = match lanes.watermark() {
            EventTime::MIN => "none yet".to_owned(),
            EventTime::MAX => "at the end".to_owned(),
            time => time.to_string(),
        };
        // What was passed over, bounds that were hit (from there on verdicts may be too low, or alerts
        // show less), and what receivers do without: whoever looks should know.
        let mut noted = String::new();
        for (count, what) in [
            (self.envelopes.control_messages, "control messages skipped"),
            (self.envelopes.digests, "digest files skipped"),
            (self.counts.windows_evicted, "windows given up for windows_max"),
            (self.counts.overflowed, "samples beyond what a window keeps"),
            (self.counts.evidence_left_out, "samples without their record"),
            (self.refusals, "refused by sinks"),
        ] {
            if count > 0 {
                noted += &format!(", {count} {what}");
            }
        }
        if !self.latency_ms.is_empty() {
            let at = |quantile| self.latency_ms.value_at_quantile(quantile);
            noted += &format!(
                ", alerts on disk p50 {} ms p99 {} ms after the broker had their records",
                at(0.5),
                at(0.99)
            );
        }
        for (feed, codes, _) in self.feeds.missing(clock::wall_ms()) {
            noted += &format!(", {} blind without {feed}", counted(codes.len(), "rule"));
        }
        format!(
            "{} records, {rate}/s, {} late, {} rejected, {} windows, {} open bursts, {} alerts sent, \
             {} observed, watermark {watermark}{noted}",
            self.counts.records,
            self.late,
            self.rejects,
            lanes.window_count(),
            self.open.len(),
            self.sent,
            self.observed.values().sum::<u64>(),
        )
    }
}

fn rate(records: u64, elapsed: Duration) -> u64 {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    records.saturating_mul(1_000) / millis
}

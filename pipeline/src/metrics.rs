//! What the daemon tells of itself in numbers: every metric, its name and its meaning, once.
//!
//! They are of the process, as what they count is, so they stand in one place that all parts reach
//! ([`metrics`]). `GET /metrics` gives them as OpenMetrics text ([`http`](crate::http)); `docs/metrics.md` tells
//! what to watch. Names follow Prometheus's conventions: base units, and `_total` behind what only
//! grows, which the encoder adds.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;

use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::engine::Counts;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::envelope::{self, Kind};
use crate::flow::Report;

/// A number with a fraction that rises and falls.
type Level = Gauge<f64, AtomicU64>;

/// Declares the metrics: the documentation of a field is the help that goes with it.
macro_rules! declare {
    ($($(#[doc = $help:literal])+ $field:ident: $sort:ty = $name:literal $(, $made:expr)?;)+) => {
        /// All metrics.
        pub struct Metrics {
            registry: Registry,
            $($(#[doc = $help])+ pub $field: $sort,)+
        }

        /// The names of all, without what the encoder puts behind some.
        pub const NAMES: &[&str] = &[$(concat!("floodmark_", $name)),+];

        impl Metrics {
            fn new() -> Metrics {
                let mut registry = Registry::with_prefix("floodmark");
                $(
                    let $field: $sort = declare!(@made $($made)?);
                    // The encoder ends the sentence.
                    let help = concat!($($help),+).trim().trim_end_matches('.');
                    registry.register($name, help, $field.clone());
                )+
                Metrics { registry, $($field),+ }
            }
        }
    };
    (@made) => { Default::default() };
    (@made $made:expr) => { $made };
}

declare! {
    /// Records that were decoded and matched.
    records: Counter = "records";
    /// Bytes of these records, as they came out of their envelopes.
    record_bytes: Counter = "record_bytes";
    /// Records that came later than the lateness bound: only rules of single records still count them.
    late_records: Counter = "late_records";
    /// Records with an event time far ahead of their arrival.
    ahead_records: Counter = "ahead_records";
    /// What could not be read as a record, by reason.
    rejects: Family<Reason, Counter> = "rejects";
    /// Envelopes that were opened, by kind.
    envelopes: Family<Envelope, Counter> = "envelopes";
    /// Bytes that came out of envelopes, by kind.
    envelope_bytes: Family<Envelope, Counter> = "envelope_bytes";
    /// Control messages of CloudWatch Logs, which hold no records.
    control_messages: Counter = "control_messages";
    /// Digest files of CloudTrail, which hold no records.
    digest_files: Counter = "digest_files";

    /// Detections that matched a record.
    matches: Counter = "matches";
    /// Samples new to their window.
    samples: Counter = "samples";
    /// Samples that their window knew: duplicates of records.
    duplicate_samples: Counter = "duplicate_samples";
    /// Samples of a time that their window had forgotten.
    forgotten_samples: Counter = "forgotten_samples";
    /// Matches without a value for a group-by field, which count nowhere.
    keyless_matches: Counter = "keyless_matches";
    /// Values to be summed that were no numbers.
    odd_values: Counter = "odd_values";
    /// Samples that were compacted away, as the law allows.
    compacted_samples: Counter = "compacted_samples";
    /// Samples dropped over the bound of a window: its counts are too low from there on.
    overflowed_samples: Counter = "overflowed_samples";
    /// Windows given up for `windows_max`: their rules may miss bursts.
    windows_evicted: Counter = "windows_evicted";
    /// Samples whose record was not kept, for the bound on evidence: alerts show less.
    evidence_left_out: Counter = "evidence_left_out";
    /// Windows that are held.
    windows: Gauge = "windows";
    /// Bytes of records that windows hold as evidence.
    evidence_bytes: Gauge = "evidence_bytes";
    /// The event time before which nothing is expected any more, seconds since 1970.
    watermark: Gauge = "watermark_timestamp_seconds";

    /// Alerts that were put into the ledger to be sent, by rule, level and life.
    alerts: Family<Said, Counter> = "alerts";
    /// Bursts of rules that only observe or enrich, by rule.
    observed_bursts: Family<Rule, Counter> = "observed_bursts";
    /// Bursts that were told of and are not over.
    open_bursts: Gauge = "open_bursts";
    /// From the broker's time stamp of a record until the alert that it led to was on the disk.
    alert_latency: Histogram = "alert_latency_seconds", Histogram::new(exponential_buckets(0.001, 2.0, 20));

    /// Alerts that a sink has taken.
    sink_delivered: Family<Sink, Counter> = "sink_delivered_alerts";
    /// Alerts that a sink will never take; they are in the ledger, and among the rejects.
    sink_refused: Family<Sink, Counter> = "sink_refused_alerts";
    /// Times that something had to be sent to a sink again.
    sink_retries: Family<Sink, Counter> = "sink_retries";
    /// Alerts in the ledger that a sink does not have yet.
    sink_waiting: Family<Sink, Gauge> = "sink_waiting_alerts";
    /// How long the oldest of these has waited; 0 where none waits.
    sink_waiting_seconds: Family<Sink, Level> = "sink_oldest_waiting_seconds";

    /// What befell sources, by source and event.
    source_events: Family<Befallen, Counter> = "source_events";
    /// Partitions whose broker cannot be reached: time waits for them.
    unheard_partitions: Gauge = "unheard_partitions";
    /// Rules that see nothing because their feed brought nothing for a day, by feed.
    blind_rules: Family<Feed, Gauge> = "blind_rules";

    /// 1 while the ledger can be written; 0 while reading waits for it.
    ledger_writable: Gauge = "ledger_writable", one();
    /// Checkpoints that were saved.
    checkpoints: Counter = "checkpoints";
    /// How long the last checkpoint took until it was on the disk.
    checkpoint_seconds: Level = "last_checkpoint_seconds";
    /// What runs.
    build: Family<Build, Gauge> = "build_info", build();
}

/// The reason of a reject.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reason {
    /// As it is told.
    pub reason: String,
}

/// A kind of envelope.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Envelope {
    /// See [`Kind::name`].
    pub kind: &'static str,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Rule {
    /// Its code, or its title where it has none.
    pub rule: String,
}

/// What was said of a burst.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Said {
    /// The rule's code, or its title where it has none.
    pub rule: String,
    /// In Sigma's words.
    pub level: &'static str,
    /// `open`, `update`, `closed` or `merged`.
    pub life: &'static str,
}

/// A sink, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Sink {
    /// As configured.
    pub sink: String,
}

/// A feed that rules need.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Feed {
    /// As rules name it.
    pub feed: String,
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Build {
    /// Floodmark's version.
    pub version: &'static str,
}

/// What befell a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Befallen {
    /// `kafka` or `kinesis`.
    pub source: &'static str,
    /// See [`Event`].
    pub event: &'static str,
}

/// An event in the life of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A partition or a shard is read by this process from now on.
    Gained,
    /// One is read by another process, or is over.
    Lost,
    /// Records were deleted before they were read.
    Deleted,
    /// A commit was refused; it is made up for.
    CommitRefused,
    /// A broker or the service could not be reached, or refused to answer.
    Failed,
    /// The service asked to be called less often.
    Throttled,
    /// Brokers could not be reached for so long that time waits for their partitions.
    Unheard,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Event::Gained => "gained",
            Event::Lost => "lost",
            Event::Deleted => "deleted",
            Event::CommitRefused => "commit_refused",
            Event::Failed => "failed",
            Event::Throttled => "throttled",
            Event::Unheard => "unheard",
        }
    }
}

fn one() -> Gauge {
    let gauge = Gauge::default();
    gauge.set(1);
    gauge
}

fn build() -> Family<Build, Gauge> {
    let family = Family::<Build, Gauge>::default();
    family.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
    family
}

/// The metrics of this process.
#[must_use]
pub fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);
    &METRICS
}

impl Metrics {
    /// All of them as OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut written = String::new();
        text::encode(&mut written, &self.registry).expect("a String takes all");
        written
    }

    /// Counts what a batch came to, but for its alerts and rejects.
    pub fn add(&self, report: &Report) {
        let Counts {
            records,
            matches,
            samples,
            duplicates,
            forgotten,
            keyless,
            odd_values,
            compacted,
            overflowed,
            windows_evicted,
            evidence_left_out,
        } = report.counts;
        for (counter, count) in [
            (&self.records, records),
            (&self.record_bytes, report.bytes),
            (&self.late_records, report.late),
            (&self.ahead_records, report.ahead),
            (&self.matches, matches),
            (&self.samples, samples),
            (&self.duplicate_samples, duplicates),
            (&self.forgotten_samples, forgotten),
            (&self.keyless_matches, keyless),
            (&self.odd_values, odd_values),
            (&self.compacted_samples, compacted),
            (&self.overflowed_samples, overflowed),
            (&self.windows_evicted, windows_evicted),
            (&self.evidence_left_out, evidence_left_out),
            (&self.control_messages, report.envelopes.control_messages),
            (&self.digest_files, report.envelopes.digests),
        ] {
            counter.inc_by(count);
        }
        self.add_envelopes(&report.envelopes);
    }

    fn add_envelopes(&self, envelopes: &envelope::Counts) {
        for kind in Kind::ALL {
            let tally = envelopes.of(kind);
            if tally.count > 0 {
                let kind = Envelope { kind: kind.name() };
                self.envelopes.get_or_create(&kind).inc_by(tally.count);
                self.envelope_bytes.get_or_create(&kind).inc_by(tally.bytes_out);
            }
        }
    }

    /// Counts an alert that is to be sent.
    pub fn said(&self, alert: &Alert) {
        let life = match alert.life {
            Life::Open => "open",
            Life::Update => "update",
            Life::Closed => "closed",
            Life::Merged(_) => "merged",
        };
        let (rule, level) = (rule(alert), alert.level.word());
        self.alerts.get_or_create(&Said { rule, level, life }).inc();
    }

    /// Counts what befell a source.
    pub fn befell(&self, source: &'static str, event: Event, times: usize) {
        let befallen = Befallen { source, event: event.name() };
        self.source_events.get_or_create(&befallen).inc_by(times as u64);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}

/// How the rule of an alert is called.
#[must_use]
pub fn rule(alert: &Alert) -> String {
    alert.rule.code.clone().unwrap_or_else(|| alert.rule.title.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What is not documented might as well not be there, and what is must be.
    #[test]
    fn each_metric_is_documented() {
        let told: BTreeSet<&str> = NAMES.iter().copied().collect();
        let names = |page: &'static str| -> BTreeSet<&str> {
            page.split(|it: char| !it.is_ascii_alphanumeric() && it != '_')
                .filter(|word| word.starts_with("floodmark_"))
                .map(|word| word.strip_suffix("_total").unwrap_or(word))
                .collect()
        };
        let documented = names(include_str!("../../docs/metrics.md"));
        assert_eq!(told, documented);
        let alerts = names(include_str!("../../deploy/prometheus/floodmark.yml"));
        assert!(alerts.len() > 5 && alerts.is_subset(&told), "{alerts:?}");
    }

    #[test]
    fn a_report_is_counted() {
        let metrics = Metrics::new();
        let mut report = Report { bytes: 7, late: 1, ..Report::default() };
        report.counts.records = 2;
        metrics.add(&report);
        metrics.add(&report);
        metrics.befell("kafka", Event::Gained, 3);
        let text = metrics.text();
        for line in [
            "floodmark_records_total 4",
            "floodmark_record_bytes_total 14",
            "floodmark_late_records_total 2",
            "floodmark_source_events_total{source=\"kafka\",event=\"gained\"} 3",
            "floodmark_ledger_writable 1",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} in {text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}

//! What a person sees of the demo: alerts as they come, and at the end what was found of what was
//! planted.

use std::collections::BTreeMap;
use std::time::Duration;

use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::engine::Counts;
use floodmark_detectors::rule::{Mode, RuleSet};
use hdrhistogram::Histogram;
use indicatif::{HumanCount, ProgressBar};

use crate::encode::ocsf::View;
use crate::encode::text;
use crate::flow;
use crate::generate::Planted;

/// What is shown, and what is kept for the summary.
pub(super) struct Show<'b> {
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
    pub(super) fn new(
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

    pub(super) fn hear(&mut self, report: flow::Report) {
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
                let lines = text::lines(&alert, View::Final, console_has_colour());
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
    pub(super) fn summary(&self, made: u64, read: u64, elapsed: Duration, server: &str) -> bool {
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
            "latency  p50 {:.0} ms, p90 {:.0} ms, p99 {:.0} ms, max {:.0} ms, from {server}'s time stamp to the end of the record's batch",
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

//! One key of a rule over history: what its window held, and how near it came to the mark.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::engine::{Engine, Options};
use floodmark_detectors::record::{EventId, Record};
use floodmark_detectors::rule::{Kind, Members, Rule, RuleSet};
use floodmark_detectors::time::EventTime;

use super::{feeding, head};
use crate::cli::rules::shown;
use crate::encode::redact::printable;
use crate::replay::{Merged, Settings};
use crate::source::files::walk;

/// Records taken at once.
const BATCH_RECORDS_MAX: usize = 1_024;

/// Other keys that are named when the one asked for was never seen.
const OTHERS_MAX: usize = 8;

/// Replays `paths` through the rule at `place`, and tells of one key.
pub(super) fn explain(
    rules: RuleSet,
    place: usize,
    key: &str,
    paths: &[PathBuf],
) -> anyhow::Result<String> {
    let rules = Arc::new(alone(rules, place));
    let rule = rules.rules.get(place).context("the rule is gone")?;
    let key = values(rule, key)?;
    let seen = replay(&rules, place, rule, &key, paths)?;
    Ok(seen.told(rule, &key))
}

/// The rule and what feeds it. It speaks, also where it would be silent as a part of another.
fn alone(mut rules: RuleSet, place: usize) -> RuleSet {
    let feeds = feeding(&rules, place);
    let leads = |rule: usize| feeds.get(rule) == Some(&true);
    for (at, rule) in rules.rules.iter_mut().enumerate() {
        rule.speaks = at == place;
        rule.taps.retain(|tap| at != place && leads(tap.rule));
    }
    for detection in &mut rules.detections {
        detection.taps.retain(|tap| leads(tap.rule));
    }
    rules.detections.retain(|detection| !detection.taps.is_empty());
    RuleSet::of(rules.rules, rules.detections)
}

/// The values of the rule's group-by that `text` names.
fn values(rule: &Rule, text: &str) -> anyhow::Result<Vec<String>> {
    let fields = &rule.card.group_by;
    let place_of = |name: &str| {
        let is_it = |field: &String| field == name || field.rsplit('.').next() == Some(name);
        fields.iter().position(is_it)
    };
    let wanted = || format!("the key of this rule is {}", fields.join(", "));
    if fields.is_empty() {
        anyhow::ensure!(text.is_empty(), "this rule has no key: leave it out");
        return Ok(Vec::new());
    }
    let parts: Vec<&str> = match fields.len() {
        1 => vec![text],
        _ => text.split(',').collect(),
    };
    let pairs: Option<Vec<(usize, &str)>> = parts
        .iter()
        .map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((place_of(name.trim())?, value))
        })
        .collect();
    let Some(pairs) = pairs else {
        anyhow::ensure!(parts.len() == fields.len() && !text.is_empty(), wanted());
        return Ok(parts.into_iter().map(str::to_owned).collect());
    };
    let value = |place: usize| {
        let pair = pairs.iter().find(|(at, _)| *at == place);
        pair.map(|(_, value)| (*value).to_owned()).with_context(wanted)
    };
    (0..fields.len()).map(value).collect()
}

/// What the replay saw of the key.
#[derive(Debug, Default)]
struct Seen {
    /// Time, event id and value of each sample.
    samples: BTreeSet<(EventTime, EventId, u64)>,
    bursts: Vec<Alert>,
    records: u64,
    unreadable: u64,
    compacted: u64,
    span: Option<(EventTime, EventTime)>,
    watermark: Option<EventTime>,
    late: u64,
    disordered: Vec<String>,
    faults: Vec<String>,
    /// Keys that had a burst; when this one was not seen, also those that have samples at the end.
    others: BTreeSet<String>,
}

fn replay(
    rules: &Arc<RuleSet>,
    place: usize,
    rule: &Rule,
    key: &[String],
    paths: &[PathBuf],
) -> anyhow::Result<Seen> {
    let key: Vec<&str> = key.iter().map(String::as_str).collect();
    let walked = walk(paths);
    anyhow::ensure!(!walked.files.is_empty(), "no file of records in what was named");
    let mut seen = Seen::default();
    let faults = walked.faults.iter();
    seen.faults.extend(faults.map(|(path, fault)| format!("{}: {fault}", path.display())));
    let mut merged = Merged::open(&walked.files, Settings::default(), &mut |_| {})
        .context("cannot sort on disk: is there room in the temporary folder?")?;
    let summary = merged.summary();
    seen.span = summary.span;
    seen.unreadable = summary.rejects;
    let sorted = summary.sorted.iter();
    seen.disordered.extend(sorted.map(|(path, why)| format!("{}: {why}", path.display())));
    let engine = Engine::new(rules.clone(), Options::default());
    let is_decided_later = rule.delay_secs > 0 || rule.kind.waits();
    let look = |seen: &mut Seen| {
        engine.with_window(place, &key, |_, window| {
            let held = window.samples().iter().map(|held| (held.time, held.id, held.value));
            seen.samples.extend(held);
        });
    };
    while let Some(batch) = merged.next_batch(BATCH_RECORDS_MAX)? {
        let mut records = Vec::with_capacity(batch.records.len());
        for bytes in batch.records.iter() {
            match Record::decode(bytes) {
                Ok(record) => records.push(record),
                Err(_) => seen.unreadable += 1,
            }
        }
        seen.records += records.len() as u64;
        let outcome = engine.apply(&records);
        seen.late += outcome.late.len() as u64;
        seen.compacted += outcome.counts.compacted;
        seen.hear(outcome.alerts, &key);
        look(&mut seen);
        if is_decided_later {
            // What is decided as time passes is seen only between its decision and its end.
            let mut times: Vec<EventTime> = records.iter().map(Record::time).collect();
            times.sort_unstable();
            times.dedup();
            for time in times.into_iter().filter(|time| *time < batch.watermark) {
                seen.hear(engine.advance(time).alerts, &key);
                look(&mut seen);
            }
        }
        if batch.watermark < EventTime::MAX {
            seen.hear(engine.advance(batch.watermark).alerts, &key);
            look(&mut seen);
        }
    }
    if let Some((_, newest)) = seen.span {
        seen.hear(engine.advance(newest.plus(1 + rule.delay_secs)).alerts, &key);
        look(&mut seen);
        seen.watermark = Some(newest);
    }
    if seen.samples.is_empty() {
        let windows = engine.export(EventTime::MIN).windows.into_iter();
        let of_rule = windows.filter(|(_, window)| window.rule_tag == rule.tag);
        seen.others.extend(of_rule.map(|(_, window)| window.key.join(",")));
    }
    seen.hear(engine.finish().alerts, &key);
    Ok(seen)
}

impl Seen {
    fn hear(&mut self, alerts: Vec<Alert>, key: &[&str]) {
        for alert in alerts.into_iter().filter(|alert| alert.life == Life::Closed) {
            if alert.key.iter().map(AsRef::as_ref).eq(key.iter().copied()) {
                self.bursts.push(alert.into_final());
            } else {
                self.others.insert(alert.key.join(","));
            }
        }
    }

    fn told(&self, rule: &Rule, key: &[String]) -> String {
        let mut text = head(rule);
        let pairs = rule.card.group_by.iter().zip(key);
        for (field, value) in pairs {
            text += &format!("key        {field} = {}\n", printable(value));
        }
        text += &format!("records    {} read, {} unreadable", self.records, self.unreadable);
        if let (Some((from, to)), Some(watermark)) = (self.span, self.watermark) {
            text += &format!(", event times {from} to {to}\nwatermark  {watermark}");
        }
        text += &match self.late {
            0 => "\nlate       none: history is put in order before it is judged\n".to_owned(),
            late => format!("\nlate       {late} records\n"),
        };
        for why in &self.disordered {
            text += &format!("           sorted first: {why}\n");
        }
        for fault in &self.faults {
            text += &format!("           cannot be read: {fault}\n");
        }
        text += &self.samples_told(rule, &key.join(","));
        if let Some(nearest) = Nearest::of(&rule.kind, rule.timespan_secs, self.samples.iter()) {
            text += &nearest.told(rule);
        }
        if self.bursts.is_empty() {
            return text + "bursts     none\n";
        }
        for burst in &self.bursts {
            let floor = if burst.count_is_floor { "at least " } else { "" };
            text += &format!(
                "burst      {floor}{} samples, {} to {}, level {:?}\n",
                burst.count, burst.first, burst.last, burst.level
            );
        }
        text
    }

    fn samples_told(&self, rule: &Rule, key: &str) -> String {
        let times = || self.samples.iter().map(|(time, ..)| *time);
        let hot: u64 = self.bursts.iter().map(|burst| burst.count).sum();
        let (Some(first), Some(last)) = (times().next(), times().next_back()) else {
            let mut text = "samples    none: no record counted under this key\n".to_owned();
            let others = self.others.iter();
            let mut others: Vec<(usize, &String)> =
                others.map(|other| (strsim::osa_distance(key, other), other)).collect();
            others.sort_unstable();
            for (_, other) in others.into_iter().take(OTHERS_MAX) {
                text += &format!("           a key that was seen: {}\n", printable(other));
            }
            return text;
        };
        let what = match rule.kind {
            Kind::FirstSeen { .. } | Kind::Surge { .. } | Kind::Silence { .. } => " found true",
            _ => "",
        };
        let least = if self.compacted > 0 { "at least " } else { "" };
        format!(
            "samples    {least}{}{what}, first {first}, last {last}; {hot} of them hot (in a window \
             that reached the mark)\n",
            self.samples.len()
        )
    }
}

/// The window that came nearest to the mark: the one that measures most, the earliest of equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Nearest {
    measure: u64,
    from: EventTime,
    until: EventTime,
    /// Members there, of temporal rules.
    present: u64,
}

impl Nearest {
    fn of<'s>(
        kind: &Kind,
        span: i64,
        samples: impl Iterator<Item = &'s (EventTime, EventId, u64)>,
    ) -> Option<Nearest> {
        if matches!(kind, Kind::FirstSeen { .. } | Kind::Surge { .. } | Kind::Silence { .. }) {
            return None;
        }
        let samples: Vec<(EventTime, u64)> = samples.map(|(time, _, v)| (*time, *v)).collect();
        let mut low = 0;
        let mut sum: u128 = 0;
        let mut values: BTreeMap<u64, u32> = BTreeMap::new();
        let mut best: Option<Nearest> = None;
        for (place, (time, value)) in samples.iter().enumerate() {
            sum += u128::from(*value);
            *values.entry(*value).or_default() += 1;
            while let Some((_, left)) = samples.get(low).filter(|(t, _)| *t < time.plus(-span)) {
                sum -= u128::from(*left);
                if let Some(count) = values.get_mut(left) {
                    *count -= 1;
                    if *count == 0 {
                        values.remove(left);
                    }
                }
                low += 1;
            }
            let members = |value: &u64| match kind {
                Kind::Temporal(Members::Apart(_)) => 1 << Members::of_apart(*value).0,
                _ => *value,
            };
            let present = values.keys().fold(0, |bits, value| bits | members(value));
            let measure = match kind {
                Kind::Distinct(_) => values.len() as u64,
                Kind::Sum(_) => u64::try_from(sum).unwrap_or(u64::MAX),
                Kind::Temporal(_) | Kind::Ordered(_) => u64::from(present.count_ones()),
                _ => (place + 1 - low) as u64,
            };
            if best.is_none_or(|best| measure > best.measure) {
                let from = samples.get(low).map_or(*time, |(time, _)| *time);
                best = Some(Nearest { measure, from, until: *time, present });
            }
        }
        best
    }

    fn told(&self, rule: &Rule) -> String {
        let measure = shown(&rule.kind, self.measure);
        let (what, mark) = match &rule.kind {
            Kind::Count(threshold) => ("events", threshold.gte),
            Kind::Distinct(threshold) => ("different values", threshold.gte),
            Kind::Sum(threshold) => ("in sum", threshold.gte),
            _ => ("of the members", None),
        };
        let mut text = format!("nearest    {measure} {what}, {} to {}", self.from, self.until);
        if matches!(rule.kind, Kind::Temporal(_) | Kind::Ordered(_)) {
            let places = (0..64).filter(|bit| self.present >> bit & 1 == 1);
            let places: Vec<String> = places.map(|bit: u32| (bit + 1).to_string()).collect();
            text += &format!(": by place in `rules`, {}", places.join(", "));
        }
        if let Some(mark) = mark {
            text += &match mark.checked_sub(self.measure) {
                None | Some(0) => format!(": the mark is {}", shown(&rule.kind, mark)),
                Some(short) => format!(
                    ": {} short of the mark, {}",
                    shown(&rule.kind, short),
                    shown(&rule.kind, mark)
                ),
            };
        }
        text + "\n"
    }
}

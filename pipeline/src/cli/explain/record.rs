//! One record before a rule: test by test.

use std::io::{Cursor, Read};
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Context;
use floodmark_detectors::field::{self, Fields};
use floodmark_detectors::record::{Record, Value};
use floodmark_detectors::rule::{Detection, RuleSet, Tap};
use floodmark_detectors::sample;

use super::{Target, feeding, head, label};
use crate::encode::redact::printable;
use crate::envelope::framing::{Framed, Framer};
use crate::envelope::inflate::Limits;
use crate::source::files::open;

/// Most wanted values that are shown of one test.
const WANTED_MAX: usize = 8;

/// The one record that `what` holds or names.
pub(super) fn read(what: &str) -> anyhow::Result<Vec<u8>> {
    let reader: Box<dyn Read + Send> = if what.trim_start().starts_with('{') {
        Box::new(Cursor::new(what.as_bytes().to_vec()))
    } else {
        open(Path::new(what)).with_context(|| format!("cannot read {what}"))?
    };
    let mut framer = Framer::new(reader, Limits::default());
    let bytes = match framer.next() {
        None => anyhow::bail!("there is no record in it"),
        Some(Framed::Reject(reject)) => anyhow::bail!("this is no record: {}", reject.reason),
        Some(Framed::Record { bytes, .. }) => bytes.to_vec(),
    };
    anyhow::ensure!(
        framer.next().is_none(),
        "there is more than one record in it: give one, or a KEY and --records"
    );
    Ok(bytes)
}

/// Why the record counts for the target, or does not.
pub(super) fn explain(rules: &RuleSet, target: &Target, bytes: &[u8]) -> anyhow::Result<String> {
    let record = Record::decode(bytes).context("this is no record")?;
    let fields = Fields::of(&record);
    let mut text = format!(
        "{} {} at {}\n",
        record.time(),
        printable(&record.event_name().unwrap_or("(no eventName)".into())),
        printable(&record.event_source().unwrap_or("(no eventSource)".into()))
    );
    match target {
        Target::Detection(place) => {
            if let Some(detection) = rules.detections.get(*place) {
                text += &judged(rules, detection, &|_| true, &fields);
            }
        }
        Target::Rules(places) => {
            for (place, rule) in places.iter().filter_map(|p| Some((*p, rules.rules.get(*p)?))) {
                let feeds = feeding(rules, place);
                let leads = |tap: &Tap| feeds.get(tap.rule) == Some(&true);
                text += &format!("\n{}", head(rule));
                for detection in &rules.detections {
                    if detection.taps.iter().any(leads) {
                        text += &judged(rules, detection, &leads, &fields);
                    }
                }
            }
        }
    }
    Ok(text)
}

/// One detection: its verdict, its tests, and where a match goes.
fn judged(
    rules: &RuleSet,
    detection: &Detection,
    leads: &dyn Fn(&Tap) -> bool,
    fields: &Fields<'_, '_>,
) -> String {
    let fits = detection.matcher.fits(fields);
    let verdict = if fits { "matches" } else { "does not match" };
    let mut text = format!("\ndetection {} {verdict}\n", detection.name);
    for test in detection.matcher.explain(fields) {
        let bar = if test.modifiers.is_empty() { "" } else { "|" };
        let dot = if test.selection.is_empty() { "" } else { ": " };
        // Under a negation it is "no" that lets the record through.
        let not = if test.is_negated { "not " } else { "" };
        let mut wanted: Vec<String> = test.wanted.iter().take(WANTED_MAX).cloned().collect();
        if test.wanted.len() > WANTED_MAX {
            wanted.push(format!("{} more", test.wanted.len() - WANTED_MAX));
        }
        let found = match test.found.as_slice() {
            [] => "nothing".to_owned(),
            found => printable(&found.join(", ")),
        };
        text += &format!(
            "  {:<3} {not}{}{dot}{}{bar}{}\n        wanted {}\n        found  {found}\n",
            if test.holds { "yes" } else { "no" },
            test.selection,
            test.field,
            test.modifiers,
            wanted.join(", ")
        );
    }
    if fits {
        for tap in detection.taps.iter().filter(|tap| leads(tap)) {
            text += &counted(rules, tap, fields);
        }
    }
    text
}

/// The key and the values under which a match counts in the windows of one rule.
fn counted(rules: &RuleSet, tap: &Tap, fields: &Fields<'_, '_>) -> String {
    let Some(rule) = rules.rules.get(tap.rule) else { return String::new() };
    let mut text = format!("  counts for {}\n", label(rule));
    for path in tap.group_by.iter().chain(&tap.value) {
        let what = if tap.group_by.contains(path) { "key" } else { "value" };
        let values = values(path, fields);
        let shown = match values.as_slice() {
            [] => "nothing".to_owned(),
            values => printable(&values.join(", ")),
        };
        text += &format!("        {what:<6} {} = {shown}\n", path.as_str());
    }
    let drawn = sample::draw(tap, rule, fields, 0);
    text += &if drawn.is_keyless {
        "        not counted: a field of the key has no value\n".to_owned()
    } else if drawn.samples.is_empty() {
        "        not counted: it has no value to count\n".to_owned()
    } else {
        format!("        {} samples in {} windows\n", drawn.samples.len(), drawn.keys.len())
    };
    text
}

fn values(path: &field::Path, fields: &Fields<'_, '_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut keep = |value: Value<'_>| {
        match value {
            Value::Text(text) | Value::Number(text) => found.push(text.into_owned()),
            Value::Bool(truth) => found.push(truth.to_string()),
            Value::Missing | Value::Null | Value::Array(_) | Value::Object(_) => {}
        }
        if found.len() < sample::ELEMENTS_MAX {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    // Whether the visit ended early does not matter: what was found is bounded either way.
    let (ControlFlow::Continue(()) | ControlFlow::Break(())) = fields.visit(path, &mut keep);
    found
}

//! `floodmark rules matches`: which records each detection matches, in the form that other tools
//! are compared by (`tests/oracle`).

use std::path::PathBuf;

use anyhow::Context;
use floodmark_detectors::field::Fields;
use floodmark_detectors::record::Record;
use floodmark_detectors::rule::RuleSet;

use crate::envelope::framing::{Framed, Framer};
use crate::envelope::inflate::Limits;
use crate::source::files::{open, walk};

/// A line for each detection: `detection`, its id, the ids of the events it matches, sorted, and of
/// those on which it has no say, of which we have none.
pub(super) fn matches(rules: &RuleSet, paths: &[PathBuf]) -> anyhow::Result<String> {
    let walked = walk(paths);
    if let Some((path, fault)) = walked.faults.first() {
        anyhow::bail!("{}: {fault}", path.display());
    }
    let mut matched: Vec<Vec<String>> = vec![Vec::new(); rules.detections.len()];
    let mut place = 0_u64;
    for file in &walked.files {
        let reader = open(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut framer = Framer::new(reader, Limits::default());
        while let Some(framed) = framer.next() {
            place += 1;
            let reject = |reason: &str| {
                anyhow::anyhow!("{}: record {place} in all: {reason}", file.display())
            };
            let bytes = match framed {
                Framed::Reject(it) => return Err(reject(&it.reason.to_string())),
                Framed::Record { bytes, .. } => bytes,
            };
            let record = Record::decode(bytes).map_err(|error| reject(&error.to_string()))?;
            let id = record.get("eventID").into_text().filter(|id| !id.is_empty());
            let id = id.map_or_else(|| format!("@{place}"), |id| id.into_owned());
            let fields = Fields::within(&record, &rules.networks);
            rules.matching(&fields, &mut |found| {
                let mut all = rules.detections.iter();
                let at = all.position(|detection| std::ptr::eq(detection, found));
                if let Some(ids) = at.and_then(|at| matched.get_mut(at)) {
                    ids.push(id.clone());
                }
            });
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for (detection, mut ids) in rules.detections.iter().zip(matched) {
        ids.sort_unstable();
        ids.dedup();
        lines.push(format!("detection\t{}\t{}\t\n", detection.id, ids.join(" ")));
    }
    lines.sort_unstable();
    Ok(lines.concat())
}

//! Which detections a record could match at all, told by its `eventName` and `eventSource`, and by
//! which members it has.
//!
//! Few records match a rule. Each detection stands in one list: by the event names it needs, else
//! by its event sources, else in the list that is always asked. In its list it stands beside what
//! else it needs, so that it is asked only where it has a chance: one that wants an `errorCode` is
//! not asked of a record without.

use std::collections::HashMap;
use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::Detection;
use crate::field::{Fields, Path};
use crate::matcher::Matcher;
use crate::record::{Key, Value};

/// The index of a [`RuleSet`](super::RuleSet).
#[derive(Debug)]
pub(crate) struct Index {
    name: Path,
    source: Path,
    by_name: HashMap<Box<[u8]>, Vec<Entry>, RandomState>,
    by_source: HashMap<Box<[u8]>, Source, RandomState>,
    always: Vec<Entry>,
}

/// An event source that some detection needs.
#[derive(Debug, Default)]
struct Source {
    /// Its bit in [`Entry::sources`].
    bit: u64,
    entries: Vec<Entry>,
}

/// A detection, and what a record must have beside that under which it is listed.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    detection: usize,
    /// Bits of the event sources of which it needs one; all where any will do.
    sources: u64,
    /// Members that must be there and not null.
    members: SmallVec<[Key; 4]>,
    /// What the list does not prove.
    rest: Matcher,
}

impl Entry {
    /// The place of the detection.
    pub(crate) fn detection(&self) -> usize {
        self.detection
    }

    /// Whether a record that it is a candidate for satisfies the detection.
    pub(crate) fn fits(&self, fields: &Fields<'_, '_>) -> bool {
        self.rest.fits(fields)
    }
}

/// Detections to ask, in order.
pub(crate) type Candidates<'i> = SmallVec<[&'i Entry; 16]>;

/// So many event sources have a bit of their own; all others share one.
const SOURCES_TOLD_APART: usize = 63;

impl Index {
    /// The index of these detections.
    pub(crate) fn of(detections: &[Detection]) -> Index {
        let path = |text| Path::parse(text).expect("a field of every record is a path");
        let mut index = Index {
            name: path("eventName"),
            source: path("eventSource"),
            by_name: HashMap::default(),
            by_source: HashMap::default(),
            always: Vec::new(),
        };
        for (detection, held) in detections.iter().enumerate() {
            let necessary = held.matcher.necessary();
            let bits = necessary.sources.iter().flatten();
            let bits = bits.fold(0, |bits, source| bits | index.bit_of(source.as_bytes()));
            let are_told_apart = index.by_source.len() <= SOURCES_TOLD_APART;
            let proven = necessary.sources.clone().filter(|_| are_told_apart);
            let listed = [Key::EventName, Key::EventSource];
            let members = necessary.members.iter().filter(|key| !listed.contains(key));
            let entry = Entry {
                detection,
                sources: if necessary.sources.is_some() { bits } else { u64::MAX },
                members: members.copied().collect(),
                rest: held.matcher.rest(&necessary.names, &proven),
            };
            match (necessary.names, necessary.sources) {
                (Some(names), _) => {
                    for name in names {
                        let list = index.by_name.entry(name.into_bytes().into()).or_default();
                        list.push(entry.clone());
                    }
                }
                (None, Some(sources)) => {
                    for source in sources {
                        if let Some(source) = index.by_source.get_mut(source.as_bytes()) {
                            source.entries.push(entry.clone());
                        }
                    }
                }
                (None, None) => index.always.push(entry),
            }
        }
        index
    }

    /// The bit of an event source.
    fn bit_of(&mut self, source: &[u8]) -> u64 {
        let bit = 1 << self.by_source.len().min(SOURCES_TOLD_APART);
        let source = self.by_source.entry(source.into());
        source.or_insert_with(|| Source { bit, entries: Vec::new() }).bit
    }

    /// Detections that the record could match.
    pub(crate) fn candidates<'i>(&'i self, fields: &Fields<'_, '_>) -> Candidates<'i> {
        let mut candidates = Candidates::new();
        let record = fields.record();
        let mut sources = 0;
        let mut consider = |entries: &'i [Entry], sources: u64| {
            for entry in entries {
                let source_fits = entry.sources == u64::MAX || entry.sources & sources != 0;
                if source_fits && entry.members.iter().all(|key| record.may_hold(*key)) {
                    candidates.push(entry);
                }
            }
        };
        each_lower(fields, Key::EventSource, &self.source, &mut |source| {
            if let Some(source) = self.by_source.get(source) {
                sources |= source.bit;
                consider(&source.entries, u64::MAX);
            }
        });
        each_lower(fields, Key::EventName, &self.name, &mut |name| {
            if let Some(entries) = self.by_name.get(name) {
                consider(entries, sources);
            }
        });
        consider(&self.always, u64::MAX);
        candidates.sort_unstable_by_key(|entry| entry.detection);
        candidates.dedup_by_key(|entry| entry.detection);
        candidates
    }
}

/// Visits the values of a field in lower case.
fn each_lower(fields: &Fields<'_, '_>, key: Key, path: &Path, visit: &mut dyn FnMut(&[u8])) {
    let mut lower: SmallVec<[u8; 64]> = SmallVec::new();
    let mut each = |text: &[u8]| {
        lower.clear();
        lower.extend_from_slice(text);
        lower.make_ascii_lowercase();
        visit(&lower);
    };
    if let Some(text) = fields.record().plain_text(key) {
        return each(text);
    }
    let _stopped = fields.visit(path, &mut |value| {
        if let Value::Text(text) | Value::Number(text) = value {
            each(text.as_bytes());
        }
        ControlFlow::Continue(())
    });
}

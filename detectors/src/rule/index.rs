//! Which detections a record could match at all, by its `eventName` and `eventSource`.
//!
//! Few records match a rule. Each detection stands in one list: by the event names it needs, else
//! by its event sources, else in the list that is always asked.

use std::collections::HashMap;
use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::Detection;
use crate::field::{Fields, Path};
use crate::record::Value;

/// The index of a [`RuleSet`](super::RuleSet).
#[derive(Debug)]
pub(crate) struct Index {
    name: Path,
    source: Path,
    by_name: Lists,
    by_source: Lists,
    always: Vec<usize>,
}

type Lists = HashMap<Box<[u8]>, Vec<usize>, RandomState>;

/// Detections to ask, in order.
pub(crate) type Candidates = SmallVec<[usize; 16]>;

impl Index {
    /// The index of these detections.
    pub(crate) fn of(detections: &[Detection]) -> Index {
        let path = |text| Path::parse(text).expect("a field of every record is a path");
        let mut index = Index {
            name: path("eventName"),
            source: path("eventSource"),
            by_name: Lists::default(),
            by_source: Lists::default(),
            always: Vec::new(),
        };
        for (place, detection) in detections.iter().enumerate() {
            let necessary = detection.matcher.necessary();
            let (lists, values) = match (necessary.names, necessary.sources) {
                (Some(names), _) => (&mut index.by_name, names),
                (None, Some(sources)) => (&mut index.by_source, sources),
                (None, None) => {
                    index.always.push(place);
                    continue;
                }
            };
            for value in values {
                lists.entry(value.into_bytes().into_boxed_slice()).or_default().push(place);
            }
        }
        index
    }

    /// Detections that the record could match.
    pub(crate) fn candidates(&self, fields: &Fields<'_, '_>) -> Candidates {
        let mut candidates = Candidates::from_slice(&self.always);
        for (path, lists) in [(&self.name, &self.by_name), (&self.source, &self.by_source)] {
            if lists.is_empty() {
                continue;
            }
            let _stopped = fields.visit(path, &mut |value| {
                if let Some(places) = look_up(lists, &value) {
                    candidates.extend_from_slice(places);
                }
                ControlFlow::Continue(())
            });
        }
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }
}

fn look_up<'l>(lists: &'l Lists, value: &Value<'_>) -> Option<&'l [usize]> {
    let (Value::Text(text) | Value::Number(text)) = value else {
        return None;
    };
    let mut lower: SmallVec<[u8; 128]> = text.as_bytes().into();
    lower.make_ascii_lowercase();
    lists.get(lower.as_slice()).map(Vec::as_slice)
}

//! Sigma filters: conditions added to the detections they name.

use super::fault::{Fault, Problem};
use super::load::{Body, Draft};
use super::names::{Names, fault, unknown};
use crate::matcher::Node;

/// Adds the condition of each filter to the detections it is for.
pub(crate) fn filter(drafts: &mut [Draft], names: &Names, faults: &mut Vec<Fault>) {
    let mut additions: Vec<(usize, Node, String)> = Vec::new();
    for draft in drafts.iter() {
        let Body::Filter { condition, source, rules } = &draft.body else {
            continue;
        };
        let targets: Vec<(usize, Option<usize>)> = match rules {
            None => (0..drafts.len()).map(|at| (at, None)).collect(),
            Some(rules) => rules
                .iter()
                .filter_map(|(name, line)| match names.get(name) {
                    Some(at) => Some((*at, Some(*line))),
                    None => {
                        faults.push(fault(draft, unknown(name, *line, names)));
                        None
                    }
                })
                .collect(),
        };
        for (at, line) in targets {
            let Some(target) = drafts.get(at) else {
                continue;
            };
            match (&target.body, line) {
                (Body::Detection { source: other, .. }, _) if source.covers(other) => {
                    additions.push((at, condition.clone(), draft.canonical.clone()));
                }
                (Body::Detection { .. }, Some(line)) => {
                    let reason =
                        format!("the filter's logsource is not that of rule `{}`", target.label());
                    faults.push(fault(draft, Problem::new(line, reason)));
                }
                (Body::Correlation(_) | Body::Filter { .. }, Some(line)) => {
                    let reason =
                        format!("a filter is for detections, and `{}` is none", target.label());
                    let problem = Problem::new(line, reason);
                    faults.push(fault(draft, problem.fix("name the detections it counts")));
                }
                _ => {}
            }
        }
    }
    for (at, addition, text) in additions {
        if let Some(target) = drafts.get_mut(at)
            && let Body::Detection { condition, .. } = &mut target.body
        {
            let own = std::mem::take(condition);
            *condition = Node::And(vec![own, addition]);
            target.canonical.push_str("&&");
            target.canonical.push_str(&text);
        }
    }
}

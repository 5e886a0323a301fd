//! What of a condition is left to ask, once a record's event source and name are known.

use std::sync::Arc;

use super::{Item, Matcher, Node, Scope};
use crate::field::Fields;
use crate::record::Record;

/// A condition of which event source and name are known.
enum Given {
    /// They decide it.
    Decided(bool),
    /// They leave this to ask.
    Left(Node),
}

impl Matcher {
    /// What of it is left to ask of records that have the event source and name of this one; none
    /// where no such record can satisfy it.
    pub(crate) fn given(&self, fields: &Fields<'_, '_>) -> Option<Matcher> {
        match self.root.given(Scope::Record(fields)) {
            Given::Decided(false) => None,
            Given::Decided(true) => Some(Matcher { root: Node::And(Vec::new()) }),
            Given::Left(root) => Some(Matcher::new(root)),
        }
    }

    /// Whether a record of this event source and name could satisfy it. What a test asks of any
    /// other field may be so or not.
    #[must_use]
    pub fn could_fit(&self, event_source: &str, event_name: &str) -> bool {
        let record = serde_json::json!({
            "eventTime": "2026-01-01T00:00:00Z",
            "eventSource": event_source,
            "eventName": event_name,
        });
        let bytes = record.to_string();
        let Ok(record) = Record::decode(bytes.as_bytes()) else { return false };
        self.given(&Fields::of(&record)).is_some()
    }

    /// Whether it asks for operations by name; else it may fit any of its services.
    #[must_use]
    pub fn names_operations(&self) -> bool {
        self.necessary().names.is_some()
    }
}

impl Node {
    fn given(&self, scope: Scope<'_, '_, '_>) -> Given {
        match self {
            Node::And(nodes) => at_least(nodes.len(), nodes, scope),
            Node::Or(nodes) => at_least(1, nodes, scope),
            Node::AtLeast(n, nodes) => at_least(*n, nodes, scope),
            Node::Not(node) => match node.given(scope) {
                Given::Decided(holds) => Given::Decided(!holds),
                Given::Left(node) => Given::Left(Node::Not(Box::new(node))),
            },
            Node::Selection(selection) => selection.body.given(scope),
            Node::Item(item) if item.is_vain() => Given::Decided(false),
            Node::Item(item) if item.asks_for_operation() => Given::Decided(item.holds(scope)),
            Node::Item(_) | Node::Once(..) | Node::Each(_) => Given::Left(self.clone()),
        }
    }
}

/// Most tests whose answers are kept for one record.
const SHARED_MAX: usize = 64;

/// Has tests that stand in several of these conditions asked once a record. All that is asked of a
/// record by number must have been shared together.
pub(crate) fn share(conditions: &mut [&mut Matcher]) {
    weaken_looks(conditions);
    let mut tests: Vec<(Arc<Item>, usize)> = Vec::new();
    for condition in conditions.iter_mut() {
        condition.root.each_test(&mut |node| {
            let Node::Item(item) = node else { return };
            match tests.iter_mut().find(|(known, _)| known.is_same(item)) {
                Some((_, count)) => *count += 1,
                None => tests.push((item.clone(), 1)),
            }
        });
    }
    tests.retain(|(_, count)| *count > 1);
    tests.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    tests.truncate(SHARED_MAX);
    for condition in conditions {
        condition.root.each_test(&mut |node| {
            let Node::Item(item) = node else { return };
            let place = tests.iter().position(|(known, _)| known.is_same(item));
            if let Some(number) = place.and_then(|place| u8::try_from(place).ok()) {
                *node = Node::Once(number, item.clone());
            }
        });
    }
}

/// Has a look for traces taken with another that finds at least as much, so that both are one.
fn weaken_looks(conditions: &mut [&mut Matcher]) {
    let mut looks: Vec<Arc<Item>> = Vec::new();
    for condition in conditions.iter_mut() {
        condition.root.each_test(&mut |node| match node {
            Node::Item(item) if item.is_trace() => looks.push(item.clone()),
            _ => {}
        });
    }
    let finds = |look: &Arc<Item>| looks.iter().filter(|other| other.is_found_by(look)).count();
    let found: Vec<usize> = looks.iter().map(finds).collect();
    for condition in conditions {
        condition.root.each_test(&mut |node| {
            let Node::Item(item) = node else { return };
            let weaker = looks.iter().zip(&found).filter(|(look, _)| item.is_found_by(look));
            if let Some((weakest, _)) = weaker.max_by_key(|(_, found)| **found) {
                *item = weakest.clone();
            }
        });
    }
}

impl Node {
    /// Visits every test of a field of the record.
    fn each_test(&mut self, visit: &mut dyn FnMut(&mut Node)) {
        match self {
            Node::And(nodes) | Node::Or(nodes) | Node::AtLeast(_, nodes) => {
                nodes.iter_mut().for_each(|node| node.each_test(visit));
            }
            Node::Not(node) => node.each_test(visit),
            Node::Item(_) | Node::Once(..) => visit(self),
            // What `given` leaves has no selections any more.
            Node::Selection(_) | Node::Each(_) => {}
        }
    }
}

/// What is left of it that at least so many of `nodes` hold.
fn at_least(least: usize, nodes: &[Node], scope: Scope<'_, '_, '_>) -> Given {
    let (mut least, mut left) = (least, Vec::new());
    for node in nodes {
        match node.given(scope) {
            Given::Decided(true) => least = least.saturating_sub(1),
            Given::Decided(false) => {}
            Given::Left(node) => left.push(node),
        }
    }
    match (least, left.len()) {
        (0, _) => Given::Decided(true),
        (least, len) if least > len => Given::Decided(false),
        (1, 1) => left.pop().map_or(Given::Decided(false), Given::Left),
        (1, _) => Given::Left(Node::Or(left)),
        (least, len) if least == len => Given::Left(Node::And(left)),
        (least, _) => Given::Left(Node::AtLeast(least, left)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::rule::{Document, Environment, RuleSet};

    fn could(detection: &str, source: &str, name: &str) -> bool {
        let text = format!(
            "title: t\nlogsource: {{product: aws, service: cloudtrail}}\ndetection: {detection}\n"
        );
        let document = Document { path: "r.yml".into(), text };
        let rules = RuleSet::load(&[document], &Environment::default()).unwrap();
        rules.detections[0].matcher.could_fit(source, name)
    }

    #[test]
    fn names_decide_and_other_fields_may_be_anything() {
        let two = "{s: {eventSource: a, eventName: [X, Y*], errorCode|exists: true}, condition: s}";
        assert!(could(two, "a", "x"));
        assert!(could(two, "A", "Yes"));
        assert!(!could(two, "b", "X"));
        assert!(!could(two, "a", "Z"));
        let but = "{s: {eventSource: a}, f: {eventName: X}, condition: s and not f}";
        assert!(could(but, "a", "Y"));
        assert!(!could(but, "a", "X"));
        let maybe = "{s: {eventSource: a}, f: {eventName: X, readOnly: true}, \
                     condition: s and not f}";
        assert!(could(maybe, "a", "X"));
        let of = "{s1: {eventSource: a}, s2: {eventName: X}, s3: {eventID: '1'}, \
                  condition: 2 of s*}";
        assert!(could(of, "a", "X"));
        assert!(could(of, "a", "Z"));
        assert!(!could(of, "b", "Z"));
    }
}

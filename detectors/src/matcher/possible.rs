//! Whether a record of one operation could satisfy a condition, whatever else stands in it.

use super::{Matcher, Node, Place, Scope};
use crate::field::Fields;
use crate::record::Record;

impl Matcher {
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
        let fields = Fields::of(&record);
        self.root.known(Scope::Record(&fields)) != Some(false)
    }

    /// Whether it asks for operations by name; else it may fit any of its services.
    #[must_use]
    pub fn names_operations(&self) -> bool {
        self.necessary().names.is_some()
    }
}

impl Node {
    /// Whether it holds, where event name and source alone decide it.
    fn known(&self, scope: Scope<'_, '_, '_>) -> Option<bool> {
        let count = |nodes: &[Node], verdict: Option<bool>| {
            nodes.iter().filter(|node| node.known(scope) == verdict).count()
        };
        match self {
            Node::And(nodes) => at_least(nodes.len(), nodes.len(), &count, nodes),
            Node::Or(nodes) => at_least(1, nodes.len(), &count, nodes),
            Node::AtLeast(n, nodes) => at_least(*n, nodes.len(), &count, nodes),
            Node::Not(node) => node.known(scope).map(|holds| !holds),
            Node::Selection(selection) => selection.body.known(scope),
            Node::Item(item) => match &item.place {
                Place::Field(path) if matches!(path.as_str(), "eventName" | "eventSource") => {
                    let refers = item.modifiers.split('|').any(|modifier| modifier == "fieldref");
                    (!refers).then(|| item.holds(scope))
                }
                _ => None,
            },
            Node::Each(_) => None,
        }
    }
}

/// Whether at least `least` of `nodes` hold.
fn at_least(
    least: usize,
    len: usize,
    count: &dyn Fn(&[Node], Option<bool>) -> usize,
    nodes: &[Node],
) -> Option<bool> {
    if count(nodes, Some(true)) >= least {
        Some(true)
    } else if len - count(nodes, Some(false)) < least {
        Some(false)
    } else {
        None
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

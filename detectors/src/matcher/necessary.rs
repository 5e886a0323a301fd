//! What a record must hold for a condition to have any chance: the ground of the index.

use std::collections::BTreeSet;

use super::{Node, Place};
use crate::record::Key;

/// What a matching record must hold: values in lower case, of which it must hold one (`None` where
/// anything may do), and top-level members that must lead somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Necessary {
    /// Of `eventName`.
    pub(crate) names: Option<BTreeSet<String>>,
    /// Of `eventSource`.
    pub(crate) sources: Option<BTreeSet<String>>,
    /// Members that must be there and not null.
    pub(crate) members: BTreeSet<Key>,
}

impl Necessary {
    /// What `node` demands: of an `and` the narrowest demand of its parts, of an `or` the union of
    /// all of them if each has one, of a `not` nothing.
    pub(crate) fn of(node: &Node) -> Necessary {
        match node {
            Node::And(nodes) => {
                nodes.iter().map(Necessary::of).fold(Necessary::default(), |a, b| Necessary {
                    names: narrower(a.names, b.names),
                    sources: narrower(a.sources, b.sources),
                    members: &a.members | &b.members,
                })
            }
            Node::Or(nodes) | Node::AtLeast(1.., nodes) => nodes
                .iter()
                .map(Necessary::of)
                .reduce(|a, b| Necessary {
                    names: union(a.names, b.names),
                    sources: union(a.sources, b.sources),
                    members: &a.members & &b.members,
                })
                .unwrap_or_else(|| Necessary {
                    names: Some(BTreeSet::new()),
                    sources: Some(BTreeSet::new()),
                    members: BTreeSet::new(),
                }),
            Node::Selection(selection) => Necessary::of(&selection.body),
            Node::Item(item) => match &item.place {
                Place::Field(path) => Necessary {
                    names: item.exact().filter(|_| path.as_str() == "eventName"),
                    sources: item.exact().filter(|_| path.as_str() == "eventSource"),
                    members: path.member().filter(|_| item.needs_value()).into_iter().collect(),
                },
                Place::Within(_) | Place::Everywhere => Necessary::default(),
            },
            Node::AtLeast(0, _) | Node::Not(_) | Node::Each(_) => Necessary::default(),
        }
    }
}

pub(crate) type Values = Option<BTreeSet<String>>;

fn narrower(a: Values, b: Values) -> Values {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.len() < a.len() { b } else { a }),
        (a, b) => a.or(b),
    }
}

fn union(a: Values, b: Values) -> Values {
    let (mut a, b) = (a?, b?);
    a.extend(b);
    Some(a)
}

/// What of `node` is still to be asked of a record whose `eventName` is one of `names` and whose
/// `eventSource` is one of `sources` (`None` where that is not known); nothing, if that is all.
pub(crate) fn rest(node: &Node, names: &Values, sources: &Values) -> Option<Node> {
    match node {
        Node::And(nodes) => {
            let mut left: Vec<Node> =
                nodes.iter().filter_map(|node| rest(node, names, sources)).collect();
            if left.len() > 1 { Some(Node::And(left)) } else { left.pop() }
        }
        Node::Selection(selection) => rest(&selection.body, names, sources),
        Node::Item(item) => {
            let known = match &item.place {
                Place::Field(path) if path.as_str() == "eventName" => names,
                Place::Field(path) if path.as_str() == "eventSource" => sources,
                _ => &None,
            };
            let is_proven =
                known.as_ref().zip(item.any_of()).is_some_and(|(k, any)| k.is_subset(&any));
            (!is_proven).then(|| node.clone())
        }
        _ => Some(node.clone()),
    }
}

//! What a record must hold for a condition to have any chance.

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
            Node::Item(item) | Node::Once(_, item) => match &item.place {
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

type Values = Option<BTreeSet<String>>;

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

//! A compiled Sigma condition.
//!
//! A [`Matcher`] is a tree of `and`, `or` and `not` over tests of fields. `rule` builds it; here it
//! is asked. Tests on cheap fields are asked first. Nothing a record holds can make it fail or go
//! deep: the tree's depth is the rule's, and values are entered to a fixed depth.

mod encode;
mod explain;
mod given;
mod item;
mod modifier;
mod necessary;
mod network;
mod number;
mod scope;
mod seeker;
mod text;
mod trace;
mod wanted;

use std::sync::Arc;

pub use explain::Explained;
pub(crate) use given::share;
pub(crate) use item::Item;
pub(crate) use modifier::{Modifiers, NAMES as MODIFIER_NAMES};
pub(crate) use necessary::Necessary;
pub(crate) use scope::{Place, Scope};
pub(crate) use seeker::Seekers;
pub(crate) use wanted::Wish;

use crate::field::Fields;
use crate::record::Value;

/// A condition over the fields of one record. The default one holds for none.
#[derive(Debug, Clone, Default)]
pub struct Matcher {
    root: Node,
}

impl Matcher {
    /// The condition `root`, cheapest tests first.
    pub(crate) fn new(mut root: Node) -> Matcher {
        root.order();
        Matcher { root }
    }

    /// Whether the record satisfies it.
    #[must_use]
    pub fn fits(&self, fields: &Fields<'_, '_>) -> bool {
        self.root.holds(Scope::Record(fields))
    }

    /// Test by test, why the record satisfies it or not.
    #[must_use]
    pub fn explain(&self, fields: &Fields<'_, '_>) -> Vec<Explained> {
        explain::explain(&self.root, fields)
    }

    /// Values without which it cannot be satisfied.
    pub(crate) fn necessary(&self) -> Necessary {
        Necessary::of(&self.root)
    }
}

/// A condition, or a part of one.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// All of these.
    And(Vec<Node>),
    /// Any of these; of none, never.
    Or(Vec<Node>),
    /// Not this.
    Not(Box<Node>),
    /// At least so many of these (`2 of selection_*`).
    AtLeast(usize, Vec<Node>),
    /// A named selection, shared by all that refer to it.
    Selection(Arc<Selection>),
    /// A test of one field.
    Item(Arc<Item>),
    /// The same, asked by several conditions of one record: its answer is kept under this number.
    Once(u8, Arc<Item>),
    /// A condition on the elements of an array (`x[any].y`).
    Each(Arc<Each>),
}

/// A selection of a detection, by name.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) name: String,
    pub(crate) body: Node,
}

impl Selection {
    /// A selection, cheapest tests first.
    pub(crate) fn new(name: &str, mut body: Node) -> Selection {
        body.order();
        Selection { name: name.to_owned(), body }
    }
}

/// A condition on the elements of an array.
#[derive(Debug, Clone)]
pub(crate) struct Each {
    /// Where the array is.
    pub(crate) array: Place,
    pub(crate) quantifier: Quantifier,
    /// Asked of one element.
    pub(crate) body: Node,
}

/// How many elements must satisfy an [`Each`]. A value that is no array counts as an array of one;
/// null, an empty array and nothing as an array of none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// At least one.
    Any,
    /// All, and there is one.
    All,
    /// All, if there are any.
    AllOrEmpty,
    /// Not one.
    None,
    /// The one at this place; negative counts from the end.
    At(i64),
}

impl Default for Node {
    fn default() -> Node {
        Node::Or(Vec::new())
    }
}

impl Node {
    /// Whether it holds within `scope`.
    fn holds(&self, scope: Scope<'_, '_, '_>) -> bool {
        match self {
            Node::And(all) => all.iter().all(|node| node.holds(scope)),
            Node::Or(any) => any.iter().any(|node| node.holds(scope)),
            Node::Not(node) => !node.holds(scope),
            Node::AtLeast(n, nodes) => {
                nodes.iter().filter(|node| node.holds(scope)).take(*n).count() == *n
            }
            Node::Selection(selection) => selection.body.holds(scope),
            Node::Item(item) => item.holds(scope),
            Node::Once(number, item) => match scope {
                Scope::Record(fields) => fields.once(*number, || item.holds(scope)),
                Scope::Element(_) => item.holds(scope),
            },
            Node::Each(each) => each.holds(scope),
        }
    }

    /// Puts cheap tests first.
    fn order(&mut self) {
        match self {
            Node::And(nodes) | Node::Or(nodes) | Node::AtLeast(_, nodes) => {
                nodes.iter_mut().for_each(Node::order);
                nodes.sort_by_key(Node::cost);
            }
            Node::Not(node) => node.order(),
            Node::Selection(_) | Node::Item(_) | Node::Once(..) | Node::Each(_) => {}
        }
    }

    /// What it costs to ask, roughly: a sum over its tests.
    fn cost(&self) -> u32 {
        match self {
            Node::And(nodes) | Node::Or(nodes) | Node::AtLeast(_, nodes) => {
                nodes.iter().fold(0, |sum, node| node.cost().saturating_add(sum))
            }
            Node::Not(node) => node.cost(),
            Node::Selection(selection) => selection.body.cost(),
            Node::Item(item) | Node::Once(_, item) => item.cost(),
            Node::Each(each) => each.array.cost().saturating_add(each.body.cost()),
        }
    }
}

impl Each {
    /// A condition on the elements of an array, cheapest tests first.
    pub(crate) fn new(array: Place, quantifier: Quantifier, mut body: Node) -> Each {
        body.order();
        Each { array, quantifier, body }
    }

    fn holds(&self, scope: Scope<'_, '_, '_>) -> bool {
        let fits = |value: &Value<'_>| self.body.holds(Scope::Element(value));
        let (mut some, mut all) = (false, true);
        let mut ask = |value: &Value<'_>, decided: bool| {
            let holds = fits(value);
            some |= holds;
            all &= holds;
            holds == decided
        };
        match self.quantifier {
            Quantifier::Any => scope.any_element(&self.array, &mut |value| ask(value, true)),
            Quantifier::None => !scope.any_element(&self.array, &mut |value| ask(value, true)),
            Quantifier::All => {
                !scope.any_element(&self.array, &mut |value| ask(value, false)) && some
            }
            Quantifier::AllOrEmpty => {
                !scope.any_element(&self.array, &mut |value| ask(value, false))
            }
            Quantifier::At(place) => scope.element_at(&self.array, place, &mut |value| fits(value)),
        }
    }
}

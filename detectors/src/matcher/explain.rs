//! Why a record satisfies a condition or not, test by test.

use std::ops::ControlFlow;

use super::scope::Scope;
use super::wanted::text_of;
use super::{Each, Item, Node, Quantifier};
use crate::field::Fields;
use crate::record::Value;

/// Most values of one field that are shown.
const FOUND_MAX: usize = 8;

/// One test of a condition on one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The selection it stands in; empty for a part of a condition that has no name.
    pub selection: String,
    /// The field, as written; array selectors included.
    pub field: String,
    /// Its modifiers, as written: `contains|all`.
    pub modifiers: String,
    /// The values asked for, lists filled in.
    pub wanted: Vec<String>,
    /// The first values found.
    pub found: Vec<String>,
    /// Whether the test holds.
    pub holds: bool,
    /// Whether the condition wants it not to hold: it stands under an odd number of `not`.
    pub is_negated: bool,
}

/// Each selection once as wanted and once as refused, in the order in which the condition asks.
pub(crate) fn explain(root: &Node, fields: &Fields<'_, '_>) -> Vec<Explained> {
    let mut done = Vec::new();
    let mut all = Vec::new();
    let mut walk = Walk { scope: Scope::Record(fields), done: &mut done, all: &mut all };
    walk.node(root, "", false);
    all
}

/// On the way through a condition.
struct Walk<'w, 's, 'r, 'b> {
    scope: Scope<'s, 'r, 'b>,
    /// Selections told, with whether they were negated: one may be wanted here and refused there.
    done: &'w mut Vec<(String, bool)>,
    all: &'w mut Vec<Explained>,
}

impl Walk<'_, '_, '_, '_> {
    fn node(&mut self, node: &Node, selection: &str, is_negated: bool) {
        match node {
            Node::And(nodes) | Node::Or(nodes) | Node::AtLeast(_, nodes) => {
                nodes.iter().for_each(|node| self.node(node, selection, is_negated));
            }
            Node::Not(node) => self.node(node, selection, !is_negated),
            Node::Selection(named) => {
                let told = (named.name.clone(), is_negated);
                if !self.done.contains(&told) {
                    self.done.push(told);
                    self.node(&named.body, &named.name, is_negated);
                }
            }
            Node::Item(item) | Node::Once(_, item) => self.all.push(Explained {
                selection: selection.to_owned(),
                field: item.place.name(),
                modifiers: item.modifiers.clone(),
                wanted: item.wishes.iter().map(ToString::to_string).collect(),
                found: found(item, self.scope),
                holds: item.holds(self.scope),
                is_negated,
            }),
            Node::Each(each) => self.all.push(Explained {
                selection: selection.to_owned(),
                field: each.name(),
                modifiers: String::new(),
                wanted: wanted(&each.body),
                found: elements(each, self.scope),
                holds: each.holds(self.scope),
                is_negated,
            }),
        }
    }
}

impl Each {
    fn name(&self) -> String {
        let quantifier = match self.quantifier {
            Quantifier::Any => "any".to_owned(),
            Quantifier::All => "all".to_owned(),
            Quantifier::AllOrEmpty => "all_or_empty".to_owned(),
            Quantifier::None => "none".to_owned(),
            Quantifier::At(place) => place.to_string(),
        };
        format!("{}[{quantifier}]", self.array.name())
    }
}

fn found(item: &Item, scope: Scope<'_, '_, '_>) -> Vec<String> {
    let mut found = Vec::new();
    let _stopped = scope.visit(&item.place, &mut |value| {
        found.push(shown(&value));
        enough(&found)
    });
    found
}

fn elements(each: &Each, scope: Scope<'_, '_, '_>) -> Vec<String> {
    let mut found = Vec::new();
    scope.any_element(&each.array, &mut |value| {
        found.push(shown(value));
        enough(&found).is_break()
    });
    found
}

fn enough(found: &[String]) -> ControlFlow<()> {
    if found.len() < FOUND_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

/// What is asked of an element, in words.
fn wanted(body: &Node) -> Vec<String> {
    let mut all = Vec::new();
    collect(body, &mut all);
    all
}

fn collect(node: &Node, all: &mut Vec<String>) {
    match node {
        Node::And(nodes) | Node::Or(nodes) | Node::AtLeast(_, nodes) => {
            nodes.iter().for_each(|node| collect(node, all));
        }
        Node::Not(node) => collect(node, all),
        Node::Selection(selection) => collect(&selection.body, all),
        Node::Each(each) => collect(&each.body, all),
        Node::Item(item) | Node::Once(_, item) => {
            let field = item.place.name();
            let bar = if item.modifiers.is_empty() { "" } else { "|" };
            let values: Vec<String> = item.wishes.iter().map(ToString::to_string).collect();
            let values = values.join(", ");
            all.push(format!("{field}{bar}{}: {values}", item.modifiers));
        }
    }
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Missing => "nothing".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Array(_) => "[..]".to_owned(),
        Value::Object(_) => "{..}".to_owned(),
        value => text_of(value).unwrap_or_default().to_owned(),
    }
}

//! Lists that rules name as `%name%`: who names them, and what is in them.

use std::collections::BTreeSet;

use super::Rule;
use super::document::{self, Content, Document, Node};
use super::item::placeholder;
use super::link::Linker;
use super::load::Body;

/// The list of codes of SCP rules (`[environment] scps_in_force`) whose policies are in force: those
/// rules alert, because what they see should be impossible; all others are findings of posture.
pub const SCPS_IN_FORCE: &str = "scps_in_force";

/// The list of networks that are our own (`[environment] own_networks`): what comes from them has
/// `floodmark.source_class: own`.
pub const OWN_NETWORKS: &str = "own_networks";

/// The list of AWS's published ranges (`[environment] aws_networks`): what comes from them has
/// `floodmark.source_class: aws`.
pub const AWS_NETWORKS: &str = "aws_networks";

/// That a rule names a list of the environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListUse {
    /// The list, without percent signs.
    pub list: String,
    /// Code, name or title of the rule that speaks by it.
    pub rule: String,
    /// How many values it has.
    pub len: usize,
    /// What the rule means while the list is empty, in words; `None` where it has values.
    pub empty: Option<String>,
}

/// Every list that these documents name, whether or not they can be loaded.
#[must_use]
pub fn lists_named(documents: &[Document]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for document in documents {
        for page in document::read(&document.text).0 {
            gather(&page.root, &mut names);
        }
    }
    names
}

fn gather(node: &Node, names: &mut BTreeSet<String>) {
    match &node.content {
        Content::Scalar(_) => {}
        Content::List(nodes) => nodes.iter().for_each(|node| gather(node, names)),
        Content::Map(entries) => {
            for entry in entries {
                if is_expanded(&entry.key) {
                    let texts = entry.value.elements().iter().filter_map(Node::text);
                    let found = texts.filter_map(|text| placeholder(text));
                    names.extend(found.map(|(_, name, _)| name.to_owned()));
                }
                gather(&entry.value, names);
            }
        }
    }
}

/// Whether a key of a selection has the modifier `expand`.
pub(crate) fn is_expanded(key: &str) -> bool {
    key.split('|').skip(1).any(|modifier| modifier == "expand")
}

impl Linker<'_> {
    /// Who names which list of the environment.
    pub(super) fn lists(&self, rules: &[Rule]) -> Vec<ListUse> {
        let mut uses = Vec::new();
        for (at, draft) in self.drafts.iter().enumerate() {
            let own_rule = self.rule_of.get(at).copied().flatten().and_then(|at| rules.get(at));
            for (list, len) in &draft.lists {
                let meaning = own_rule.map(|rule| rule.card.mark.clone());
                let empty = meaning.filter(|_| *len == 0);
                uses.extend(self.speakers(at).into_iter().map(|rule| ListUse {
                    list: list.clone(),
                    rule,
                    len: *len,
                    empty: empty.clone(),
                }));
            }
        }
        uses.sort_unstable();
        uses.dedup();
        uses
    }

    /// What the rules are called that speak by way of a draft.
    fn speakers(&self, at: usize) -> Vec<String> {
        let mut speakers = Vec::new();
        let mut seen = vec![false; self.drafts.len()];
        let mut ahead = vec![at];
        while let Some(at) = ahead.pop() {
            let (Some(draft), Some(seen)) = (self.drafts.get(at), seen.get_mut(at)) else {
                continue;
            };
            if !std::mem::replace(seen, true) {
                if self.speaks(at) || matches!(draft.body, Body::Filter { .. }) {
                    let code = draft.card.code.as_deref();
                    speakers.push(code.unwrap_or_else(|| draft.label()).to_owned());
                }
                ahead.extend(self.parents.get(at).into_iter().flatten());
            }
        }
        speakers.sort_unstable();
        speakers
    }
}

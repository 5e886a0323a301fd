//! Lists that rules name as `%name%`: who names them, and what is in them.

use std::collections::BTreeSet;

use super::document::{self, Content, Document, Node};
use super::item::placeholder;

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

//! What was done: calls by operation, and what they made, changed and removed.

use serde::Serialize;

use super::resource::{Resource, subjects};
use super::{ANSWERS_MAX, Fact, add, owned};

/// One operation, and how often the evidence has it.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Operation {
    pub(crate) source: String,
    pub(crate) name: String,
    pub(crate) events: u64,
    /// Error codes, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<String>,
}

/// Operations in order of appearance.
pub(crate) fn operations(facts: &[Fact]) -> Vec<Operation> {
    let mut found: Vec<Operation> = Vec::new();
    for fact in facts {
        let Some(name) = fact.text("/eventName") else { continue };
        let source = fact.text("/eventSource").unwrap_or_default();
        let place = found.iter().position(|known| known.name == name && known.source == source);
        let place = match place {
            Some(place) => place,
            None if found.len() == ANSWERS_MAX => continue,
            None => {
                let (source, name) = (source.to_owned(), name.to_owned());
                found.push(Operation { source, name, events: 0, errors: Vec::new() });
                found.len() - 1
            }
        };
        if let Some(operation) = found.get_mut(place) {
            operation.events += 1;
            if let Some(error) = fact.text("/errorCode") {
                add(&mut operation.errors, error.to_owned());
            }
        }
    }
    found
}

/// What a call does to what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Change,
    Delete,
}

const CREATE: [&str; 10] = [
    "Create", "Run", "Register", "Import", "Copy", "Publish", "Upload", "Allocate", "Issue",
    "Request",
];
const DELETE: [&str; 9] = [
    "Delete",
    "Terminate",
    "Deregister",
    "BatchDelete",
    "Remove",
    "Destroy",
    "Release",
    "Revoke",
    "ScheduleKeyDeletion",
];
const READ: [&str; 15] = [
    "Describe",
    "Get",
    "List",
    "BatchGet",
    "BatchDescribe",
    "Head",
    "Search",
    "Lookup",
    "Query",
    "Invoke",
    "Render",
    "Scan",
    "Select",
    "View",
    "Decrypt",
];

impl Verb {
    /// By the name of the operation; none for one that only reads or gives access.
    pub(crate) fn of(fact: &Fact) -> Option<Verb> {
        let name = fact.text("/eventName")?;
        let begins = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
        if fact.flag("/readOnly") == Some(true) || name.starts_with("CreatePresigned") {
            None
        } else if begins(&DELETE) {
            Some(Verb::Delete)
        } else if begins(&READ) {
            None
        } else if begins(&CREATE) {
            Some(Verb::Create)
        } else {
            Some(Verb::Change)
        }
    }
}

/// One resource that a call made, changed or removed.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Change {
    /// ARN, else the name as the request gives it.
    pub(crate) uid: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    pub(crate) operation: String,
    pub(crate) time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
}

/// What calls of this kind did, those that failed left out.
pub(crate) fn changes(facts: &[Fact], verb: Verb) -> Vec<Change> {
    let mut found = Vec::new();
    for fact in facts.iter().filter(|fact| !fact.failed() && Verb::of(fact) == Some(verb)) {
        for Resource { uid, kind, .. } in subjects(fact) {
            let change = Change {
                uid,
                kind,
                operation: fact.text("/eventName").unwrap_or_default().to_owned(),
                time: fact.time.to_string(),
                event: owned(fact.text("/eventID")),
            };
            add(&mut found, change);
        }
    }
    found
}

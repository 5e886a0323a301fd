//! A row of the lease table, and the writes that change it.

use std::collections::BTreeMap;

use super::position::Position;
use crate::source::batch::Handover;

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The shard's id.
    pub(super) key: String,
    /// Who reads it, if anybody does.
    pub(super) owner: Option<String>,
    /// Rises with every write of an owner.
    pub(super) counter: u64,
    /// How far the shard is done, durably.
    pub(super) checkpoint: Position,
    /// What its next reader needs beside that, if it is noted with it.
    pub(super) handover: Option<Handover>,
    /// How often the owner changed since that was written.
    pub(super) owner_switches: u64,
    /// Shards that were split or merged into it.
    pub(super) parents: Vec<String>,
    /// Shards that it was split or merged into.
    pub(super) children: Vec<String>,
    /// Its range of hash keys, decimal.
    pub(super) hash_range: Option<(String, String)>,
}

/// How far a shard is done, durably, and what its next reader needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) checkpoint: Position,
    pub(super) handover: Option<Handover>,
}

/// A conditional write. Each is refused if the row has changed since it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Write {
    /// A row that is not there yet.
    Create(Row),
    /// The lease is ours from now on.
    Take { key: String, owner_was: Option<String>, counter_was: u64 },
    /// It is still ours, and so far done.
    Renew { key: String, counter_was: u64, done: Option<Done>, children: Vec<String> },
    /// It is ours no more, and so far done. Whatever its counter: as long as we own it, nobody else
    /// has written, and a renewal of ours that is still on its way comes to nothing.
    Release { key: String, done: Option<Done> },
    /// The row of a shard that the stream has forgotten.
    Delete { key: String, counter_was: u64 },
}

impl Row {
    /// How far it says that the shard is done.
    pub(super) fn done(&self) -> Done {
        Done { checkpoint: self.checkpoint.clone(), handover: self.handover.clone() }
    }

    fn is_done(&mut self, done: Option<&Done>) {
        if let Some(Done { checkpoint, handover }) = done.cloned() {
            (self.checkpoint, self.handover, self.owner_switches) = (checkpoint, handover, 0);
        }
    }
}

impl Write {
    pub(super) fn key(&self) -> &str {
        match self {
            Write::Create(row) => &row.key,
            Write::Take { key, .. }
            | Write::Renew { key, .. }
            | Write::Release { key, .. }
            | Write::Delete { key, .. } => key,
        }
    }

    /// What it means for the rows of a table, written by the worker `me`.
    pub(super) fn apply(&self, rows: &mut BTreeMap<String, Row>, me: &str) -> Answer {
        let found = rows.get(self.key()).cloned();
        let is_mine =
            |row: &Row, counter: u64| row.counter == counter && row.owner.as_deref() == Some(me);
        match (self, found) {
            (Write::Create(row), None) => {
                rows.insert(row.key.clone(), row.clone());
            }
            (Write::Take { owner_was, counter_was, .. }, Some(mut row))
                if row.counter == *counter_was && row.owner == *owner_was =>
            {
                row.counter += 1;
                row.owner_switches += switches(owner_was.as_deref(), me);
                row.owner = Some(me.to_owned());
                rows.insert(row.key.clone(), row);
            }
            (Write::Renew { counter_was, done, children, .. }, Some(mut row))
                if is_mine(&row, *counter_was) =>
            {
                row.counter += 1;
                row.is_done(done.as_ref());
                if !children.is_empty() {
                    row.children = children.clone();
                }
                rows.insert(row.key.clone(), row);
            }
            (Write::Release { done, .. }, Some(mut row)) if row.owner.as_deref() == Some(me) => {
                row.counter += 1;
                row.owner = None;
                row.is_done(done.as_ref());
                rows.insert(row.key.clone(), row);
            }
            (Write::Delete { key, counter_was }, Some(row)) if row.counter == *counter_was => {
                rows.remove(key);
            }
            (_, found) => return Answer::Refused(found.map(Box::new)),
        }
        Answer::Done
    }
}

/// How a write went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The row is as the write has it.
    Done,
    /// The row is another: this one, or none at all.
    Refused(Option<Box<Row>>),
    /// Nobody knows: no answer came.
    Unknown,
}

/// By how much taking a lease raises the count of its owners.
pub(super) fn switches(owner_was: Option<&str>, me: &str) -> u64 {
    u64::from(owner_was.is_some_and(|owner| owner != me))
}

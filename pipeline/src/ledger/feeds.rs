//! When each feed that rules need was seen last.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{Ledger, LedgerError};

impl Ledger {
    /// By feed, milliseconds of wall-clock time; of one that never was, since when it is needed.
    pub fn feeds(&self) -> Result<BTreeMap<Box<str>, i64>, LedgerError> {
        self.with(|connection| {
            let mut select = connection.prepare("SELECT name, seen_ms FROM feeds")?;
            let rows = select.query_map([], |row| {
                let name: String = row.get(0)?;
                Ok((name.into_boxed_str(), row.get(1)?))
            })?;
            rows.collect()
        })
    }

    /// Keeps these, and forgets all others.
    pub fn keep_feeds(&self, seen_ms: &BTreeMap<Box<str>, i64>) -> Result<(), LedgerError> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            transaction.execute("DELETE FROM feeds", [])?;
            {
                let mut insert = transaction
                    .prepare_cached("INSERT INTO feeds (name, seen_ms) VALUES (?1, ?2)")?;
                for (name, seen_ms) in seen_ms {
                    insert.execute(params![name.as_ref(), seen_ms])?;
                }
            }
            transaction.commit()
        })
    }
}

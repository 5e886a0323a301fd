//! How far each sink is, and what may be forgotten.

use rusqlite::{Connection, params};

use super::{Ledger, LedgerError};

/// A sink's place in the order of what was said.
#[derive(Debug, Clone)]
pub struct Cursor {
    ledger: Ledger,
    sink: String,
    /// The last alert that the sink has, or would not take.
    pub sequence: i64,
}

/// How a sink stands to one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has it.
    Delivered,
    /// It is to get it.
    Waiting,
    /// It would not take it, and why.
    Refused(String),
    /// The alert was said before the sink was configured.
    Earlier,
}

/// What a sink does not have yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// How many alerts.
    pub count: u64,
    /// When the oldest of them was said, ms of wall-clock time.
    pub oldest_ms: Option<i64>,
}

impl Ledger {
    /// How each sink stands to the alert at a place, by name.
    pub fn standings(&self, sequence: i64) -> Result<Vec<(String, Standing)>, LedgerError> {
        self.with(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT name, sinks.sequence, since, reason FROM sinks
                 LEFT JOIN refused ON refused.sink = sinks.name AND refused.sequence = ?1
                 ORDER BY name",
            )?;
            let standing = |row: &rusqlite::Row<'_>| {
                let (upto, since): (i64, i64) = (row.get(1)?, row.get(2)?);
                let standing = match row.get(3)? {
                    Some(reason) => Standing::Refused(reason),
                    None if sequence <= since => Standing::Earlier,
                    None if sequence <= upto => Standing::Delivered,
                    None => Standing::Waiting,
                };
                Ok((row.get(0)?, standing))
            };
            select.query_map([sequence], standing)?.collect()
        })
    }

    /// The cursor of a sink. A sink that is new begins with what is said from now on.
    pub fn cursor(&self, sink: &str) -> Result<Cursor, LedgerError> {
        let sequence = self.with(|connection| {
            connection.execute(
                "INSERT OR IGNORE INTO sinks (name, sequence, since)
                 SELECT ?1, newest, newest
                 FROM (SELECT coalesce(max(sequence), 0) AS newest FROM alerts)",
                [sink],
            )?;
            let sql = "SELECT sequence FROM sinks WHERE name = ?1";
            connection.query_row(sql, [sink], |row| row.get(0))
        })?;
        Ok(Cursor { ledger: self.clone(), sink: sink.to_owned(), sequence })
    }

    /// The alerts that a sink does not have yet.
    pub fn waiting(&self, sink: &str) -> Result<Waiting, LedgerError> {
        self.with(|connection| {
            let mut select = connection.prepare_cached(
                "WITH upto AS (
                     SELECT coalesce((SELECT sequence FROM sinks WHERE name = ?1), 0) AS sequence
                 )
                 SELECT count(*), (
                     SELECT said_ms FROM alerts WHERE sequence > (SELECT sequence FROM upto)
                     ORDER BY sequence LIMIT 1
                 ) FROM alerts WHERE sequence > (SELECT sequence FROM upto)",
            )?;
            select.query_row([sink], |row| {
                let count: i64 = row.get(0)?;
                Ok(Waiting { count: count.cast_unsigned(), oldest_ms: row.get(1)? })
            })
        })
    }

    /// Forgets the oldest alerts that every one of these sinks has, while there are more than so
    /// many and they ended more than the given seconds before the watermark; how many went. Cursors
    /// of sinks that are gone are forgotten with them.
    pub fn prune(
        &self,
        sinks: &[&str],
        alerts_max: u64,
        before_secs: i64,
    ) -> Result<u64, LedgerError> {
        let names = serde_json::to_string(sinks).unwrap_or_else(|_| "[]".into());
        let alerts_max = i64::try_from(alerts_max).unwrap_or(i64::MAX);
        let count = self.with(|connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "DELETE FROM sinks WHERE name NOT IN (SELECT value FROM json_each(?1))",
                [&names],
            )?;
            let count = transaction.execute(
                "DELETE FROM alerts WHERE sequence <= (SELECT max(sequence) FROM alerts) - ?1
                 AND sequence <= coalesce((SELECT min(sequence) FROM sinks), 0)
                 AND last < coalesce(
                     (SELECT watermark FROM lanes WHERE name = lane),
                     (SELECT max(watermark) FROM lanes)
                 ) - ?2",
                params![alerts_max, before_secs],
            )?;
            transaction.execute(
                "DELETE FROM refused WHERE sequence < (SELECT min(sequence) FROM alerts)",
                [],
            )?;
            transaction.commit()?;
            Ok(count)
        })?;
        Ok(count as u64)
    }
}

impl Cursor {
    /// The sink has everything up to this place, but for what it refused and why.
    ///
    /// Not waited for: what a crash of the machine takes back is sent again.
    pub fn advance(&mut self, sequence: i64, refused: &[(i64, String)]) -> Result<(), LedgerError> {
        self.ledger.with(|connection| {
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            let noted = note(connection, &self.sink, sequence, refused);
            // Whatever came of it: alerts are always waited for.
            connection.pragma_update(None, "synchronous", "FULL")?;
            noted
        })?;
        self.sequence = sequence;
        Ok(())
    }

    /// What comes next for the sink.
    pub fn next(&self, alerts_max: usize) -> Result<Vec<super::Entry>, LedgerError> {
        self.ledger.after(self.sequence, alerts_max)
    }
}

fn note(
    connection: &mut Connection,
    sink: &str,
    sequence: i64,
    refused: &[(i64, String)],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let place = params![sink, sequence];
    transaction.execute("UPDATE sinks SET sequence = ?2 WHERE name = ?1", place)?;
    for (sequence, reason) in refused {
        let row = params![sink, sequence, reason];
        transaction.execute("INSERT OR REPLACE INTO refused VALUES (?1, ?2, ?3)", row)?;
    }
    transaction.commit()
}

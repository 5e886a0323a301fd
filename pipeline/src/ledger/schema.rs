//! Tables and their versions.

use std::hash::BuildHasher;
use std::time::Duration;

use rusqlite::Connection;

use super::{BUSY_MS, Ledger, LedgerError, fault};

/// How long a page of a new file is, bytes: most windows fit into one.
const PAGE_BYTES: u32 = 8_192;

/// What leads from each version to the next; the first from nothing.
const STEPS: &[&str] = &[
    "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
    -- How far each input is done, in its source's words; `settled` is event time, Unix seconds.
    CREATE TABLE inputs (
        name TEXT PRIMARY KEY, position TEXT NOT NULL, settled INTEGER NOT NULL
    ) WITHOUT ROWID;
    -- Windows as MessagePack. An empty one stands for one that is gone, until the next checkpoint.
    CREATE TABLE windows (
        key BLOB PRIMARY KEY, is_empty INTEGER NOT NULL, body BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX windows_empty ON windows (is_empty) WHERE is_empty;
    -- What was said, in the order in which it was; times are event time, `said_ms` the clock.
    CREATE TABLE alerts (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL, revision INTEGER NOT NULL, life TEXT NOT NULL,
        code TEXT, rule TEXT NOT NULL, title TEXT NOT NULL, level TEXT NOT NULL,
        key TEXT NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL,
        said_ms INTEGER NOT NULL, body BLOB NOT NULL,
        UNIQUE (id, revision)
    );
    CREATE INDEX alerts_last ON alerts (last);
    -- How far each sink is, and what it would not take.
    CREATE TABLE sinks (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE refused (
        sink TEXT NOT NULL, sequence INTEGER NOT NULL, reason TEXT NOT NULL,
        PRIMARY KEY (sink, sequence)
    ) WITHOUT ROWID;
    ",
    "
    -- Whether the burst was over long before it could be told.
    ALTER TABLE alerts ADD COLUMN backfill INTEGER NOT NULL DEFAULT 0;
    -- The last alert that was said before the sink came.
    ALTER TABLE sinks ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
    ",
    // When each feed that rules need was seen last, by the clock.
    "CREATE TABLE feeds (name TEXT PRIMARY KEY, seen_ms INTEGER NOT NULL) WITHOUT ROWID;",
    "
    -- Who keeps windows: the input of that name, or all inputs together where it is empty.
    CREATE TABLE lanes (
        name TEXT PRIMARY KEY, watermark INTEGER NOT NULL, forgotten INTEGER NOT NULL,
        opened INTEGER NOT NULL
    ) WITHOUT ROWID;
    INSERT INTO lanes
        SELECT '', watermark.value, forgotten.value, opened.value
        FROM meta AS watermark, meta AS forgotten, meta AS opened
        WHERE watermark.name = 'watermark' AND forgotten.name = 'forgotten'
          AND opened.name = 'opened';
    DELETE FROM meta WHERE name IN ('watermark', 'forgotten', 'opened');
    ALTER TABLE windows RENAME TO windows_of_all;
    DROP INDEX windows_empty;
    CREATE TABLE windows (
        lane TEXT NOT NULL, key BLOB NOT NULL, is_empty INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (lane, key)
    ) WITHOUT ROWID;
    INSERT INTO windows SELECT '', key, is_empty, body FROM windows_of_all;
    DROP TABLE windows_of_all;
    CREATE INDEX windows_empty ON windows (is_empty) WHERE is_empty;
    -- Windows hold something of what stands from here on, in the source's words.
    ALTER TABLE inputs ADD COLUMN reread_from TEXT;
    -- The lane that goes on with the burst; none where another process does.
    ALTER TABLE alerts ADD COLUMN lane TEXT DEFAULT '';
    ",
    // From which event time on a key without a window has done nothing unusual; the greatest number
    // where that is unknown.
    "ALTER TABLE lanes ADD COLUMN since INTEGER NOT NULL DEFAULT 9223372036854775807;",
    // Rows as long as these are for a table with row ids (sqlite.org/withoutrowid.html, section 4).
    "
    ALTER TABLE windows RENAME TO windows_without;
    DROP INDEX windows_empty;
    CREATE TABLE windows (
        lane TEXT NOT NULL, key BLOB NOT NULL, is_empty INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (lane, key)
    );
    INSERT INTO windows SELECT lane, key, is_empty, body FROM windows_without;
    DROP TABLE windows_without;
    CREATE INDEX windows_empty ON windows (is_empty) WHERE is_empty;
    ",
];

impl Ledger {
    /// Looks whether the file is whole.
    pub(super) fn examine(&self) -> Result<(), LedgerError> {
        let verdict: String = self.with(|connection| {
            connection.busy_timeout(Duration::from_millis(BUSY_MS))?;
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        })?;
        if verdict == "ok" {
            return Ok(());
        }
        Err(LedgerError::Damaged { path: self.path.clone(), why: verdict })
    }

    /// The version, if it is one that is known.
    pub(super) fn known_version(&self) -> Result<usize, LedgerError> {
        let found: i64 = self
            .with(|connection| connection.query_row("PRAGMA user_version", [], |row| row.get(0)))?;
        usize::try_from(found).ok().filter(|version| *version <= STEPS.len()).ok_or_else(|| {
            let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
            LedgerError::Newer { path: self.path.clone(), found, known }
        })
    }

    /// Refuses a version that only a writer can bring up to date.
    pub(super) fn is_up_to_date(&self) -> Result<(), LedgerError> {
        match self.known_version()? {
            version if version == STEPS.len() => Ok(()),
            found => Err(LedgerError::Older { path: self.path.clone(), found, known: STEPS.len() }),
        }
    }

    /// Brings the tables up to date, each step whole or not at all.
    pub(super) fn upgrade(&mut self) -> Result<(), LedgerError> {
        let version = self.known_version()?;
        let mut connection = self.lock();
        upgrade(&mut connection, version).map_err(|error| fault(&self.path, &error))
    }
}

fn upgrade(connection: &mut Connection, version: usize) -> rusqlite::Result<()> {
    if version == 0 {
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    for (step, sql) in STEPS.iter().enumerate().skip(version) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        if step == 0 {
            let seed = std::hash::RandomState::new().hash_one(0_u8).cast_signed();
            transaction.execute("INSERT INTO meta VALUES ('seed', ?1)", [seed])?;
        }
        transaction.pragma_update(None, "user_version", step + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A ledger as the first version made it.
    pub(crate) fn write_version_1(path: &std::path::Path) {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        let rows = "
            INSERT INTO meta VALUES ('seed', 1), ('watermark', 30), ('forgotten', 40), ('opened', 2);
            INSERT INTO inputs VALUES ('k t[0]', '12', 30);
            INSERT INTO windows VALUES (zeroblob(16), 0, x'00');
        ";
        connection.execute_batch(rows).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
    }
}

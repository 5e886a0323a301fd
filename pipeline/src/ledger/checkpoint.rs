//! Positions and windows: what a restart goes on from.

use std::collections::BTreeMap;

use floodmark_detectors::alert::Alert;
use floodmark_detectors::engine::State;
use floodmark_detectors::sample::WindowKey;
use floodmark_detectors::time::EventTime;
use floodmark_detectors::window::Window;
use rusqlite::{Transaction, params};

use super::{Ledger, LedgerError};
use crate::flow::Kept;

/// What a process goes on from.
#[derive(Debug)]
pub struct Resumed {
    /// Where each input is to be read on from, and what it had settled, by name.
    pub inputs: BTreeMap<String, (Box<str>, EventTime)>,
    /// The windows.
    pub state: State,
    /// What was said last of each burst that may be spoken of again.
    pub said: Vec<Alert>,
    /// Windows that could not be read, and start afresh.
    pub unreadable: u64,
}

impl Ledger {
    /// Saves a checkpoint, whole or not at all. All alerts of its windows are in the ledger already.
    pub fn save(&self, positions: &[Kept], state: &State) -> Result<(), LedgerError> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            save_positions(&transaction, positions)?;
            save_windows(&transaction, state)?;
            transaction.commit()
        })
    }

    /// Everything a process needs to go on; nothing where the ledger is new.
    pub fn resume(&self) -> Result<Resumed, LedgerError> {
        let (inputs, windows, numbers) = self.with(|connection| {
            let mut select = connection.prepare("SELECT name, position, settled FROM inputs")?;
            let inputs = select.query_map([], |row| {
                let position: String = row.get(1)?;
                Ok((row.get(0)?, (position.into_boxed_str(), EventTime(row.get(2)?))))
            })?;
            let inputs = inputs.collect::<rusqlite::Result<BTreeMap<String, _>>>()?;
            let mut select = connection.prepare("SELECT key, body FROM windows")?;
            let windows = select.query_map([], |row| {
                let (key, body): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
                Ok((key, body))
            })?;
            let windows = windows.collect::<rusqlite::Result<Vec<_>>>()?;
            let number = |name: &str| -> rusqlite::Result<Option<i64>> {
                let sql = "SELECT value FROM meta WHERE name = ?1";
                match connection.query_row(sql, [name], |row| row.get(0)) {
                    Ok(value) => Ok(Some(value)),
                    Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
                    Err(error) => Err(error),
                }
            };
            Ok((inputs, windows, [number("watermark")?, number("forgotten")?, number("opened")?]))
        })?;
        let mut unreadable = 0;
        let mut read = Vec::with_capacity(windows.len());
        for (key, body) in windows {
            let key = <[u8; 16]>::try_from(key).map(|bytes| WindowKey(u128::from_be_bytes(bytes)));
            match (key, rmp_serde::from_slice::<Window>(&body)) {
                (Ok(key), Ok(window)) => read.push((key, window)),
                _ => unreadable += 1,
            }
        }
        let [watermark, forgotten, opened] = numbers;
        let state = State {
            watermark: EventTime(watermark.unwrap_or(EventTime::MIN.0)),
            forgotten: EventTime(forgotten.unwrap_or(EventTime::MIN.0)),
            opened: opened.unwrap_or(0).cast_unsigned(),
            windows: read,
        };
        let said = self.said_since(state.watermark)?;
        Ok(Resumed { inputs, state, said, unreadable })
    }
}

fn save_positions(transaction: &Transaction<'_>, positions: &[Kept]) -> rusqlite::Result<()> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO inputs (name, position, settled) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET position = excluded.position, settled = excluded.settled",
    )?;
    for kept in positions {
        upsert.execute(params![kept.name.as_ref(), kept.position.as_ref(), kept.settled.0])?;
    }
    Ok(())
}

fn save_windows(transaction: &Transaction<'_>, state: &State) -> rusqlite::Result<()> {
    // What was empty at the checkpoint before is known to be gone by now.
    transaction.execute("DELETE FROM windows WHERE is_empty", [])?;
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO windows (key, is_empty, body) VALUES (?1, ?2, ?3)
         ON CONFLICT (key) DO UPDATE SET is_empty = excluded.is_empty, body = excluded.body",
    )?;
    let mut body = Vec::new();
    for (key, window) in &state.windows {
        body.clear();
        rmp_serde::encode::write_named(&mut body, window)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        upsert.execute(params![&key.0.to_be_bytes()[..], window.is_empty(), body])?;
    }
    let mut number = transaction.prepare_cached(
        "INSERT INTO meta (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?;
    number.execute(params!["watermark", state.watermark.0])?;
    number.execute(params!["forgotten", state.forgotten.0])?;
    number.execute(params!["opened", state.opened.cast_signed()])?;
    Ok(())
}

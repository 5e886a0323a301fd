//! Positions and windows: what a restart goes on from.

use std::collections::BTreeMap;

use std::sync::Arc;
use std::time::Duration;

use floodmark_detectors::alert::Alert;
use floodmark_detectors::engine::State;
use floodmark_detectors::sample::WindowKey;
use floodmark_detectors::time::EventTime;
use floodmark_detectors::window::Window;
use rusqlite::{Transaction, params};

use super::body::{Packer, unpack};
use super::{Ledger, LedgerError};
use crate::clock::Stopwatch;
use crate::flow::{self, Kept, Saved};

/// `is_empty` of a window that was emptied since the checkpoint before the one that is being saved; 1
/// is for one that was empty then.
const JUST_EMPTIED: i64 = 2;

/// What a process goes on from.
#[derive(Debug)]
pub struct Resumed {
    /// How far each input is, by name.
    pub inputs: BTreeMap<String, flow::Resumed>,
    /// Windows and what was said of them, by lane.
    pub lanes: BTreeMap<String, Saved>,
    /// Windows that could not be read, and start afresh.
    pub unreadable: u64,
}

impl Resumed {
    /// What was said last of each burst that may be spoken of again.
    #[must_use]
    pub fn said(&self) -> Vec<Alert> {
        self.lanes.values().flat_map(|saved| saved.said.iter().cloned()).collect()
    }
}

impl Ledger {
    /// The first part of a checkpoint: forgets lanes that are gone. Nothing is read again because of
    /// it that would not be anyhow.
    pub fn forget_lanes(&self, gone: &[Arc<str>]) -> Result<(), LedgerError> {
        if gone.is_empty() {
            return Ok(());
        }
        self.with(|connection| {
            let transaction = connection.transaction()?;
            for lane in gone.iter().map(AsRef::as_ref) {
                transaction.execute("DELETE FROM windows WHERE lane = ?1", [lane])?;
                transaction.execute("DELETE FROM lanes WHERE name = ?1", [lane])?;
                transaction.execute("UPDATE alerts SET lane = NULL WHERE lane = ?1", [lane])?;
                // An input of this name may be read on by somebody else; the lane of all has none.
                transaction.execute("DELETE FROM inputs WHERE name = ?1", [lane])?;
            }
            transaction.commit()
        })
    }

    /// The second part: writes windows of a lane, as many as there is time for; how many. All alerts of
    /// them are in the ledger already. They may be ahead of the positions by any time: what is read
    /// again they know.
    pub fn save_windows(
        &self,
        lane: &str,
        windows: &[(WindowKey, Window)],
        time: Duration,
    ) -> Result<usize, LedgerError> {
        let since = Stopwatch::start();
        self.with(|connection| {
            let transaction = connection.transaction()?;
            let mut written = 0;
            let mut packer = Packer::new()?;
            for (key, window) in windows {
                write_window(&transaction, lane, key, window, &mut packer)?;
                written += 1;
                if since.elapsed() > time {
                    break;
                }
            }
            transaction.commit()?;
            Ok(written)
        })
    }

    /// The last part, once all windows are written: the positions that they belong to.
    pub fn save_positions(
        &self,
        positions: &[Kept],
        states: &[(Arc<str>, State)],
    ) -> Result<(), LedgerError> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            // What was empty at the checkpoint before is known to be gone by now.
            transaction.execute("DELETE FROM windows WHERE is_empty = 1", [])?;
            let emptied = "UPDATE windows SET is_empty = 1 WHERE is_empty = ?1";
            transaction.execute(emptied, [JUST_EMPTIED])?;
            write_positions(&transaction, positions)?;
            for (lane, state) in states {
                write_lane(&transaction, lane, state)?;
            }
            transaction.commit()
        })
    }

    /// Forgets windows of lanes whose first checkpoint was not finished.
    pub(super) fn forget_unfinished(&self) -> Result<(), LedgerError> {
        let orphans = "DELETE FROM windows WHERE lane NOT IN (SELECT name FROM lanes)";
        self.with(|connection| connection.execute(orphans, []).map(drop))
    }

    /// Everything a process needs to go on; nothing where the ledger is new.
    pub fn resume(&self) -> Result<Resumed, LedgerError> {
        let (inputs, windows, mut lanes) = self.with(|connection| {
            let mut select =
                connection.prepare("SELECT name, position, settled, reread_from FROM inputs")?;
            let inputs = select.query_map([], |row| {
                let position: String = row.get(1)?;
                let reread_from: Option<String> = row.get(3)?;
                let resumed = flow::Resumed {
                    position: position.into(),
                    settled: EventTime(row.get(2)?),
                    reread_from: reread_from.map(String::into_boxed_str),
                };
                Ok((row.get(0)?, resumed))
            })?;
            let inputs = inputs.collect::<rusqlite::Result<BTreeMap<String, _>>>()?;
            let mut select = connection.prepare("SELECT lane, key, body FROM windows")?;
            let windows = select.query_map([], |row| {
                let (lane, key, body): (String, Vec<u8>, Vec<u8>) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok((lane, key, body))
            })?;
            let windows = windows.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut select = connection
                .prepare("SELECT name, watermark, forgotten, opened, since FROM lanes")?;
            let lanes = select.query_map([], |row| {
                let state = State {
                    watermark: EventTime(row.get(1)?),
                    forgotten: EventTime(row.get(2)?),
                    opened: row.get::<_, i64>(3)?.cast_unsigned(),
                    since: EventTime(row.get(4)?),
                    windows: Vec::new(),
                };
                Ok((row.get(0)?, Saved { state, ..Saved::default() }))
            })?;
            let lanes = lanes.collect::<rusqlite::Result<BTreeMap<String, Saved>>>()?;
            Ok((inputs, windows, lanes))
        })?;
        let mut unreadable = 0;
        for (lane, key, body) in windows {
            let key = <[u8; 16]>::try_from(key).map(|bytes| WindowKey(u128::from_be_bytes(bytes)));
            match (key, unpack::<Window>(&body), lanes.get_mut(&lane)) {
                (Ok(key), Ok(window), Some(saved)) => saved.state.windows.push((key, window)),
                _ => unreadable += 1,
            }
        }
        for name in self.lanes_that_spoke()? {
            // One that has spoken and never came to a checkpoint has all to read again.
            let saved = lanes.entry(name.clone()).or_default();
            saved.said = self.said_since(&name, saved.state.watermark)?;
        }
        Ok(Resumed { inputs, lanes, unreadable })
    }
}

fn write_positions(transaction: &Transaction<'_>, positions: &[Kept]) -> rusqlite::Result<()> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO inputs (name, position, settled, reread_from) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET position = excluded.position,
             settled = excluded.settled, reread_from = excluded.reread_from",
    )?;
    for Kept { name, position, settled, handover, .. } in positions {
        let reread_from = handover.as_ref().map(|it| it.reread_from.as_ref());
        upsert.execute(params![name.as_ref(), position.as_ref(), settled.0, reread_from])?;
    }
    Ok(())
}

fn write_window(
    transaction: &Transaction<'_>,
    lane: &str,
    key: &WindowKey,
    window: &Window,
    packer: &mut Packer,
) -> rusqlite::Result<()> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO windows (lane, key, is_empty, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (lane, key)
         DO UPDATE SET is_empty = excluded.is_empty, body = excluded.body",
    )?;
    let body = packer.pack(window)?;
    let is_empty = if window.is_empty() { JUST_EMPTIED } else { 0 };
    upsert.execute(params![lane, &key.0.to_be_bytes()[..], is_empty, body])?;
    Ok(())
}

fn write_lane(transaction: &Transaction<'_>, lane: &str, state: &State) -> rusqlite::Result<()> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO lanes (name, watermark, forgotten, opened, since) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (name) DO UPDATE SET watermark = excluded.watermark,
             forgotten = excluded.forgotten, opened = excluded.opened, since = excluded.since",
    )?;
    let (watermark, forgotten, since) = (state.watermark.0, state.forgotten.0, state.since.0);
    upsert.execute(params![lane, watermark, forgotten, state.opened.cast_signed(), since])?;
    Ok(())
}

//! What was said: written before it is sent, read by sinks, people, and a process that goes on.

use floodmark_detectors::alert::{Alert, AlertId, Evidence};
use floodmark_detectors::rule::{Level, Mode};
use floodmark_detectors::time::EventTime;
use rusqlite::{OptionalExtension, Row, params};

use super::backfill::was_over;
use super::body::{Packer, unpack};
use super::{Ledger, LedgerError};
use crate::encode::ocsf::View;
use crate::encode::redact;

/// How far behind the watermark a burst may have ended and still be spoken of again, seconds: the
/// longest window of a rule is a day, and a restart replays at most what a checkpoint left behind.
const SAID_BEFORE_SECS: i64 = 2 * 86_400;

/// An alert as it stands in the ledger.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its place in the order of what was said.
    pub sequence: i64,
    /// When it was said, milliseconds of wall-clock time.
    pub said_ms: i64,
    /// Whether it was told only because a backlog was read: it was over long before.
    pub is_backfill: bool,
    /// What was said; its evidence is redacted.
    pub alert: Alert,
}

impl Entry {
    /// Whether sinks get it: what a rule only observes or enriches with is written down here alone.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        !matches!(self.alert.rule.mode, Mode::Observe | Mode::Enrich)
    }

    /// How it is told.
    #[must_use]
    pub fn view(&self) -> View {
        let now_ms = self.said_ms;
        if self.is_backfill { View::Backfill { now_ms } } else { View::Life { now_ms } }
    }
}

/// Which bursts are asked for; all of them where nothing is named.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The beginning of an id.
    pub id: Option<String>,
    /// A rule's code or id.
    pub rule: Option<String>,
    /// A text in the key.
    pub key: Option<String>,
    /// At least this grave.
    pub level: Option<Level>,
    /// Ended at or after this event time.
    pub since: Option<EventTime>,
    /// Not over yet, as far as was said, and not gone on with by another process.
    pub is_open: bool,
}

impl Ledger {
    /// Writes what is to be said, and returns once it is on the disk. What stands there already
    /// (the same burst, the same revision) stays as it is. `lane` goes on with these bursts. `said_ms`
    /// is the clock, `lateness_secs` the bound: they tell what is [backfill](Entry::is_backfill).
    pub fn say(
        &self,
        lane: &str,
        alerts: &[Alert],
        said_ms: i64,
        lateness_secs: i64,
    ) -> Result<(), LedgerError> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            {
                let mut before = transaction.prepare_cached(
                    "SELECT backfill FROM alerts WHERE id = ?1 AND revision < ?2
                     ORDER BY revision DESC LIMIT 1",
                )?;
                let mut insert = transaction.prepare_cached(
                    "INSERT OR IGNORE INTO alerts
                     (id, revision, life, code, rule, title, level, key, first, last, count,
                      said_ms, body, backfill, lane)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                )?;
                let mut packer = Packer::new()?;
                for alert in alerts {
                    let id = alert.id.to_string();
                    let was = before
                        .query_row(params![id, alert.revision], |row| row.get::<_, bool>(0))
                        .optional()?;
                    let is_backfill =
                        was.unwrap_or(true) && was_over(alert, said_ms, lateness_secs);
                    let alert = without_secrets(alert);
                    let body = packer.pack(&alert)?;
                    insert.execute(params![
                        id,
                        alert.revision,
                        alert.life.word(),
                        alert.rule.code,
                        alert.rule.id,
                        alert.rule.title,
                        alert.level.word(),
                        redact::text(&alert.key.join(" / ")),
                        alert.first.0,
                        alert.last.0,
                        i64::try_from(alert.count).unwrap_or(i64::MAX),
                        said_ms,
                        body,
                        is_backfill,
                        lane,
                    ])?;
                }
            }
            transaction.commit()
        })
    }

    /// What comes after a place in the order, at most so many, each burst at most once: a later
    /// revision never travels beside an earlier one.
    pub fn after(&self, sequence: i64, alerts_max: usize) -> Result<Vec<Entry>, LedgerError> {
        let limit = i64::try_from(alerts_max).unwrap_or(i64::MAX);
        let mut entries = self.entries(
            "SELECT sequence, said_ms, body, backfill FROM alerts WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
            params![sequence, limit],
        )?;
        let mut seen: Vec<AlertId> = Vec::with_capacity(entries.len());
        let again = entries.iter().position(|entry| {
            let is_again = seen.contains(&entry.alert.id);
            seen.push(entry.alert.id);
            is_again
        });
        entries.truncate(again.unwrap_or(usize::MAX));
        Ok(entries)
    }

    /// The lanes that have said anything.
    pub(super) fn lanes_that_spoke(&self) -> Result<Vec<String>, LedgerError> {
        self.with(|connection| {
            let sql = "SELECT DISTINCT lane FROM alerts WHERE lane IS NOT NULL";
            connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// The last that a lane said of each burst that ended so late that it may be spoken of again.
    pub(super) fn said_since(
        &self,
        lane: &str,
        watermark: EventTime,
    ) -> Result<Vec<Alert>, LedgerError> {
        let entries = self.entries(
            "SELECT max(sequence), said_ms, body, backfill FROM alerts
             WHERE last >= ?1 AND lane = ?2 GROUP BY id ORDER BY sequence",
            params![watermark.plus(-SAID_BEFORE_SECS).0, lane],
        )?;
        Ok(entries.into_iter().map(|entry| entry.alert).collect())
    }

    /// The places of the last that was said of each burst that `filter` lets through, the newest
    /// first.
    pub fn bursts(&self, filter: &Filter) -> Result<Vec<i64>, LedgerError> {
        let levels = filter.level.map(|least| {
            let words = Level::ALL.into_iter().filter(|level| *level >= least).map(Level::word);
            serde_json::Value::from_iter(words).to_string()
        });
        self.with(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT sequence FROM alerts
                 WHERE sequence IN (SELECT max(sequence) FROM alerts GROUP BY id)
                   AND (?1 IS NULL OR substr(id, 1, length(?1)) = ?1)
                   AND (?2 IS NULL OR code = ?2 COLLATE NOCASE OR rule = ?2)
                   AND (?3 IS NULL OR instr(key, ?3) > 0)
                   AND (?4 IS NULL OR level IN (SELECT value FROM json_each(?4)))
                   AND (?5 IS NULL OR last >= ?5)
                   AND (NOT ?6 OR life IN ('open', 'update') AND lane IS NOT NULL)
                 ORDER BY sequence DESC",
            )?;
            let filter = params![
                filter.id.as_ref().map(|id| id.to_lowercase()),
                filter.rule,
                filter.key,
                levels,
                filter.since.map(|time| time.0),
                filter.is_open,
            ];
            select.query_map(filter, |row| row.get(0))?.collect()
        })
    }

    /// What stands at a place; nothing where it was forgotten.
    pub fn entry(&self, sequence: i64) -> Result<Option<Entry>, LedgerError> {
        let sql = "SELECT sequence, said_ms, body, backfill FROM alerts WHERE sequence = ?1";
        Ok(self.entries(sql, [sequence])?.pop())
    }

    /// When a burst was first spoken of, ms, as far back as the ledger goes.
    pub fn opened_ms(&self, id: AlertId) -> Result<Option<i64>, LedgerError> {
        let sql = "SELECT min(said_ms) FROM alerts WHERE id = ?1";
        self.with(|connection| connection.query_row(sql, [id.to_string()], |row| row.get(0)))
    }

    /// All that was said of one burst, in order.
    pub fn revisions(&self, id: AlertId) -> Result<Vec<Entry>, LedgerError> {
        let sql =
            "SELECT sequence, said_ms, body, backfill FROM alerts WHERE id = ?1 ORDER BY revision";
        self.entries(sql, params![id.to_string()])
    }

    fn entries(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<Entry>, LedgerError> {
        self.with(|connection| {
            let mut select = connection.prepare_cached(sql)?;
            select.query_map(params, entry)?.collect()
        })
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let body: Vec<u8> = row.get(2)?;
    let alert = unpack(&body)?;
    let (sequence, said_ms, is_backfill) = (row.get(0)?, row.get(1)?, row.get(3)?);
    Ok(Entry { sequence, said_ms, is_backfill, alert })
}

/// The alert as it may lie on a disk.
fn without_secrets(alert: &Alert) -> Alert {
    let clean = |evidence: &Evidence| Evidence {
        time: evidence.time,
        record: redact::record(&evidence.record).data.to_string().into_bytes().into(),
    };
    Alert {
        evidence: alert.evidence.iter().map(clean).collect(),
        crossing: alert.crossing.as_ref().map(clean),
        ..alert.clone()
    }
}

//! `[ledger]`: what survives a stop.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::{Report, Section};

/// `[ledger]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// The file. None: beside the configuration where a source goes on after a stop, else memory.
    pub path: Option<PathBuf>,
    /// How often positions and windows are saved.
    pub checkpoint_interval: Duration,
    /// Alerts that are kept at least; delivered ones beyond that go, the oldest first.
    pub alerts_max: u64,
    /// Whether to wait for another process to let go of the ledger.
    pub standby: bool,
}

impl Default for Ledger {
    fn default() -> Ledger {
        Ledger {
            path: None,
            checkpoint_interval: Duration::from_secs(10),
            alerts_max: 100_000,
            standby: false,
        }
    }
}

pub(super) fn read(mut section: Section<'_, '_>, report: &mut Report<'_>) -> Ledger {
    let defaults = Ledger::default();
    let path = section.text("path", report).map(PathBuf::from);
    let interval = section.duration_secs("checkpoint", 1..=3_600, report);
    let alerts_max = section.number("alerts_max", 1..=1 << 40, report);
    let standby = section.flag("standby", report);
    section.end(report);
    Ledger {
        path,
        checkpoint_interval: interval
            .map_or(defaults.checkpoint_interval, |secs| Duration::from_secs(secs.unsigned_abs())),
        alerts_max: alerts_max.unwrap_or(defaults.alerts_max),
        standby: standby.unwrap_or(defaults.standby),
    }
}

//! What is told only because a backlog is read.
//!
//! A burst is *backfill* while it had been over for so long, when it was spoken of, that a reader who
//! keeps up would have closed it already: its last sample is older than the clock by more than its
//! window and the lateness bound together, and by more than [`BACKFILL_SECS_MIN`]. So a feed that
//! is late by less still wakes somebody. A burst that was told as backfill and then turns out to
//! reach the present loses the mark with the revision that says so, and never has it again.
//!
//! The mark is of the clock, not of the records: it is set where an alert is written down, and no
//! verdict, id or count depends on it.

use floodmark_detectors::alert::Alert;

/// However short window and lateness are, a burst that ended within this is no backfill, seconds.
pub const BACKFILL_SECS_MIN: i64 = 3_600;

/// Whether the burst, as far as it is known, was over for long at `said_ms`.
pub(super) fn was_over(alert: &Alert, said_ms: i64, lateness_secs: i64) -> bool {
    let reach = alert.rule.timespan_secs.saturating_add(lateness_secs).max(BACKFILL_SECS_MIN);
    alert.last.plus(reach).0 < said_ms / 1_000
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use floodmark_detectors::alert::{AlertId, Life};
    use floodmark_detectors::rule::Card;
    use floodmark_detectors::time::EventTime;

    use super::*;
    use crate::encode::ocsf::tests::burst;
    use crate::ledger::{Filter, Ledger};

    const LATENESS_SECS: i64 = 900;

    fn alert(revision: u32, life: Life, last: i64, timespan_secs: i64) -> Alert {
        let rule = Arc::new(Card { timespan_secs, ..(*burst().rule).clone() });
        let (id, last) = (AlertId(1), EventTime(last));
        Alert { id, revision, life, rule, first: last, last, ..burst() }
    }

    #[test]
    fn over_is_what_window_lateness_and_an_hour_have_left_behind() {
        for (timespan_secs, reach) in [(600, 3_600), (3_600, 4_500), (86_400, 87_300)] {
            let alert = alert(1, Life::Open, 1_000_000, timespan_secs);
            let said = |secs: i64| was_over(&alert, (1_000_000 + secs) * 1_000, LATENESS_SECS);
            assert!(!said(0) && !said(reach), "{timespan_secs}");
            assert!(said(reach + 1), "{timespan_secs}");
        }
    }

    #[test]
    fn a_burst_that_reaches_the_present_loses_the_mark_for_good() {
        let ledger = Ledger::in_memory().unwrap();
        let now = 1_000_000_i64;
        let marks = |said: &[(u32, Life, i64, i64)]| {
            for (revision, life, last, said) in said {
                let alert = alert(*revision, *life, *last, 600);
                ledger.say("", &[alert], said * 1_000, LATENESS_SECS).unwrap();
            }
            let revisions = ledger.revisions(AlertId(1)).unwrap();
            revisions.iter().map(|entry| entry.is_backfill).collect::<Vec<_>>()
        };
        let week_ago = now - 7 * 86_400;
        assert_eq!(marks(&[(1, Life::Open, week_ago, now)]), [true]);
        assert_eq!(marks(&[(2, Life::Update, week_ago + 60, now + 1)]), [true, true]);
        assert_eq!(marks(&[(3, Life::Update, now, now + 2)]), [true, true, false]);
        let closed = (4, Life::Closed, now, now + 86_400);
        assert_eq!(marks(&[closed]), [true, true, false, false]);
        assert_eq!(ledger.bursts(&Filter::default()).unwrap().len(), 1);
    }
}

//! When: the window of the burst, and which records of the evidence mark it.

use floodmark_detectors::alert::Alert;
use serde::Serialize;

use super::{Fact, owned};

/// The burst in time.
#[derive(Debug, Serialize)]
pub(crate) struct Window {
    /// Event time of the first sample.
    pub(crate) first: String,
    /// Event time of the last sample.
    pub(crate) last: String,
    pub(crate) count: u64,
    /// `count` is "at least".
    pub(crate) count_is_floor: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) mark: String,
    pub(crate) timespan_secs: i64,
    /// The most within one timespan, as the rule measures; for rules that measure nothing samples,
    /// where the evidence is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peak: Option<u64>,
    /// Event time at which that timespan ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peak_at: Option<String>,
    /// What the timespan before the first sample held when the burst opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<u64>,
    /// The most that one timespan held since `usual_since`, about a day before at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usual: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usual_since: Option<String>,
}

impl Window {
    pub(crate) fn of(alert: &Alert, facts: &[Fact], is_whole: bool) -> Window {
        let span = alert.rule.timespan_secs;
        let within = |end: &Fact| {
            let start = end.time.plus(-span);
            facts.iter().filter(|fact| (start..=end.time).contains(&fact.time)).count() as u64
        };
        Window {
            first: alert.first.to_string(),
            last: alert.last.to_string(),
            count: alert.count,
            count_is_floor: alert.count_is_floor,
            mark: alert.rule.mark.clone(),
            timespan_secs: span,
            peak: alert
                .peak
                .map(|peak| peak.measure)
                .or_else(|| facts.iter().map(within).max().filter(|_| is_whole)),
            peak_at: alert.peak.map(|peak| peak.at.to_string()),
            before: alert.before,
            usual: alert.usual.map(|usual| usual.most),
            usual_since: alert.usual.map(|usual| usual.since.to_string()),
        }
    }
}

/// Event ids of the records that mark the burst; the records stand in `evidences`.
#[derive(Debug, Serialize)]
pub(crate) struct Marked {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<String>,
    /// Whose arrival opened the burst.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crossing: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latest: Option<String>,
    /// Every record of the burst is in `evidences`.
    pub(crate) is_whole: bool,
}

impl Marked {
    pub(crate) fn of(alert: &Alert, facts: &[Fact], is_whole: bool) -> Marked {
        let id = |fact: &Fact| owned(fact.text("/eventID"));
        let crossing = alert.crossing.as_ref().and_then(|crossing| id(&Fact::of(crossing)));
        Marked {
            first: facts.first().and_then(id),
            crossing,
            latest: facts.last().and_then(id),
            is_whole,
        }
    }
}

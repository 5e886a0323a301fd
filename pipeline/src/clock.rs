//! The only reader of the clock. Elsewhere time is an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use floodmark_detectors::time::EventTime;

/// Wall-clock time in milliseconds since the Unix epoch.
#[allow(clippy::disallowed_methods, reason = "this is the door to the clock")]
#[must_use]
pub fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Wall-clock time as an event time, for comparison with one.
#[must_use]
pub fn wall_time() -> EventTime {
    EventTime(wall_ms() / 1_000)
}

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[allow(clippy::disallowed_methods, reason = "this is the door to the clock")]
    #[must_use]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

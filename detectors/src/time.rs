//! Event time. The clock is never read here: time always comes in as an argument.

use std::fmt;

use serde::{Deserialize, Serialize};

/// When an event happened, by its own account: whole seconds since the Unix epoch.
///
/// CloudTrail writes `eventTime` in whole seconds (CloudTrail user guide, "CloudTrail record
/// contents"); a fraction, where some relay added one, is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(pub i64);

impl EventTime {
    /// Before every event.
    pub const MIN: EventTime = EventTime(i64::MIN / 4);
    /// After every event.
    pub const MAX: EventTime = EventTime(i64::MAX / 4);

    /// This time moved by `seconds`, either way.
    #[must_use]
    pub fn plus(self, seconds: i64) -> EventTime {
        EventTime(self.0.saturating_add(seconds))
    }

    /// Year, month and day, in UTC.
    #[must_use]
    pub fn date(self) -> (i64, i64, i64) {
        civil_from_days(self.0.div_euclid(86_400))
    }

    /// Reads `2026-01-31T23:59:59Z` and what real feeds hold besides: a space for the `T`, a
    /// fraction, an offset such as `+02:00`, no zone at all (read as UTC).
    #[must_use]
    pub fn parse(text: &str) -> Option<EventTime> {
        let b = text.as_bytes();
        let number = |from: usize, to: usize| -> Option<i64> {
            b.get(from..to)?.iter().try_fold(0_i64, |sum, d| {
                d.is_ascii_digit().then(|| sum * 10 + i64::from(d - b'0'))
            })
        };
        let is = |at: usize, wanted: &[u8]| b.get(at).is_some_and(|c| wanted.contains(c));
        if !(is(4, b"-") && is(7, b"-") && is(10, b"T t") && is(13, b":") && is(16, b":")) {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_in_month = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let mut at = 19;
        if is(at, b".,") {
            at += 1;
            while b.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
        }
        let offset = match b.get(at..) {
            None | Some([]) => 0,
            Some([b'Z' | b'z']) => 0,
            Some([sign @ (b'+' | b'-'), rest @ ..]) => {
                let minutes = match rest.len() {
                    2 => number(at + 1, at + 3)? * 60,
                    4 => number(at + 1, at + 3)? * 60 + number(at + 3, at + 5)?,
                    5 if is(at + 3, b":") => number(at + 1, at + 3)? * 60 + number(at + 4, at + 6)?,
                    _ => return None,
                };
                if *sign == b'-' { -minutes } else { minutes }
            }
            Some(_) => return None,
        };
        let days = days_from_civil(year, month, day);
        Some(EventTime(days * 86_400 + hour * 3_600 + minute * 60 + second - offset * 60))
    }
}

/// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month, day of the day `days` after 1970-01-01 (the inverse, same source).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let mp = (5 * day_of_year + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * mp + 2) / 5 + 1)
}

/// RFC 3339 in UTC, whole seconds: `2026-01-31T23:59:59Z`.
impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let rest = self.0.rem_euclid(86_400);
        let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_real_feeds_hold() {
        let at = |text| EventTime::parse(text).map(|t| t.0);
        assert_eq!(at("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(at("2023-07-10T11:42:36Z"), Some(1_688_989_356));
        assert_eq!(at("2023-01-10 23:10:06"), Some(1_673_392_206));
        assert_eq!(at("2020-09-14T00:44:23.000Z"), Some(1_600_044_263));
        assert_eq!(at("2020-09-14T02:44:23+02:00"), Some(1_600_044_263));
        assert_eq!(at("2024-02-29T00:00:00Z"), Some(1_709_164_800));
        for bad in [
            "",
            "2023-02-29T00:00:00Z",
            "2023-1-10T00:00:00Z",
            "2023-01-10",
            "x",
            "2023-01-10T00:00:00Q",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn prints_what_it_reads() {
        for seconds in [0, 1, 951_782_400, 1_709_164_800, 4_102_444_799, -86_400] {
            let time = EventTime(seconds);
            assert_eq!(EventTime::parse(&time.to_string()), Some(time));
        }
    }
}

//! A test file as written. `detectors/rules/README.md` is the format.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use floodmark_detectors::rule::Level;
use floodmark_detectors::time::EventTime;
use serde::Deserialize;
use yaml_serde::{Mapping, Value};

/// What all offsets are counted from: 2026-01-05T09:00:00Z.
pub(super) const START: EventTime = EventTime(1_767_603_600);

/// One test of a rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) records: Vec<Group>,
    pub(super) expect: Vec<Expected>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, Vec<String>>,
}

/// Records that are alike.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) like: Like,
    #[serde(default = "once")]
    pub(super) repeat: NonZeroU32,
    #[serde(default)]
    pub(super) start: Offset,
    #[serde(default = "a_second")]
    pub(super) every: Offset,
    #[serde(default)]
    pub(super) with: Mapping,
    #[serde(default)]
    pub(super) without: Vec<String>,
}

fn once() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn a_second() -> Offset {
    Offset(1)
}

/// `service/EventName`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Like {
    pub(super) service: String,
    pub(super) event_name: String,
}

impl TryFrom<String> for Like {
    type Error = String;

    fn try_from(text: String) -> Result<Like, String> {
        match text.split_once('/') {
            Some((service, event_name)) if !service.is_empty() && !event_name.is_empty() => {
                Ok(Like { service: service.to_owned(), event_name: event_name.to_owned() })
            }
            _ => Err(format!("`{text}` is not `service/EventName`")),
        }
    }
}

/// Seconds from [`START`], or between two records: `10m`, `-15d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Offset(pub(super) i64);

/// Longest offset, seconds: a hundred years keep every time within four digits of a year.
const OFFSET_SECS_MAX: i64 = 100 * 366 * 86_400;

impl TryFrom<String> for Offset {
    type Error = String;

    fn try_from(text: String) -> Result<Offset, String> {
        let seconds = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)]
            .into_iter()
            .find_map(|(unit, seconds)| {
                text.strip_suffix(unit)?.parse::<i64>().ok()?.checked_mul(seconds)
            })
            .filter(|seconds| seconds.abs() <= OFFSET_SECS_MAX);
        seconds.map(Offset).ok_or_else(|| {
            format!("`{text}` is no time: a whole number and one of s, m, h, d, such as 10m")
        })
    }
}

impl Offset {
    pub(super) fn time(self) -> EventTime {
        START.plus(self.0)
    }

    pub(super) fn of(time: EventTime) -> Offset {
        Offset(time.0 - START.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

/// A burst as expected.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    pub(super) code: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) count: Option<u64>,
    pub(super) level: Option<Level>,
    #[serde(default)]
    pub(super) key: BTreeMap<String, Value>,
    pub(super) first: Option<Offset>,
    pub(super) last: Option<Offset>,
}

/// The tests of a file.
///
/// # Errors
/// What is wrong with it, with line and column where they are known.
pub(super) fn read(text: &str) -> Result<Vec<Test>, String> {
    let tests: Vec<Test> = yaml_serde::from_str(text).map_err(|error| error.to_string())?;
    for (place, test) in tests.iter().enumerate() {
        if tests.iter().take(place).any(|other| other.name == test.name) {
            return Err(format!("two tests are called `{}`", test.name));
        }
        if test.expect.iter().any(|expected| expected.code.is_none() && expected.rule.is_none()) {
            return Err(format!("`{}`: an expectation needs `code` or `rule`", test.name));
        }
        if test.records.iter().any(|group| group.every.0 < 0) {
            return Err(format!("`{}`: `every` goes forward in time", test.name));
        }
    }
    Ok(tests)
}

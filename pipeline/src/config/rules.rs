//! `[rules]`: which rules are in force, and what is changed of them.
//!
//! A table `[rules.CODE]` changes the rules of that code, or the one of that id or name, without
//! touching their files. Whether there is such a rule, and whether it has a place for what is
//! changed, is told when the rules are loaded.

use std::path::PathBuf;

use floodmark_detectors::rule::{
    Level, MarkSetting, Mode, Override, SETTINGS, Setting, SettingSort, SettingValue,
};

use super::reader::{Report, Section, thousandths};

/// Greatest number that a mark may be set to.
const MARK_MAX: u64 = 1 << 40;

/// `[rules]`
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Files and folders of rules of one's own.
    pub paths: Vec<PathBuf>,
    /// Whether the shipped pack is in force too.
    pub shipped: bool,
    /// What is changed of single rules; the file they stand in is for the caller to say.
    pub overrides: Vec<Override>,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { paths: Vec::new(), shipped: true, overrides: Vec::new() }
    }
}

pub(super) fn read(mut section: Section<'_, '_>, report: &mut Report<'_>) -> Rules {
    let paths = section.texts("paths", report).unwrap_or_default();
    let shipped = section.flag("shipped", report).unwrap_or(true);
    if !shipped && paths.is_empty() {
        let fix = "name paths, or leave shipped = true";
        section.missing("paths", fix, report);
    }
    let tables = section.named_tables();
    let overrides = tables.into_iter().map(|(name, table)| change(name, table, report)).collect();
    section.end(report);
    Rules { paths: paths.into_iter().map(PathBuf::from).collect(), shipped, overrides }
}

fn change(rule: &str, mut section: Section<'_, '_>, report: &mut Report<'_>) -> Override {
    let line = report.line(section.at());
    let mut settings = Vec::new();
    for (key, sort) in SETTINGS {
        let Some(place) = section.get(key) else { continue };
        let line = report.line(place.span().start);
        let value = value(&mut section, key, sort, report);
        settings.extend(value.map(|value| (line, Setting { key, value })));
    }
    if section.is_empty() {
        let known: Vec<&str> = SETTINGS.iter().map(|(key, _)| *key).collect();
        let fix = format!("one of {}", known.join(", "));
        report.note(&section.path(""), section.at(), String::new(), "changes nothing", &fix);
    }
    section.end(report);
    Override { rule: rule.to_owned(), path: String::new(), line, settings }
}

fn value(
    section: &mut Section<'_, '_>,
    key: &'static str,
    sort: SettingSort,
    report: &mut Report<'_>,
) -> Option<SettingValue> {
    Some(match sort {
        SettingSort::Flag => SettingValue::Flag(section.flag(key, report)?),
        SettingSort::Whole => SettingValue::Whole(section.number(key, 1..=MARK_MAX, report)?),
        SettingSort::Span(secs_max) => {
            SettingValue::Secs(section.duration_secs(key, 1..=secs_max, report)?)
        }
        SettingSort::Level => SettingValue::Level(section.word(key, &levels(), report)?),
        SettingSort::Mode => SettingValue::Mode(section.word(key, &modes(), report)?),
        SettingSort::Decimal => SettingValue::Thousandths(decimal(section, key, report)?),
        SettingSort::Marks => SettingValue::Marks(marks(section, key, report)?),
    })
}

fn decimal(
    section: &mut Section<'_, '_>,
    key: &'static str,
    report: &mut Report<'_>,
) -> Option<u64> {
    let value = section.get(key)?;
    let number = thousandths(value.get_ref()).filter(|number| *number > 1_000);
    if number.is_none() {
        let reason = "must be a number above 1, of three places at most";
        report.wrong(&section.path(key), value.span(), reason, "without quotes, as in 2.5");
    }
    number
}

fn marks(
    section: &mut Section<'_, '_>,
    key: &'static str,
    report: &mut Report<'_>,
) -> Option<Vec<MarkSetting>> {
    if section.get(key)?.get_ref().as_array().is_some_and(|marks| marks.is_empty()) {
        return Some(Vec::new());
    }
    let before = report.faults.len();
    let mut marks = Vec::new();
    for mut mark in section.tables(key, report) {
        let level = mark.word("level", &levels(), report);
        let gte = mark.number("gte", 1..=MARK_MAX, report);
        let span_max = SETTINGS.iter().find_map(|(_, sort)| match sort {
            SettingSort::Span(secs_max) => Some(*secs_max),
            _ => None,
        });
        let timespan_secs =
            mark.duration_secs("timespan", 1..=span_max.unwrap_or(i64::MAX), report);
        for (key, fix) in [("level", "write level = \"high\""), ("gte", "write gte = 100")] {
            if mark.get(key).is_none() {
                mark.missing(key, fix, report);
            }
        }
        mark.end(report);
        if let (Some(level), Some(gte)) = (level, gte) {
            marks.push(MarkSetting { level, gte, timespan_secs });
        }
    }
    (report.faults.len() == before).then_some(marks)
}

fn levels() -> [(&'static str, Level); 5] {
    Level::ALL.map(|level| (level.word(), level))
}

fn modes() -> [(&'static str, Mode); 4] {
    Mode::ALL.map(|mode| (mode.word(), mode))
}

//! Reads a TOML table key by key, and notes every fault instead of stopping at the first.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Fault;

/// Longest piece of a value that a fault shows, characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A key this unlike a known one is not taken for it.
const LIKENESS_MIN: f64 = 0.6;

/// A value and its place.
pub(super) type Placed<'t, 'i> = &'t Spanned<DeValue<'i>>;

/// The text and what was found wrong with it.
pub(super) struct Report<'i> {
    pub(super) text: &'i str,
    pub(super) faults: Vec<Fault>,
}

impl Report<'_> {
    /// The line of a place, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        1 + before.filter(|&&byte| byte == b'\n').count()
    }

    /// Notes a fault with the value that stands there.
    pub(super) fn wrong(&mut self, path: &str, at: Range<usize>, reason: &str, fix: &str) {
        let value = self.text.get(at.clone()).unwrap_or_default();
        let line = value.lines().next().unwrap_or_default();
        let mut value: String = line.chars().take(SHOWN_CHARS_MAX).collect();
        if value.len() < line.len() {
            value += "..";
        }
        self.note(path, at.start, value, reason, fix);
    }

    /// Notes a fault whose value must not be shown, or is not there.
    pub(super) fn note(&mut self, path: &str, at: usize, value: String, reason: &str, fix: &str) {
        self.faults.push(Fault {
            path: path.to_owned(),
            line: self.line(at),
            value,
            reason: reason.to_owned(),
            fix: fix.to_owned(),
        });
    }
}

/// A table being read. [`Section::end`] refuses the keys that nothing asked for.
pub(super) struct Section<'t, 'i> {
    table: &'t DeTable<'i>,
    path: String,
    /// Where the table begins.
    at: usize,
    known: BTreeSet<&'static str>,
    /// Whether tables under names of the writer's own were asked for.
    names_tables: bool,
}

impl<'t, 'i> Section<'t, 'i> {
    pub(super) fn new(table: &'t DeTable<'i>, path: &str, at: usize) -> Section<'t, 'i> {
        let path = path.to_owned();
        Section { table, path, at, known: BTreeSet::new(), names_tables: false }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The path of a key in this table.
    pub(super) fn path(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path if key.is_empty() => path.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn get(&mut self, key: &'static str) -> Option<Placed<'t, 'i>> {
        self.known.insert(key);
        self.table.get(key)
    }

    pub(super) fn text(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<&'t str> {
        let value = self.get(key)?;
        let text = value.get_ref().as_str().filter(|text| !text.is_empty());
        if text.is_none() {
            let fix = format!("write {key} = \"..\"");
            report.wrong(&self.path(key), value.span(), "must be a text that is not empty", &fix);
        }
        text
    }

    /// The same where it must be there; `fix` says what to write.
    pub(super) fn required_text(
        &mut self,
        key: &'static str,
        fix: &str,
        report: &mut Report<'_>,
    ) -> Option<&'t str> {
        if self.get(key).is_none() {
            self.missing(key, fix, report);
        }
        self.text(key, report)
    }

    pub(super) fn flag(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            report.wrong(&self.path(key), value.span(), "must be true or false", "without quotes");
        }
        flag
    }

    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        report: &mut Report<'_>,
    ) -> Option<u64> {
        let value = self.get(key)?;
        let number = integer(value.get_ref()).and_then(|number| u64::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let reason =
                format!("must be a whole number from {} to {}", range.start(), range.end());
            report.wrong(&self.path(key), value.span(), &reason, "without quotes");
        }
        number
    }

    /// A duration such as `15m`, in seconds.
    pub(super) fn duration_secs(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
        report: &mut Report<'_>,
    ) -> Option<i64> {
        let value = self.get(key)?;
        let secs = value.get_ref().as_str().and_then(duration_secs);
        let secs = secs.filter(|secs| range.contains(secs));
        if secs.is_none() {
            let reason = format!(
                "must be a duration from {} to {}",
                in_words(*range.start()),
                in_words(*range.end())
            );
            let fix = "write a number and s, m, h or d, as in \"15m\" or \"1h30m\"";
            report.wrong(&self.path(key), value.span(), &reason, fix);
        }
        secs
    }

    /// A list of texts, or a single one.
    pub(super) fn texts(
        &mut self,
        key: &'static str,
        report: &mut Report<'_>,
    ) -> Option<Vec<String>> {
        let value = self.get(key)?;
        texts(&self.path(key), value, report)
    }

    pub(super) fn table(
        &mut self,
        key: &'static str,
        report: &mut Report<'_>,
    ) -> Option<Section<'t, 'i>> {
        let value = self.get(key)?;
        let path = self.path(key);
        let table = value.get_ref().as_table();
        if table.is_none() {
            report.wrong(&path, value.span(), "must be a table", &format!("write [{path}]"));
        }
        Some(Section::new(table?, &path, value.span().start))
    }

    /// The tables of `[[key]]`.
    pub(super) fn tables(
        &mut self,
        key: &'static str,
        report: &mut Report<'_>,
    ) -> Vec<Section<'t, 'i>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let path = self.path(key);
        let mut sections = Vec::new();
        let elements = value.get_ref().as_array().map(|array| array.iter());
        for (place, element) in elements.into_iter().flatten().enumerate() {
            if let Some(table) = element.get_ref().as_table() {
                let path = format!("{path}[{place}]");
                sections.push(Section::new(table, &path, element.span().start));
            }
        }
        if sections.is_empty() {
            let fix = format!("write [[{path}]] before its keys");
            report.wrong(&path, value.span(), "must be a list of tables", &fix);
        }
        sections
    }

    /// The tables among the keys that nothing asked for, under names of the writer's own.
    pub(super) fn named_tables(&mut self) -> Vec<(&'t str, Section<'t, 'i>)> {
        self.names_tables = true;
        let mut tables = Vec::new();
        for (key, value) in self.table {
            let name = key.get_ref().as_ref();
            if let Some(table) = value.get_ref().as_table()
                && !self.known.contains(name)
            {
                let section = Section::new(table, &self.path(name), key.span().start);
                tables.push((name, section));
            }
        }
        tables
    }

    /// Every entry, whatever its key.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'t str, Placed<'t, 'i>)> + use<'t, 'i> {
        self.table.iter().map(|(key, value)| (key.get_ref().as_ref(), value))
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        report: &mut Report<'_>,
    ) -> Option<T> {
        let value = self.get(key)?;
        let word = value.get_ref().as_str().unwrap_or_default();
        if let Some((_, meant)) = words.iter().find(|(known, _)| *known == word) {
            return Some(*meant);
        }
        let known: Vec<&str> = words.iter().map(|(known, _)| *known).collect();
        let reason = format!("must be one of {}", known.join(", "));
        report.wrong(&self.path(key), value.span(), &reason, &nearest(word, known.into_iter()));
        None
    }

    /// Notes that a key is missing.
    pub(super) fn missing(&self, key: &str, fix: &str, report: &mut Report<'_>) {
        report.note(&self.path(key), self.at, String::new(), "is missing", fix);
    }

    /// Refuses what nothing asked for.
    pub(super) fn end(self, report: &mut Report<'_>) {
        for (key, value) in self.table {
            let name = key.get_ref().as_ref();
            let is_named = self.names_tables && value.get_ref().is_table();
            if !self.known.contains(name) && !is_named {
                let fix = match nearest(name, self.known.iter().copied()).as_str() {
                    "" => format!(
                        "known here: {}",
                        self.known.iter().copied().collect::<Vec<_>>().join(", ")
                    ),
                    fix => fix.to_owned(),
                };
                let path = self.path(name);
                report.note(&path, key.span().start, String::new(), "is no known key", &fix);
            }
        }
    }
}

pub(super) fn texts(
    path: &str,
    value: Placed<'_, '_>,
    report: &mut Report<'_>,
) -> Option<Vec<String>> {
    let text = |value: &DeValue<'_>| value.as_str().filter(|t| !t.is_empty()).map(str::to_owned);
    let one = text(value.get_ref()).map(|text| vec![text]);
    let all = one.or_else(|| {
        let elements = value.get_ref().as_array()?.iter();
        elements.map(|element| text(element.get_ref())).collect()
    });
    if all.is_none() {
        let fix = "write [\"..\", \"..\"]";
        report.wrong(path, value.span(), "must be a list of texts, none of them empty", fix);
    }
    all
}

pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A number of at most three places, not negative, in thousandths.
pub(super) fn thousandths(value: &DeValue<'_>) -> Option<u64> {
    if let Some(whole) = integer(value) {
        return u64::try_from(whole).ok()?.checked_mul(1_000);
    }
    let text = value.as_float()?.as_str().replace('_', "");
    let (whole, places) = text.split_once('.')?;
    if places.is_empty() || places.len() > 3 {
        return None;
    }
    let places: u64 = format!("{places:0<3}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(places)
}

/// `did you mean "brokers"?`, or nothing where none is near.
pub(super) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> String {
    let likeness = |known: &'k str| (strsim::normalized_damerau_levenshtein(name, known), known);
    known
        .map(likeness)
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| format!("did you mean {known}?"))
        .unwrap_or_default()
}

/// `15m`, `600s`, `1h30m`, `7d` in seconds.
pub(super) fn duration_secs(text: &str) -> Option<i64> {
    let mut secs = 0_i64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let unit = rest.find(|c: char| !c.is_ascii_digit())?;
        let (digits, tail) = rest.split_at_checked(unit)?;
        let mut tail = tail.chars();
        let unit_secs = match tail.next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        let number: i64 = digits.parse().ok()?;
        secs = secs.checked_add(number.checked_mul(unit_secs)?)?;
        rest = tail.as_str();
    }
    Some(secs)
}

fn in_words(secs: i64) -> String {
    match secs {
        0 => "0s".to_owned(),
        _ if secs % 86_400 == 0 => format!("{}d", secs / 86_400),
        _ if secs % 3_600 == 0 => format!("{}h", secs / 3_600),
        _ if secs % 60 == 0 => format!("{}m", secs / 60),
        _ => format!("{secs}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read() {
        for (text, secs) in [
            ("15m", Some(900)),
            ("600s", Some(600)),
            ("1h30m", Some(5_400)),
            ("7d", Some(604_800)),
            ("0s", Some(0)),
            ("", None),
            ("15", None),
            ("m", None),
            ("-1s", None),
            ("1.5h", None),
            ("15 m", None),
            ("99999999999999999999s", None),
            ("9223372036854775807d", None),
        ] {
            assert_eq!(duration_secs(text), secs, "{text}");
        }
    }
}

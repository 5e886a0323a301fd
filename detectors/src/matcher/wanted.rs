//! One value a rule asks for, compiled, and whether a record's value is it.

use std::collections::HashSet;

use regex::{Regex, RegexBuilder};
use rsigma_parser::SigmaString;

use super::encode::{base64, base64_offsets, windash};
use super::modifier::{Encoding, Manner, Modifiers, TimePart};
use super::network::{Network, address};
use super::number::{Comparison, Number};
use super::text::{PATTERN_BYTES_MAX, Part, Pattern};
use crate::record::Value;
use crate::time::EventTime;

/// Largest compiled regular expression, bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// From so many plain texts on, a set is faster than a list.
const SET_LEN_MIN: usize = 8;

/// A value as it stands in a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
}

impl std::fmt::Display for Wish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wish::Null => f.write_str("null"),
            Wish::Bool(value) => write!(f, "{value}"),
            Wish::Number(text) | Wish::Text(text) => f.write_str(text),
        }
    }
}

/// One value to compare with.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// Null, or nothing at all.
    Null,
    /// `true` also matches the text "True".
    Bool(bool),
    /// Also matches a text that is this number.
    Number(Comparison, Number),
    Text(Pattern),
    /// Any of these texts, in lower case.
    Texts(HashSet<Box<str>, foldhash::fast::FixedState>),
    Regex(Box<Regex>),
    Network(Network),
    Time(TimePart, Comparison, Number),
}

impl Wanted {
    /// Compiles one value. It may become several, of which any will do.
    pub(crate) fn compile(wish: &Wish, modifiers: &Modifiers) -> Result<Vec<Wanted>, String> {
        if let Wish::Text(text) = wish
            && text.len() > PATTERN_BYTES_MAX
        {
            return Err(format!("a value may have {PATTERN_BYTES_MAX} bytes"));
        }
        match modifiers.manner {
            Manner::Text { part, encoding, windash } => {
                Wanted::text(wish, part, encoding, windash, modifiers.cased)
            }
            Manner::Regex { ignore_case, multi_line, dot_all } => {
                let (Wish::Text(text) | Wish::Number(text)) = wish else {
                    return Err(format!("`re` wants a text, got `{wish}`"));
                };
                let regex = RegexBuilder::new(text)
                    .case_insensitive(ignore_case)
                    .multi_line(multi_line)
                    .dot_matches_new_line(dot_all)
                    .size_limit(REGEX_BYTES_MAX)
                    .dfa_size_limit(REGEX_BYTES_MAX)
                    .build()
                    .map_err(|error| regex_reason(text, &error))?;
                Ok(vec![Wanted::Regex(Box::new(regex))])
            }
            Manner::Network => match wish {
                Wish::Text(text) => Ok(vec![Wanted::Network(Network::parse(text)?)]),
                _ => Err(format!("`{wish}` is no network")),
            },
            Manner::Number(comparison) => Ok(vec![Wanted::Number(comparison, number(wish)?)]),
            Manner::Time(part, comparison) => {
                Ok(vec![Wanted::Time(part, comparison, number(wish)?)])
            }
            Manner::Exists | Manner::Reference(_) => {
                unreachable!("an item of these manners wants no values")
            }
        }
    }

    fn text(
        wish: &Wish,
        part: Part,
        encoding: Encoding,
        dashes: bool,
        cased: bool,
    ) -> Result<Vec<Wanted>, String> {
        let plain = part == Part::Whole && encoding == Encoding::None && !dashes;
        let text = match wish {
            Wish::Null if plain => return Ok(vec![Wanted::Null]),
            Wish::Bool(value) if plain => return Ok(vec![Wanted::Bool(*value)]),
            Wish::Number(text) if plain => {
                return Ok(vec![Wanted::Number(Comparison::Equal, parse_number(text)?)]);
            }
            Wish::Null => return Err("null is no text to be a part of another".to_owned()),
            Wish::Bool(_) | Wish::Number(_) | Wish::Text(_) => wish.to_string(),
        };
        let sigma = match wish {
            Wish::Text(text) => SigmaString::new(text),
            _ => SigmaString::from_raw(&text),
        };
        if encoding == Encoding::None && !dashes {
            return Ok(vec![Wanted::Text(Pattern::new(&sigma, part, cased))]);
        }
        let Some(text) = sigma.as_plain() else {
            return Err(format!(
                "`{text}` has wildcards, which cannot be encoded (`\\*` is a plain one)"
            ));
        };
        let texts = if dashes { windash(&text) } else { vec![text] };
        Ok(texts
            .iter()
            .flat_map(|text| match encoding {
                Encoding::None => vec![text.clone()],
                Encoding::Base64(width) => vec![base64(text, width)],
                Encoding::Base64Offset(width) => base64_offsets(text, width).to_vec(),
            })
            .map(|text| Wanted::Text(Pattern::literal(&text, part, cased)))
            .collect())
    }

    /// Puts many plain texts into a set.
    pub(crate) fn gather(wanted: Vec<Wanted>) -> Vec<Wanted> {
        let exact = |wanted: &Wanted| match wanted {
            Wanted::Text(pattern) if !pattern.is_cased() => {
                pattern.exact().map(str::to_ascii_lowercase)
            }
            _ => None,
        };
        if wanted.iter().filter_map(exact).count() < SET_LEN_MIN {
            return wanted;
        }
        let texts = wanted.iter().filter_map(exact).map(Into::into).collect();
        let rest = wanted.into_iter().filter(|wanted| exact(wanted).is_none());
        std::iter::once(Wanted::Texts(texts)).chain(rest).collect()
    }

    /// The texts, in lower case, of which a value must be one to be this; `None` if others may do.
    pub(crate) fn exact(&self) -> Option<Vec<String>> {
        match self {
            Wanted::Text(pattern) => Some(vec![pattern.exact()?.to_ascii_lowercase()]),
            Wanted::Texts(texts) => Some(texts.iter().map(|text| text.to_string()).collect()),
            _ => None,
        }
    }

    /// Whether a record's value is it.
    pub(crate) fn is(&self, value: &Value<'_>) -> bool {
        if let (Wanted::Null, Value::Null | Value::Missing) = (self, value) {
            return true;
        }
        let Some(text) = text_of(value) else {
            return false;
        };
        match self {
            Wanted::Null => false,
            Wanted::Bool(wanted) => {
                text.eq_ignore_ascii_case(if *wanted { "true" } else { "false" })
            }
            Wanted::Number(comparison, wanted) => {
                Number::parse(text).is_some_and(|number| number.is(*comparison, *wanted))
            }
            Wanted::Text(pattern) => pattern.fits(text),
            Wanted::Texts(texts) => contains_lower(texts, text),
            Wanted::Regex(regex) => regex.is_match(text),
            Wanted::Network(network) => address(text).is_some_and(|a| network.holds(a)),
            Wanted::Time(part, comparison, wanted) => {
                EventTime::parse(text).is_some_and(|time| part.of(time).is(*comparison, *wanted))
            }
        }
    }

    /// What it costs beyond looking up the field, roughly.
    pub(crate) fn cost(&self) -> u32 {
        match self {
            Wanted::Regex(_) => 50,
            Wanted::Network(_) | Wanted::Time(..) => 5,
            _ => 0,
        }
    }
}

/// The text of a text, a number or a truth value.
pub(crate) fn text_of<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    match value {
        Value::Text(text) | Value::Number(text) => Some(text),
        Value::Bool(true) => Some("true"),
        Value::Bool(false) => Some("false"),
        Value::Missing | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn contains_lower(texts: &HashSet<Box<str>, foldhash::fast::FixedState>, text: &str) -> bool {
    // Names of operations and services fit; what is longer is no longer than it was sent.
    let mut lower: smallvec::SmallVec<[u8; 128]> = text.as_bytes().into();
    lower.make_ascii_lowercase();
    std::str::from_utf8(&lower).is_ok_and(|lower| texts.contains(lower))
}

fn number(wish: &Wish) -> Result<Number, String> {
    match wish {
        Wish::Number(text) | Wish::Text(text) => parse_number(text),
        Wish::Null | Wish::Bool(_) => Err(format!("`{wish}` is no number")),
    }
}

fn parse_number(text: &str) -> Result<Number, String> {
    Number::parse(text).ok_or_else(|| format!("`{text}` is no decimal number"))
}

/// The reason without the drawing that shows the place, which takes several lines.
fn regex_reason(text: &str, error: &regex::Error) -> String {
    let reason = match error {
        regex::Error::CompiledTooBig(limit) => format!("it needs more than {limit} bytes"),
        error => {
            let whole = error.to_string();
            let last = whole.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    };
    format!("`{text}` is no regular expression this engine reads: {reason}")
}

impl TimePart {
    fn of(self, time: EventTime) -> Number {
        let (year, month, day) = time.date();
        Number::whole(match self {
            TimePart::Minute => time.0.rem_euclid(3_600) / 60,
            TimePart::Hour => time.0.rem_euclid(86_400) / 3_600,
            TimePart::Day => day,
            TimePart::Week => week(time),
            TimePart::Month => month,
            TimePart::Year => year,
        })
    }
}

/// The week of ISO 8601: that of the year in which the week's Thursday lies, from 1.
fn week(time: EventTime) -> i64 {
    let days = time.0.div_euclid(86_400);
    // 1970-01-01 was a Thursday: three days after its Monday.
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let mut first = thursday;
    let (year, ..) = EventTime(thursday * 86_400).date();
    while EventTime((first - 7) * 86_400).date().0 == year {
        first -= 7;
    }
    (thursday - first) / 7 + 1
}

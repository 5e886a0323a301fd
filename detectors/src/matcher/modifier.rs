//! Sigma's modifiers, and which of them go together.

use std::str::FromStr as _;

use rsigma_parser::ast::Modifier;

use super::encode::Width;
use super::number::Comparison;
use super::text::Part;

/// Every modifier by its common name, for the nearest to a misspelt one.
pub(crate) const NAMES: [&str; 31] = [
    "contains",
    "startswith",
    "endswith",
    "all",
    "base64",
    "base64offset",
    "wide",
    "utf16le",
    "utf16be",
    "utf16",
    "windash",
    "re",
    "cidr",
    "cased",
    "exists",
    "expand",
    "fieldref",
    "gt",
    "gte",
    "lt",
    "lte",
    "neq",
    "i",
    "m",
    "s",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
];

/// What the modifiers of a field ask for, once it is sure that they go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Modifiers {
    pub(crate) manner: Manner,
    /// All values of the list, not any.
    pub(crate) all: bool,
    /// Some value is there, and is none of these.
    pub(crate) neq: bool,
    pub(crate) cased: bool,
    /// Values hold `%lists%`.
    pub(crate) expand: bool,
}

/// How values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Text {
        part: Part,
        encoding: Encoding,
        windash: bool,
    },
    Regex {
        ignore_case: bool,
        multi_line: bool,
        dot_all: bool,
    },
    Network,
    Exists,
    /// With another field of the record.
    Reference(Part),
    Number(Comparison),
    Time(TimePart, Comparison),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    None,
    Base64(Width),
    Base64Offset(Width),
}

/// A part of a time, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimePart {
    Minute,
    Hour,
    Day,
    /// Of the year, as ISO 8601 counts.
    Week,
    Month,
    Year,
}

impl Modifiers {
    /// Reads what stands after the first `|` of a key. The error says what does not go together;
    /// an unknown name is an error that holds it as its second part.
    pub(crate) fn parse(names: &[&str]) -> Result<Modifiers, (String, Option<String>)> {
        let mut found: Vec<Modifier> = Vec::new();
        for name in names {
            if *name == "not" {
                return Err((
                    "`not` is no modifier: negate in the condition, or use `neq`".to_owned(),
                    None,
                ));
            }
            let modifier = Modifier::from_str(name)
                .map_err(|()| (format!("unknown modifier `{name}`"), Some((*name).to_owned())))?;
            if found.contains(&modifier) {
                return Err((format!("modifier `{name}` stands twice"), None));
            }
            found.push(modifier);
        }
        Modifiers::combine(&found).map_err(|reason| (reason, None))
    }

    fn combine(found: &[Modifier]) -> Result<Modifiers, String> {
        let has = |modifier| found.contains(&modifier);
        let part = part(found)?;
        let comparison = comparison(found)?;
        let time = time_part(found)?;
        let encoding = encoding(found)?;
        let windash = has(Modifier::WindAsh);
        let (ignore_case, multi_line, dot_all) =
            (has(Modifier::IgnoreCase), has(Modifier::Multiline), has(Modifier::DotAll));
        if (ignore_case || multi_line || dot_all) && !has(Modifier::Re) {
            return Err("modifiers `i`, `m` and `s` belong to `re`".to_owned());
        }
        let mut manners: Vec<(&str, Manner)> = Vec::new();
        if has(Modifier::Re) {
            let regex = Manner::Regex { ignore_case, multi_line, dot_all };
            manners.push(("re", regex));
        }
        if has(Modifier::Cidr) {
            manners.push(("cidr", Manner::Network));
        }
        if has(Modifier::Exists) {
            manners.push(("exists", Manner::Exists));
        }
        match (time, comparison) {
            (Some((name, time)), comparison) => {
                let comparison = comparison.map_or(Comparison::Equal, |(_, c)| c);
                manners.push((name, Manner::Time(time, comparison)));
            }
            (None, Some((name, comparison))) => {
                manners.push((name, Manner::Number(comparison)));
            }
            (None, None) => {}
        }
        if has(Modifier::FieldRef) {
            manners
                .push(("fieldref", Manner::Reference(part.map_or(Part::Whole, |(_, part)| part))));
        } else if let Some((name, part)) = part {
            manners.push((name, Manner::Text { part, encoding, windash }));
        } else if windash || encoding != Encoding::None {
            let name = if windash { "windash" } else { "base64" };
            manners.push((name, Manner::Text { part: Part::Whole, encoding, windash }));
        }
        if let [(first, _), (second, _), ..] = manners.as_slice() {
            return Err(format!("modifiers `{first}` and `{second}` do not go together"));
        }
        let modifiers = Modifiers {
            manner: manners.first().map_or(Modifiers::text(Part::Whole), |(_, manner)| *manner),
            all: has(Modifier::All),
            neq: has(Modifier::Neq),
            cased: has(Modifier::Cased),
            expand: has(Modifier::Expand),
        };
        modifiers.check(manners.first().map_or("", |(name, _)| name))?;
        Ok(modifiers)
    }

    fn text(part: Part) -> Manner {
        Manner::Text { part, encoding: Encoding::None, windash: false }
    }

    /// Whether `all`, `neq`, `cased` and `expand` go with the manner called `name`.
    fn check(&self, name: &str) -> Result<(), String> {
        let (is_text, is_reference) = (
            matches!(self.manner, Manner::Text { .. }),
            matches!(self.manner, Manner::Reference(_)),
        );
        let is_regex = matches!(self.manner, Manner::Regex { .. });
        let clash = if self.all && self.neq {
            Some(("all", "neq"))
        } else if self.all && !(is_text || is_regex) {
            Some(("all", name))
        } else if self.cased && !(is_text || is_reference) {
            Some(("cased", name))
        } else if self.expand && !is_text {
            Some(("expand", name))
        } else if self.neq && (self.manner == Manner::Exists || self.compares_order()) {
            Some(("neq", name))
        } else {
            None
        };
        match clash {
            Some((a, b)) => Err(format!("modifiers `{a}` and `{b}` do not go together")),
            None => Ok(()),
        }
    }

    fn compares_order(&self) -> bool {
        match self.manner {
            Manner::Number(comparison) | Manner::Time(_, comparison) => {
                comparison != Comparison::Equal
            }
            _ => false,
        }
    }
}

fn part(found: &[Modifier]) -> Result<Option<(&'static str, Part)>, String> {
    one_of(
        found,
        &[
            (Modifier::Contains, "contains", Part::Anywhere),
            (Modifier::StartsWith, "startswith", Part::Start),
            (Modifier::EndsWith, "endswith", Part::End),
        ],
    )
}

fn comparison(found: &[Modifier]) -> Result<Option<(&'static str, Comparison)>, String> {
    one_of(
        found,
        &[
            (Modifier::Gt, "gt", Comparison::Greater),
            (Modifier::Gte, "gte", Comparison::GreaterOrEqual),
            (Modifier::Lt, "lt", Comparison::Less),
            (Modifier::Lte, "lte", Comparison::LessOrEqual),
        ],
    )
}

fn time_part(found: &[Modifier]) -> Result<Option<(&'static str, TimePart)>, String> {
    one_of(
        found,
        &[
            (Modifier::Minute, "minute", TimePart::Minute),
            (Modifier::Hour, "hour", TimePart::Hour),
            (Modifier::Day, "day", TimePart::Day),
            (Modifier::Week, "week", TimePart::Week),
            (Modifier::Month, "month", TimePart::Month),
            (Modifier::Year, "year", TimePart::Year),
        ],
    )
}

fn encoding(found: &[Modifier]) -> Result<Encoding, String> {
    let width = one_of(
        found,
        &[
            (Modifier::Wide, "wide", Width::Utf16Le),
            (Modifier::Utf16be, "utf16be", Width::Utf16Be),
            (Modifier::Utf16, "utf16", Width::Utf16),
        ],
    )?;
    let base64 = one_of(
        found,
        &[(Modifier::Base64, "base64", false), (Modifier::Base64Offset, "base64offset", true)],
    )?;
    let place = |wanted: &[Modifier]| found.iter().position(|m| wanted.contains(m));
    let part = place(&[Modifier::Contains, Modifier::StartsWith, Modifier::EndsWith]);
    let encoder = place(&[Modifier::Base64, Modifier::Base64Offset]);
    match (width, base64) {
        (None, None) => Ok(Encoding::None),
        (Some((name, _)), None) => {
            Err(format!("modifier `{name}` stands before `base64` or `base64offset`"))
        }
        (width, Some((name, offset))) => {
            if part.is_some_and(|part| encoder.is_some_and(|encoder| part < encoder)) {
                return Err(format!(
                    "modifier `{name}` stands before `contains`, `startswith` or `endswith`"
                ));
            }
            if offset && !found.contains(&Modifier::Contains) {
                return Err("modifier `base64offset` finds a part of a text: write \
                     `base64offset|contains`"
                    .to_owned());
            }
            let width = width.map_or(Width::Bytes, |(_, width)| width);
            Ok(if offset { Encoding::Base64Offset(width) } else { Encoding::Base64(width) })
        }
    }
}

fn one_of<T: Copy>(
    found: &[Modifier],
    table: &[(Modifier, &'static str, T)],
) -> Result<Option<(&'static str, T)>, String> {
    let mut present = table.iter().filter(|(modifier, ..)| found.contains(modifier));
    match (present.next(), present.next()) {
        (None, _) => Ok(None),
        (Some((_, name, value)), None) => Ok(Some((name, *value))),
        (Some((_, first, _)), Some((_, second, _))) => {
            Err(format!("modifiers `{first}` and `{second}` do not go together"))
        }
    }
}

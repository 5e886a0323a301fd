//! The languages a query is written in.
//!
//! A value becomes a literal that it cannot leave. In SQL (Trino's, which Athena and CloudTrail Lake
//! speak) that is text between single quotes with each quote doubled; nothing else is special
//! there, and control characters are written by their code. In Logs Insights, whose documentation
//! does not say how a quote is escaped, a value of harmless characters stands between double
//! quotes, and any other becomes a pattern in which every other character is a dot: it finds a
//! little more, and nothing can be put into it.

use std::fmt::Write as _;

use floodmark_detectors::time::EventTime;

use super::term::Term;
use super::{Ask, Query};
use crate::encode::redact::printable;

/// Where a query is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Dialect {
    /// Athena, over a trail's bucket.
    Athena,
    /// CloudWatch Logs Insights, over a trail's log group.
    Insights,
    /// CloudTrail Lake.
    Lake,
}

/// Days are delivered late: a day's folder may hold the last minutes of the day before.
const DELIVERY_SECS: i64 = 3_600;

impl Dialect {
    /// The table that is meant where none is named.
    #[must_use]
    pub fn table(self) -> &'static str {
        match self {
            Dialect::Athena => "cloudtrail",
            Dialect::Insights => "",
            Dialect::Lake => "EVENT_DATA_STORE_ID",
        }
    }

    pub(super) fn write(
        self,
        query: &Query,
        ask: Ask,
        span: (EventTime, EventTime),
        table: &str,
    ) -> String {
        let term = ask.term(query);
        let head = format!(
            "Floodmark alert {}, {}: {}",
            printable(&query.alert),
            printable(&query.title),
            ask.in_words()
        );
        match self {
            Dialect::Athena => athena(query, ask, span, table, &term, &head),
            Dialect::Lake => lake(query, ask, span, table, &term, &head),
            Dialect::Insights => insights(query, ask, span, &term, &head),
        }
    }

    /// A condition in this language; one that always holds where there is none.
    fn condition(self, term: &Term) -> String {
        let (and, or, all) = match self {
            Dialect::Insights => (" and ", " or ", "ispresent(eventID)"),
            Dialect::Athena | Dialect::Lake => (" AND ", " OR ", "1 = 1"),
        };
        let joined = |terms: &[Term], word: &str| {
            let parts: Vec<String> = terms.iter().map(|term| self.condition(term)).collect();
            match parts.len() {
                0 => all.to_owned(),
                1 => parts.concat(),
                _ => format!("({})", parts.join(word)),
            }
        };
        match (self, term) {
            (_, Term::All(terms)) => joined(terms, and),
            (_, Term::Any(terms)) => joined(terms, or),
            (Dialect::Insights, Term::Is(field, values)) => {
                let each = values.iter().map(|value| insights_is(&insights_field(field), value));
                let each: Vec<String> = each.collect();
                if each.len() == 1 { each.concat() } else { format!("({})", each.join(" or ")) }
            }
            (Dialect::Insights, Term::IsNot(field, values)) => {
                let each = values.iter().map(|value| insights_is(&insights_field(field), value));
                format!("not ({})", each.collect::<Vec<_>>().join(" or "))
            }
            (Dialect::Insights, Term::Begins(field, value)) => {
                format!("{} like /^{}/", insights_field(field), pattern(value))
            }
            (Dialect::Insights, Term::Holds(_, value)) => {
                format!("@message like /{}/", pattern(value))
            }
            (_, Term::Is(field, values)) => {
                format!("{} IN ({})", self.column(field), literals(values))
            }
            (_, Term::IsNot(field, values)) => {
                format!("{} NOT IN ({})", self.column(field), literals(values))
            }
            (_, Term::Begins(field, value)) => {
                format!("strpos({}, {}) = 1", self.column(field), literal(value))
            }
            (_, Term::Holds(field, value)) => {
                format!("strpos({}, {}) > 0", self.column(field), literal(value))
            }
        }
    }

    /// A member of a record as an expression of text.
    fn column(self, field: &str) -> String {
        let (first, rest) = field.split_once('.').unwrap_or((field, ""));
        let is_json = matches!(
            first,
            "requestParameters"
                | "responseElements"
                | "additionalEventData"
                | "serviceEventDetails"
        );
        let is_plain =
            |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b));
        match self {
            // Requests and answers are JSON as text there, a map of texts in Lake.
            Dialect::Athena if is_json && !rest.is_empty() => {
                let column = first.to_ascii_lowercase();
                let path = literal(&format!("$.{rest}"));
                format!(
                    "coalesce(json_extract_scalar({column}, {path}), json_format(json_extract({column}, {path})))"
                )
            }
            Dialect::Lake if is_json && !rest.is_empty() => {
                let member = rest.split('.').next().unwrap_or_default();
                format!("element_at({first}, {})", literal(member))
            }
            // A field that is no plain path is none of a record's: nothing equals it.
            _ if !is_plain(field) => "NULL".to_owned(),
            Dialect::Athena => field.to_ascii_lowercase(),
            Dialect::Lake if field == "readOnly" => "CAST(readOnly AS varchar)".to_owned(),
            Dialect::Lake | Dialect::Insights => field.to_owned(),
        }
    }
}

fn literals(values: &[String]) -> String {
    let literals: Vec<String> = values.iter().map(|value| literal(value)).collect();
    literals.join(", ")
}

/// A text literal of SQL.
pub(super) fn literal(value: &str) -> String {
    if printable(value) == value {
        return format!("'{}'", value.replace('\'', "''"));
    }
    let mut literal = "U&'".to_owned();
    for c in value.chars() {
        match c {
            '\'' => literal.push_str("''"),
            '\\' => literal.push_str("\\\\"),
            c if printable(c.encode_utf8(&mut [0; 4])).starts_with('\u{fffd}') => {
                literal += &format!("\\+{:06x}", u32::from(c));
            }
            c => literal.push(c),
        }
    }
    literal.push('\'');
    literal
}

fn insights_field(field: &str) -> String {
    let plain = field.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b));
    if plain { field.to_owned() } else { "@message".to_owned() }
}

fn insights_is(field: &str, value: &str) -> String {
    if !value.is_empty() && value.bytes().all(is_harmless) {
        format!("{field} = \"{value}\"")
    } else {
        format!("{field} like /^{}$/", pattern(value))
    }
}

fn is_harmless(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b" _-+=,.@:/".contains(&b)
}

/// A pattern that fits the value: what is no letter, digit, dash or underscore is a dot.
fn pattern(value: &str) -> String {
    let own = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    value.chars().map(|c| if own(c) { c } else { '.' }).collect()
}

/// Lines of a `WHERE` that bound accounts and regions, or say why they do not.
fn bounds(query: &Query, ask: Ask, names: [&str; 2]) -> String {
    let mut lines = String::new();
    let [account, region] = names;
    let known = [
        (account, &query.accounts, query.accounts_are_all),
        (region, &query.regions, query.regions_are_all && !ask.is_global()),
    ];
    for (column, values, is_all) in known {
        if values.is_empty() {
            continue;
        }
        let condition = format!("AND {column} IN ({})", literals(values));
        lines += &match is_all {
            true => format!("  {condition}\n"),
            false => format!(
                "  -- seen in the evidence, there may be others: {}\n",
                printable(&condition)
            ),
        };
    }
    lines
}

fn day(time: EventTime) -> String {
    let (year, month, day) = time.date();
    format!("{year:04}/{month:02}/{day:02}")
}

fn athena(
    query: &Query,
    ask: Ask,
    (from, to): (EventTime, EventTime),
    table: &str,
    term: &Term,
    head: &str,
) -> String {
    format!(
        "-- {head}\n\
         SELECT eventtime, eventname, eventsource, errorcode, recipientaccountid, awsregion, who,\n       \
         accesskeyid, sourceipaddress, useragent, requestparameters, responseelements, requestid, eventid\n\
         FROM (\n  \
         SELECT *, useridentity.arn AS who, useridentity.accesskeyid AS accesskeyid,\n         \
         row_number() OVER (PARTITION BY eventid ORDER BY eventtime) AS copy\n  \
         FROM {table}\n  \
         WHERE day BETWEEN '{}' AND '{}'\n  \
         AND eventtime BETWEEN '{from}' AND '{to}'\n\
         {}  AND {}\n)\n\
         WHERE copy = 1\n\
         ORDER BY eventtime, eventid\n",
        day(from),
        day(to.plus(DELIVERY_SECS)),
        bounds(query, ask, ["account", "region"]),
        Dialect::Athena.condition(term),
    )
}

fn lake(
    query: &Query,
    ask: Ask,
    (from, to): (EventTime, EventTime),
    table: &str,
    term: &Term,
    head: &str,
) -> String {
    let time = |time: EventTime| time.to_string().replace('T', " ").replace('Z', "");
    format!(
        "-- {head}\n\
         SELECT DISTINCT eventTime, eventName, eventSource, errorCode, recipientAccountId, awsRegion,\n       \
         userIdentity.arn, userIdentity.accessKeyId, sourceIPAddress, userAgent, requestID, eventID\n\
         FROM {table}\n\
         WHERE eventTime >= '{}' AND eventTime <= '{}'\n\
         {}  AND {}\n\
         ORDER BY eventTime, eventID\n",
        time(from),
        time(to),
        bounds(query, ask, ["recipientAccountId", "awsRegion"]),
        Dialect::Lake.condition(term),
    )
}

fn insights(
    query: &Query,
    ask: Ask,
    (from, to): (EventTime, EventTime),
    term: &Term,
    head: &str,
) -> String {
    let mut text = format!(
        "# {head}\n# time range {from} to {to} (--start-time {} --end-time {})\n\
         fields @timestamp, eventName, eventSource, errorCode, recipientAccountId, awsRegion,\n  \
         userIdentity.arn, userIdentity.accessKeyId, sourceIPAddress, userAgent, requestID, eventID\n",
        from.0, to.0
    );
    let mut filter = |field: &str, values: &[String]| {
        let term = Term::Is(field.to_owned(), values.to_vec());
        writeln!(text, "| filter {}", Dialect::Insights.condition(&term))
            .expect("a String takes all");
    };
    if query.accounts_are_all && !query.accounts.is_empty() {
        filter("recipientAccountId", &query.accounts);
    }
    if query.regions_are_all && !ask.is_global() && !query.regions.is_empty() {
        filter("awsRegion", &query.regions);
    }
    let condition = Dialect::Insights.condition(term);
    text + &format!("| filter {condition}\n| sort @timestamp asc\n| dedup eventID\n| limit 10000\n")
}

//! Spans of time and numbers, as rules write them.

use rsigma_parser::Timespan;
use rsigma_parser::value::TimespanUnit;

use super::document::{Node, Sort};
use super::fault::Problem;

/// Longest window, seconds: 31 days.
pub(crate) const TIMESPAN_SECS_MAX: i64 = 31 * 86_400;
/// Longest memory of `first_seen` and baseline of `surge`, seconds: 400 days.
pub(crate) const MEMORY_SECS_MAX: i64 = 400 * 86_400;

/// A span such as `10m`, in seconds: at least one second, at most `secs_max`.
pub(crate) fn span(
    node: &Node,
    key: &str,
    secs_max: i64,
    problems: &mut Vec<Problem>,
) -> Option<i64> {
    let text = node.text().unwrap_or_default();
    let problem = match Timespan::parse(text) {
        Err(_) => {
            let reason = format!("`{key}` must be a span such as 90s, 10m, 1h or 7d, not `{text}`");
            Problem::new(node.line, reason)
        }
        Ok(span) if matches!(span.unit, TimespanUnit::Month | TimespanUnit::Year) => {
            let reason = format!("`{key}` of `{text}`: months and years have no fixed length");
            Problem::new(node.line, reason).fix("write days: 30d")
        }
        Ok(span) => match i64::try_from(span.seconds) {
            Ok(0) => Problem::new(node.line, format!("`{key}` must be at least 1s")),
            Ok(seconds) if seconds <= secs_max => return Some(seconds),
            _ => Problem::new(
                node.line,
                format!("`{key}` may be {}d at most, got `{text}`", secs_max / 86_400),
            ),
        },
    };
    problems.push(problem);
    None
}

/// A whole number, zero or more.
pub(crate) fn whole(node: &Node, key: &str, problems: &mut Vec<Problem>) -> Option<u64> {
    let number = node
        .scalar()
        .filter(|scalar| scalar.sort == Sort::Number)
        .and_then(|scalar| scalar.text.parse().ok());
    if number.is_none() {
        let got = node.text().map_or(node.sort_name().to_owned(), |text| format!("`{text}`"));
        let reason = format!("`{key}` must be a whole number, zero or more, not {got}");
        problems.push(Problem::new(node.line, reason));
    }
    number
}

/// A decimal number of at most three places, in thousandths.
pub(crate) fn thousandths(node: &Node, key: &str, problems: &mut Vec<Problem>) -> Option<u64> {
    let number = node.scalar().filter(|scalar| scalar.sort == Sort::Number).and_then(|scalar| {
        let (whole, places) = scalar.text.split_once('.').unwrap_or((&scalar.text, "0"));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if places.is_empty() || places.len() > 3 || !digits(places) || !digits(whole) {
            return None;
        }
        let places: u64 = format!("{places:0<3}").parse().ok()?;
        whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(places)
    });
    if number.is_none() {
        let got = node.text().map_or(node.sort_name().to_owned(), |text| format!("`{text}`"));
        let reason = format!("`{key}` must be a number such as 10 or 2.5, not {got}");
        problems.push(Problem::new(node.line, reason));
    }
    number
}

/// `true` or `false`.
pub(crate) fn truth(node: &Node, key: &str, problems: &mut Vec<Problem>) -> Option<bool> {
    match node.scalar().map(|scalar| scalar.sort) {
        Some(Sort::Bool(value)) => Some(value),
        _ => {
            let reason = format!("`{key}` must be true or false, not {}", node.sort_name());
            problems.push(Problem::new(node.line, reason));
            None
        }
    }
}

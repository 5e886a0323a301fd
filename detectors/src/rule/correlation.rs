//! The `correlation` of a rule, read and checked by itself; `link` ties it to the rules it names.

use std::collections::BTreeSet;

use rsigma_parser::ast::ConditionExpr;

use super::Threshold;
use super::condition::parse_condition;
use super::document::{Content, Node};
use super::fault::Problem;
use super::keys;
use super::quantity::{TIMESPAN_SECS_MAX, span, whole};

/// Most rules a correlation may name: a member is a bit of 64.
pub(crate) const MEMBERS_MAX: usize = 64;
/// Most fields of a group-by.
const GROUP_BY_MAX: usize = 8;
/// One, in the unit of sums.
pub(crate) const SUM_UNIT: u64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    EventCount,
    ValueCount,
    ValueSum,
    Temporal,
    TemporalOrdered,
}

/// A correlation as written, its parts valid by themselves.
#[derive(Debug, Clone)]
pub(crate) struct Correlation {
    pub(crate) sort: Sort,
    /// Names or ids, and lines.
    pub(crate) rules: Vec<(String, usize)>,
    /// Fields or aliases, and lines.
    pub(crate) group_by: Vec<(String, usize)>,
    pub(crate) timespan_secs: i64,
    pub(crate) condition: Condition,
    pub(crate) aliases: Vec<Alias>,
    pub(crate) line: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Condition {
    /// Numbers, and the line.
    Numbers { threshold: Threshold, field: Option<(String, usize)>, line: usize },
    /// An expression over members of a temporal rule, and the line.
    Expression(ConditionExpr, usize),
    /// All members.
    All,
}

/// A name for a field that is called otherwise in each rule.
#[derive(Debug, Clone)]
pub(crate) struct Alias {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// Rule, field, line.
    pub(crate) fields: Vec<(String, String, usize)>,
}

impl Correlation {
    /// Reads and checks the key's value.
    pub(crate) fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Correlation> {
        let Some(entries) = node.map() else {
            let reason = format!("`correlation` must be a map, not {}", node.sort_name());
            problems.push(Problem::new(node.line, reason));
            return None;
        };
        for entry in entries {
            match entry.key.as_str() {
                "timeframe" => problems.push(
                    Problem::new(entry.line, "unknown key `timeframe` in `correlation`")
                        .fix("did you mean `timespan`?"),
                ),
                "window" | "gap" => problems.push(
                    Problem::new(
                        entry.line,
                        format!("`{}` is not supported: windows always slide", entry.key),
                    )
                    .fix("leave it out"),
                ),
                "generate" => problems.push(
                    Problem::new(entry.line, "unknown key `generate` in `correlation`")
                        .fix("it stands beside `correlation`"),
                ),
                _ => keys::known(
                    std::slice::from_ref(entry),
                    &keys::CORRELATION,
                    "correlation",
                    problems,
                ),
            }
        }
        let sort = required(node, "type", problems).and_then(|node| sort(node, problems));
        let rules = required(node, "rules", problems)
            .map(|node| distinct(node, "rules", MEMBERS_MAX, problems))
            .unwrap_or_default();
        let group_by = node
            .get("group-by")
            .map(|node| distinct(node, "group-by", GROUP_BY_MAX, problems))
            .unwrap_or_default();
        let timespan = required(node, "timespan", problems)
            .and_then(|node| span(node, "timespan", TIMESPAN_SECS_MAX, problems));
        let aliases = node.get("aliases").map(|node| aliases(node, problems)).unwrap_or_default();
        let condition = condition(node, sort?, problems)?;
        if sort == Some(Sort::TemporalOrdered) && rules.len() == 1 {
            let reason = "`temporal_ordered` needs two rules to have an order";
            problems.push(Problem::new(node.line, reason));
        }
        Some(Correlation {
            sort: sort?,
            rules,
            group_by,
            timespan_secs: timespan?,
            condition,
            aliases,
            line: node.line,
        })
    }
}

fn sort(node: &Node, problems: &mut Vec<Problem>) -> Option<Sort> {
    match keys::one_of(node, "type", &keys::CORRELATION_TYPES, problems)? {
        "event_count" => Some(Sort::EventCount),
        "value_count" => Some(Sort::ValueCount),
        "value_sum" => Some(Sort::ValueSum),
        "temporal" => Some(Sort::Temporal),
        "temporal_ordered" => Some(Sort::TemporalOrdered),
        name => {
            let reason = format!(
                "type `{name}` is not supported: a late record could move it either way at any \
                 time"
            );
            problems.push(Problem::new(node.line, reason));
            None
        }
    }
}

fn condition(node: &Node, sort: Sort, problems: &mut Vec<Problem>) -> Option<Condition> {
    let temporal = matches!(sort, Sort::Temporal | Sort::TemporalOrdered);
    let Some(condition) = node.get("condition") else {
        if temporal {
            return Some(Condition::All);
        }
        problems.push(
            Problem::new(node.line, "`correlation` needs a `condition`")
                .fix("such as `condition: {gte: 20}`"),
        );
        return None;
    };
    match &condition.content {
        Content::Map(_) if sort == Sort::TemporalOrdered => {
            let reason = "`temporal_ordered` wants all its rules: leave `condition` out";
            problems.push(Problem::new(condition.line, reason));
            None
        }
        Content::Map(_) => numbers(condition, sort, problems),
        Content::Scalar(_) if temporal && condition.text().is_some() => {
            if sort == Sort::TemporalOrdered {
                let reason = "`temporal_ordered` wants all its rules: leave `condition` out";
                problems.push(Problem::new(condition.line, reason));
                return None;
            }
            match parse_condition(condition.text().unwrap_or_default(), condition.line) {
                Ok(expression) => Some(Condition::Expression(expression, condition.line)),
                Err(problem) => {
                    problems.push(problem);
                    None
                }
            }
        }
        _ => {
            let wanted = if temporal { "a text or a map" } else { "a map such as `{gte: 20}`" };
            let reason = format!("`condition` must be {wanted}, not {}", condition.sort_name());
            problems.push(Problem::new(condition.line, reason));
            None
        }
    }
}

fn numbers(node: &Node, sort: Sort, problems: &mut Vec<Problem>) -> Option<Condition> {
    let before = problems.len();
    let entries = node.map().unwrap_or_default();
    keys::known(entries, &keys::THRESHOLD, "condition", problems);
    let unit = if sort == Sort::ValueSum { SUM_UNIT } else { 1 };
    let mut threshold = Threshold::default();
    let mut some = false;
    for entry in entries {
        if entry.key == "field" || !keys::THRESHOLD.contains(&entry.key.as_str()) {
            continue;
        }
        some = true;
        let Some(number) = whole(&entry.value, &entry.key, problems) else {
            continue;
        };
        let scaled = number.checked_mul(unit).and_then(|number| match entry.key.as_str() {
            "gt" => number.checked_add(1),
            _ => Some(number),
        });
        let Some(number) = scaled else {
            problems.push(Problem::new(entry.line, format!("`{}` is too great", entry.key)));
            continue;
        };
        match entry.key.as_str() {
            "gt" | "gte" => threshold.gte = threshold.gte.max(Some(number)),
            "eq" => threshold.eq = Some(number),
            "neq" => threshold.neq = Some(number),
            "lt" if number == 0 => {
                problems.push(Problem::new(entry.line, "nothing is less than 0"));
            }
            key => {
                let number = if key == "lt" { number - 1 } else { number };
                threshold.lte = Some(threshold.lte.map_or(number, |lte| lte.min(number)));
            }
        }
    }
    if !some && problems.len() == before {
        let reason = "`condition` needs one of gt, gte, lt, lte, eq, neq";
        problems.push(Problem::new(node.line, reason));
    }
    let field = field(node, sort, problems);
    if problems.len() == before {
        possible(&threshold, sort, node.line, problems);
    }
    (problems.len() == before).then_some(Condition::Numbers { threshold, field, line: node.line })
}

fn field(node: &Node, sort: Sort, problems: &mut Vec<Problem>) -> Option<(String, usize)> {
    let wants = matches!(sort, Sort::ValueCount | Sort::ValueSum);
    match node.entry("field") {
        None if wants => {
            let name = if sort == Sort::ValueSum { "value_sum" } else { "value_count" };
            let reason = format!("`{name}` needs a `field` in its condition");
            problems.push(Problem::new(node.line, reason));
            None
        }
        None => None,
        Some(entry) if !wants => {
            let reason = "`field` belongs to `value_count` and `value_sum`";
            problems.push(Problem::new(entry.line, reason));
            None
        }
        Some(entry) => match keys::texts(&entry.value, "field", problems).as_slice() {
            [field] => Some(field.clone()),
            [] => None,
            _ => {
                let reason = "`field` names one field: several are not supported";
                problems.push(Problem::new(entry.line, reason));
                None
            }
        },
    }
}

/// Refuses numbers that every window reaches, or none.
fn possible(threshold: &Threshold, sort: Sort, line: usize, problems: &mut Vec<Problem>) {
    // A window that is looked at holds a sample, so it counts one at least.
    let least = u64::from(sort != Sort::ValueSum);
    let lowest = threshold.gte.unwrap_or(least).max(least);
    let highest = threshold.lte.unwrap_or(u64::MAX);
    let impossible = lowest > highest
        || threshold.eq.is_some_and(|eq| !(lowest..=highest).contains(&eq))
        || (threshold.eq.is_some() && threshold.eq == threshold.neq)
        || (lowest == highest && threshold.neq == Some(lowest));
    if impossible {
        problems.push(Problem::new(line, "no window can satisfy this condition"));
    } else if threshold.gte == Some(0) && threshold.is_monotone() {
        problems.push(Problem::new(line, "every window satisfies this condition"));
    }
}

fn aliases(node: &Node, problems: &mut Vec<Problem>) -> Vec<Alias> {
    let Some(entries) = node.map() else {
        let reason = "`aliases` is a map of names, each `{rule: field}`";
        problems.push(Problem::new(node.line, reason));
        return Vec::new();
    };
    let mut aliases = Vec::new();
    for entry in entries {
        let mut fields = Vec::new();
        match entry.value.map() {
            Some(rules) => {
                for rule in rules {
                    match rule.value.text() {
                        Some(field) => {
                            fields.push((rule.key.clone(), field.to_owned(), rule.line));
                        }
                        None => {
                            let reason = format!("alias `{}` names one field a rule", entry.key);
                            problems.push(Problem::new(rule.line, reason));
                        }
                    }
                }
            }
            None => {
                let reason = format!("alias `{}` must be a map `{{rule: field}}`", entry.key);
                problems.push(Problem::new(entry.line, reason));
            }
        }
        aliases.push(Alias { name: entry.key.clone(), line: entry.line, fields });
    }
    aliases
}

fn distinct(
    node: &Node,
    key: &str,
    len_max: usize,
    problems: &mut Vec<Problem>,
) -> Vec<(String, usize)> {
    let texts = keys::texts(node, key, problems);
    let mut seen = BTreeSet::new();
    for (text, line) in &texts {
        if !seen.insert(text.as_str()) {
            problems.push(Problem::new(*line, format!("`{text}` stands twice in `{key}`")));
        }
    }
    if texts.len() > len_max {
        let reason = format!("`{key}` may hold {len_max} names");
        problems.push(Problem::new(node.line, reason));
    }
    if texts.is_empty() && key == "rules" {
        problems.push(Problem::new(node.line, "`rules` names no rule"));
    }
    texts
}

fn required<'n>(node: &'n Node, key: &str, problems: &mut Vec<Problem>) -> Option<&'n Node> {
    let found = node.get(key);
    if found.is_none() {
        let problem = Problem::new(node.line, format!("`correlation` needs `{key}`"));
        problems.push(problem);
    }
    found
}

//! Which keys may stand where. What is not listed is refused, never ignored.

use super::document::{Entry, Node};
use super::fault::Problem;

/// Sigma's own words about a rule, allowed in every document.
const METADATA: [&str; 18] = [
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "author",
    "references",
    "date",
    "modified",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "sigma-version",
];

pub(crate) const LOGSOURCE: [&str; 4] = ["category", "product", "service", "definition"];
pub(crate) const CORRELATION: [&str; 6] =
    ["type", "rules", "group-by", "timespan", "condition", "aliases"];
pub(crate) const CORRELATION_TYPES: [&str; 8] = [
    "event_count",
    "value_count",
    "value_sum",
    "temporal",
    "temporal_ordered",
    "value_avg",
    "value_percentile",
    "value_median",
];
pub(crate) const THRESHOLD: [&str; 7] = ["field", "gt", "gte", "lt", "lte", "eq", "neq"];
pub(crate) const LEVELS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];
pub(crate) const STATUSES: [&str; 5] =
    ["stable", "test", "experimental", "deprecated", "unsupported"];
const RELATIONS: [&str; 6] = ["correlation", "derived", "obsolete", "merged", "renamed", "similar"];

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Detection,
    Correlation,
    Filter,
}

impl Sort {
    fn own_keys(self) -> &'static [&'static str] {
        match self {
            Sort::Detection => &["logsource", "detection", "floodmark"],
            Sort::Correlation => &["correlation", "generate", "floodmark"],
            Sort::Filter => &["logsource", "filter"],
        }
    }
}

/// What a document is, by its keys; and its keys checked.
pub(crate) fn check(root: &Node, line: usize, problems: &mut Vec<Problem>) -> Option<Sort> {
    let Some(entries) = root.map() else {
        let reason = format!("a rule is a map of keys, this is {}", root.sort_name());
        problems.push(Problem::new(root.line, reason));
        return None;
    };
    let has = |key| entries.iter().any(|entry| entry.key == key);
    let sort = match (has("detection"), has("correlation"), has("filter")) {
        (true, false, false) => Sort::Detection,
        (false, true, false) => Sort::Correlation,
        (false, false, true) => Sort::Filter,
        (false, false, false) => {
            if let Some(action) = root.entry("action") {
                let reason = "`action` documents are not read";
                problems.push(Problem::new(action.line, reason).fix("write each rule whole"));
            } else {
                let reason = "a rule needs `detection`, `correlation` or `filter`";
                problems.push(Problem::new(line, reason));
            }
            return None;
        }
        _ => {
            let reason = "only one of `detection`, `correlation`, `filter` may stand in a document";
            problems.push(Problem::new(line, reason));
            return None;
        }
    };
    let allowed: Vec<&str> = METADATA.iter().chain(sort.own_keys()).copied().collect();
    known(entries, &allowed, "", problems);
    if !has("title") {
        problems.push(Problem::new(line, "a rule needs a `title`"));
    }
    metadata(root, problems);
    Some(sort)
}

/// Refuses every key that is not in `allowed`. `within` names the map, and is empty at the top.
pub(crate) fn known(
    entries: &[Entry],
    allowed: &[&str],
    within: &str,
    problems: &mut Vec<Problem>,
) {
    for entry in entries {
        if !allowed.contains(&entry.key.as_str()) {
            let place = if within.is_empty() { String::new() } else { format!(" in `{within}`") };
            let reason = format!("unknown key `{}`{place}", entry.key);
            let problem = Problem::new(entry.line, reason);
            problems.push(problem.nearest(&entry.key, allowed.iter().copied()));
        }
    }
}

/// A text out of a closed set.
pub(crate) fn one_of<'n>(
    node: &'n Node,
    key: &str,
    allowed: &[&str],
    problems: &mut Vec<Problem>,
) -> Option<&'n str> {
    let text = node.text().unwrap_or_default();
    if allowed.contains(&text) {
        return Some(text);
    }
    let reason = if text.is_empty() {
        format!("`{key}` must be one of {}, not {}", allowed.join(", "), node.sort_name())
    } else {
        format!("unknown {key} `{text}`")
    };
    problems.push(Problem::new(node.line, reason).nearest(text, allowed.iter().copied()));
    None
}

/// A list of texts; one text stands for a list of one.
pub(crate) fn texts(node: &Node, key: &str, problems: &mut Vec<Problem>) -> Vec<(String, usize)> {
    let mut texts = Vec::new();
    for element in node.elements() {
        match element.text() {
            Some(text) if !text.is_empty() => texts.push((text.to_owned(), element.line)),
            _ => {
                let reason = format!("`{key}` holds texts, not {}", element.sort_name());
                problems.push(Problem::new(element.line, reason));
            }
        }
    }
    texts
}

/// The values of Sigma's own words about a rule.
fn metadata(root: &Node, problems: &mut Vec<Problem>) {
    for key in ["title", "id", "name", "description", "author", "license", "taxonomy"] {
        if let Some(node) = root.get(key)
            && node.text().is_none_or(|text| text.trim().is_empty())
        {
            let reason = format!("`{key}` must be a text, not {}", node.sort_name());
            problems.push(Problem::new(node.line, reason));
        }
    }
    if let Some(node) = root.get("id")
        && let Some(id) = node.text()
        && !is_uuid(id)
    {
        let reason = format!("id `{id}` is no UUID");
        problems.push(Problem::new(node.line, reason).fix("`name` may be any word"));
    }
    if let Some(node) = root.get("level") {
        one_of(node, "level", &LEVELS, problems);
    }
    if let Some(node) = root.get("status") {
        one_of(node, "status", &STATUSES, problems);
    }
    for key in ["references", "falsepositives", "tags", "fields", "scope"] {
        if let Some(node) = root.get(key) {
            texts(node, key, problems);
        }
    }
    if let Some(node) = root.get("sigma-version") {
        version(node, problems);
    }
    if let Some(node) = root.get("related") {
        related(node, problems);
    }
}

fn version(node: &Node, problems: &mut Vec<Problem>) {
    let major = node.text().and_then(rsigma_parser::version::major_from_str);
    match major {
        Some(1..=rsigma_parser::version::SPEC_VERSION_SUPPORTED) => {}
        _ => problems.push(Problem::new(
            node.line,
            format!(
                "`sigma-version` must be 1 to {}",
                rsigma_parser::version::SPEC_VERSION_SUPPORTED
            ),
        )),
    }
}

fn related(node: &Node, problems: &mut Vec<Problem>) {
    for element in node.elements() {
        let Some(entries) = element.map() else {
            problems.push(Problem::new(element.line, "`related` is a list of `{id, type}`"));
            continue;
        };
        known(entries, &["id", "type"], "related", problems);
        match element.get("type") {
            Some(node) => {
                one_of(node, "type", &RELATIONS, problems);
            }
            None => problems.push(Problem::new(element.line, "`related` needs a `type`")),
        }
        if element.get("id").and_then(Node::text).is_none() {
            problems.push(Problem::new(element.line, "`related` needs an `id`"));
        }
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// What stands under a key that must be there.
pub(crate) fn required<'n>(
    node: &'n Node,
    key: &str,
    within: &str,
    problems: &mut Vec<Problem>,
) -> Option<&'n Node> {
    let found = node.get(key);
    if found.is_none() {
        problems.push(Problem::new(node.line, format!("`{within}` needs `{key}`")));
    }
    found
}

//! The `detection` of a rule, compiled to a matcher.
//!
//! The condition's grammar, modifiers and wildcards are read by `rsigma-parser`; the structure is
//! read here from the tree with lines, so that nothing is dropped on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rsigma_parser::ast::{ConditionExpr, Quantifier as Of, SelectorPattern};

use super::Environment;
use super::condition::parse_condition;
use super::document::{Content, Entry, Node as Yaml};
use super::fault::Problem;
use crate::field::Path;
use crate::matcher::{Each, Node, Place, Quantifier, Selection};

/// Compiles detections against lists.
pub(crate) struct Compiler<'e> {
    pub(super) environment: &'e Environment,
    /// `sigma-version: 3`: brackets in field names are array selectors.
    selectors: bool,
    /// Lists of which the rule says what it means when they are empty.
    pub(super) may_be_empty: BTreeSet<String>,
    /// Lists that were filled in, with their values: they decide what matches.
    pub(crate) filled: BTreeMap<String, Vec<String>>,
    /// Lists that are empty, and may be.
    pub(crate) empty: BTreeSet<String>,
    pub(crate) problems: Vec<Problem>,
}

/// What a selection's fields are looked up in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum In {
    Record,
    Element,
}

impl<'e> Compiler<'e> {
    pub(crate) fn new(
        environment: &'e Environment,
        selectors: bool,
        may_be_empty: BTreeSet<String>,
    ) -> Compiler<'e> {
        Compiler {
            environment,
            selectors,
            may_be_empty,
            filled: BTreeMap::new(),
            empty: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    /// Selections and their condition. `other_keys` are keys of the map that are no selections.
    pub(crate) fn detection(&mut self, yaml: &Yaml, key: &str, other_keys: &[&str]) -> Node {
        let Some(entries) = yaml.map() else {
            let reason = format!("`{key}` must be a map, not {}", yaml.sort_name());
            return self.fault(Problem::new(yaml.line, reason));
        };
        self.body(entries, yaml.line, key, other_keys, In::Record)
    }

    fn body(
        &mut self,
        entries: &[Entry],
        line: usize,
        key: &str,
        other_keys: &[&str],
        within: In,
    ) -> Node {
        let mut selections: Vec<(usize, Arc<Selection>)> = Vec::new();
        let mut condition = None;
        for entry in entries {
            match entry.key.as_str() {
                "condition" => condition = Some(&entry.value),
                "timeframe" => self.problems.push(
                    Problem::new(entry.line, format!("unknown key `timeframe` in `{key}`"))
                        .fix("count with a correlation rule and its `timespan`"),
                ),
                name if other_keys.contains(&name) => {}
                name => {
                    let body = self.selection(&entry.value, entry.line, within);
                    selections.push((entry.line, Arc::new(Selection::new(name, body))));
                }
            }
        }
        let Some(condition) = condition else {
            return self.fault(Problem::new(line, format!("`{key}` needs a `condition`")));
        };
        let mut used = BTreeSet::new();
        let mut any = Vec::new();
        for node in condition.elements() {
            match node.text() {
                None => {
                    let reason = format!("a condition is a text, not {}", node.sort_name());
                    self.problems.push(Problem::new(node.line, reason));
                }
                Some(text) => match parse_condition(text, node.line) {
                    Err(problem) => self.problems.push(problem),
                    Ok(expression) => {
                        any.push(self.resolve(&expression, node.line, &selections, &mut used));
                    }
                },
            }
        }
        for (line, selection) in &selections {
            if !used.contains(&selection.name) {
                let reason = format!("selection `{}` is not in the condition", selection.name);
                self.problems.push(Problem::new(*line, reason));
            }
        }
        match any.len() {
            1 => any.remove(0),
            _ => Node::Or(any),
        }
    }

    fn resolve(
        &mut self,
        expression: &ConditionExpr,
        line: usize,
        selections: &[(usize, Arc<Selection>)],
        used: &mut BTreeSet<String>,
    ) -> Node {
        let mut all = |parts: &[ConditionExpr], compiler: &mut Self| -> Vec<Node> {
            parts.iter().map(|part| compiler.resolve(part, line, selections, used)).collect()
        };
        match expression {
            ConditionExpr::And(parts) => Node::And(all(parts, self)),
            ConditionExpr::Or(parts) => Node::Or(all(parts, self)),
            ConditionExpr::Not(part) => {
                Node::Not(Box::new(self.resolve(part, line, selections, used)))
            }
            ConditionExpr::Identifier(name) => {
                let found = selections.iter().find(|(_, s)| s.name == *name);
                let Some((_, selection)) = found else {
                    let reason = format!("the condition names `{name}`, which is no selection");
                    let names = selections.iter().map(|(_, s)| s.name.as_str());
                    return self.fault(Problem::new(line, reason).nearest(name, names));
                };
                used.insert(name.clone());
                Node::Selection(Arc::clone(selection))
            }
            ConditionExpr::Selector { quantifier, pattern } => {
                let chosen: Vec<Node> = selections
                    .iter()
                    .filter(|(_, s)| pattern.matches_detection_name(&s.name))
                    .map(|(_, selection)| {
                        used.insert(selection.name.clone());
                        Node::Selection(Arc::clone(selection))
                    })
                    .collect();
                if chosen.is_empty() {
                    let reason = format!("no selection is called `{pattern}`");
                    let names = selections.iter().map(|(_, s)| s.name.as_str());
                    let problem = Problem::new(line, reason);
                    return self.fault(match pattern {
                        SelectorPattern::Them => problem,
                        SelectorPattern::Pattern(pattern) => problem.nearest(pattern, names),
                    });
                }
                match quantifier {
                    Of::Any => Node::Or(chosen),
                    Of::All => Node::And(chosen),
                    Of::Count(n) => match usize::try_from(*n) {
                        Ok(n) if (1..=chosen.len()).contains(&n) => Node::AtLeast(n, chosen),
                        _ => {
                            let reason = format!(
                                "`{n} of {pattern}` among {} selections never holds or always does",
                                chosen.len()
                            );
                            self.fault(Problem::new(line, reason))
                        }
                    },
                }
            }
        }
    }

    /// A map is an `and` of its fields, a list an `or` of its elements, a scalar a keyword.
    fn selection(&mut self, yaml: &Yaml, line: usize, within: In) -> Node {
        match &yaml.content {
            Content::Map(entries) if entries.is_empty() => {
                self.fault(Problem::new(line, "an empty selection holds for every record"))
            }
            Content::Map(entries) => Node::And(
                entries
                    .iter()
                    .map(|entry| self.field(&entry.key, entry.line, &entry.value, within))
                    .collect(),
            ),
            Content::List(nodes) if nodes.is_empty() => {
                self.fault(Problem::new(line, "an empty list holds for no record"))
            }
            Content::List(nodes) if nodes.iter().all(|node| node.scalar().is_some()) => {
                self.item(keyword_place(within), &[], yaml, line)
            }
            Content::List(nodes) => Node::Or(
                nodes
                    .iter()
                    .map(|node| match node.content {
                        Content::List(_) => {
                            self.fault(Problem::new(node.line, "a list in a list says nothing"))
                        }
                        _ => self.selection(node, node.line, within),
                    })
                    .collect(),
            ),
            Content::Scalar(_) => self.item(keyword_place(within), &[], yaml, line),
        }
    }

    /// One `field|modifier: value` of a selection.
    fn field(&mut self, key: &str, line: usize, value: &Yaml, within: In) -> Node {
        let mut parts = key.split('|');
        let field = parts.next().unwrap_or_default();
        let modifiers: Vec<&str> = parts.collect();
        if field.is_empty() || field == "." {
            return self.item(keyword_place(within), &modifiers, value, line);
        }
        if !self.selectors && field.contains(['[', ']']) {
            let reason = format!("`{field}` has an array selector");
            return self.fault(
                Problem::new(line, reason).fix("say `sigma-version: 3` at the top of the rule"),
            );
        }
        match split_selector(field) {
            Err(reason) => self.fault(Problem::new(line, reason)),
            Ok(Some((array, quantifier, rest))) => {
                let Some(array) = self.place(array, line, within) else {
                    return Node::default();
                };
                let body = self.element(rest, &modifiers, value, line);
                Node::Each(Arc::new(Each::new(array, quantifier, body)))
            }
            Ok(None) => match self.place(field, line, within) {
                Some(place) => self.item(place, &modifiers, value, line),
                None => Node::default(),
            },
        }
    }

    /// What is asked of one element: `rest` is the path that follows the selector.
    fn element(&mut self, rest: &str, modifiers: &[&str], value: &Yaml, line: usize) -> Node {
        let Some(entries) = value.map() else {
            let bars: String = modifiers.iter().map(|name| format!("|{name}")).collect();
            return self.field(&format!("{rest}{bars}"), line, value, In::Element);
        };
        if !modifiers.is_empty() {
            let reason = "modifiers do not go with a block: put them on the fields inside it";
            return self.fault(Problem::new(line, reason));
        }
        if !rest.is_empty() {
            return Node::And(
                entries
                    .iter()
                    .map(|entry| {
                        let key = format!("{rest}.{}", entry.key);
                        self.field(&key, entry.line, &entry.value, In::Element)
                    })
                    .collect(),
            );
        }
        if value.get("condition").is_some() {
            return self.body(entries, line, "detection", &[], In::Element);
        }
        self.selection(value, line, In::Element)
    }

    fn place(&mut self, field: &str, line: usize, within: In) -> Option<Place> {
        match place(field, within) {
            Ok(place) => Some(place),
            Err(reason) => {
                self.problems.push(Problem::new(line, reason));
                None
            }
        }
    }

    /// Notes the problem; what stands in its place is never asked.
    pub(super) fn fault(&mut self, problem: Problem) -> Node {
        self.problems.push(problem);
        Node::default()
    }
}

fn keyword_place(within: In) -> Place {
    match within {
        In::Record => Place::Everywhere,
        In::Element => Place::Within(Vec::new()),
    }
}

pub(super) fn place(field: &str, within: In) -> Result<Place, String> {
    if field.split('.').any(str::is_empty) {
        return Err(format!("`{field}` is no field: a name is missing"));
    }
    match within {
        In::Record => Path::parse(field).map(Place::Field),
        In::Element if field.starts_with("floodmark.") => {
            Err(format!("`{field}` belongs to the record, not to an element of it"))
        }
        In::Element => Ok(Place::Within(field.split('.').map(Into::into).collect())),
    }
}

/// Takes `a.b[any].c` apart: the array, the selector, the rest.
fn split_selector(field: &str) -> Result<Option<(&str, Quantifier, &str)>, String> {
    let Some((array, tail)) = field.split_once('[') else {
        return Ok(None);
    };
    let (selector, rest) =
        tail.split_once(']').ok_or_else(|| format!("`{field}` has a `[` without a `]`"))?;
    let quantifier = match selector {
        "any" => Quantifier::Any,
        "all" => Quantifier::All,
        "all_or_empty" => Quantifier::AllOrEmpty,
        "none" => Quantifier::None,
        place => Quantifier::At(place.parse().map_err(|_| {
            format!(
                "`[{place}]` is no array selector: there are any, all, all_or_empty, none and \
                 whole numbers"
            )
        })?),
    };
    let rest = match rest.strip_prefix('.') {
        Some(rest) if !rest.is_empty() => rest,
        None if rest.is_empty() => rest,
        _ => return Err(format!("`{field}`: a `.` and a name must follow `]`")),
    };
    Ok(Some((array, quantifier, rest)))
}

//! The `detection` of a rule, compiled to a matcher.
//!
//! The condition's grammar, modifiers and wildcards are read by `rsigma-parser`; the structure is
//! read here from the tree with lines, so that nothing is dropped on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rsigma_parser::ast::{ConditionExpr, Quantifier as Of, SelectorPattern};

use super::Environment;
use super::document::{Content, Entry, Node as Yaml, Sort};
use super::fault::Problem;
use crate::field::Path;
use crate::matcher::{
    Each, Item, MODIFIER_NAMES, Modifiers, Node, Place, Quantifier, Selection, Wish,
};

/// Longest condition, bytes.
const CONDITION_BYTES_MAX: usize = 4_096;
/// Deepest nesting of parentheses and negations in a condition.
const CONDITION_DEPTH_MAX: usize = 32;
/// Most values of one field, lists filled in.
const VALUES_MAX: usize = 20_000;

/// Compiles detections against lists.
pub(crate) struct Compiler<'e> {
    environment: &'e Environment,
    /// `sigma-version: 3`: brackets in field names are array selectors.
    selectors: bool,
    /// Lists of which the rule says what it means when they are empty.
    may_be_empty: BTreeSet<String>,
    /// Lists that were filled in, with their values: they decide what matches.
    pub(crate) filled: BTreeMap<String, Vec<String>>,
    /// Lists that are empty, and may be.
    pub(crate) empty: BTreeSet<String>,
    pub(crate) problems: Vec<Problem>,
}

/// What a selection's fields are looked up in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum In {
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
            parts
                .iter()
                .map(|part| compiler.resolve(part, line, selections, used))
                .collect()
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
            ConditionExpr::Selector {
                quantifier,
                pattern,
            } => {
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
            Content::Map(entries) if entries.is_empty() => self.fault(Problem::new(
                line,
                "an empty selection holds for every record",
            )),
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
                Node::Each(Box::new(Each {
                    array,
                    quantifier,
                    body,
                }))
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

    /// A test of one field.
    fn item(&mut self, place_of: Place, names: &[&str], value: &Yaml, line: usize) -> Node {
        let modifiers = match Modifiers::parse(names) {
            Ok(modifiers) => modifiers,
            Err((reason, unknown)) => {
                let problem = Problem::new(line, reason);
                return self.fault(match unknown {
                    Some(name) => problem.nearest(&name, MODIFIER_NAMES),
                    None => problem,
                });
            }
        };
        let before = self.problems.len();
        let within = match place_of {
            Place::Within(_) => In::Element,
            Place::Field(_) | Place::Everywhere => In::Record,
        };
        let mut wishes: Vec<(Wish, usize)> = Vec::new();
        for node in value.elements() {
            let Some(wish) = self.wish(node, &place_of) else {
                continue;
            };
            if modifiers.expand {
                self.expand(&wish, node.line, &mut wishes);
            } else {
                if let Wish::Text(text) = &wish
                    && let Some(("", name, "")) = placeholder(text)
                {
                    let reason = format!("`%{name}%` stands for a list only with `expand`");
                    let fix = format!("write `{}|expand`", place_of.name());
                    self.problems.push(Problem::new(node.line, reason).fix(fix));
                }
                wishes.push((wish, node.line));
            }
        }
        if self.problems.len() > before {
            return Node::default();
        }
        if value.elements().is_empty() {
            return self.fault(Problem::new(line, "an empty list holds for no record"));
        }
        if wishes.is_empty() && modifiers.all {
            return self.fault(Problem::new(
                line,
                "`all` of an empty list holds for every record",
            ));
        }
        if wishes.len() > VALUES_MAX {
            let reason = format!("a field may have {VALUES_MAX} values");
            return self.fault(Problem::new(line, reason));
        }
        let (wishes, lines): (Vec<Wish>, Vec<usize>) = wishes.into_iter().unzip();
        let refer = |field: &str| place(field, within);
        match Item::compile(place_of, &names.join("|"), modifiers, wishes, &refer) {
            Ok(item) => Node::Item(Box::new(item)),
            Err((at, reason)) => {
                let line = lines.get(at).copied().unwrap_or(line);
                self.fault(Problem::new(line, reason))
            }
        }
    }

    fn wish(&mut self, node: &Yaml, place: &Place) -> Option<Wish> {
        let Some(scalar) = node.scalar() else {
            let problem = Problem::new(
                node.line,
                format!(
                    "a value must be a text, a number, true, false or null, not {}",
                    node.sort_name()
                ),
            );
            let inner = node.map().and_then(<[Entry]>::first);
            self.problems.push(match (inner, place) {
                (Some(inner), Place::Field(path)) => {
                    problem.fix(format!("write `{}.{}`", path.as_str(), inner.key))
                }
                _ => problem,
            });
            return None;
        };
        Some(match scalar.sort {
            Sort::Null => Wish::Null,
            Sort::Bool(value) => Wish::Bool(value),
            Sort::Number => Wish::Number(scalar.text.clone()),
            Sort::Text => Wish::Text(scalar.text.clone()),
        })
    }

    /// Fills in the list a value names.
    fn expand(&mut self, wish: &Wish, line: usize, wishes: &mut Vec<(Wish, usize)>) {
        let Wish::Text(text) = wish else {
            wishes.push((wish.clone(), line));
            return;
        };
        let Some((before, name, after)) = placeholder(text) else {
            let reason = format!("`expand` wants a list such as `%compute%`, not `{text}`");
            self.problems.push(Problem::new(line, reason));
            return;
        };
        if placeholder(after).is_some() {
            let reason = format!("`{text}` names two lists: one value may name one");
            self.problems.push(Problem::new(line, reason));
            return;
        }
        match self.environment.list(name) {
            Some(values) if !values.is_empty() => {
                wishes.extend(
                    values
                        .iter()
                        .map(|value| (Wish::Text(format!("{before}{value}{after}")), line)),
                );
                self.filled.insert(name.to_owned(), values);
            }
            _ if self.may_be_empty.contains(name) => {
                self.empty.insert(name.to_owned());
            }
            Some(_) => {
                let fix = format!("say what that means under `floodmark.environment.{name}.empty`");
                let problem = Problem::new(line, format!("list `%{name}%` is empty"));
                self.problems.push(problem.fix(fix));
            }
            None => {
                let names = self.environment.names();
                let problem = Problem::new(line, format!("there is no list `%{name}%`"));
                self.problems
                    .push(problem.nearest(name, names.iter().map(String::as_str)));
            }
        }
    }

    /// Notes the problem; what stands in its place is never asked.
    fn fault(&mut self, problem: Problem) -> Node {
        self.problems.push(problem);
        Node::default()
    }
}

/// Reads a condition; bounded before the grammar, which recurses, sees it.
pub(crate) fn parse_condition(text: &str, line: usize) -> Result<ConditionExpr, Problem> {
    if text.len() > CONDITION_BYTES_MAX {
        let reason = format!("a condition may have {CONDITION_BYTES_MAX} bytes");
        return Err(Problem::new(line, reason));
    }
    if text.contains('|') {
        let problem = Problem::new(line, "conditions with `|` are not read");
        return Err(problem.fix("count with a correlation rule"));
    }
    let negations = text
        .split_whitespace()
        .filter(|word| *word == "not")
        .count();
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    for character in text.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest > CONDITION_DEPTH_MAX || negations > 4 * CONDITION_DEPTH_MAX {
        return Err(Problem::new(line, "the condition is nested too deep"));
    }
    rsigma_parser::parse_condition(text).map_err(|error| {
        let place = error.location().map_or(0, |place| place.col);
        let reason = format!("the condition `{text}` cannot be read from character {place} on");
        Problem::new(line, reason)
    })
}

fn keyword_place(within: In) -> Place {
    match within {
        In::Record => Place::Everywhere,
        In::Element => Place::Within(Vec::new()),
    }
}

fn place(field: &str, within: In) -> Result<Place, String> {
    if field.split('.').any(str::is_empty) {
        return Err(format!("`{field}` is no field: a name is missing"));
    }
    match within {
        In::Record => Path::parse(field).map(Place::Field),
        In::Element if field.starts_with("floodmark.") => Err(format!(
            "`{field}` belongs to the record, not to an element of it"
        )),
        In::Element => Ok(Place::Within(field.split('.').map(Into::into).collect())),
    }
}

/// Takes `a.b[any].c` apart: the array, the selector, the rest.
fn split_selector(field: &str) -> Result<Option<(&str, Quantifier, &str)>, String> {
    let Some((array, tail)) = field.split_once('[') else {
        return Ok(None);
    };
    let (selector, rest) = tail
        .split_once(']')
        .ok_or_else(|| format!("`{field}` has a `[` without a `]`"))?;
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

/// The first `%name%` of a text, with what stands before and after it.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, tail) = text.split_once('%')?;
    let (name, after) = tail.split_once('%')?;
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    is_name.then_some((before, name, after))
}

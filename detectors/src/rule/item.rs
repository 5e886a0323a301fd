//! One `field|modifier: value` of a selection: its values, with lists filled in.

use std::sync::Arc;

use super::detection::{Compiler, In, place};
use super::document::{Entry, Node as Yaml, Sort};
use super::fault::Problem;
use crate::matcher::{Item, MODIFIER_NAMES, Modifiers, Node, Place, Wish};

/// Most values of one field, lists filled in.
const VALUES_MAX: usize = 20_000;

impl Compiler<'_> {
    /// A test of one field.
    pub(super) fn item(
        &mut self,
        place_of: Place,
        names: &[&str],
        value: &Yaml,
        line: usize,
    ) -> Node {
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
        let names_list = |node: &Yaml| node.text().and_then(placeholder).is_some();
        if modifiers.expand && !value.elements().iter().any(names_list) {
            let reason = "`expand` wants a list such as `%compute%`";
            self.problems.push(Problem::new(line, reason));
        }
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
            return self.fault(Problem::new(line, "`all` of an empty list holds for every record"));
        }
        if wishes.len() > VALUES_MAX {
            let reason = format!("a field may have {VALUES_MAX} values");
            return self.fault(Problem::new(line, reason));
        }
        let (wishes, lines): (Vec<Wish>, Vec<usize>) = wishes.into_iter().unzip();
        let refer = |field: &str| place(field, within);
        match Item::compile(place_of, &names.join("|"), modifiers, wishes, &refer) {
            Ok(item) => Node::Item(Arc::new(item)),
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
            wishes.push((wish.clone(), line));
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
                self.problems.push(problem.nearest(name, names.iter().map(String::as_str)));
            }
        }
    }
}

/// The first `%name%` of a text, with what stands before and after it.
pub(crate) fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, tail) = text.split_once('%')?;
    let (name, after) = tail.split_once('%')?;
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    is_name.then_some((before, name, after))
}

//! A test of one field.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::modifier::{Manner, Modifiers};
use super::scope::{Place, Scope};
use super::text::{Part, Pattern};
use super::trace::Trace;
use super::wanted::{Wanted, Wish, text_of};
use crate::record::Value;

/// Most values of the other field that `fieldref` compares with.
const REFERENCED_MAX: usize = 64;

/// A test of one field: `eventName|startswith: [Create, Delete]`.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) place: Place,
    /// What stands after the field's name, as written.
    pub(crate) modifiers: String,
    /// The values as written, lists filled in.
    pub(crate) wishes: Vec<Wish>,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    /// Present and not null, or not.
    Exists(bool),
    /// A value is any of these.
    Any(Vec<Wanted>),
    /// For each of these, a value is any of it.
    All(Vec<Vec<Wanted>>),
    /// A value is there and none of these.
    Neq(Vec<Wanted>),
    /// A value has to do with one of another field.
    Reference { other: Place, part: Part, cased: bool, neq: bool },
    /// The record's bytes hold one of these.
    Trace(Trace),
}

impl Item {
    /// Compiles a test. `refer` finds the place of another field. The error comes with the place
    /// of the faulty value in `wishes`.
    pub(crate) fn compile(
        place: Place,
        written: &str,
        mut modifiers: Modifiers,
        wishes: Vec<Wish>,
        refer: &dyn Fn(&str) -> Result<Place, String>,
    ) -> Result<Item, (usize, String)> {
        if place == Place::Everywhere {
            keyword(&mut modifiers).map_err(|reason| (0, reason))?;
        }
        let test = match modifiers.manner {
            Manner::Exists => match wishes.as_slice() {
                [Wish::Bool(exists)] => Test::Exists(*exists),
                _ => return Err((0, "`exists` wants true or false".to_owned())),
            },
            Manner::Reference(part) => match wishes.as_slice() {
                [Wish::Text(other)] => Test::Reference {
                    other: refer(other).map_err(|reason| (0, reason))?,
                    part,
                    cased: modifiers.cased,
                    neq: modifiers.neq,
                },
                _ => return Err((0, "`fieldref` wants the name of one field".to_owned())),
            },
            _ => {
                let mut each = Vec::new();
                for (at, wish) in wishes.iter().enumerate() {
                    let wanted = Wanted::compile(wish, &modifiers).map_err(|why| (at, why))?;
                    if *wish == Wish::Null && (modifiers.all || modifiers.neq) {
                        let name = if modifiers.all { "all" } else { "neq" };
                        return Err((at, format!("null does not go with `{name}`: use `exists`")));
                    }
                    each.push(wanted);
                }
                match (modifiers.all, modifiers.neq) {
                    (true, _) => Test::All(each),
                    (false, neq) => {
                        let wanted = Wanted::gather(each.into_iter().flatten().collect());
                        if neq { Test::Neq(wanted) } else { Test::Any(wanted) }
                    }
                }
            }
        };
        Ok(Item { place, modifiers: written.to_owned(), wishes, test })
    }

    /// A test of the record's bytes, for texts that are sought in the member at `place`.
    pub(super) fn trace(place: String, wishes: Vec<Wish>, trace: Trace) -> Item {
        Item { place: Place::Everywhere, modifiers: place, wishes, test: Test::Trace(trace) }
    }

    /// Whether it holds within `scope`.
    pub(crate) fn holds(&self, scope: Scope<'_, '_, '_>) -> bool {
        match &self.test {
            Test::Exists(wanted) => {
                if let (Place::Field(path), Scope::Record(fields)) = (&self.place, scope)
                    && let Some(exists) = fields.plainly_exists(path)
                {
                    return exists == *wanted;
                }
                let exists = some(scope, &self.place, &mut |value| {
                    !matches!(value, Value::Missing | Value::Null)
                });
                exists == *wanted
            }
            Test::Any(wanted) => any(scope, &self.place, wanted),
            Test::All(each) => each.iter().all(|wanted| any(scope, &self.place, wanted)),
            Test::Neq(wanted) => some(scope, &self.place, &mut |value| {
                text_of(value).is_some() && !wanted.iter().any(|wanted| wanted.is(value))
            }),
            Test::Reference { other, part, cased, neq } => {
                self.refers(scope, other, *part, *cased, *neq)
            }
            Test::Trace(trace) => match scope {
                Scope::Record(fields) => trace.is_in(fields.record()),
                Scope::Element(_) => true,
            },
        }
    }

    fn refers(
        &self,
        scope: Scope<'_, '_, '_>,
        other: &Place,
        part: Part,
        cased: bool,
        neq: bool,
    ) -> bool {
        let mut others: Vec<Pattern> = Vec::new();
        some(scope, other, &mut |value| {
            others.extend(text_of(value).map(|text| Pattern::literal(text, part, cased)));
            others.len() >= REFERENCED_MAX
        });
        !others.is_empty()
            && some(scope, &self.place, &mut |value| {
                text_of(value)
                    .is_some_and(|text| others.iter().any(|other| other.fits(text)) != neq)
            })
    }

    /// The texts, in lower case, of which one value of the field must be one; `None` if it may
    /// hold for others.
    pub(crate) fn exact(&self) -> Option<BTreeSet<String>> {
        match &self.test {
            Test::Any(wanted) => wanted.iter().try_fold(BTreeSet::new(), |mut all, wanted| {
                all.extend(wanted.exact()?);
                Some(all)
            }),
            Test::All(each) => each.first()?.iter().try_fold(BTreeSet::new(), |mut all, wanted| {
                all.extend(wanted.exact()?);
                Some(all)
            }),
            Test::Exists(_) | Test::Neq(_) | Test::Reference { .. } | Test::Trace(_) => None,
        }
    }

    /// The values of which any will do, where it asks for that.
    pub(super) fn any_wanted(&self) -> Option<&[Wanted]> {
        match &self.test {
            Test::Any(wanted) => Some(wanted),
            _ => None,
        }
    }

    /// Whether no record satisfies it: the list that it names is empty.
    pub(super) fn is_vain(&self) -> bool {
        matches!(&self.test, Test::Any(wanted) if wanted.is_empty())
    }

    /// Whether it asks the same.
    pub(super) fn is_same(&self, other: &Item) -> bool {
        std::ptr::eq(self, other)
            || self.place == other.place
                && self.modifiers == other.modifiers
                && self.is_trace() == other.is_trace()
                && self.wishes == other.wishes
    }

    /// Whether it is a look for traces.
    pub(super) fn is_trace(&self) -> bool {
        matches!(self.test, Test::Trace(_))
    }

    /// Whether it is a look for traces, and `other` one that finds wherever it does, at no more cost.
    pub(super) fn is_found_by(&self, other: &Item) -> bool {
        let holds = |text: &Wish, part: &Wish| match (text, part) {
            (Wish::Text(text), Wish::Text(part)) => text.contains(part.as_str()),
            _ => false,
        };
        self.is_trace()
            && other.is_trace()
            && self.modifiers == other.modifiers
            && other.cost() <= self.cost()
            && self.wishes.iter().all(|text| other.wishes.iter().any(|part| holds(text, part)))
    }

    /// Whether event source and name alone decide it.
    pub(super) fn asks_for_operation(&self) -> bool {
        let refers = matches!(self.test, Test::Reference { .. });
        match &self.place {
            Place::Field(path) => !refers && matches!(path.as_str(), "eventName" | "eventSource"),
            Place::Within(_) | Place::Everywhere => false,
        }
    }

    /// Whether it holds only where the field has a value that is not null.
    pub(crate) fn needs_value(&self) -> bool {
        let none = |wanted: &[Wanted]| wanted.iter().any(|wanted| matches!(wanted, Wanted::Null));
        match &self.test {
            Test::Exists(exists) => *exists,
            Test::Any(wanted) => !none(wanted),
            Test::All(each) => each.iter().any(|wanted| !none(wanted)),
            Test::Neq(_) | Test::Reference { .. } => true,
            Test::Trace(_) => false,
        }
    }

    /// What it costs to ask, roughly.
    pub(crate) fn cost(&self) -> u32 {
        let comparing = match &self.test {
            Test::Trace(trace) => return trace.cost(),
            Test::Exists(_) | Test::Reference { .. } => 0,
            Test::Any(wanted) | Test::Neq(wanted) => wanted.iter().map(Wanted::cost).sum(),
            Test::All(each) => each.iter().flatten().map(Wanted::cost).sum(),
        };
        self.place.cost().saturating_add(comparing)
    }
}

/// Whether `wanted` says yes to a value at `place`.
fn some(
    scope: Scope<'_, '_, '_>,
    place: &Place,
    wanted: &mut dyn FnMut(&Value<'_>) -> bool,
) -> bool {
    scope
        .visit(place, &mut |value| {
            if wanted(&value) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .is_break()
}

/// Whether a value at `place` is any of `wanted`; nothing there is as null.
fn any(scope: Scope<'_, '_, '_>, place: &Place, wanted: &[Wanted]) -> bool {
    let is_any = |value: &Value<'_>| wanted.iter().any(|wanted| wanted.is(value));
    let mut found = false;
    some(scope, place, &mut |value| {
        found = true;
        is_any(value)
    }) || (!found && is_any(&Value::Missing))
}

/// A keyword is looked for within texts, not as a whole one.
fn keyword(modifiers: &mut Modifiers) -> Result<(), String> {
    match &mut modifiers.manner {
        Manner::Text { part, .. } if !modifiers.neq => {
            if *part == Part::Whole {
                *part = Part::Anywhere;
            }
            Ok(())
        }
        Manner::Regex { .. } if !modifiers.neq => Ok(()),
        _ => Err("keywords take `contains`, `startswith`, `endswith`, `re`, `all` and `cased` \
                  only: name a field"
            .to_owned()),
    }
}

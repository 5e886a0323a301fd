//! Where a test looks: in a record, or in one element of an array of it.

use std::ops::ControlFlow;

use crate::field::{Fields, Path};
use crate::record::{Raw, Value};

/// Deepest array or object that is entered; what lies deeper is not looked at.
const DEPTH_MAX: usize = 32;

/// What is looked at.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'s, 'r, 'b> {
    /// A whole record.
    Record(&'s Fields<'r, 'b>),
    /// One element of an array.
    Element(&'s Value<'s>),
}

/// Where in a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A field of the record.
    Field(Path),
    /// A member of the element, by the names that lead to it; none is the element itself.
    Within(Vec<Box<str>>),
    /// Every text and number, wherever it stands (Sigma's keywords).
    Everywhere,
}

impl Place {
    /// What it costs to look there, roughly.
    pub(crate) fn cost(&self) -> u32 {
        match self {
            Place::Within(_) => 1,
            Place::Everywhere => 1_000,
            Place::Field(path) => match path.as_str() {
                "eventName" => 1,
                "eventSource" => 2,
                path if path.starts_with("floodmark.") => 100,
                path if path.contains('.') => 20,
                _ => 5,
            },
        }
    }

    /// As a rule would write it.
    pub(crate) fn name(&self) -> String {
        match self {
            Place::Field(path) => path.as_str().to_owned(),
            Place::Within(names) if names.is_empty() => ".".to_owned(),
            Place::Within(names) => names.join("."),
            Place::Everywhere => "any text".to_owned(),
        }
    }
}

type Visit<'v> = dyn FnMut(Value<'_>) -> ControlFlow<()> + 'v;

impl Scope<'_, '_, '_> {
    /// Visits the values at `place`, elements of an array one by one (an empty array as it is).
    pub(crate) fn visit(self, place: &Place, visit: &mut Visit<'_>) -> ControlFlow<()> {
        match (place, self) {
            (Place::Field(path), Scope::Record(fields)) => fields.visit(path, visit),
            (Place::Everywhere, Scope::Record(fields)) => {
                everywhere(Value::Object(Raw(fields.record().bytes())), 0, visit)
            }
            (Place::Within(names), Scope::Element(value)) => within(value.clone(), names, 0, visit),
            (Place::Everywhere, Scope::Element(value)) => everywhere(value.clone(), 0, visit),
            // The compiler builds no such pair.
            (Place::Field(_), Scope::Element(_)) | (Place::Within(_), Scope::Record(_)) => {
                ControlFlow::Continue(())
            }
        }
    }

    /// Whether `wanted` says yes to an element at `place`.
    pub(crate) fn any_element(
        self,
        place: &Place,
        wanted: &mut dyn FnMut(&Value<'_>) -> bool,
    ) -> bool {
        self.visit(place, &mut |value| {
            let none = match &value {
                Value::Missing | Value::Null => true,
                Value::Array(array) => array.elements().next().is_none(),
                _ => false,
            };
            if !none && wanted(&value) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .is_break()
    }

    /// Whether `wanted` says yes to the element of the array at `place` that stands at `index`.
    pub(crate) fn element_at(
        self,
        place: &Place,
        index: i64,
        wanted: &mut dyn FnMut(&Value<'_>) -> bool,
    ) -> bool {
        let whole = match (place, self) {
            (Place::Field(path), Scope::Record(fields)) => fields.value(path),
            (Place::Within(names), Scope::Element(value)) => {
                names.iter().fold(value.clone(), |value, name| match value {
                    Value::Object(object) => object.get(name),
                    _ => Value::Missing,
                })
            }
            _ => Value::Missing,
        };
        let Value::Array(array) = whole else {
            return false;
        };
        let index = if index < 0 {
            let len = i64::try_from(array.elements().count()).unwrap_or(i64::MAX);
            len.saturating_add(index)
        } else {
            index
        };
        usize::try_from(index)
            .ok()
            .and_then(|index| array.elements().nth(index))
            .is_some_and(|value| wanted(&value))
    }
}

fn within(
    value: Value<'_>,
    names: &[Box<str>],
    depth: usize,
    visit: &mut Visit<'_>,
) -> ControlFlow<()> {
    if depth > DEPTH_MAX {
        return ControlFlow::Continue(());
    }
    match (names.split_first(), value) {
        (Some((name, rest)), Value::Object(object)) => match object.get(name) {
            Value::Missing => ControlFlow::Continue(()),
            member => within(member, rest, depth + 1, visit),
        },
        (_, Value::Array(array)) => {
            let mut empty = true;
            for element in array.elements() {
                empty = false;
                match (&element, names.is_empty()) {
                    (Value::Array(_), true) => visit(element)?,
                    _ => within(element, names, depth + 1, visit)?,
                }
            }
            if empty && names.is_empty() {
                visit(Value::Array(array))?;
            }
            ControlFlow::Continue(())
        }
        (None, value) => visit(value),
        (Some(_), _) => ControlFlow::Continue(()),
    }
}

fn everywhere(value: Value<'_>, depth: usize, visit: &mut Visit<'_>) -> ControlFlow<()> {
    match value {
        Value::Array(_) | Value::Object(_) if depth > DEPTH_MAX => ControlFlow::Continue(()),
        Value::Array(array) => {
            array.elements().try_for_each(|element| everywhere(element, depth + 1, visit))
        }
        Value::Object(object) => {
            object.members().try_for_each(|(_, member)| everywhere(member, depth + 1, visit))
        }
        Value::Text(_) | Value::Number(_) => visit(value),
        Value::Missing | Value::Null | Value::Bool(_) => ControlFlow::Continue(()),
    }
}

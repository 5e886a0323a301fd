//! Reaching values by dotted path, where the fields are known beforehand and few are wanted.
//!
//! An array on the way is entered: each of its elements counts, up to [`ELEMENTS_MAX`]; an array
//! directly inside an array is not entered. So a way is never longer than its path.

use std::borrow::Cow;

use crate::record::{Object, Value};

/// Most elements that are looked at in one array.
///
/// SageMaker's own limits lie below: 100 instance groups, 100 model packages, 10 variants.
pub(crate) const ELEMENTS_MAX: usize = 256;

/// Visits each value at `path` below `value`; the empty path is `value` itself. Null and absent
/// are not visited.
pub(crate) fn each<'b>(value: Value<'b>, path: &str, visit: &mut dyn FnMut(Value<'b>)) {
    match value {
        Value::Missing | Value::Null => {}
        Value::Array(raw) => {
            for element in raw.elements().take(ELEMENTS_MAX) {
                if !matches!(element, Value::Array(_)) {
                    each(element, path, visit);
                }
            }
        }
        value if path.is_empty() => visit(value),
        Value::Object(raw) => {
            let (name, rest) = path.split_once('.').unwrap_or((path, ""));
            each(raw.get(name), rest, visit);
        }
        Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}

/// Paths that are followed together: each object on the way is read once, however many lead through it.
///
/// Names count in any letter case, and all that stand there do; otherwise as [`each`].
#[derive(Debug, Default)]
pub(crate) struct Paths {
    branches: Vec<Branch>,
    /// How long their names are, a bit each: tells of nearly all others that they are none.
    lengths: u64,
}

/// One name on the way, and what is wanted there.
#[derive(Debug)]
struct Branch {
    name: Box<str>,
    /// A path ends here.
    ends: bool,
    below: Paths,
}

impl Paths {
    /// These paths.
    pub(crate) fn of<P: AsRef<str>>(paths: impl IntoIterator<Item = P>) -> Paths {
        let mut all = Paths::default();
        paths.into_iter().for_each(|path| all.add(path.as_ref()));
        all
    }

    fn add(&mut self, path: &str) {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        let known = self.branches.iter().position(|branch| &*branch.name == name);
        let place = known.unwrap_or_else(|| {
            self.lengths |= bit_of(name.len());
            self.branches.push(Branch { name: name.into(), ends: false, below: Paths::default() });
            self.branches.len() - 1
        });
        if let Some(branch) = self.branches.get_mut(place) {
            match rest {
                "" => branch.ends = true,
                rest => branch.below.add(rest),
            }
        }
    }

    /// Visits each value at any of them below `object`, in the order in which they stand there.
    pub(crate) fn each<'b>(&self, object: &Object<'b>, visit: &mut dyn FnMut(Value<'b>)) {
        object.select(|name| self.branch(name), |branch, value| branch.each(value, visit));
    }

    /// Where a member of this name leads. Members of flattened objects are named by several.
    fn branch(&self, name: &[u8]) -> Option<&Branch> {
        let is_it = |branch: &&Branch| branch.name.as_bytes().eq_ignore_ascii_case(name);
        if self.lengths & bit_of(name.len()) != 0
            && let Some(branch) = self.branches.iter().find(is_it)
        {
            return Some(branch);
        }
        let dot = memchr::memchr(b'.', name)?;
        let (first, rest) = (name.get(..dot)?, name.get(dot + 1..)?);
        self.branch(first)?.below.branch(rest)
    }
}

impl Branch {
    fn each<'b>(&self, value: Value<'b>, visit: &mut dyn FnMut(Value<'b>)) {
        match value {
            Value::Missing | Value::Null => {}
            Value::Array(raw) => {
                for element in raw.elements().take(ELEMENTS_MAX) {
                    if !matches!(element, Value::Array(_)) {
                        self.each(element, visit);
                    }
                }
            }
            value => {
                if let Value::Object(raw) = value
                    && self.below.lengths != 0
                {
                    raw.select(
                        |name| self.below.branch(name),
                        |branch, value| branch.each(value, visit),
                    );
                }
                if self.ends {
                    visit(value);
                }
            }
        }
    }
}

fn bit_of(length: usize) -> u64 {
    1 << length.min(63)
}

/// The first text at `path` below `value`.
pub(crate) fn text_at<'b>(value: Value<'b>, path: &str) -> Option<Cow<'b, str>> {
    let mut found = None;
    each(value, path, &mut |value| {
        if found.is_none() {
            found = value.into_text();
        }
    });
    found
}

/// A count: a whole number, also as a text or written `4.0`. Anything else is none.
pub(crate) fn count(value: Value<'_>) -> Option<u64> {
    let text = value.into_text()?;
    let digits = match text.split_once('.') {
        Some((digits, fraction)) if fraction.bytes().all(|b| b == b'0') => digits,
        Some(_) => return None,
        None => &text,
    };
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Raw;

    fn found(json: &str, path: &str) -> Vec<String> {
        let mut found = Vec::new();
        each(Value::Object(Raw(json.as_bytes())), path, &mut |value| {
            found.extend(value.into_text().map(Cow::into_owned));
        });
        found
    }

    #[test]
    fn enters_arrays_on_the_way_but_no_array_in_an_array() {
        assert_eq!(found(r#"{"a":{"b":"x"}}"#, "a.b"), ["x"]);
        assert_eq!(found(r#"{"a":[{"b":"x"},{"b":["y",7]}]}"#, "a.b"), ["x", "y", "7"]);
        assert_eq!(found(r#"{"a":[[{"b":"x"}]],"c":null}"#, "a.b"), [""; 0]);
        assert_eq!(found(r#"{"a":"x"}"#, "a.b"), [""; 0]);
    }

    #[test]
    fn paths_together_lead_where_each_does() {
        let paths = ["a", "a.b", "a.c.d", "a.c.e", "x.y", "long"];
        let all = Paths::of(paths);
        for (json, wanted) in [
            (r#"{"a":{"b":"1","c":{"d":"2","e":["3",{"f":4}]}},"long":"5"}"#, "1 2 3 5"),
            (r#"{"A":[{"B":"1"},{"b":["2",7]},[{"b":"no"}]],"ab":"no","a":"3"}"#, "1 2 7 3"),
            (r#"{"a.b":"1","a.C.d":"2","x.y":{"z":"no"},"x.y.z":"no","x":{"y":"3"}}"#, "1 2 3"),
            (r#"{"a":null,"x":"no","y":"no"}"#, ""),
        ] {
            let object = Object::of(&Value::Object(Raw(json.as_bytes())));
            let mut found = Vec::new();
            all.each(&object, &mut |value| found.extend(value.into_text().map(Cow::into_owned)));
            assert_eq!(found.join(" "), wanted, "{json}");
        }
    }

    #[test]
    fn looks_at_so_many_elements_and_no_more() {
        let json = format!("{{\"a\":[{}0]}}", "1,".repeat(ELEMENTS_MAX + 5));
        assert_eq!(found(&json, "a").len(), ELEMENTS_MAX);
    }

    #[test]
    fn counts_are_whole_numbers() {
        let of = |text: &'static str| count(Value::Text(Cow::Borrowed(text)));
        assert_eq!(of("12"), Some(12));
        assert_eq!(of("4.0"), Some(4));
        for bad in ["", "-1", "1.5", "1e3", "many", "99999999999999999999999"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(count(Value::Bool(true)), None);
        assert_eq!(count(Value::Null), None);
    }
}

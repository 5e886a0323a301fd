//! Reaching values by dotted path, where the fields are known beforehand and few are wanted.
//!
//! An array on the way is entered: each of its elements counts, up to [`ELEMENTS_MAX`]; an array
//! directly inside an array is not entered. So a way is never longer than its path.

use std::borrow::Cow;

use crate::record::Value;

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

/// Visits each value at any of `paths` below `object`, reading its members once, in their order,
/// their names in any letter case.
pub(crate) fn each_of<'b>(object: &Value<'b>, paths: &[&str], visit: &mut dyn FnMut(Value<'b>)) {
    let Value::Object(raw) = object else { return };
    for (member, value) in raw.members() {
        for path in paths {
            // Where the name would end tells of nearly all paths that they do not begin with it.
            let end = path.as_bytes().get(member.len());
            if !matches!(end, None | Some(b'.')) {
                continue;
            }
            if path.get(..member.len()).is_some_and(|head| head.eq_ignore_ascii_case(&member)) {
                let rest = path.get(member.len() + 1..).unwrap_or_default();
                each(value.clone(), rest, visit);
            }
        }
    }
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

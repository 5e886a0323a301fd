//! A value as an owned `serde_json` tree, for evidence and for tests: bounded.

use serde_json::{Map, Number, Value as Json};

use super::value::{Raw, Value};

/// How much of a value a tree may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeLimits {
    /// Arrays and objects within each other. Trees are dropped and written by recursion, so this
    /// stays far below what a stack holds.
    pub depth_max: usize,
    /// Values in all.
    pub values_max: usize,
}

impl Default for TreeLimits {
    /// Deeper and larger than any record CloudTrail writes: up to 11 levels were seen.
    fn default() -> TreeLimits {
        TreeLimits { depth_max: 64, values_max: 16_384 }
    }
}

impl Value<'_> {
    /// As an owned tree; none if there is no value. An array or object beyond the limits becomes
    /// a text that says how many bytes were left out. Where a name stands twice the last counts.
    #[must_use]
    pub fn to_json(&self, limits: TreeLimits) -> Option<Json> {
        let mut values_left = limits.values_max;
        let mut open: Vec<Open<'_>> = Vec::new();
        let mut value = self.clone();
        loop {
            let mut done = match begin(value)? {
                Begun::Done(json) => json,
                Begun::Open(raw, _) if open.len() >= limits.depth_max || values_left == 0 => {
                    left_out(raw)
                }
                Begun::Open(_, frame) => {
                    open.push(frame);
                    match open.last_mut().and_then(|frame| frame.advance(&mut values_left)) {
                        Some(first) => {
                            value = first;
                            continue;
                        }
                        None => match open.pop() {
                            Some(frame) => frame.close(),
                            None => return None,
                        },
                    }
                }
            };
            // Hand what is done to what holds it, and close that too where it was the last.
            value = loop {
                let Some(holder) = open.last_mut() else {
                    return Some(done);
                };
                holder.take(done);
                if let Some(next) = holder.advance(&mut values_left) {
                    break next;
                }
                done = open.pop()?.close();
            };
        }
    }
}

/// An array or object of which some entries are read.
enum Open<'b> {
    Array {
        entries: super::value::Elements<'b>,
        read: Vec<Json>,
    },
    Object {
        entries: Box<dyn Iterator<Item = (std::borrow::Cow<'b, str>, Value<'b>)> + 'b>,
        read: Map<String, Json>,
        key: String,
    },
}

enum Begun<'b> {
    Done(Json),
    Open(Raw<'b>, Open<'b>),
}

fn begin(value: Value<'_>) -> Option<Begun<'_>> {
    Some(match value {
        Value::Missing => return None,
        Value::Null => Begun::Done(Json::Null),
        Value::Bool(bool) => Begun::Done(Json::Bool(bool)),
        // A number that no `f64` holds stays as written.
        Value::Number(written) => Begun::Done(match written.parse::<Number>() {
            Ok(number) => Json::Number(number),
            Err(_) => Json::String(written.into_owned()),
        }),
        Value::Text(text) => Begun::Done(Json::String(text.into_owned())),
        Value::Array(raw) => {
            Begun::Open(raw, Open::Array { entries: raw.elements(), read: Vec::new() })
        }
        Value::Object(raw) => Begun::Open(
            raw,
            Open::Object { entries: Box::new(raw.members()), read: Map::new(), key: String::new() },
        ),
    })
}

impl<'b> Open<'b> {
    fn advance(&mut self, values_left: &mut usize) -> Option<Value<'b>> {
        if *values_left == 0 {
            return None;
        }
        *values_left -= 1;
        match self {
            Open::Array { entries, .. } => entries.next(),
            Open::Object { entries, key, .. } => {
                let (name, value) = entries.next()?;
                *key = name.into_owned();
                Some(value)
            }
        }
    }

    fn take(&mut self, entry: Json) {
        match self {
            Open::Array { read, .. } => read.push(entry),
            Open::Object { read, key, .. } => {
                read.insert(std::mem::take(key), entry);
            }
        }
    }

    fn close(self) -> Json {
        match self {
            Open::Array { read, .. } => Json::Array(read),
            Open::Object { read, .. } => Json::Object(read),
        }
    }
}

fn left_out(raw: Raw<'_>) -> Json {
    Json::String(format!("({} bytes left out)", raw.0.len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::scan::Span;
    use super::*;

    fn tree(json: &str, depth_max: usize, values_max: usize) -> Json {
        let limits = TreeLimits { depth_max, values_max };
        let span = Span::new(0, json.len(), false);
        Value::read(json.as_bytes(), span).to_json(limits).unwrap()
    }

    #[test]
    fn a_tree_holds_what_serde_json_reads() {
        let json = r#"{"a":[1,-2.5e3,[],{}],"b":{"c":[[{"d":"\u00e9"}]],"c":null},"e":true}"#;
        let expected: Json = serde_json::from_str(json).unwrap();
        assert_eq!(tree(json, 64, 1_000), expected);
        assert_eq!(Value::Missing.to_json(TreeLimits::default()), None);
        assert_eq!(tree("1e999", 64, 1_000), Json::from("1e999"));
    }

    #[test]
    fn what_is_too_deep_or_too_much_is_left_out_and_said() {
        let out = Json::from("(7 bytes left out)");
        assert_eq!(tree(r#"[{"a":1},[[[1]]]]"#, 2, 100)[1][0], Json::from("(5 bytes left out)"));
        assert_eq!(tree("[[1,2,3],4]", 1, 100)[0], out);
        assert_eq!(tree("[1,2,3,4]", 9, 2), serde_json::json!([1, 2]));
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(tree(&deep, 64, 1_000).to_string().contains("199872 bytes left out"));
    }
}

//! Laws: what `serde_json` reads, we read the same; whatever else comes, nothing panics.

#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use super::super::*;
use crate::field::{Fields, Path};

const WHOLE: TreeLimits = TreeLimits { depth_max: 100, values_max: 100_000 };

/// Reads all there is to read of some bytes; whether they are a record.
fn read_all(bytes: &[u8]) -> bool {
    let Ok(record) = Record::decode(bytes) else {
        return false;
    };
    for key in Key::ALL {
        let _text = record.text(key);
        let _tree = record.value(key).to_json(TreeLimits::default());
    }
    let texts = [record.event_source(), record.event_name(), record.event_id(), record.account()];
    let _others = (texts, record.read_only(), record.id(1), record.get("other"));
    let _oddities: Vec<_> = record.oddities().iter().map(Oddity::name).collect();
    let fields = Fields::of(&record);
    for path in ["requestParameters.a.b", "other.a", "userIdentity", "userIdentity.arn"] {
        let path = Path::parse(path).unwrap();
        let flow = fields.visit(&path, &mut |_| ControlFlow::Continue(()));
        assert!(flow.is_continue());
        let _first = fields.value(&path);
    }
    let _tree = Value::Object(record.whole()).to_json(TreeLimits::default());
    true
}

/// Short keys, so that they meet; known ones, odd ones, and some in need of escapes.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab.]{0,3}",
        any::<String>(),
        prop::sample::select(Key::ALL.to_vec()).prop_map(|key| key.name().to_owned()),
    ]
}

fn tree() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any::<String>().prop_map(Json::from),
        r#"[\\"{}\[\],: ]{0,80}"#.prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 96, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Json::from),
            prop::collection::hash_map(key(), inner, 0..8)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn members() -> impl Strategy<Value = Map<String, Json>> {
    prop::collection::hash_map(key(), tree(), 0..12).prop_map(|members| {
        let mut members: Map<String, Json> = members.into_iter().collect();
        members.insert("eventTime".into(), "2026-01-31T23:59:59Z".into());
        members
    })
}

/// The same JSON with every third character of its texts escaped, but for escapes themselves.
fn escaped(json: &str) -> String {
    let mut out = String::new();
    let mut in_text = false;
    let mut chars = json.chars().enumerate();
    while let Some((place, char)) = chars.next() {
        match char {
            '"' => in_text = !in_text,
            '\\' => {
                let (_, letter) = chars.next().unwrap();
                out.extend([char, letter]);
                let digits = if letter == 'u' { 4 } else { 0 };
                out.extend(chars.by_ref().take(digits).map(|(_, digit)| digit));
                continue;
            }
            _ if in_text && place % 3 == 0 => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
                continue;
            }
            _ => {}
        }
        out.push(char);
    }
    out
}

/// Each way from the root of a tree to a value in it, by keys alone.
fn ways<'j>(json: &'j Json, way: &mut Vec<&'j str>, visit: &mut dyn FnMut(&[&str], &Json)) {
    if let Json::Object(members) = json {
        for (key, value) in members {
            way.push(key);
            visit(way, value);
            ways(value, way, visit);
            way.pop();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_serde_json_reads_we_read_the_same(members in members(), pretty: bool, escapes: bool) {
        let json = Json::Object(members);
        let mut written = if pretty {
            serde_json::to_string_pretty(&json).unwrap()
        } else {
            json.to_string()
        };
        if escapes {
            written = escaped(&written);
        }
        let json: Json = serde_json::from_str(&written).unwrap();
        let record = Record::decode(written.as_bytes()).unwrap();
        prop_assert_eq!(Value::Object(record.whole()).to_json(WHOLE).unwrap(), json.clone());
        for (name, value) in json.as_object().unwrap() {
            prop_assert_eq!(&record.get(name).to_json(WHOLE).unwrap(), value);
        }
        let mut dotted = false;
        ways(&json, &mut Vec::new(), &mut |way, _| dotted |= way.iter().any(|key| key.contains('.')));
        ways(&json, &mut Vec::new(), &mut |way, expected| {
            let found = way.iter().fold(Value::Object(record.whole()), |at, key| at.get(key));
            assert_eq!(&found.to_json(WHOLE).unwrap(), expected, "{way:?}");
            // A path cannot name an empty key, and a longer key goes before a way of several.
            if !dotted && way.iter().all(|key| !key.is_empty()) {
                let path = Path::parse(&way.join(".")).unwrap();
                let value = Fields::of(&record).value(&path).to_json(WHOLE);
                assert_eq!(value.as_ref(), Some(expected), "{way:?}");
            }
        });
        prop_assert!(read_all(written.as_bytes()));
    }

    #[test]
    fn no_bytes_are_too_odd(bytes: Vec<u8>, json in r#"[{}\[\]",:\\ u0aA\xff]{0,200}"#) {
        read_all(&bytes);
        read_all(json.as_bytes());
        let inside = format!(r#"{{"eventTime":"2026-01-31T23:59:59Z","requestParameters":{json}}}"#);
        read_all(inside.as_bytes());
        let inside = inside.replacen("requestParameters", "other", 1);
        read_all(inside.as_bytes());
    }

    #[test]
    fn no_damage_is_too_odd(
        members in members(),
        cut in any::<prop::sample::Index>(),
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = Json::Object(members).to_string().into_bytes();
        let whole = bytes.len();
        prop_assert!(!read_all(&bytes[..cut.index(whole)]), "a truncated record is no record");
        for (place, byte) in hits {
            let place = place.index(whole);
            bytes[place] = byte;
        }
        read_all(&bytes);
    }

    /// The scan by blocks agrees with one that goes byte by byte.
    #[test]
    fn a_container_ends_where_counting_says(
        inside in r#"(\\{0,5}["\[\]{}a ]){0,150}"#,
        before in 0_usize..70,
    ) {
        let json = format!("{}[{inside}]", " ".repeat(before));
        let (mut depth, mut in_text, mut escaped, mut end) = (0, false, false, None);
        for (place, byte) in json.bytes().enumerate() {
            match byte {
                b'"' if !escaped => in_text = !in_text,
                b'[' | b'{' if !in_text => depth += 1,
                b']' | b'}' if !in_text => depth -= 1,
                _ => {}
            }
            escaped = byte == b'\\' && !escaped;
            if depth == 0 && byte != b' ' {
                end = Some(place + 1);
                break;
            }
        }
        let within = format!("[{json},");
        let mut walk = scan::Walk::behind(b'[', within.as_bytes(), 0).unwrap();
        let found = walk.element().ok().flatten();
        let length = found.map(|span| span.of(within.as_bytes()).len());
        prop_assert_eq!(length, end.map(|end| end - before));
    }
}

//! The records of a test, made from its groups.

use serde_json::{Value, json};

use super::written::{Group, Test};

/// Most records of one test.
const RECORDS_MAX: u64 = 1_000_000;

/// Beginnings of the names of calls that change nothing.
const READS: [&str; 6] = ["Get", "List", "Describe", "Search", "BatchGet", "BatchDescribe"];

/// Every record of `test`, as bytes of JSON. The same test gives the same bytes.
///
/// # Errors
/// What in the test cannot be made into a record.
pub(super) fn records(test: &Test) -> Result<Vec<Vec<u8>>, String> {
    let count: u64 = test.records.iter().map(|group| u64::from(group.repeat.get())).sum();
    if count > RECORDS_MAX {
        return Err(format!("{count} records: a test may have {RECORDS_MAX}"));
    }
    let mut records = Vec::new();
    for group in &test.records {
        let with = with(group)?;
        for n in 1..=group.repeat.get() {
            let mut record = template(group, n, records.len() as u64);
            for (path, value) in &with {
                set(&mut record, path, numbered(value, n));
            }
            group.without.iter().for_each(|path| remove(&mut record, path));
            records.push(record.to_string().into_bytes());
        }
    }
    Ok(records)
}

/// Paths and values of `with`, in the order written.
fn with(group: &Group) -> Result<Vec<(String, Value)>, String> {
    let entries = group.with.iter().map(|(path, value)| {
        let path = path.as_str().ok_or("a path of `with` is a text")?;
        let value = serde_json::to_value(value).map_err(|error| format!("`{path}`: {error}"))?;
        Ok((path.to_owned(), value))
    });
    entries.collect()
}

fn template(group: &Group, n: u32, number: u64) -> Value {
    let event_name = &group.like.event_name;
    let time = group.start.time().plus(group.every.0.saturating_mul(i64::from(n - 1)));
    let id = |number: u64| format!("5f1c0a52-0000-5000-8000-{number:012x}");
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLEEXAMPLE00:session",
            "arn": "arn:aws:sts::111122223333:assumed-role/train/session",
            "accountId": "111122223333",
            "accessKeyId": "ASIAEXAMPLEEXAMPLE00",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLEEXAMPLE00",
                    "arn": "arn:aws:iam::111122223333:role/train",
                    "accountId": "111122223333",
                    "userName": "train"
                },
                "attributes": {
                    "creationDate": "2026-01-05T08:00:00Z",
                    "mfaAuthenticated": "false"
                }
            }
        },
        "eventTime": time.to_string(),
        "eventSource": format!("{}.amazonaws.com", group.like.service),
        "eventName": event_name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "rule-test",
        "requestParameters": {},
        "responseElements": null,
        "requestID": id(2 * number + 1),
        "eventID": id(2 * number + 2),
        "readOnly": READS.iter().any(|read| event_name.starts_with(read)),
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management"
    })
}

/// `value` with the number of the record for `{n}` in every text.
fn numbered(value: &Value, n: u32) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("{n}", &n.to_string())),
        Value::Array(values) => values.iter().map(|value| numbered(value, n)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), numbered(value, n)))
            .collect::<serde_json::Map<String, Value>>()
            .into(),
        other => other.clone(),
    }
}

/// Sets the value at `path`; what is no object on the way becomes one.
fn set(record: &mut Value, path: &str, value: Value) {
    let mut place = record;
    for segment in path.split('.') {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[segment];
    }
    *place = value;
}

fn remove(record: &mut Value, path: &str) {
    let (parent, name) = match path.rsplit_once('.') {
        None => (Some(record), path),
        Some((parent, name)) => {
            let mut steps = parent.split('.');
            (steps.try_fold(record, |place, segment| place.get_mut(segment)), name)
        }
    };
    if let Some(members) = parent.and_then(Value::as_object_mut) {
        members.remove(name);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rule_tests::written;

    fn made(yaml: &str) -> Vec<Value> {
        let tests = written::read(yaml).unwrap();
        let records = records(tests.first().unwrap()).unwrap();
        records.iter().map(|bytes| serde_json::from_slice(bytes).unwrap()).collect()
    }

    #[test]
    fn a_group_becomes_records() {
        let made = made(
            "
- name: x
  records:
    - repeat: 2
      start: -1d
      every: 90s
      like: sagemaker/ListModels
      with:
        requestParameters.a: null
        requestParameters.a.b: ['{n}', {c: 'x{n}'}]
        sourceIPAddress.deep: 1
      without: [userIdentity.sessionContext.attributes, userAgent, not.there]
  expect: []",
        );
        let [first, second] = made.as_slice() else { panic!("{} records", made.len()) };
        assert_eq!(first["eventTime"], "2026-01-04T09:00:00Z");
        assert_eq!(second["eventTime"], "2026-01-04T09:01:30Z");
        assert_eq!(first["eventSource"], "sagemaker.amazonaws.com");
        assert_eq!(first["readOnly"], true);
        assert_eq!(second["requestParameters"], json!({"a": {"b": ["2", {"c": "x2"}]}}));
        assert_eq!(second["sourceIPAddress"], json!({"deep": 1}));
        assert_eq!(second["userIdentity"]["sessionContext"].get("attributes"), None);
        assert_eq!(second.get("userAgent"), None);
        let ids =
            [&first["eventID"], &first["requestID"], &second["eventID"], &second["requestID"]];
        for (place, id) in ids.iter().enumerate() {
            assert!(!ids.iter().take(place).any(|other| other == id), "{id} twice");
        }
    }
}

//! What `deploy/` ships for AWS to enforce, held against the facts beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Most characters of a service control policy, white space not counted.
const POLICY_CHARACTERS_MAX: usize = 5_120;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// A table's rows, each by column.
fn table(path: &str) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(deploy().join(path)).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').map(str::to_owned));
    let columns: Vec<String> = lines.next().unwrap().collect();
    let rows: Vec<Vec<String>> = lines.map(Iterator::collect).collect();
    assert!(rows.iter().all(|row| row.len() == columns.len()), "{path}: a row is short or long");
    rows.into_iter().map(|row| columns.iter().cloned().zip(row).collect()).collect()
}

/// The policies in a folder below `deploy/scp`, by name.
fn policies(folder: &str) -> BTreeMap<String, Value> {
    let files = std::fs::read_dir(deploy().join("scp").join(folder)).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let policies = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
    policies
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
        })
        .collect()
}

fn all_policies() -> impl Iterator<Item = (String, Value)> {
    let hardened = policies("hardened").into_iter();
    let hardened = hardened.map(|(name, policy)| (format!("hardened/{name}"), policy));
    policies("").into_iter().chain(hardened)
}

fn statements(policy: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    policy["Statement"].as_array().unwrap().iter().map(|statement| statement.as_object().unwrap())
}

/// One text, or each of several.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(several) => several.iter().map(|text| text.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    }
}

/// Whether a condition may compare a key of this type so.
fn suits(operator: &str, key_type: &str) -> bool {
    match operator {
        "Null" => true,
        "Bool" | "BoolIfExists" => key_type == "Bool",
        "StringEquals" | "StringNotEquals" => key_type == "String",
        "ForAnyValue:StringNotLike" => key_type == "ArrayOfString",
        "NotIpAddress" | "NotIpAddressIfExists" => key_type == "IPAddress",
        _ => false,
    }
}

fn is_network(value: &str) -> bool {
    let parts = value.split_once('/').map(|(address, bits)| {
        (address.parse::<std::net::IpAddr>().is_ok(), bits.parse::<u8>().is_ok_and(|b| b <= 128))
    });
    parts == Some((true, true))
}

#[test]
fn policies_have_the_shape_and_size_that_organizations_takes() {
    assert_eq!((policies("").len(), policies("hardened").len()), (9, 10));
    for (name, policy) in all_policies() {
        let text = std::fs::read_to_string(deploy().join(format!("scp/{name}.json"))).unwrap();
        let length = text.chars().filter(|c| !c.is_whitespace()).count();
        assert!(length <= POLICY_CHARACTERS_MAX, "{name}: {length} characters");
        assert_eq!(policy["Version"], "2012-10-17", "{name}");
        assert_eq!(policy.as_object().unwrap().len(), 2, "{name}");
        let mut sids = BTreeSet::new();
        for statement in statements(&policy) {
            let keys: BTreeSet<&str> = statement.keys().map(String::as_str).collect();
            assert_eq!(
                keys,
                BTreeSet::from(["Sid", "Effect", "Action", "Resource", "Condition"]),
                "{name}"
            );
            assert_eq!(
                (&statement["Effect"], &statement["Resource"]),
                (&"Deny".into(), &"*".into())
            );
            let sid = statement["Sid"].as_str().unwrap();
            assert!(sid.chars().all(|c| c.is_ascii_alphanumeric()), "{name}: {sid}");
            assert!(sids.insert(sid), "{name}: {sid} stands twice");
        }
    }
}

#[test]
fn policies_name_only_actions_and_keys_that_work_together() {
    let facts = table("scp/facts.tsv");
    for (name, policy) in all_policies() {
        for statement in statements(&policy) {
            let conditions = statement["Condition"].as_object().unwrap();
            assert!(!conditions.is_empty(), "{name}: refuses everything");
            for (operator, (key, value)) in conditions.iter().flat_map(|(operator, keys)| {
                keys.as_object().unwrap().iter().map(move |key| (operator, key))
            }) {
                for action in texts(&statement["Action"]) {
                    let fact = facts
                        .iter()
                        .find(|fact| fact["action"] == action && fact["condition_key"] == *key)
                        .unwrap_or_else(|| panic!("{name}: {key} is not known for {action}"));
                    assert_ne!(fact["standing"], "deprecated", "{name}: {key}");
                    assert!(suits(operator, &fact["type"]), "{name}: {operator} of {key}");
                }
                for value in texts(value) {
                    assert!(!value.contains('['), "{name}: {value} is no value");
                    match operator.as_str() {
                        "Null" | "Bool" | "BoolIfExists" => {
                            assert!(["true", "false"].contains(&value), "{name}: {value}");
                        }
                        "NotIpAddress" | "NotIpAddressIfExists" => {
                            assert!(is_network(value), "{name}: {value}");
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

#[test]
fn what_replaces_a_deprecated_key_works_with_the_same_action() {
    let facts = table("scp/facts.tsv");
    let deprecated: Vec<_> = facts.iter().filter(|f| f["standing"] == "deprecated").collect();
    assert!(!deprecated.is_empty());
    for old in deprecated {
        let replacement = facts.iter().find(|fact| {
            fact["action"] == old["action"] && fact["condition_key"] == old["use_instead"]
        });
        assert_eq!(replacement.unwrap()["standing"], "listed", "{old:?}");
    }
}

/// A hardened policy refuses what the printed one refuses, and more.
#[test]
fn hardened_policies_ask_of_every_action_that_the_printed_ones_ask_of() {
    let hardened = policies("hardened");
    let actions = |policy: &Value| -> BTreeSet<String> {
        statements(policy).flat_map(|s| texts(&s["Action"])).map(str::to_owned).collect()
    };
    for (name, policy) in policies("") {
        let number = name.split('-').next().unwrap();
        let same = hardened.iter().find(|(other, _)| other.split('-').next() == Some(number));
        let wider = actions(same.unwrap_or_else(|| panic!("{name} has no hardened one")).1);
        assert!(actions(&policy).is_subset(&wider), "{name}");
    }
}

#[test]
fn each_policy_and_each_config_rule_has_its_row_and_its_twin() {
    let page = std::fs::read_to_string(deploy().join("scp/README.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| [0")).collect();
    assert_eq!(rows.len(), 9);
    for (number, (name, _)) in (1..).zip(policies("")) {
        let row = rows.iter().find(|row| row.starts_with(&format!("| [{name}]({name}.json) |")));
        let row = row.unwrap_or_else(|| panic!("{name} has no row"));
        assert!(row.ends_with(&format!("| SCP-{number:02} |")), "{row}");
    }
    for name in policies("hardened").keys() {
        assert!(page.contains(&format!("[{name}](hardened/{name}.json)")), "{name} is not told of");
    }
    let page = std::fs::read_to_string(deploy().join("config/README.md")).unwrap();
    for fact in table("config/facts.tsv") {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", fact["rule"])));
        assert!(row.unwrap().ends_with(&format!("| {} |", fact["twin"])), "{fact:?}");
    }
}

#[test]
fn the_conformance_pack_is_the_six_managed_rules() {
    let text = std::fs::read_to_string(deploy().join("config/sagemaker.yaml")).unwrap();
    let pack: Value = yaml_serde::from_str(&text).unwrap();
    let mut facts: BTreeMap<String, _> = table("config/facts.tsv")
        .into_iter()
        .map(|fact| (fact["identifier"].clone(), fact))
        .collect();
    assert_eq!(facts.len(), 6);
    let parameters = pack["Parameters"].as_object().unwrap();
    for (name, resource) in pack["Resources"].as_object().unwrap() {
        assert_eq!(resource["Type"], "AWS::Config::ConfigRule", "{name}");
        let rule = &resource["Properties"];
        assert_eq!(rule["Source"]["Owner"], "AWS", "{name}");
        let identifier = rule["Source"]["SourceIdentifier"].as_str().unwrap();
        let fact = facts.remove(identifier).unwrap_or_else(|| panic!("{identifier} is not known"));
        assert_eq!(rule["ConfigRuleName"], *fact["rule"], "{name}");
        assert!(rule["Description"].as_str().unwrap().len() <= 256, "{name}");
        let is_periodic = fact["trigger"] == "periodic";
        assert_eq!(rule.get("MaximumExecutionFrequency").is_some(), is_periodic, "{name}");
        let scope = &rule["Scope"]["ComplianceResourceTypes"][0];
        assert!(is_periodic || *scope == *fact["resource_type"], "{name}");
        for (key, value) in
            rule.get("InputParameters").and_then(Value::as_object).into_iter().flatten()
        {
            assert_eq!(*key, fact["parameter"], "{name}");
            let given = &value["Fn::If"];
            assert!(pack["Conditions"].get(given[0].as_str().unwrap()).is_some(), "{name}");
            assert!(parameters.contains_key(given[1]["Ref"].as_str().unwrap()), "{name}");
            assert_eq!(given[2]["Ref"], "AWS::NoValue", "{name}");
        }
    }
    assert!(facts.is_empty(), "missing: {:?}", facts.keys());
}

/// The addresses of `NAME://host:port,..`, by name.
fn listeners(value: &Value) -> BTreeMap<&str, &str> {
    let listeners = value.as_str().unwrap().split(',');
    listeners.map(|listener| listener.split_once("://").unwrap()).collect()
}

#[test]
fn the_compose_file_starts_the_kafka_that_is_tested_and_shows_it_to_this_machine_alone() {
    let text = std::fs::read_to_string(deploy().join("compose.yaml")).unwrap();
    let file: Value = yaml_serde::from_str(&text).unwrap();
    let kafka = &file["services"]["kafka"];
    let pom = std::fs::read_to_string(deploy().join("../tests/servers/kafka/pom.xml")).unwrap();
    let version = pom.split("<artifactId>kafka_2.13</artifactId>").nth(1).unwrap();
    let version = version.split("<version>").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(kafka["image"], format!("apache/kafka:{version}"));
    assert_eq!(kafka["ports"], serde_json::json!(["127.0.0.1:9092:9092"]));
    let settings = kafka["environment"].as_object().unwrap();
    assert!(settings.values().all(Value::is_string), "a number has quotes");
    // Every listener has its protocol, and every one for clients says where it is to be reached.
    let bound = listeners(&settings["KAFKA_LISTENERS"]);
    let told = listeners(&settings["KAFKA_ADVERTISED_LISTENERS"]);
    let controller = settings["KAFKA_CONTROLLER_LISTENER_NAMES"].as_str().unwrap();
    let protocols = settings["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].as_str().unwrap().split(',');
    let protocols: BTreeMap<&str, &str> =
        protocols.map(|pair| pair.split_once(':').unwrap()).collect();
    assert_eq!(told["HOST"], "localhost:9092");
    for (name, address) in &bound {
        assert_eq!(protocols[name], "PLAINTEXT");
        assert_eq!(told.contains_key(name), *name != controller, "{name}");
        if let Some(told) = told.get(name) {
            assert!(told.ends_with(address), "{name}: {told}, {address}");
        }
    }
    assert!(told.contains_key(settings["KAFKA_INTER_BROKER_LISTENER_NAME"].as_str().unwrap()));
    let voter = settings["KAFKA_CONTROLLER_QUORUM_VOTERS"].as_str().unwrap();
    let node = settings["KAFKA_NODE_ID"].as_str().unwrap();
    assert_eq!(voter, format!("{node}@localhost{}", bound[controller]));
    // What a volume holds is named, and what is named is used.
    let volume = kafka["volumes"][0].as_str().unwrap().split_once(':').unwrap();
    assert!(file["volumes"].get(volume.0).is_some());
    assert_eq!(settings["KAFKA_LOG_DIRS"], volume.1);
}

//! Sigma tags to the `attacks` of OCSF: MITRE ATT&CK and MITRE ATLAS side by side.
//!
//! Tags name techniques (`attack.t1496`, `attack.t1496.001`, `atlas.aml.t0034`, also written
//! `atlas.aml-t0034`) and tactics (`attack.impact`, `attack.ta0040`, `atlas.aml.ta0011`). A tag does
//! not say which tactic a technique serves in the rule, so a tactic is joined to the techniques
//! only where the rule names one alone. Other tags (`cve.`, `detection.`) are none of ours.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

/// Version of MITRE ATT&CK Enterprise that tags mean.
pub(crate) const ATTACK_VERSION: &str = "19.1";
/// Version of MITRE ATLAS that tags mean.
pub(crate) const ATLAS_VERSION: &str = "5.6.0";

/// Names of techniques by id; a technique that is not in it goes by its id alone.
static TECHNIQUES: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    let rows = include_str!("techniques.tsv").lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|row| row.split_once('\t')).collect()
});

/// Tactic tags of Sigma and their ids (ATT&CK Enterprise; v19 renamed defense evasion to stealth
/// and set defense impairment beside it).
const TACTICS: [(&str, &str, &str); 16] = [
    ("reconnaissance", "TA0043", "Reconnaissance"),
    ("resource-development", "TA0042", "Resource Development"),
    ("initial-access", "TA0001", "Initial Access"),
    ("execution", "TA0002", "Execution"),
    ("persistence", "TA0003", "Persistence"),
    ("privilege-escalation", "TA0004", "Privilege Escalation"),
    ("defense-evasion", "TA0005", "Defense Evasion"),
    ("stealth", "TA0005", "Stealth"),
    ("defense-impairment", "TA0112", "Defense Impairment"),
    ("credential-access", "TA0006", "Credential Access"),
    ("discovery", "TA0007", "Discovery"),
    ("lateral-movement", "TA0008", "Lateral Movement"),
    ("collection", "TA0009", "Collection"),
    ("command-and-control", "TA0011", "Command and Control"),
    ("exfiltration", "TA0010", "Exfiltration"),
    ("impact", "TA0040", "Impact"),
];

/// The `attacks` of a finding, ATT&CK first, each in the order of the tags.
pub(crate) fn attacks(tags: &[String]) -> Vec<Value> {
    let folded: Vec<String> =
        tags.iter().map(|tag| tag.trim().to_ascii_lowercase().replace('_', "-")).collect();
    let mut attacks = Vec::new();
    for (prefix, version) in [("attack.", ATTACK_VERSION), ("atlas.", ATLAS_VERSION)] {
        let names = folded.iter().filter_map(|tag| tag.strip_prefix(prefix));
        attacks.extend(matrix(names).into_iter().map(|mut attack| {
            attack["version"] = version.into();
            attack
        }));
    }
    attacks
}

fn named(uid: &str) -> Value {
    match TECHNIQUES.get(uid) {
        Some(name) => json!({"uid": uid, "name": name}),
        None => json!({"uid": uid}),
    }
}

fn matrix<'t>(names: impl Iterator<Item = &'t str>) -> Vec<Value> {
    let (mut tactics, mut techniques) = (Vec::new(), Vec::new());
    for name in names {
        let known = |value: Value, into: &mut Vec<Value>| {
            if !into.contains(&value) {
                into.push(value);
            }
        };
        if let Some(tactic) = tactic(name) {
            known(tactic, &mut tactics);
        } else if let Some(technique) = technique(name) {
            known(technique, &mut techniques);
        }
    }
    if let ([tactic], false) = (tactics.as_slice(), techniques.is_empty()) {
        for technique in &mut techniques {
            technique["tactic"] = tactic["tactic"].clone();
        }
        return techniques;
    }
    tactics.extend(techniques);
    tactics
}

fn tactic(name: &str) -> Option<Value> {
    let known = TACTICS.iter().find(|(tag, ..)| *tag == name);
    if let Some((_, uid, name)) = known {
        return Some(json!({"tactic": {"uid": uid, "name": name}}));
    }
    let uid = numbered(name, "ta", 4)?;
    let known = TACTICS.iter().find(|(_, id, _)| *id == uid);
    Some(match known {
        Some((_, uid, name)) => json!({"tactic": {"uid": uid, "name": name}}),
        None => json!({"tactic": {"uid": uid}}),
    })
}

fn technique(name: &str) -> Option<Value> {
    let (whole, part) = match name.rsplit_once('.') {
        Some((whole, part)) if part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit()) => {
            (whole, Some(part))
        }
        _ => (name, None),
    };
    let uid = numbered(whole, "t", 4)?;
    Some(match part {
        None => json!({"technique": named(&uid)}),
        Some(part) => json!({
            "technique": named(&uid),
            "sub_technique": named(&format!("{uid}.{part}")),
        }),
    })
}

/// What `attacks` says, for forms that keep tactics and techniques apart: (id, name) of each.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) tactics: Vec<(String, String)>,
    pub(crate) techniques: Vec<(String, String)>,
    pub(crate) sub_techniques: Vec<(String, String)>,
    /// They are of ATLAS, since none of ATT&CK is named.
    pub(crate) is_atlas: bool,
}

impl Named {
    /// Those of ATT&CK, or where there are none, of ATLAS.
    pub(crate) fn of(tags: &[String]) -> Named {
        let all = attacks(tags);
        let is_atlas = all.iter().all(|attack| attack["version"] == ATLAS_VERSION);
        let mut named = Named { is_atlas, ..Named::default() };
        for attack in all.iter().filter(|it| is_atlas || it["version"] == ATTACK_VERSION) {
            for (part, into) in [
                ("tactic", &mut named.tactics),
                ("technique", &mut named.techniques),
                ("sub_technique", &mut named.sub_techniques),
            ] {
                let text = |key: &str| attack[part][key].as_str().map(str::to_owned);
                let Some(uid) = text("uid") else { continue };
                let name = text("name").unwrap_or_else(|| uid.clone());
                if !into.contains(&(uid.clone(), name.clone())) {
                    into.push((uid, name));
                }
            }
        }
        named
    }
}

/// `t1496` to `T1496`, `aml.t0034` and `aml-t0034` to `AML.T0034`.
fn numbered(name: &str, letters: &str, digits: usize) -> Option<String> {
    let atlas = name.strip_prefix("aml.").or_else(|| name.strip_prefix("aml-"));
    let number = atlas.unwrap_or(name).strip_prefix(letters)?;
    if number.len() != digits || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let matrix = if atlas.is_some() { "AML." } else { "" };
    Some(format!("{matrix}{}{number}", letters.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tags: &[&str]) -> Value {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Value::Array(attacks(&tags))
    }

    #[test]
    fn tags_become_attacks() {
        let impact = json!({"uid": "TA0040", "name": "Impact"});
        let hijacking = json!({"uid": "T1496", "name": "Resource Hijacking"});
        let harvesting = json!({"uid": "AML.T0034", "name": "Cost Harvesting"});
        assert_eq!(
            of(&["atlas.aml.t0034", "attack.impact", "attack.t1496.001", "cve.2024-1"]),
            json!([
                {
                    "technique": hijacking,
                    "sub_technique": {"uid": "T1496.001", "name": "Compute Hijacking"},
                    "tactic": impact,
                    "version": ATTACK_VERSION,
                },
                {"technique": harvesting, "version": ATLAS_VERSION},
            ])
        );
        assert_eq!(
            of(&["atlas.aml-t0034", "atlas.aml.ta0011", "attack.s0002", "attack.t1"]),
            json!([{
                "technique": harvesting, "tactic": {"uid": "AML.TA0011"}, "version": ATLAS_VERSION,
            }])
        );
        assert_eq!(
            of(&["attack.impact", "attack.ta0010", "attack.t1496", "attack.t1496"]),
            json!([
                {"tactic": impact, "version": ATTACK_VERSION},
                {"tactic": {"uid": "TA0010", "name": "Exfiltration"}, "version": ATTACK_VERSION},
                {"technique": hijacking, "version": ATTACK_VERSION},
            ])
        );
        assert_eq!(of(&["attack.defense_evasion"])[0]["tactic"]["uid"], "TA0005");
        assert_eq!(of(&["attack.t9999"])[0]["technique"], json!({"uid": "T9999"}));
        assert_eq!(of(&[]), json!([]));
    }
}

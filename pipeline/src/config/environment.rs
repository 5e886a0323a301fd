//! `[environment]`: lists that rules name as `%list%`, and those that Floodmark itself reads.

use std::collections::{BTreeMap, BTreeSet};

use floodmark_detectors::derive::Network;
use floodmark_detectors::rule::{AWS_NETWORKS, Environment, OWN_NETWORKS, RuleSet, SCPS_IN_FORCE};

use super::fault::Fault;
use super::reader::{Report, Section, nearest, texts};

/// `[environment]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lists {
    /// The lists.
    pub environment: Environment,
    /// The line of each.
    pub lines: BTreeMap<String, usize>,
}

/// The lists that Floodmark or a shipped rule reads, and what each holds.
pub const LISTS: [(&str, &str); 13] = [
    ("allowed_buckets", "buckets that jobs may read from and write to"),
    ("allowed_instance_types", "instance types that may be asked for"),
    ("allowed_keys", "KMS keys that notebooks may be encrypted with"),
    ("allowed_notebook_types", "instance types that the policy allows to notebooks"),
    ("allowed_registries", "accounts whose container images may run"),
    ("allowed_repositories", "code and image repositories that may be used"),
    ("allowed_studio_types", "instance types that the policy allows to Studio apps"),
    ("allowed_subnets", "subnets that notebooks may be in"),
    ("execution_roles", "ARNs of the roles that are passed to SageMaker"),
    ("own_feed", "names and ARNs of what brings records here: trail, bucket, stream, rule, filter"),
    (OWN_NETWORKS, "our own networks: what comes from them is of source class `own`"),
    (AWS_NETWORKS, "AWS's published networks: what comes from them is of source class `aws`"),
    (SCPS_IN_FORCE, "codes of SCP rules (SCP-01) whose policies are in force: those rules alert"),
];

pub(super) fn read(section: &Section<'_, '_>, report: &mut Report<'_>) -> Lists {
    let mut lists = Lists::default();
    for (name, value) in section.entries() {
        let path = section.path(name);
        let Some(values) = texts(&path, value, report) else { continue };
        if [OWN_NETWORKS, AWS_NETWORKS].contains(&name) {
            for text in &values {
                if let Err(reason) = Network::parse(text) {
                    let fix = "write 203.0.113.0/24 or 2001:db8::/32";
                    report.note(&path, value.span().start, String::new(), &reason, fix);
                }
            }
        }
        lists.lines.insert(name.to_owned(), report.line(value.span().start));
        lists.environment.lists.insert(name.to_owned(), values);
    }
    lists
}

impl Lists {
    /// Lists that nothing reads. `named` are those that the rules name.
    #[must_use]
    pub fn unknown(&self, named: &BTreeSet<String>) -> Vec<Fault> {
        let read = LISTS.iter().map(|(name, _)| *name);
        let known: BTreeSet<&str> = read.chain(named.iter().map(String::as_str)).collect();
        let unknown = self.lines.iter().filter(|(name, _)| !known.contains(name.as_str()));
        let fault = |(name, line): (&String, &usize)| Fault {
            path: format!("environment.{name}"),
            line: *line,
            value: String::new(),
            reason: "is a list that no rule names".to_owned(),
            fix: nearest(name, known.iter().copied()),
        };
        unknown.map(fault).collect()
    }

    /// Codes in [`SCPS_IN_FORCE`] that no SCP rule has.
    #[must_use]
    pub fn unknown_scps(&self, rules: &RuleSet) -> Vec<Fault> {
        let cards = rules.rules.iter().map(|rule| &rule.card);
        let scps = cards.filter(|card| card.scenario.as_deref() == Some("scp"));
        let codes: BTreeSet<&str> = scps.filter_map(|card| card.code.as_deref()).collect();
        let is_code = |name: &str| codes.iter().any(|code| code.eq_ignore_ascii_case(name));
        let named = self.environment.lists.get(SCPS_IN_FORCE).into_iter().flatten();
        let fault = |name: &String| Fault {
            path: format!("environment.{SCPS_IN_FORCE}"),
            line: self.lines.get(SCPS_IN_FORCE).copied().unwrap_or(1),
            value: format!("{name:?}"),
            reason: "must hold codes of rules of the scenario `scp`".to_owned(),
            fix: nearest(name, codes.iter().copied()),
        };
        named.filter(|name| !is_code(name)).map(fault).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use floodmark_detectors::catalogue::operation_set;
    use floodmark_detectors::rule::{lists_named, pack};

    #[test]
    fn every_list_that_a_shipped_rule_names_is_told() {
        for name in lists_named(&pack::documents()) {
            let is_told = LISTS.iter().any(|(list, _)| *list == name);
            assert!(is_told || operation_set(&name).is_some(), "{name} is not in LISTS");
        }
    }
}

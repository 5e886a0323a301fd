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

/// Lists that Floodmark reads itself, and what they hold.
pub const READ_LISTS: [(&str, &str); 3] = [
    (SCPS_IN_FORCE, "codes of SCP rules (SCP-01) whose policies are in force: they alert"),
    (OWN_NETWORKS, "networks of our own: what comes from them is of source class `own`"),
    (AWS_NETWORKS, "AWS's published networks: what comes from them is of source class `aws`"),
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
                    report.note(&path, value.span().start, format!("{text:?}"), &reason, fix);
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
        let read = READ_LISTS.iter().map(|(name, _)| *name);
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

//! Taps: where what matched goes, and under which fields.

use super::correlation::{Condition, Correlation, Sort};
use super::fault::Problem;
use super::link::{Linker, single_group_by};
use super::load::Body;
use super::special::Special;
use super::{Kind, Tap};

impl Linker<'_> {
    /// From a detection to its own rule.
    pub(super) fn own_tap(&mut self, at: usize, rule: usize) -> Option<Tap> {
        let draft = self.drafts.get(at)?;
        let (group_by, value) = match &draft.extension.special {
            Some(special) => (special.group_by.clone(), special.value.clone()),
            None => (single_group_by(draft), Vec::new()),
        };
        Some(Tap {
            rule,
            member: 0,
            group_by: self.paths(at, &group_by),
            value: self.paths(at, &value),
        })
    }

    /// From a rule or a detection to the correlations that name it.
    pub(super) fn taps(&mut self, at: usize) -> Vec<Tap> {
        let mut taps = Vec::new();
        for parent in self.parents.get(at).cloned().unwrap_or_default() {
            let Some(correlation) = self.correlation(parent) else {
                continue;
            };
            let members = self.members.get(parent).cloned().unwrap_or_default();
            let Some(member) = members.iter().position(|member| *member == Some(at)) else {
                continue;
            };
            let Some(rule) = self.rule_of.get(parent).copied().flatten() else {
                continue;
            };
            self.check_aliases(parent, correlation, &members, member);
            let group_by: Vec<(String, usize)> = correlation
                .group_by
                .iter()
                .filter_map(|field| self.field(parent, correlation, &members, at, field))
                .collect();
            self.check_contained(parent, at, &group_by);
            let value: Vec<(String, usize)> = match &correlation.condition {
                Condition::Numbers { field: Some(field), .. } => {
                    self.field(parent, correlation, &members, at, field).into_iter().collect()
                }
                _ => Vec::new(),
            };
            let temporal = matches!(correlation.sort, Sort::Temporal | Sort::TemporalOrdered);
            taps.push(Tap {
                rule,
                member: u8::try_from(member).unwrap_or_default() * u8::from(temporal),
                group_by: self.paths(parent, &group_by),
                value: self.paths(parent, &value),
            });
        }
        taps
    }

    /// What a field of a correlation is called in one of its members.
    fn field(
        &mut self,
        parent: usize,
        correlation: &Correlation,
        members: &[Option<usize>],
        member: usize,
        (name, line): &(String, usize),
    ) -> Option<(String, usize)> {
        let Some(alias) = correlation.aliases.iter().find(|alias| alias.name == *name) else {
            return Some((name.clone(), *line));
        };
        let found = alias.fields.iter().find(|(rule, ..)| self.names.get(rule) == Some(&member));
        if let Some((_, field, line)) = found {
            return Some((field.clone(), *line));
        }
        let place = members.iter().position(|m| *m == Some(member));
        let (rule, _) = correlation.rules.get(place?)?;
        let reason = format!("alias `{name}` names no field for rule `{rule}`");
        self.fault(parent, Problem::new(alias.line, reason));
        None
    }

    /// Refuses aliases nobody uses, and fields of rules the correlation does not name.
    fn check_aliases(
        &mut self,
        at: usize,
        correlation: &Correlation,
        members: &[Option<usize>],
        member: usize,
    ) {
        if member != 0 {
            return;
        }
        let used: Vec<&str> = correlation
            .group_by
            .iter()
            .map(|(field, _)| field.as_str())
            .chain(match &correlation.condition {
                Condition::Numbers { field: Some((field, _)), .. } => Some(field.as_str()),
                _ => None,
            })
            .collect();
        for alias in &correlation.aliases {
            if !used.contains(&alias.name.as_str()) {
                let reason = format!("alias `{}` is used nowhere", alias.name);
                let problem = Problem::new(alias.line, reason);
                self.fault(at, problem.nearest(&alias.name, used.iter().copied()));
            }
            for (rule, _, line) in &alias.fields {
                let named = self.names.get(rule).copied();
                if named.is_none() || !members.contains(&named) {
                    let reason = format!("alias `{}`: `{rule}` is not in `rules`", alias.name);
                    let rules = correlation.rules.iter().map(|(rule, _)| rule.as_str());
                    self.fault(at, Problem::new(*line, reason).nearest(rule, rules));
                }
            }
        }
    }

    /// A correlation's group-by must be contained in that of a member with windows of its own:
    /// else samples of one key of the member would fall under several of the correlation. A member
    /// that is satisfied by a single record is free.
    fn check_contained(&mut self, parent: usize, at: usize, wanted: &[(String, usize)]) {
        let Some(draft) = self.drafts.get(at) else {
            return;
        };
        let has: Vec<String> = match (&draft.body, &draft.extension.special) {
            (Body::Correlation(correlation), _) => correlation
                .group_by
                .iter()
                .filter_map(|(name, _)| one_field(correlation, name))
                .collect(),
            (Body::Detection { .. }, Some(Special { kind, group_by, .. }))
                if !matches!(kind, Kind::FirstSeen { .. }) =>
            {
                group_by.iter().map(|(field, _)| field.clone()).collect()
            }
            _ => return,
        };
        for (field, line) in wanted {
            if !has.contains(field) {
                let reason = format!(
                    "it groups by `{field}`, but rule `{}`, which it counts, does not",
                    draft.label()
                );
                self.fault(
                    parent,
                    Problem::new(*line, reason).nearest(field, has.iter().map(String::as_str)),
                );
            }
        }
    }
}

/// The one field a name of a correlation's group-by stands for; none if members differ.
fn one_field(correlation: &Correlation, name: &str) -> Option<String> {
    let Some(alias) = correlation.aliases.iter().find(|alias| alias.name == name) else {
        return Some(name.to_owned());
    };
    let (_, first, _) = alias.fields.first()?;
    let same = alias.fields.iter().all(|(_, field, _)| field == first);
    same.then(|| first.clone())
}

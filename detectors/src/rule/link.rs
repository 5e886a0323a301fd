//! Rules tied to the rules they name: windows in order, and taps that lead to them.

use std::collections::BTreeMap;
use std::hash::Hasher as _;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use super::correlation::{Condition, Correlation, SUM_UNIT, Sort};
use super::extension::{SINGLE_SECS, Special};
use super::fault::{Fault, Problem};
use super::index::Index;
use super::load::{Body, Draft};
use super::members::members;
use super::{Detection, Kind, Mark, Rule, RuleSet, Tap, Threshold, words};
use crate::field::Path;
use crate::matcher::{Matcher, Node};

/// Group-by of a single-record rule that names none.
const SINGLE_GROUP_BY: [&str; 2] = ["floodmark.account", "floodmark.principal"];

/// Ties drafts together. With faults there may be no rules; with none there are.
pub(crate) fn link(mut drafts: Vec<Draft>, faults: &mut Vec<Fault>) -> Option<RuleSet> {
    let names = names(&drafts, faults);
    filter(&mut drafts, &names, faults);
    let mut linker = Linker {
        members: vec![Vec::new(); drafts.len()],
        parents: vec![Vec::new(); drafts.len()],
        rule_of: vec![None; drafts.len()],
        drafts: &drafts,
        names: &names,
        faults,
    };
    linker.resolve();
    let order = linker.order();
    linker.build(&order)
}

/// Every id and name, and whose it is.
type Names = BTreeMap<String, usize>;

fn names(drafts: &[Draft], faults: &mut Vec<Fault>) -> Names {
    let mut names = Names::new();
    let mut cards: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, draft) in drafts.iter().enumerate() {
        let mut told = false;
        for (what, name) in [("id", &draft.id), ("name", &draft.name)] {
            let Some(name) = name else { continue };
            match names
                .get(name.as_str())
                .and_then(|first| drafts.get(*first))
            {
                Some(first) if !std::ptr::eq(first, draft) => {
                    let reason = format!(
                        "{what} `{name}` is taken by the rule at {}:{}",
                        first.path, first.line
                    );
                    faults.push(fault(draft, Problem::new(draft.line, reason)));
                    told = true;
                }
                _ => {
                    names.insert(name.clone(), at);
                }
            }
        }
        // A rule without id and name is known by its title.
        if let Some(first) = cards.insert(&draft.card.id, at)
            && !told
            && draft.id.is_none()
            && draft.name.is_none()
            && let Some(first) = drafts.get(first)
        {
            let reason = format!(
                "title `{}` is taken by the rule at {}:{}",
                draft.card.title, first.path, first.line
            );
            let problem = Problem::new(draft.line, reason).fix("give it an `id`");
            faults.push(fault(draft, problem));
        }
    }
    names
}

fn fault(draft: &Draft, problem: Problem) -> Fault {
    Fault {
        path: draft.path.to_string(),
        line: problem.line,
        rule: Some(draft.label().to_owned()),
        reason: problem.reason,
        fix: problem.fix,
    }
}

fn unknown(name: &str, line: usize, names: &Names) -> Problem {
    Problem::new(line, format!("there is no rule `{name}`"))
        .nearest(name, names.keys().map(String::as_str))
}

/// Adds the condition of each filter to the detections it is for.
fn filter(drafts: &mut [Draft], names: &Names, faults: &mut Vec<Fault>) {
    let mut additions: Vec<(usize, Node, String)> = Vec::new();
    for draft in drafts.iter() {
        let Body::Filter {
            condition,
            source,
            rules,
        } = &draft.body
        else {
            continue;
        };
        let targets: Vec<(usize, Option<usize>)> = match rules {
            None => (0..drafts.len()).map(|at| (at, None)).collect(),
            Some(rules) => rules
                .iter()
                .filter_map(|(name, line)| match names.get(name) {
                    Some(at) => Some((*at, Some(*line))),
                    None => {
                        faults.push(fault(draft, unknown(name, *line, names)));
                        None
                    }
                })
                .collect(),
        };
        for (at, line) in targets {
            let Some(target) = drafts.get(at) else {
                continue;
            };
            match (&target.body, line) {
                (Body::Detection { source: other, .. }, _) if source.covers(other) => {
                    additions.push((at, condition.clone(), draft.canonical.clone()));
                }
                (Body::Detection { .. }, Some(line)) => {
                    let reason = format!(
                        "the filter's logsource is not that of rule `{}`",
                        target.label()
                    );
                    faults.push(fault(draft, Problem::new(line, reason)));
                }
                (Body::Correlation(_) | Body::Filter { .. }, Some(line)) => {
                    let reason = format!(
                        "a filter is for detections, and `{}` is none",
                        target.label()
                    );
                    let problem = Problem::new(line, reason);
                    faults.push(fault(draft, problem.fix("name the detections it counts")));
                }
                _ => {}
            }
        }
    }
    for (at, addition, text) in additions {
        if let Some(target) = drafts.get_mut(at)
            && let Body::Detection { condition, .. } = &mut target.body
        {
            let own = std::mem::take(condition);
            *condition = Node::And(vec![own, addition]);
            target.canonical.push_str("&&");
            target.canonical.push_str(&text);
        }
    }
}

struct Linker<'d> {
    drafts: &'d [Draft],
    names: &'d Names,
    faults: &'d mut Vec<Fault>,
    /// Of each correlation, the drafts it names; `None` where there is none.
    members: Vec<Vec<Option<usize>>>,
    /// Of each draft, the correlations that name it.
    parents: Vec<Vec<usize>>,
    /// Of each draft, its place among the rules with windows.
    rule_of: Vec<Option<usize>>,
}

impl<'d> Linker<'d> {
    fn fault(&mut self, at: usize, problem: Problem) {
        if let Some(draft) = self.drafts.get(at) {
            self.faults.push(fault(draft, problem));
        }
    }

    fn correlation(&self, at: usize) -> Option<&'d Correlation> {
        match &self.drafts.get(at)?.body {
            Body::Correlation(correlation) => Some(correlation),
            _ => None,
        }
    }

    /// Finds the rules that correlations name.
    fn resolve(&mut self) {
        for at in 0..self.drafts.len() {
            let Some(correlation) = self.correlation(at) else {
                continue;
            };
            let mut members = Vec::new();
            for (name, line) in &correlation.rules {
                let found = self.names.get(name).copied();
                match found.and_then(|member| self.drafts.get(member)) {
                    None => self.fault(at, unknown(name, *line, self.names)),
                    Some(member) if matches!(member.body, Body::Filter { .. }) => {
                        let reason = format!("`{name}` is a filter, which matches nothing itself");
                        self.fault(at, Problem::new(*line, reason));
                    }
                    Some(_) if found.is_some_and(|found| members.contains(&Some(found))) => {
                        let reason = format!("rule `{name}` stands twice in `rules`");
                        self.fault(at, Problem::new(*line, reason));
                    }
                    Some(_) => {}
                }
                members.push(found);
                if let Some(parents) = found.and_then(|found| self.parents.get_mut(found)) {
                    parents.push(at);
                }
            }
            if let Some(slot) = self.members.get_mut(at) {
                *slot = members;
            }
        }
    }

    /// Drafts with windows, members before the correlations that name them.
    fn order(&mut self) -> Vec<usize> {
        let waits_for = |linker: &Self, at: usize| -> usize {
            let members = linker
                .members
                .get(at)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let named = members.iter().flatten();
            named.filter(|m| linker.correlation(**m).is_some()).count()
        };
        let mut order: Vec<usize> = (0..self.drafts.len())
            .filter(|at| self.correlation(*at).is_none() && self.has_window(*at))
            .collect();
        let mut open: Vec<usize> = (0..self.drafts.len())
            .map(|at| waits_for(self, at))
            .collect();
        let mut ready: Vec<usize> = (0..self.drafts.len())
            .filter(|at| self.correlation(*at).is_some() && open.get(*at) == Some(&0))
            .rev()
            .collect();
        let mut done = 0;
        while let Some(at) = ready.pop() {
            order.push(at);
            done += 1;
            for parent in self.parents.get(at).cloned().unwrap_or_default() {
                if let Some(count) = open.get_mut(parent) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        ready.push(parent);
                    }
                }
            }
        }
        let all = (0..self.drafts.len()).filter(|at| self.correlation(*at).is_some());
        if done < all.count() {
            self.tell_cycles(&open);
        }
        for (place, at) in order.iter().enumerate() {
            if let Some(slot) = self.rule_of.get_mut(*at) {
                *slot = Some(place);
            }
        }
        order
    }

    /// A correlation that waits for itself; those that merely wait for it are not at fault.
    fn tell_cycles(&mut self, open: &[usize]) {
        for start in 0..self.drafts.len() {
            let waiting = |at: &usize| open.get(*at).is_some_and(|count| *count > 0);
            if !waiting(&start) {
                continue;
            }
            let mut seen = vec![false; self.drafts.len()];
            let mut next = vec![start];
            let mut reaches_itself = false;
            while let Some(at) = next.pop() {
                for member in self.members.get(at).into_iter().flatten().flatten() {
                    reaches_itself |= *member == start;
                    if let Some(seen) = seen.get_mut(*member)
                        && !*seen
                        && waiting(member)
                    {
                        *seen = true;
                        next.push(*member);
                    }
                }
            }
            if reaches_itself && let Some(draft) = self.drafts.get(start) {
                let line = self.correlation(start).map_or(draft.line, |c| c.line);
                let reason = format!("rule `{}` counts itself, by way of `rules`", draft.label());
                self.fault(start, Problem::new(line, reason));
            }
        }
    }

    /// Whether a draft speaks for itself: nobody counts it, or who does says `generate`.
    fn speaks(&self, at: usize) -> bool {
        let parents = self.parents.get(at).map(Vec::as_slice).unwrap_or_default();
        let generates = |parent: &usize| self.drafts.get(*parent).is_some_and(|p| p.generate);
        parents.is_empty() || parents.iter().any(generates)
    }

    fn has_window(&self, at: usize) -> bool {
        let Some(draft) = self.drafts.get(at) else {
            return false;
        };
        match draft.body {
            Body::Detection { .. } => draft.extension.special.is_some() || self.speaks(at),
            Body::Correlation(_) => true,
            Body::Filter { .. } | Body::Faulty => false,
        }
    }

    fn build(&mut self, order: &[usize]) -> Option<RuleSet> {
        let mut rules: Vec<Rule> = Vec::new();
        for at in order {
            let rule = self.rule(*at);
            rules.extend(rule);
        }
        let mut detections: Vec<(usize, Detection)> = Vec::new();
        for (at, draft) in self.drafts.iter().enumerate() {
            if let Body::Detection { condition, .. } = &draft.body {
                let detection = Detection {
                    name: draft.label().to_owned(),
                    matcher: Matcher::new(condition.clone()),
                    taps: Vec::new(),
                };
                detections.push((at, detection));
            }
        }
        if rules.len() != order.len() {
            // Faults were told; places among the rules would be wrong.
            return None;
        }
        // Taps, and with them tags: a rule's tag is made of what leads to it.
        let mut hashers: Vec<SipHasher13> = rules.iter().map(identity).collect();
        for (at, detection) in &mut detections {
            let mut hasher = SipHasher13::new();
            let canonical = self.drafts.get(*at).map(|draft| draft.canonical.as_str());
            hasher.write(canonical.unwrap_or_default().as_bytes());
            let source = hasher.finish();
            if let Some(place) = self.rule_of.get(*at).copied().flatten() {
                let tap = self.own_tap(*at, place);
                detection.taps.extend(tap);
            }
            let special = self
                .drafts
                .get(*at)
                .is_some_and(|d| d.extension.special.is_some());
            if !special {
                detection.taps.extend(self.taps(*at));
            }
            feed(source, &detection.taps, &mut hashers);
        }
        for (place, at) in order.iter().enumerate() {
            let tag = hashers
                .get(place)
                .map(SipHasher13::finish)
                .unwrap_or_default();
            let own_detection = self
                .drafts
                .get(*at)
                .is_some_and(|d| matches!(d.body, Body::Detection { .. }));
            let special = self
                .drafts
                .get(*at)
                .is_some_and(|d| d.extension.special.is_some());
            let taps = if own_detection && !special {
                Vec::new()
            } else {
                self.taps(*at)
            };
            feed(tag, &taps, &mut hashers);
            let delay = rules
                .get(place)
                .filter(|rule| rule.kind.waits() || rule.delay_secs > 0)
                .map(|rule| rule.delay_secs.saturating_add(rule.timespan_secs));
            for tap in &taps {
                if let (Some(delay), Some(upper)) = (delay, rules.get_mut(tap.rule)) {
                    upper.delay_secs = upper.delay_secs.max(delay);
                }
            }
            if let Some(rule) = rules.get_mut(place) {
                rule.tag = tag;
                rule.taps = taps;
            }
        }
        let detections: Vec<Detection> = detections.into_iter().map(|(_, d)| d).collect();
        Some(RuleSet {
            index: Some(Index::of(&detections)),
            rules,
            detections,
        })
    }

    /// A draft's rule, still without taps and tag.
    fn rule(&mut self, at: usize) -> Option<Rule> {
        let draft = self.drafts.get(at)?;
        let extension = &draft.extension;
        let before = self.faults.len();
        let (kind, timespan_secs, group_by, together) = match &draft.body {
            Body::Correlation(correlation) => (
                self.kind(at, correlation)?,
                correlation.timespan_secs,
                correlation.group_by.clone(),
                false,
            ),
            _ => match &extension.special {
                Some(special) => (
                    special.kind.clone(),
                    special.timespan_secs,
                    special.group_by.clone(),
                    special.together,
                ),
                None => (
                    Kind::Count(Threshold::at_least(1)),
                    extension.timespan_secs.unwrap_or(SINGLE_SECS),
                    single_group_by(draft),
                    false,
                ),
            },
        };
        if kind.waits() && group_by.is_empty() {
            let problem = Problem::new(
                draft.line,
                "a condition that a late record can undo needs a group-by",
            );
            self.fault(at, problem);
        }
        let marks = self.marks(at, draft, &kind, timespan_secs);
        let is_temporal = matches!(kind, Kind::Temporal(_) | Kind::Ordered(_));
        if let (Some((_, line)), false) = (extension.differ.first(), is_temporal) {
            let reason = "`floodmark.differ` belongs to a temporal rule";
            self.fault(at, Problem::new(*line, reason));
        }
        let differ = self.paths(at, &extension.differ);
        let evidence = extension.evidence.iter().cloned();
        let lines = extension.evidence_lines.iter().copied();
        let evidence: Vec<(String, usize)> = evidence.zip(lines).collect();
        self.paths(at, &evidence);
        let group_by: Vec<String> = group_by.into_iter().map(|(field, _)| field).collect();
        let mut card = draft.card.clone();
        card.mark = words::mark(draft, &kind, timespan_secs);
        card.group_by = group_by;
        card.timespan_secs = timespan_secs;
        (self.faults.len() == before).then(|| Rule {
            card: Arc::new(card),
            tag: 0,
            kind,
            timespan_secs,
            marks,
            speaks: self.speaks(at),
            delay_secs: 0,
            taps: Vec::new(),
            together,
            differ,
        })
    }

    fn kind(&mut self, at: usize, correlation: &Correlation) -> Option<Kind> {
        let threshold = match &correlation.condition {
            Condition::Numbers { threshold, .. } => Some(threshold.clone()),
            _ => None,
        };
        match (correlation.sort, threshold) {
            (Sort::EventCount, Some(threshold)) => Some(Kind::Count(threshold)),
            (Sort::ValueCount, Some(threshold)) => Some(Kind::Distinct(threshold)),
            (Sort::ValueSum, Some(threshold)) => Some(Kind::Sum(threshold)),
            (Sort::TemporalOrdered, _) => {
                Some(Kind::Ordered(u8::try_from(correlation.rules.len()).ok()?))
            }
            (Sort::Temporal, _) => match members(correlation) {
                Ok(members) => Some(Kind::Temporal(members)),
                Err(problem) => {
                    self.fault(at, problem);
                    None
                }
            },
            // Refused when the correlation was read.
            (_, None) => None,
        }
    }

    fn marks(&mut self, at: usize, draft: &Draft, kind: &Kind, timespan_secs: i64) -> Vec<Mark> {
        let unit = if matches!(kind, Kind::Sum(_)) {
            SUM_UNIT
        } else {
            1
        };
        let counts =
            matches!(kind, Kind::Count(t) | Kind::Distinct(t) | Kind::Sum(t) if t.is_monotone());
        let mut marks = Vec::new();
        for further in &draft.extension.marks {
            let secs = further.timespan_secs.unwrap_or(timespan_secs);
            let reason = if !counts {
                "`marks` go with `gt` and `gte` of a count or a sum only"
            } else if secs > timespan_secs {
                "a mark's timespan may be the rule's at most: older samples are gone"
            } else if draft.card.level >= Some(further.level) {
                "a mark's level must be above the rule's"
            } else if further.gte == 0 {
                "a mark must be at least 1"
            } else {
                marks.push(Mark {
                    level: further.level,
                    gte: further.gte.saturating_mul(unit),
                    timespan_secs: secs,
                });
                continue;
            };
            self.fault(at, Problem::new(further.line, reason));
        }
        marks
    }

    /// From a detection to its own rule.
    fn own_tap(&mut self, at: usize, rule: usize) -> Option<Tap> {
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
    fn taps(&mut self, at: usize) -> Vec<Tap> {
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
                Condition::Numbers {
                    field: Some(field), ..
                } => self
                    .field(parent, correlation, &members, at, field)
                    .into_iter()
                    .collect(),
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
        let found = alias
            .fields
            .iter()
            .find(|(rule, ..)| self.names.get(rule) == Some(&member));
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
                Condition::Numbers {
                    field: Some((field, _)),
                    ..
                } => Some(field.as_str()),
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

    /// Compiles fields; those that are none are told.
    fn paths(&mut self, at: usize, fields: &[(String, usize)]) -> Vec<Path> {
        let mut paths = Vec::new();
        for (field, line) in fields {
            let parsed =
                if field.contains(['[', ']', '|', ' ']) || field.split('.').any(str::is_empty) {
                    Err(format!("`{field}` is no field"))
                } else {
                    Path::parse(field)
                };
            match parsed {
                Ok(path) => paths.push(path),
                Err(reason) => self.fault(at, Problem::new(*line, reason)),
            }
        }
        paths
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

fn single_group_by(draft: &Draft) -> Vec<(String, usize)> {
    draft.extension.group_by.clone().unwrap_or_else(|| {
        SINGLE_GROUP_BY
            .iter()
            .map(|field| ((*field).to_owned(), draft.line))
            .collect()
    })
}

/// The part of a tag that is the rule's own: id, kind of window and its length. Marks are not in
/// it: a changed mark judges the windows anew that are there.
fn identity(rule: &Rule) -> SipHasher13 {
    let mut hasher = SipHasher13::new();
    let mut number = |number: i64| hasher.write(&number.to_le_bytes());
    number(match rule.kind {
        Kind::Count(_) => 1,
        Kind::Distinct(_) => 2,
        Kind::Sum(_) => 3,
        Kind::Temporal(_) => 4,
        Kind::Ordered(_) => 5,
        Kind::FirstSeen { .. } => 6,
        Kind::Surge { .. } => 7,
        Kind::Silence { .. } => 8,
    });
    number(rule.timespan_secs);
    if let Kind::Silence { slot_secs, .. } = rule.kind {
        number(slot_secs);
    }
    text(&mut hasher, &rule.card.id);
    rule.differ
        .iter()
        .for_each(|path| text(&mut hasher, path.as_str()));
    hasher
}

/// Adds to each rule's tag what comes to it, from where and how.
fn feed(source: u64, taps: &[Tap], hashers: &mut [SipHasher13]) {
    for tap in taps {
        if let Some(hasher) = hashers.get_mut(tap.rule) {
            hasher.write(&source.to_le_bytes());
            hasher.write(&[tap.member]);
            for paths in [&tap.group_by, &tap.value] {
                hasher.write(&u64::try_from(paths.len()).unwrap_or(u64::MAX).to_le_bytes());
                paths.iter().for_each(|path| text(hasher, path.as_str()));
            }
        }
    }
}

fn text(hasher: &mut SipHasher13, text: &str) {
    hasher.write(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
    hasher.write(text.as_bytes());
}

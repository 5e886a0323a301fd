//! Rules tied to the rules they name: windows in order, and taps that lead to them.

mod order;

use std::hash::Hasher as _;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use super::correlation::{Condition, Correlation, Sort};
use super::fault::{Fault, Problem};
use super::filter::filter;
use super::load::{Body, Draft};
use super::members::members;
use super::names::{Names, fault, names, unknown};
use super::special::SINGLE_SECS;
use super::tag::{feed, identity};
use super::{Detection, Kind, Mark, Members, Rule, RuleSet, Threshold, words};
use crate::field::Path;
use crate::matcher::Matcher;

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
        needed: Vec::new(),
        drafts: &drafts,
        names: &names,
        faults,
    };
    linker.resolve();
    linker.check_lists();
    linker.need();
    let order = linker.order();
    linker.build(&order)
}

/// Drafts on their way to rules.
pub(super) struct Linker<'d> {
    pub(super) drafts: &'d [Draft],
    pub(super) names: &'d Names,
    faults: &'d mut Vec<Fault>,
    /// Of each correlation, the drafts it names; `None` where there is none.
    pub(super) members: Vec<Vec<Option<usize>>>,
    /// Of each draft, the correlations that name it.
    pub(super) parents: Vec<Vec<usize>>,
    /// Of each draft, its place among the rules with windows.
    pub(super) rule_of: Vec<Option<usize>>,
    /// Of each draft, whether it speaks or something that speaks counts it.
    needed: Vec<bool>,
}

impl<'d> Linker<'d> {
    pub(super) fn fault(&mut self, at: usize, problem: Problem) {
        if let Some(draft) = self.drafts.get(at) {
            self.faults.push(fault(draft, problem));
        }
    }

    pub(super) fn correlation(&self, at: usize) -> Option<&'d Correlation> {
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

    /// Finds correlations that say what they mean while a list is empty which nothing they count
    /// names.
    fn check_lists(&mut self) {
        for (at, draft) in self.drafts.iter().enumerate() {
            if self.correlation(at).is_none() {
                continue;
            }
            let mut lists: Vec<&str> = Vec::new();
            let mut seen = vec![false; self.drafts.len()];
            let mut ahead = vec![at];
            while let Some(at) = ahead.pop() {
                let Some(seen) = seen.get_mut(at).filter(|seen| !**seen) else { continue };
                *seen = true;
                let drafts = self.drafts.get(at).into_iter();
                lists.extend(drafts.flat_map(|draft| &draft.lists).map(|(list, _)| list.as_str()));
                ahead.extend(self.members.get(at).into_iter().flatten().flatten());
            }
            for (list, meaning) in &draft.extension.empty {
                if !lists.contains(&list.as_str()) {
                    let reason = format!(
                        "`floodmark.environment.{list}`: nothing that the rule counts uses such a list"
                    );
                    let problem = Problem::new(meaning.line, reason).nearest(list, lists.clone());
                    self.fault(at, problem);
                }
            }
        }
    }

    /// Finds what is needed: whoever speaks, and what leads to it.
    fn need(&mut self) {
        self.needed = (0..self.drafts.len()).map(|at| self.speaks(at)).collect();
        let mut ahead: Vec<usize> = (0..self.drafts.len()).filter(|at| self.speaks(*at)).collect();
        while let Some(at) = ahead.pop() {
            for member in self.members.get(at).into_iter().flatten().flatten() {
                if let Some(needed) = self.needed.get_mut(*member)
                    && !*needed
                {
                    *needed = true;
                    ahead.push(*member);
                }
            }
        }
    }

    /// Whether a draft speaks for itself: nobody counts it, or who does says `generate`; and no
    /// deployment has it silenced.
    pub(super) fn speaks(&self, at: usize) -> bool {
        if self.drafts.get(at).is_some_and(|draft| !draft.enabled) {
            return false;
        }
        let parents = self.parents.get(at).map(Vec::as_slice).unwrap_or_default();
        let generates = |parent: &usize| self.drafts.get(*parent).is_some_and(|p| p.generate);
        parents.is_empty() || parents.iter().any(generates)
    }

    fn has_window(&self, at: usize) -> bool {
        let Some(draft) = self.drafts.get(at) else {
            return false;
        };
        let is_needed = self.needed.get(at) == Some(&true);
        match draft.body {
            Body::Detection { .. } => {
                is_needed && (draft.extension.special.is_some() || self.speaks(at))
            }
            Body::Correlation(_) => is_needed,
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
                    id: draft.card.id.clone(),
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
            let special = self.drafts.get(*at).is_some_and(|d| d.extension.special.is_some());
            if !special {
                detection.taps.extend(self.taps(*at));
            }
            feed(source, &detection.taps, &mut hashers);
        }
        for (place, at) in order.iter().enumerate() {
            let tag = hashers.get(place).map(SipHasher13::finish).unwrap_or_default();
            let own_detection =
                self.drafts.get(*at).is_some_and(|d| matches!(d.body, Body::Detection { .. }));
            let special = self.drafts.get(*at).is_some_and(|d| d.extension.special.is_some());
            let taps = if own_detection && !special { Vec::new() } else { self.taps(*at) };
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
        let lists = self.lists(&rules);
        // What leads nowhere was silenced with all that counts it.
        let detections = detections.into_iter().map(|(_, d)| d).filter(|d| !d.taps.is_empty());
        Some(RuleSet { lists, ..RuleSet::of(rules, detections.collect()) })
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
        let kind = self.apart(at, draft, kind);
        if kind.waits() && group_by.is_empty() {
            let line = self.correlation(at).map_or(draft.line, |c| c.line);
            let problem =
                Problem::new(line, "a condition that a late record can undo needs a group-by");
            self.fault(at, problem);
        }
        let marks = self.marks(at, draft, &kind, timespan_secs);
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

    /// The kind of a rule whose members must differ, where it says so.
    fn apart(&mut self, at: usize, draft: &Draft, kind: Kind) -> Kind {
        let Some((_, line)) = draft.extension.differ.first() else { return kind };
        let correlation = self.correlation(at);
        let wants_all = correlation.is_some_and(|c| matches!(c.condition, Condition::All));
        let count = correlation.and_then(|c| u8::try_from(c.rules.len()).ok()).unwrap_or(u8::MAX);
        let reason = match &kind {
            Kind::Temporal(_) if wants_all && (2..=Members::APART_MAX).contains(&count) => {
                return Kind::Temporal(Members::Apart(count));
            }
            Kind::Temporal(_) | Kind::Ordered(_) => format!(
                "`floodmark.differ` goes with `temporal` over 2 to {} rules that must all be there, \
                 without `condition`",
                Members::APART_MAX
            ),
            _ => "`floodmark.differ` belongs to a temporal rule".to_owned(),
        };
        self.fault(at, Problem::new(*line, reason));
        kind
    }

    fn marks(&mut self, at: usize, draft: &Draft, kind: &Kind, timespan_secs: i64) -> Vec<Mark> {
        let unit = kind.unit();
        let counts =
            matches!(kind, Kind::Count(t) | Kind::Distinct(t) | Kind::Sum(t) if t.is_monotone());
        let mut marks = Vec::new();
        for further in &draft.extension.marks {
            let secs = further.timespan_secs.unwrap_or(timespan_secs);
            let reason = if !counts {
                "`marks` go with `gt` and `gte` of a count or a sum only"
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

    /// Compiles fields; those that are none are told.
    pub(super) fn paths(&mut self, at: usize, fields: &[(String, usize)]) -> Vec<Path> {
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

/// The group-by of a single-record rule, and lines.
pub(super) fn single_group_by(draft: &Draft) -> Vec<(String, usize)> {
    draft.extension.group_by.clone().unwrap_or_else(|| {
        SINGLE_GROUP_BY.iter().map(|field| ((*field).to_owned(), draft.line)).collect()
    })
}

//! Incidents: the alerts of one principal within an hour, which wake somebody once.
//!
//! An attack trips several rules on the same calls. Its alerts share an incident, and only the first
//! of them pages, or one that is graver than all before it. An incident is an hour of event time
//! from the first event of the alert that began it, and is not prolonged: or whoever keeps one small
//! burst alive would have a great one later on come without a page.
//!
//! The law of it:
//! - Whose an alert is: account and principal, where the rule's key has both; else the whole key.
//! - Bursts of rules with `mode: enrich` begin no incident. They are listed in the alerts of the one
//!   that they are within an hour of.
//! - Findings about posture and what only observes belong to none.
//!
//! A replay knows all bursts and puts them in order first, so an incident is a function of the
//! records alone ([`of_bursts`]). A daemon hears them as they trip ([`Incidents`]): an alert keeps the
//! incident that it opened with, and one that comes late with an earlier hour joins, if it can, the
//! one that is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use floodmark_detectors::alert::{Alert, AlertId, Incident};
use floodmark_detectors::rule::{Level, Mode};
use floodmark_detectors::time::EventTime;

/// How long an incident is, seconds.
pub const INCIDENT_SECS: i64 = 3_600;

/// Incidents, and bursts that enrich, that are remembered; past it the earlier half goes. An alert
/// whose incident is gone begins one, and pages.
const REMEMBERED_MAX: usize = 65_536;

/// Rules named in one incident's enrichment.
const ENRICHMENT_MAX: usize = 16;

/// Whose alerts belong together: fields and their values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Whose(Vec<(Box<str>, Box<str>)>);

impl Whose {
    fn of(alert: &Alert) -> Whose {
        let fields = alert.rule.group_by.iter().map(|field| Box::from(field.as_str()));
        let mut key: Vec<(Box<str>, Box<str>)> = fields.zip(alert.key.iter().cloned()).collect();
        let is_who = |field: &str| matches!(field, "floodmark.account" | "floodmark.principal");
        if key.iter().filter(|(field, _)| is_who(field)).count() == 2 {
            key.retain(|(field, _)| is_who(field));
        } else if key.is_empty() {
            // One window for everything: nobody in particular, so each rule for itself.
            key.push(("rule".into(), alert.rule.id.as_str().into()));
        }
        key.sort_unstable();
        Whose(key)
    }

    /// The id of the incident of theirs that begins at `first`: the same on every machine, like
    /// that of a burst.
    fn incident_id(&self, first: EventTime) -> Box<str> {
        let texts = self.0.iter().flat_map(|(field, value)| [field.clone(), value.clone()]);
        let texts: Vec<Box<str>> = texts.collect();
        AlertId::of("incident", &texts, first).to_string().into()
    }
}

/// What is known of an incident.
#[derive(Debug, Clone)]
struct Known {
    id: Box<str>,
    /// The gravest that was said in it.
    worst: Level,
}

/// The incidents of a stream of alerts, in the order in which they are said.
#[derive(Debug, Default)]
pub struct Incidents {
    /// By whose they are and when they begin.
    known: BTreeMap<(Whose, EventTime), Known>,
    /// Codes of bursts that enrich, by whose they are and when they begin.
    enriching: BTreeMap<(Whose, EventTime), BTreeSet<Box<str>>>,
    /// Where the incidents of bursts that go on begin.
    open: HashMap<AlertId, EventTime>,
}

impl Incidents {
    /// Goes on after what was said before a restart: the last of each burst, in order.
    #[must_use]
    pub fn after(said: &[Alert]) -> Incidents {
        let mut incidents = Incidents::default();
        for alert in said {
            incidents.recall(alert);
        }
        incidents
    }

    /// Says of each alert which incident it is part of.
    #[must_use]
    pub fn put(&mut self, mut alerts: Vec<Alert>) -> Vec<Alert> {
        for alert in &mut alerts {
            match alert.rule.mode {
                Mode::Alert => alert.incident = Some(self.place(alert)),
                Mode::Enrich => self.enrich(alert),
                Mode::Observe | Mode::Posture => {}
            }
        }
        alerts
    }

    fn place(&mut self, alert: &Alert) -> Incident {
        let whose = Whose::of(alert);
        let first = self.open.get(&alert.id).copied();
        let first = first.or_else(|| self.near(&whose, alert.first)).unwrap_or(alert.first);
        let place = (whose, first);
        let page = !alert.life.is_last()
            && self.known.get(&place).is_none_or(|known| alert.level > known.worst);
        let enrichment = enrichment(&self.enriching, &place);
        let id = self.note(place, alert);
        Incident { id, first, page, enrichment }
    }

    /// Notes what was said in an incident; its id.
    fn note(&mut self, (whose, first): (Whose, EventTime), alert: &Alert) -> Box<str> {
        if alert.life.is_last() {
            self.open.remove(&alert.id);
        } else {
            self.open.insert(alert.id, first);
        }
        let id = whose.incident_id(first);
        let known = self.known.entry((whose, first));
        let known = known.or_insert_with(|| Known { id, worst: alert.level });
        known.worst = known.worst.max(alert.level);
        let id = known.id.clone();
        forget(&mut self.known);
        id
    }

    fn enrich(&mut self, alert: &Alert) {
        let codes = self.enriching.entry((Whose::of(alert), alert.first)).or_default();
        codes.insert(code(alert));
        forget(&mut self.enriching);
    }

    fn recall(&mut self, alert: &Alert) {
        match (alert.rule.mode, &alert.incident) {
            (Mode::Alert, Some(incident)) => {
                self.note((Whose::of(alert), incident.first), alert);
            }
            (Mode::Enrich, _) => self.enrich(alert),
            _ => {}
        }
    }

    /// Where the latest incident begins that is within an hour of this time.
    fn near(&self, whose: &Whose, time: EventTime) -> Option<EventTime> {
        let (from, to) = around(whose, time);
        self.known.range(from..=to).next_back().map(|((_, first), _)| *first)
    }
}

/// Says of each burst, in its final form, which incident it is part of. The bursts are in an order
/// that is the same every time; of those that begin in one second the gravest is the first.
pub fn of_bursts(bursts: &mut [Alert]) {
    let mut enriching: BTreeMap<(Whose, EventTime), BTreeSet<Box<str>>> = BTreeMap::new();
    for burst in bursts.iter().filter(|burst| burst.rule.mode == Mode::Enrich) {
        let codes = enriching.entry((Whose::of(burst), burst.first)).or_default();
        codes.insert(code(burst));
    }
    let mut alerts: Vec<&mut Alert> =
        bursts.iter_mut().filter(|burst| burst.rule.mode == Mode::Alert).collect();
    alerts.sort_by_key(|burst| (burst.first, std::cmp::Reverse(burst.level)));
    let mut latest: BTreeMap<Whose, (EventTime, Level)> = BTreeMap::new();
    for burst in alerts {
        let whose = Whose::of(burst);
        let before = latest.get(&whose).copied();
        let before = before.filter(|(first, _)| burst.first <= first.plus(INCIDENT_SECS));
        let page = before.is_none_or(|(_, worst)| burst.level > worst);
        let (first, worst) = before.unwrap_or((burst.first, burst.level));
        latest.insert(whose.clone(), (first, worst.max(burst.level)));
        let id = whose.incident_id(first);
        let enrichment = enrichment(&enriching, &(whose, first));
        burst.incident = Some(Incident { id, first, page, enrichment });
    }
}

/// The rules that enrich what begins there: those that saw the same within an hour, in order.
fn enrichment(
    enriching: &BTreeMap<(Whose, EventTime), BTreeSet<Box<str>>>,
    (whose, first): &(Whose, EventTime),
) -> Vec<Box<str>> {
    let (from, to) = around(whose, *first);
    let codes: BTreeSet<&Box<str>> =
        enriching.range(from..=to).flat_map(|(_, codes)| codes).collect();
    codes.into_iter().take(ENRICHMENT_MAX).cloned().collect()
}

fn around(whose: &Whose, time: EventTime) -> ((Whose, EventTime), (Whose, EventTime)) {
    let at = |secs| (whose.clone(), time.plus(secs));
    (at(-INCIDENT_SECS), at(INCIDENT_SECS))
}

fn code(alert: &Alert) -> Box<str> {
    alert.rule.code.as_deref().unwrap_or(&alert.rule.title).into()
}

/// Forgets the earlier half, when there is too much.
fn forget<T>(remembered: &mut BTreeMap<(Whose, EventTime), T>) {
    if remembered.len() <= REMEMBERED_MAX {
        return;
    }
    let mut times: Vec<EventTime> = remembered.keys().map(|(_, time)| *time).collect();
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or(EventTime::MIN);
    remembered.retain(|(_, time), _| *time > middle);
}

#[cfg(test)]
#[path = "incident_tests.rs"]
mod tests;

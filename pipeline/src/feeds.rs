//! Feeds: what a trail records, as far as records show it, and the rules that are blind without.
//!
//! A rule says which feeds it lives on (`floodmark.needs`). A trail that leaves out read events, or
//! data events, makes such a rule silent without a word; so it is watched which feeds bring
//! anything, and a rule whose feed was not seen for a day is *blind*.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use floodmark_detectors::alert::{Alert, AlertId, Life};
use floodmark_detectors::record::{Key, Record, Value};
use floodmark_detectors::rule::{Card, Level, Mode, RuleSet};
use floodmark_detectors::time::EventTime;

/// How long a feed may bring nothing before rules that need it are blind, milliseconds.
pub const BLIND_AFTER_MS: i64 = 24 * 3_600_000;

/// Of so many records of a large batch one is looked at: a feed is seen by any of its records, and
/// a rare one within some hundred of them.
const LOOK_EVERY: usize = 8;

/// Records of a batch that are all looked at.
const LOOK_AT_ALL: usize = 64;

/// Different feeds that one batch is said to bring, at most: their names come with the records.
const FEEDS_MAX: usize = 256;

/// The id of the rule that says so.
const COVERAGE: &str = "coverage";

/// Adds the feeds that these records come by, some of a batch of `count`, to those of the batch.
pub fn add(feeds: &mut BTreeSet<Box<str>>, records: &[Record<'_>], count: usize) {
    let every = if count > LOOK_AT_ALL { LOOK_EVERY } else { 1 };
    for record in records.iter().step_by(every) {
        each(record, &mut |feed| {
            if feeds.len() < FEEDS_MAX && !feeds.contains(feed) {
                feeds.insert(feed.into());
            }
        });
    }
}

/// Calls `found` for each feed that a record comes by: `management`, `management_read`, `insight`,
/// `network`, or `data:` and the type of a resource.
fn each(record: &Record<'_>, found: &mut dyn FnMut(&str)) {
    let by_reading = |found: &mut dyn FnMut(&str)| {
        found(if record.read_only() == Some(true) { "management_read" } else { "management" });
    };
    if record.text(Key::ManagementEvent).is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return by_reading(found);
    }
    // Records from before 2021 say nothing of their category.
    match record.text(Key::EventCategory).as_deref() {
        None | Some("Management") => by_reading(found),
        Some("Insight") => found("insight"),
        Some("NetworkActivity") => found("network"),
        Some("Data") => {
            let Value::Array(resources) = record.value(Key::Resources) else { return };
            for resource in resources.elements() {
                if let Some(kind) = resource.get("type").into_text() {
                    found(&format!("data:{kind}"));
                }
            }
        }
        Some(_) => {}
    }
}

/// Whether an alert is one of those that tell of a feed: no rule's, and of no window.
#[must_use]
pub fn says(alert: &Alert) -> bool {
    alert.rule.id == COVERAGE
}

/// When each feed that rules need was seen last.
#[derive(Debug, Default)]
pub struct Feeds {
    /// Codes of the rules that need it, by feed.
    needed: BTreeMap<Box<str>, BTreeSet<String>>,
    /// By feed; of one that never was, since when it is needed. Milliseconds of wall-clock time.
    seen_ms: BTreeMap<Box<str>, i64>,
    /// What was said of feeds that are not there.
    told: BTreeMap<Box<str>, Alert>,
}

impl Feeds {
    /// The feeds that rules need which say something to somebody. `seen_ms` is what is known from
    /// before; a feed that is not in it counts from `now_ms` on.
    #[must_use]
    pub fn needed_by(rules: &RuleSet, seen_ms: BTreeMap<Box<str>, i64>, now_ms: i64) -> Feeds {
        let mut feeds = Feeds { seen_ms, ..Feeds::default() };
        let speaking = rules.rules.iter().filter(|rule| rule.speaks);
        for card in speaking.map(|rule| &rule.card).filter(|card| card.mode != Mode::Observe) {
            for feed in &card.needs {
                let codes = feeds.needed.entry(feed.as_str().into()).or_default();
                codes.insert(card.code.clone().unwrap_or_else(|| card.title.clone()));
                feeds.seen_ms.entry(feed.as_str().into()).or_insert(now_ms);
            }
        }
        feeds.seen_ms.retain(|feed, _| feeds.needed.contains_key(feed));
        feeds
    }

    /// The same for other rules.
    #[must_use]
    pub fn now_needed_by(self, rules: &RuleSet, now_ms: i64) -> Feeds {
        Feeds { told: self.told, ..Feeds::needed_by(rules, self.seen_ms, now_ms) }
    }

    /// Goes on after what was said before a restart.
    pub fn recall(&mut self, said: &[Alert]) {
        for alert in said.iter().filter(|alert| says(alert) && !alert.life.is_last()) {
            if let Some(feed) = alert.key.first() {
                self.told.insert(feed.clone(), alert.clone());
            }
        }
    }

    /// Notes which feeds brought something.
    pub fn see(&mut self, feeds: &BTreeSet<Box<str>>, now_ms: i64) {
        for feed in feeds {
            if let Some(seen_ms) = self.seen_ms.get_mut(feed) {
                *seen_ms = now_ms;
            }
        }
    }

    /// When each needed feed was seen last, to be kept.
    #[must_use]
    pub fn seen_ms(&self) -> &BTreeMap<Box<str>, i64> {
        &self.seen_ms
    }

    /// The feeds that were not seen for a day, with the rules that are blind without them.
    pub fn missing(&self, now_ms: i64) -> impl Iterator<Item = (&str, &BTreeSet<String>, i64)> {
        let missing = self.needed.iter().filter_map(move |(feed, codes)| {
            let seen_ms = self.seen_ms.get(feed).copied()?;
            Some((feed.as_ref(), codes, seen_ms))
        });
        missing.filter(move |(_, _, seen_ms)| now_ms.saturating_sub(*seen_ms) >= BLIND_AFTER_MS)
    }

    /// What is to be said now: of each feed once that it is missing, and once that it is back.
    #[must_use]
    pub fn news(&mut self, now_ms: i64) -> Vec<Alert> {
        let missing: BTreeMap<Box<str>, (BTreeSet<String>, i64)> = self
            .missing(now_ms)
            .map(|(feed, codes, seen_ms)| (feed.into(), (codes.clone(), seen_ms)))
            .collect();
        let mut news = Vec::new();
        let back: Vec<Box<str>> =
            self.told.keys().filter(|feed| !missing.contains_key(*feed)).cloned().collect();
        for feed in back {
            if let Some(told) = self.told.remove(&feed) {
                news.push(Alert { revision: 2, life: Life::Closed, ..told });
            }
        }
        for (feed, (codes, seen_ms)) in missing {
            let alert = coverage(&feed, &codes, seen_ms, now_ms);
            self.told.entry(feed).or_insert_with(|| {
                news.push(alert.clone());
                alert
            });
        }
        news
    }
}

/// The alert of our own: a finding that wakes nobody. Its id is the same until the feed is seen
/// again, so that a restart repeats nothing.
fn coverage(feed: &str, codes: &BTreeSet<String>, seen_ms: i64, now_ms: i64) -> Alert {
    let seen = EventTime(seen_ms.div_euclid(1_000));
    let key: Arc<[Box<str>]> = vec![feed.into()].into();
    let named: Vec<&str> = codes.iter().map(String::as_str).collect();
    Alert {
        id: AlertId::of(COVERAGE, &key, seen),
        revision: 1,
        opened: 0,
        life: Life::Open,
        rule: Arc::new(Card {
            id: COVERAGE.into(),
            code: Some("COVERAGE".into()),
            title: "Rules are blind: a feed they need brings nothing".into(),
            description: format!(
                "Nothing came by the feed {feed} for a day, so these rules see nothing: {}. Either \
                 the trail does not record it, or it is not delivered here. Record it, or switch \
                 these rules off.",
                named.join(", ")
            ),
            level: Some(Level::Medium),
            mode: Mode::Posture,
            group_by: vec!["feed".into()],
            timespan_secs: BLIND_AFTER_MS / 1_000,
            mark: "nothing for a day".into(),
            ..Card::default()
        }),
        key,
        level: Level::Medium,
        first: seen,
        last: EventTime(now_ms.div_euclid(1_000)),
        count: codes.len() as u64,
        count_is_floor: false,
        evidence: Vec::new(),
        crossing: None,
        peak: None,
        before: None,
        usual: None,
        incident: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use floodmark_detectors::rule::{Document, Environment};

    use super::*;

    const RULES: &str = "\
title: Reads
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventSource: a.amazonaws.com}, condition: s}
floodmark: {code: A-01, needs: [management, 'data:AWS::S3::Object']}
---
title: More reads
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventSource: b.amazonaws.com}, condition: s}
floodmark: {code: A-02, needs: ['data:AWS::S3::Object']}
---
title: Observed
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventSource: c.amazonaws.com}, condition: s}
floodmark: {code: A-03, mode: observe, needs: [insight]}
";

    const DAY: i64 = BLIND_AFTER_MS;

    fn rules() -> RuleSet {
        let documents = [Document { path: "r.yml".into(), text: RULES.into() }];
        RuleSet::load(&documents, &Environment::default()).unwrap()
    }

    fn feeds_of(members: &str) -> Vec<Box<str>> {
        let text = format!(r#"{{"eventTime":"2026-01-01T00:00:00Z"{members}}}"#);
        let record = Record::decode(text.as_bytes()).unwrap();
        let mut feeds = BTreeSet::new();
        add(&mut feeds, std::slice::from_ref(&record), 1);
        feeds.into_iter().collect()
    }

    #[test]
    fn a_record_shows_its_feed() {
        for (members, feeds) in [
            (r#","managementEvent":true,"readOnly":true"#, vec!["management_read"]),
            (r#","managementEvent":true,"readOnly":false"#, vec!["management"]),
            (r#","eventCategory":"Management","readOnly":"True""#, vec!["management_read"]),
            ("", vec!["management"]),
            (r#","eventCategory":"Insight""#, vec!["insight"]),
            (r#","eventCategory":"NetworkActivity""#, vec!["network"]),
            (
                r#","managementEvent":false,"eventCategory":"Data","resources":
                [{"type":"AWS::S3::Object","ARN":"a"},{"type":"AWS::S3::Bucket"}]"#,
                vec!["data:AWS::S3::Bucket", "data:AWS::S3::Object"],
            ),
            (r#","eventCategory":"Data","resources":null"#, vec![]),
        ] {
            assert_eq!(feeds_of(members), feeds.into_iter().map(Box::from).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_feed_that_is_missing_is_told_once_and_when_it_is_back() {
        let mut feeds = Feeds::needed_by(&rules(), BTreeMap::new(), 0);
        assert!(feeds.news(DAY - 1).is_empty(), "a day is left to a new deployment");
        let management = BTreeSet::from(["management".into()]);
        let objects = BTreeSet::from(["data:AWS::S3::Object".into(), "data:other".into()]);
        feeds.see(&management, DAY);
        let news = feeds.news(DAY);
        assert_eq!(news.len(), 1);
        assert_eq!((news[0].life, news[0].revision, news[0].count), (Life::Open, 1, 2));
        assert_eq!(&*news[0].key[0], "data:AWS::S3::Object");
        assert!(news[0].rule.description.contains("A-01, A-02"));
        assert!(feeds.news(DAY + 1).is_empty());

        // A restart knows the same id, and what was said.
        let seen_ms = feeds.seen_ms().clone();
        assert_eq!(seen_ms.len(), 2, "what is only observed needs nothing");
        let mut again = Feeds::needed_by(&rules(), seen_ms, DAY + 5);
        assert_eq!(again.news(DAY + 6)[0].id, news[0].id);
        let mut again = Feeds::needed_by(&rules(), feeds.seen_ms().clone(), DAY + 5);
        again.recall(&news);
        assert!(again.news(DAY + 6).is_empty());

        feeds.see(&objects, DAY + 10);
        let back = feeds.news(DAY + 11);
        assert_eq!((back.len(), back[0].life, back[0].revision), (1, Life::Closed, 2));
        assert_eq!(back[0].id, news[0].id);
        feeds.see(&management, 2 * DAY);
        let gone = feeds.news(2 * DAY + 10);
        assert!(gone.len() == 1 && gone[0].id != news[0].id, "another absence is another alert");
    }
}

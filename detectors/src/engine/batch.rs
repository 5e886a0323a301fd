//! A batch of records: what matches gives samples, and samples go to their windows.

use super::ear::{Ear, Hearing};
use super::{Engine, Outcome, is_late, owned};
use crate::field::Fields;
use crate::record::Record;
use crate::rule::{Kind, Rule, Tap};
use crate::sample::{self, Drawn, DrawnKey, WindowKey};
use crate::time::EventTime;
use crate::window::offer::Offer;

/// What a batch has for `silence`.
struct Heard<'s> {
    ear: Ear,
    /// Each match that was noted, with its record's place in the batch.
    matched: Vec<(usize, &'s Tap)>,
}

impl Engine {
    /// Takes a batch of records.
    pub fn apply(&self, records: &[Record<'_>]) -> Outcome {
        let mut out = Outcome::default();
        let watermark = self.watermark();
        let mut heard = Heard { ear: self.ears.lock().pop().unwrap_or_default(), matched: vec![] };
        for (place, record) in records.iter().enumerate() {
            out.counts.records += 1;
            out.newest = out.newest.max(Some(record.time()));
            if record.time() < watermark {
                out.late.push(place);
            }
            self.apply_one(place, record, watermark, &mut heard, &mut out);
        }
        self.tell_heard(records, &mut heard, watermark, &mut out);
        self.ears.lock().push(heard.ear);
        out
    }

    fn apply_one<'s>(
        &'s self,
        place: usize,
        record: &Record<'_>,
        watermark: EventTime,
        heard: &mut Heard<'s>,
        out: &mut Outcome,
    ) {
        let fields = Fields::within(record, &self.rules.networks);
        let seed = self.options.seed;
        let mut offer = Offer::of(record.bytes());
        self.rules.matching(&fields, &mut |detection| {
            out.counts.matches += 1;
            for tap in &detection.taps {
                let Some(rule) = self.rules.rules.get(tap.rule) else {
                    continue;
                };
                if matches!(rule.kind, Kind::Silence { .. }) {
                    if !is_late(rule, record.time(), watermark) {
                        let at = heard.matched.len();
                        match heard.ear.hear(rule, tap, &fields, at, seed) {
                            Hearing::Noted => heard.matched.push((place, tap)),
                            Hearing::Needless => {}
                            Hearing::Keyless => out.counts.keyless += 1,
                        }
                    }
                    continue;
                }
                let drawn = sample::draw(tap, rule, &fields, seed);
                out.counts.keyless += u64::from(drawn.is_keyless);
                out.counts.odd_values += u64::from(drawn.is_odd_value);
                self.insert_drawn(rule, &drawn, &mut offer, watermark, out);
            }
        });
    }

    fn insert_drawn(
        &self,
        rule: &Rule,
        drawn: &Drawn<'_>,
        record: &mut Offer<'_>,
        watermark: EventTime,
        out: &mut Outcome,
    ) {
        for (sample, key) in &drawn.samples {
            let key = || drawn.keys.get(*key).map(owned).unwrap_or_default();
            self.insert(rule, sample, key, record, watermark, out);
        }
    }

    /// Tells `silence` of the records that it needs of a batch.
    fn tell_heard(
        &self,
        records: &[Record<'_>],
        heard: &mut Heard<'_>,
        watermark: EventTime,
        out: &mut Outcome,
    ) {
        let seed = self.options.seed;
        let forgotten = out.counts.forgotten;
        let Heard { ear, matched } = heard;
        let of_match = |at: usize| {
            let (place, tap) = *matched.get(at)?;
            Some((records.get(place)?, tap, self.rules.rules.get(tap.rule)?))
        };
        for (sample, at) in ear.needed() {
            let Some((record, tap, rule)) = of_match(at) else { continue };
            let key = || {
                let fields = Fields::within(record, &self.rules.networks);
                let keys = sample::keys(&tap.group_by, &fields, &|_| None);
                let is_its =
                    |key: &&DrawnKey<'_>| WindowKey::of_key(seed, rule.tag, key) == sample.window;
                keys.iter().find(is_its).map(owned).unwrap_or_default()
            };
            self.insert(rule, &sample, key, &mut Offer::of(record.bytes()), watermark, out);
        }
        if out.counts.forgotten == forgotten {
            return;
        }
        // Time passed meanwhile, and what is forgotten bridges no gap: all others may be needed.
        *ear = Ear::default();
        for record in records {
            let fields = Fields::within(record, &self.rules.networks);
            let mut offer = Offer::of(record.bytes());
            self.rules.matching(&fields, &mut |detection| {
                for tap in &detection.taps {
                    let Some(rule) = self.rules.rules.get(tap.rule) else { continue };
                    if matches!(rule.kind, Kind::Silence { .. }) {
                        let drawn = sample::draw(tap, rule, &fields, seed);
                        self.insert_drawn(rule, &drawn, &mut offer, watermark, out);
                    }
                }
            });
        }
    }
}

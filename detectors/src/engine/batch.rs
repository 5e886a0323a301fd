//! Batches of records: what matches gives samples, and samples go to their windows.

use super::ear::{Ear, Hearing};
use super::{Engine, Outcome, is_late, owned};
use crate::field::Fields;
use crate::record::Record;
use crate::rule::{Kind, Rule, Tap};
use crate::sample::{self, Drawn, DrawnKey, WindowKey};
use crate::time::EventTime;
use crate::window::offer::Offer;

/// A batch of records that comes a few at a time, as they are decoded. What a `silence` needs of it is
/// known at its end.
#[derive(Debug)]
#[must_use = "what was heard is told at its end"]
pub struct Batch<'e, 'b> {
    engine: &'e Engine,
    /// When it began.
    watermark: EventTime,
    records: Vec<&'b [u8]>,
    ear: Ear,
    /// Each match that was noted for a `silence`, with its record.
    noted: Vec<(&'b [u8], &'e Tap)>,
}

impl Engine {
    /// Takes a batch of records.
    pub fn apply(&self, records: &[Record<'_>]) -> Outcome {
        let mut batch = self.begin();
        let mut out = batch.apply(records);
        let told = batch.end();
        out.alerts.extend(told.alerts);
        out.counts.add(told.counts);
        out
    }

    /// Begins with a batch, whose bytes stay until its end.
    pub fn begin<'b>(&self) -> Batch<'_, 'b> {
        Batch {
            engine: self,
            watermark: self.watermark(),
            records: Vec::new(),
            ear: self.ears.lock().pop().unwrap_or_default(),
            noted: Vec::new(),
        }
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
}

impl<'b> Batch<'_, 'b> {
    /// Takes the next records. Places in the outcome are theirs.
    pub fn apply(&mut self, records: &[Record<'b>]) -> Outcome {
        let mut out = Outcome::default();
        for (place, record) in records.iter().enumerate() {
            out.counts.records += 1;
            out.newest = out.newest.max(Some(record.time()));
            if record.time() < self.watermark {
                out.late.push(place);
            }
            self.records.push(record.bytes());
            self.apply_one(record, &mut out);
        }
        out
    }

    /// Tells `silence` of the records that it needs.
    pub fn end(mut self) -> Outcome {
        let mut out = Outcome::default();
        for (sample, at) in self.ear.needed() {
            self.tell(&sample, at, &mut out);
        }
        if out.counts.forgotten > 0 {
            // Time passed meanwhile, and what is forgotten bridges no gap: all others may be needed.
            self.ear = Ear::default();
            self.tell_all(&mut out);
        }
        self.engine.ears.lock().push(self.ear);
        out
    }

    fn apply_one(&mut self, record: &Record<'b>, out: &mut Outcome) {
        let (engine, watermark) = (self.engine, self.watermark);
        let fields = Fields::within(record, &engine.rules.networks);
        let seed = engine.options.seed;
        let mut offer = Offer::of(record.bytes());
        engine.rules.matching(&fields, &mut |detection| {
            out.counts.matches += 1;
            for tap in &detection.taps {
                let Some(rule) = engine.rules.rules.get(tap.rule) else {
                    continue;
                };
                if matches!(rule.kind, Kind::Silence { .. }) {
                    if !is_late(rule, record.time(), watermark) {
                        let at = self.noted.len();
                        match self.ear.hear(rule, tap, &fields, at, seed) {
                            Hearing::Noted => self.noted.push((record.bytes(), tap)),
                            Hearing::Needless => {}
                            Hearing::Keyless => out.counts.keyless += 1,
                        }
                    }
                    continue;
                }
                let drawn = sample::draw(tap, rule, &fields, seed);
                out.counts.keyless += u64::from(drawn.is_keyless);
                out.counts.odd_values += u64::from(drawn.is_odd_value);
                engine.insert_drawn(rule, &drawn, &mut offer, watermark, out);
            }
        });
    }

    /// Tells a `silence` of the match that was noted at `at`.
    fn tell(&self, sample: &sample::Sample, at: usize, out: &mut Outcome) {
        let (engine, seed) = (self.engine, self.engine.options.seed);
        let Some((bytes, tap)) = self.noted.get(at) else { return };
        let Some(rule) = engine.rules.rules.get(tap.rule) else { return };
        let key = || {
            let Ok(record) = Record::decode(bytes) else { return [].into() };
            let fields = Fields::within(&record, &engine.rules.networks);
            let keys = sample::keys(&tap.group_by, &fields, &|_| None);
            let is_its =
                |key: &&DrawnKey<'_>| WindowKey::of_key(seed, rule.tag, key) == sample.window;
            keys.iter().find(is_its).map(owned).unwrap_or_default()
        };
        engine.insert(rule, sample, key, &mut Offer::of(bytes), self.watermark, out);
    }

    /// Tells `silence` of all records.
    fn tell_all(&self, out: &mut Outcome) {
        let (engine, seed) = (self.engine, self.engine.options.seed);
        for record in self.records.iter().filter_map(|bytes| Record::decode(bytes).ok()) {
            let fields = Fields::within(&record, &engine.rules.networks);
            let mut offer = Offer::of(record.bytes());
            engine.rules.matching(&fields, &mut |detection| {
                for tap in &detection.taps {
                    let Some(rule) = engine.rules.rules.get(tap.rule) else { continue };
                    if matches!(rule.kind, Kind::Silence { .. }) {
                        let drawn = sample::draw(tap, rule, &fields, seed);
                        engine.insert_drawn(rule, &drawn, &mut offer, self.watermark, out);
                    }
                }
            });
        }
    }
}

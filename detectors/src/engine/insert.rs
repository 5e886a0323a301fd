//! One sample: into its window, and what that leads to.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Engine, Outcome, grown, is_late, owned};
use crate::field::{Fields, Path};
use crate::record::Record;
use crate::rule::{Kind, Rule, Tap};
use crate::sample::{self, Sample, WindowKey};
use crate::time::EventTime;
use crate::window::offer::Offer;
use crate::window::samples::Held;
use crate::window::{Consequences, Inserted, Window, longest_span};

impl Engine {
    /// Takes one sample, and all that follows from it in the parents of its rule.
    pub(super) fn insert(
        &self,
        rule: &Rule,
        sample: &Sample,
        key: impl FnOnce() -> Arc<[Box<str>]>,
        record: &mut Offer<'_>,
        watermark: EventTime,
        out: &mut Outcome,
    ) {
        let is_late = is_late(rule, sample.time, watermark);
        let is_single = matches!(&rule.kind, Kind::Count(mark) if mark.is_monotone() && mark.gte.unwrap_or(0) <= 1);
        if is_late && !is_single {
            return;
        }
        let next_opened = || self.opened.fetch_add(1, Ordering::Relaxed);
        let mut consequences = Consequences::default();
        let floor = watermark.plus(-rule.delay_secs);
        // A window that is not there holds nothing, so it has forgotten what every window has.
        let forgotten = EventTime(self.forgotten.load(Ordering::Acquire))
            .max(watermark)
            .plus(-rule.delay_secs - longest_span(rule));
        let mut call_at = None;
        let mut created = false;
        let mut is_news = false;
        record.anew(!rule.taps.is_empty() || self.evidence_bytes() < self.evidence_bytes_max);
        let (inserted, key, grown) = {
            let mut window = self.windows.entry(sample.window).or_insert_with(|| {
                created = true;
                Window::new(rule, key(), forgotten, self.since())
            });
            let before = window.record_bytes();
            let mut inserted =
                window.insert(rule, sample, floor, record, &next_opened, &mut consequences);
            if is_late && inserted == Inserted::Forgotten {
                // A single late record is still said, by itself.
                let key = window.key.clone();
                let mut alone = Window::new(rule, key, EventTime::MIN, EventTime::MAX);
                inserted =
                    alone.insert(rule, sample, floor, record, &next_opened, &mut consequences);
                let judges_from = self.judges_from;
                alone.advance(rule, EventTime::MAX, judges_from, &next_opened, &mut consequences);
            }
            if matches!(inserted, Inserted::New | Inserted::Spare) {
                is_news = !std::mem::replace(&mut window.is_dirty, true);
                if window.called_at.is_none() || window.may_hurry(rule, sample.time) {
                    let due = window.due(rule);
                    if window.called_at.is_none_or(|at| due.is_some_and(|due| due < at)) {
                        window.called_at = due;
                        call_at = due;
                    }
                }
            }
            // Only what goes on to parents needs the key again.
            let key = (!consequences.lifted.is_empty()).then(|| window.key.clone());
            (inserted, key, grown(before, window.record_bytes()))
        };
        self.hold(grown);
        out.counts.evidence_left_out += u64::from(record.is_left_out());
        match inserted {
            Inserted::New | Inserted::Spare => out.counts.samples += 1,
            Inserted::Known => out.counts.duplicates += 1,
            Inserted::Forgotten => out.counts.forgotten += 1,
        }
        if is_news {
            self.note_dirty(sample.window);
        }
        if (call_at.is_some() || created)
            && let Some(agenda) = self.agendas.get(sample.rule)
        {
            let mut agenda = agenda.lock();
            if let Some(at) = call_at {
                agenda.call(at, sample.window);
            }
            if created {
                agenda.windows += 1;
                if agenda.windows > self.options.windows_max {
                    drop(agenda);
                    self.evict_coldest(sample.rule, out);
                }
            }
        }
        self.follow(rule, key.as_ref(), consequences, watermark, out);
    }

    /// Carries on what a change to a window led to.
    pub(super) fn follow(
        &self,
        rule: &Rule,
        key: Option<&Arc<[Box<str>]>>,
        consequences: Consequences,
        watermark: EventTime,
        out: &mut Outcome,
    ) {
        out.alerts.extend(consequences.alerts);
        out.counts.compacted += consequences.compacted;
        out.counts.overflowed += consequences.overflowed;
        let Some(key) = key else { return };
        for held in consequences.lifted {
            for tap in &rule.taps {
                self.lift(rule, key, tap, &held, watermark, out);
            }
        }
    }

    /// Gives a sample of a correlation to its parent.
    pub(super) fn lift(
        &self,
        child: &Rule,
        key: &Arc<[Box<str>]>,
        tap: &Tap,
        held: &Held,
        watermark: EventTime,
        out: &mut Outcome,
    ) {
        let (Some(parent), Some(bytes)) = (self.rules.rules.get(tap.rule), &held.record) else {
            return;
        };
        let Ok(record) = Record::decode(bytes) else {
            return;
        };
        let fields = Fields::of(&record);
        // Where the child's key has a part of the parent's, that holds: an array in the record would
        // give others beside it.
        let known = |path: &Path| {
            let place = child.card.group_by.iter().position(|name| name == path.as_str())?;
            key.get(place).map(AsRef::as_ref)
        };
        let mut is_odd = false;
        let values = sample::values(tap, parent, &fields, self.options.seed, &mut is_odd);
        for parent_key in sample::keys(&tap.group_by, &fields, &known) {
            let parts = parent_key.iter().map(AsRef::as_ref);
            let window = WindowKey::of(self.options.seed, parent.tag, parts);
            let parent_key = owned(&parent_key);
            for value in &values {
                let (time, id) = (held.time, held.id);
                let sample = Sample { rule: tap.rule, window, time, id, value: *value };
                let mut record = Offer::shared(bytes);
                let key = || parent_key.clone();
                self.insert(parent, &sample, key, &mut record, watermark, out);
            }
        }
        out.counts.odd_values += u64::from(is_odd);
    }
}

//! Time passes: what is due is decided, closed, forgotten, and makes room.

use std::sync::atomic::Ordering;

use super::{Engine, Outcome, grown};
use crate::rule::Rule;
use crate::sample::{RuleIndex, WindowKey};
use crate::time::EventTime;
use crate::window::{Consequences, Window};

impl Engine {
    /// Lets time pass: no event before `watermark` is expected any more. Never goes back.
    ///
    /// One caller at a time does the work; another that comes meanwhile leaves it to the next.
    pub fn advance(&self, watermark: EventTime) -> Outcome {
        match self.advancing.try_lock() {
            Some(_advancing) => self.advance_alone(watermark),
            None => Outcome::default(),
        }
    }

    fn advance_alone(&self, watermark: EventTime) -> Outcome {
        let mut out = Outcome::default();
        let before = EventTime(self.watermark.fetch_max(watermark.0, Ordering::AcqRel));
        if watermark <= before {
            return out;
        }
        if watermark < EventTime::MAX {
            self.since.fetch_min(watermark.0, Ordering::AcqRel);
        }
        // Children come before their parents, so a parent has all their samples when its time comes.
        for (index, (rule, agenda)) in self.rules.rules.iter().zip(&self.agendas).enumerate() {
            let until = watermark.plus(-rule.delay_secs);
            loop {
                let due = agenda.lock().due(until);
                if due.is_empty() {
                    break;
                }
                for key in due {
                    self.advance_one(index, rule, key, until, before, &mut out);
                }
            }
        }
        out
    }

    fn advance_one(
        &self,
        index: RuleIndex,
        rule: &Rule,
        window_key: WindowKey,
        until: EventTime,
        before: EventTime,
        out: &mut Outcome,
    ) {
        let next_opened = || self.opened.fetch_add(1, Ordering::Relaxed);
        let mut consequences = Consequences::default();
        let key;
        let due;
        let is_news;
        let is_idle;
        let grown = {
            let Some(mut window) = self.windows.get_mut(&window_key) else {
                return;
            };
            let before = window.record_bytes();
            window.advance(rule, until, self.judges_from, &next_opened, &mut consequences);
            due = window.due(rule);
            window.called_at = due;
            is_news = !std::mem::replace(&mut window.is_dirty, true);
            is_idle = window.is_idle();
            key = (!consequences.lifted.is_empty()).then(|| window.key.clone());
            grown(before, window.record_bytes())
        };
        self.hold(grown);
        if is_news {
            self.note_dirty(window_key);
        }
        let mut is_crowded = false;
        if let (Some(at), Some(agenda)) = (due, self.agendas.get(index)) {
            let mut agenda = agenda.lock();
            agenda.call(at, window_key);
            is_crowded = agenda.windows > self.options.windows_max / 2;
        }
        if due.is_none() {
            self.remove_if(index, window_key, Window::is_empty, |emptied| emptied);
        } else if is_idle && is_crowded {
            // Half of the room is for windows that matter to a verdict.
            self.remove_if(index, window_key, Window::is_idle, Window::emptied);
            self.forget_usual();
        }
        // What is lifted now was in time when it came: it is judged by the time before.
        self.follow(rule, key.as_ref(), consequences, before, out);
    }

    /// Ends all: decides what waits, closes every burst. For input that has an end.
    pub fn finish(&self) -> Outcome {
        let _advancing = self.advancing.lock();
        self.advance_alone(EventTime::MAX)
    }

    /// Ends all that came here, where keys go on elsewhere: as [`finish`](Engine::finish), but that a
    /// key was not heard again says nothing.
    pub fn finish_here(&self) -> Outcome {
        self.windows.iter_mut().for_each(|mut window| window.is_heard_elsewhere());
        self.finish()
    }

    pub(super) fn evict_coldest(&self, index: RuleIndex, out: &mut Outcome) {
        let Some(agenda) = self.agendas.get(index) else {
            return;
        };
        let candidates = agenda.lock().soonest(64);
        for key in candidates {
            let emptied = |window: Window| {
                let rule = self.rules.rules.get(index);
                rule.map_or(window.clone(), |rule| {
                    Window::new(rule, window.key, self.watermark(), EventTime::MAX)
                })
            };
            if self.remove_if(index, key, |window| !window.is_bursting(), emptied) {
                self.forget_usual();
                out.counts.windows_evicted += 1;
                return;
            }
        }
    }

    /// Notes that what was usual in some window is not known any more.
    fn forget_usual(&self) {
        if self.since() < EventTime::MAX {
            self.since.fetch_max(self.watermark().0, Ordering::AcqRel);
        }
    }
}

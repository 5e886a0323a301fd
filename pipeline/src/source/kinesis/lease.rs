//! Who reads which shard: the lease algorithm of the Kinesis Client Library, as a plain value.
//!
//! A lease is a row of a table. Its owner raises the row's counter every third of the failover time;
//! every write names the counter that it expects, so that of two writers one is refused. A row whose
//! counter has not moved for the failover time is free for the taking, and whoever takes it raises
//! the counter, which fences the owner before: its next renewal is refused and it stops reading. An
//! owner that cannot renew at all stops by its own clock a little before that time is over. The
//! clock that counts is always one's own: no two machines' times are compared.
//!
//! Nothing here waits or asks anybody. [`Leases`] is told what the table holds and how writes went,
//! and says what to write; times are milliseconds of any clock that only goes forward.

use std::collections::BTreeMap;

use super::position::Position;
use super::row::{Answer, Done, Row, Write};

/// What follows from a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// A shard may be read, once its parents are done.
    Gained,
    /// The shard must not be read any more.
    Lost(String),
    /// The shard is done for good, and that is on record.
    Finished,
}

/// What one worker knows of all leases.
#[derive(Debug)]
pub(super) struct Leases {
    me: String,
    failover_ms: i64,
    seen: BTreeMap<String, Seen>,
    held: BTreeMap<String, Held>,
}

/// A row as last seen, and since when it has not moved.
#[derive(Debug)]
struct Seen {
    row: Row,
    since_ms: i64,
}

/// A lease of ours.
#[derive(Debug)]
struct Held {
    counter: u64,
    /// When the last write that was done was asked for.
    renewed_ms: i64,
    /// What the table has.
    noted: Done,
    /// What is durable with us.
    durable: Done,
    /// All of it has been read.
    is_drained: bool,
    children: Vec<String>,
    /// A write is under way.
    is_writing: bool,
}

impl Leases {
    /// Knows nothing yet. `me` is a name that no other worker has or had.
    pub(super) fn new(me: String, failover_ms: i64) -> Leases {
        Leases { me, failover_ms, seen: BTreeMap::new(), held: BTreeMap::new() }
    }

    /// How long after the last renewal was asked for a lease still counts as ours. Less than the
    /// failover time, so that reading has stopped when another begins.
    fn hold_ms(&self) -> i64 {
        self.failover_ms - self.failover_ms / 8
    }

    /// The whole table, as read between the last write and `now_ms`.
    pub(super) fn look(&mut self, rows: Vec<Row>, now_ms: i64) {
        let mut seen = BTreeMap::new();
        for row in rows {
            let since_ms = match self.seen.get(&row.key) {
                Some(it) if (it.row.counter, &it.row.owner) == (row.counter, &row.owner) => {
                    it.since_ms
                }
                _ => now_ms,
            };
            seen.insert(row.key.clone(), Seen { row, since_ms });
        }
        self.seen = seen;
    }

    /// Leases to take now. `chance` picks among equals.
    pub(super) fn wanted(&self, now_ms: i64, chance: u64) -> Vec<Write> {
        let unfinished = self.seen.values().filter(|it| {
            it.row.checkpoint != Position::End
                && self.held.get(&it.row.key).is_none_or(|held| !held.is_drained)
        });
        let mut mine = 0_usize;
        let mut free: Vec<&Seen> = Vec::new();
        let mut others: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
        for it in unfinished {
            if self.held.contains_key(&it.row.key) {
                mine += 1;
                continue;
            }
            match &it.row.owner {
                Some(owner) if *owner != self.me && !self.is_expired(it, now_ms) => {
                    others.entry(owner).or_default().push(it);
                }
                _ => free.push(it),
            }
        }
        let total = mine + free.len() + others.values().map(Vec::len).sum::<usize>();
        let share = total.div_ceil(others.len() + 1);
        // What nobody takes, although others have had time to, is read here whatever the share.
        let is_left = |it: &&Seen| now_ms - it.since_ms > 3 * self.failover_ms;
        let may_come_first = |it: &&Seen| (!self.parents_are_done(&it.row), it.row.key.clone());
        free.sort_by_key(may_come_first);
        let within = share.saturating_sub(mine).min(free.len());
        let (fair, beyond) = free.split_at(within);
        let chosen: Vec<&Seen> =
            fair.iter().copied().chain(beyond.iter().copied().filter(is_left)).collect();
        if !chosen.is_empty() {
            return chosen.into_iter().map(|it| self.take(&it.row)).collect();
        }
        // One at a time, and only where it evens things out, so that it comes to rest.
        let most = others.values().max_by_key(|leases| leases.len());
        let most = most.filter(|leases| leases.len() >= mine + 2);
        let pick = |leases: &Vec<&Seen>| {
            let place = usize::try_from(chance % leases.len() as u64).unwrap_or(0);
            leases.get(place).map(|it| self.take(&it.row))
        };
        most.and_then(pick).into_iter().collect()
    }

    /// The write that takes a lease, if it is free and its shard is next to one that was ours: the
    /// children of a shard are best read where the shard was.
    pub(super) fn wanted_child(&self, key: &str) -> Option<Write> {
        let row = &self.seen.get(key)?.row;
        let is_free = row.owner.is_none() && row.checkpoint != Position::End;
        (is_free && !self.held.contains_key(key)).then(|| self.take(row))
    }

    fn take(&self, row: &Row) -> Write {
        Write::Take { key: row.key.clone(), owner_was: row.owner.clone(), counter_was: row.counter }
    }

    fn is_expired(&self, it: &Seen, now_ms: i64) -> bool {
        now_ms - it.since_ms >= self.failover_ms
    }

    /// Renewals that are due, each with what has become durable since the last.
    pub(super) fn due(&mut self, now_ms: i64) -> Vec<Write> {
        let interval_ms = self.failover_ms / 3;
        let mut due = Vec::new();
        for (key, held) in &mut self.held {
            // The end of a shard frees its children for other workers: it does not wait.
            let ends =
                held.durable.checkpoint == Position::End && held.noted.checkpoint != Position::End;
            if held.is_writing || (now_ms - held.renewed_ms < interval_ms && !ends) {
                continue;
            }
            held.is_writing = true;
            due.push(Write::Renew {
                key: key.clone(),
                counter_was: held.counter,
                done: (held.durable != held.noted).then(|| held.durable.clone()),
                children: if ends { held.children.clone() } else { Vec::new() },
            });
        }
        due
    }

    /// Leases that can not be renewed in time, so that another may be reading them: they are lost.
    pub(super) fn expired(&mut self, now_ms: i64) -> Vec<String> {
        let hold_ms = self.hold_ms();
        let is_over = |held: &Held| now_ms - held.renewed_ms >= hold_ms;
        let over: Vec<String> = self
            .held
            .iter()
            .filter(|(_, held)| is_over(held))
            .map(|(key, _)| key.clone())
            .collect();
        self.held.retain(|_, held| !is_over(held));
        over
    }

    /// Takes in how a write went that was asked for at `asked_ms`, when it is `now_ms`.
    pub(super) fn written(
        &mut self,
        write: &Write,
        answer: Answer,
        asked_ms: i64,
        now_ms: i64,
    ) -> Change {
        match (write, answer) {
            (Write::Create(row), Answer::Done) => {
                self.note(row.clone(), now_ms);
                Change::None
            }
            (Write::Take { key, owner_was, counter_was }, Answer::Done) => {
                let switched = owner_was.as_ref().is_some_and(|owner| *owner != self.me);
                let (me, hold_ms) = (self.me.clone(), self.hold_ms());
                let Some(seen) = self.seen.get_mut(key) else { return Change::None };
                seen.row.owner = Some(me);
                seen.row.counter = counter_was + 1;
                seen.row.owner_switches += u64::from(switched);
                seen.since_ms = now_ms;
                // An answer that took this long is of no use: the lease may have been taken again.
                if now_ms - asked_ms >= hold_ms {
                    return Change::None;
                }
                let held = Held {
                    counter: counter_was + 1,
                    renewed_ms: asked_ms,
                    noted: seen.row.done(),
                    durable: seen.row.done(),
                    is_drained: false,
                    children: seen.row.children.clone(),
                    is_writing: false,
                };
                self.held.insert(key.clone(), held);
                Change::Gained
            }
            (Write::Renew { key, counter_was, done, children }, answer) => {
                self.renewed(key, *counter_was, done.as_ref(), children, answer, asked_ms)
            }
            (Write::Release { key, .. }, _) => {
                self.held.remove(key);
                Change::None
            }
            (Write::Delete { key, .. }, Answer::Done) => {
                self.seen.remove(key);
                Change::None
            }
            (Write::Create(_) | Write::Take { .. }, Answer::Refused(Some(row))) => {
                self.note(*row, now_ms);
                Change::None
            }
            (_, Answer::Refused(_) | Answer::Unknown) => Change::None,
        }
    }

    fn note(&mut self, row: Row, now_ms: i64) {
        self.seen.insert(row.key.clone(), Seen { row, since_ms: now_ms });
    }

    fn renewed(
        &mut self,
        key: &str,
        counter_was: u64,
        done: Option<&Done>,
        children: &[String],
        answer: Answer,
        asked_ms: i64,
    ) -> Change {
        // Given up meanwhile, or given up and taken again: this answer is about the past.
        let Some(held) = self.held.get_mut(key) else { return Change::None };
        if held.counter != counter_was {
            return Change::None;
        }
        held.is_writing = false;
        match answer {
            Answer::Done => {
                held.counter += 1;
                held.renewed_ms = held.renewed_ms.max(asked_ms);
                if let Some(done) = done {
                    held.noted = done.clone();
                }
                if let Some(seen) = self.seen.get_mut(key) {
                    seen.row.counter = held.counter;
                    seen.row.checkpoint = held.noted.checkpoint.clone();
                    seen.row.handover = held.noted.handover.clone();
                    if !children.is_empty() {
                        seen.row.children = children.to_vec();
                    }
                }
                if held.noted.checkpoint == Position::End {
                    self.held.remove(key);
                    return Change::Finished;
                }
                Change::None
            }
            // A write of ours was done and its answer lost: the row tells. It is still ours, but
            // no longer than since that write was asked for, so the next renewal is due at once.
            Answer::Refused(Some(row))
                if row.owner.as_ref() == Some(&self.me) && row.counter > counter_was =>
            {
                held.counter = row.counter;
                held.noted = row.done();
                if held.noted.checkpoint == Position::End {
                    self.held.remove(key);
                    return Change::Finished;
                }
                Change::None
            }
            Answer::Refused(_) => {
                self.held.remove(key);
                Change::Lost(key.to_owned())
            }
            Answer::Unknown => Change::None,
        }
    }

    /// This much of a shard is durable; it goes into the table with the next renewal.
    pub(super) fn durable(&mut self, key: &str, done: Done) {
        let Some(held) = self.held.get_mut(key) else { return };
        let known = held.durable.checkpoint.clone();
        if known.further(done.checkpoint.clone()) == done.checkpoint {
            held.durable = done;
        }
    }

    /// All of a shard has been handed on, and these are its children.
    pub(super) fn drained(&mut self, key: &str, children: Vec<String>) {
        if let Some(held) = self.held.get_mut(key) {
            held.is_drained = true;
            held.children = children;
        }
    }

    /// Gives everything back; nothing is held from here on.
    pub(super) fn release_all(&mut self) -> Vec<Write> {
        let release = |(key, held): (String, Held)| Write::Release {
            key,
            done: (held.durable != held.noted).then_some(held.durable),
        };
        std::mem::take(&mut self.held).into_iter().map(release).collect()
    }

    /// Shards of ours to be read: not yet to their end, and after their parents. Each with how far
    /// the table, or we, have it done.
    pub(super) fn readable(&self) -> Vec<(String, Done)> {
        let may = |(key, held): (&String, &Held)| {
            let row = &self.seen.get(key)?.row;
            (!held.is_drained && self.parents_are_done(row))
                .then(|| (key.clone(), held.durable.clone()))
        };
        self.held.iter().filter_map(may).collect()
    }

    /// Whether all that came before a shard has been read: by whoever, as the table says, or here.
    fn parents_are_done(&self, row: &Row) -> bool {
        row.parents.iter().all(|parent| {
            let is_drained = self.held.get(parent).is_some_and(|held| held.is_drained);
            let in_table = self.seen.get(parent);
            is_drained || in_table.is_none_or(|it| it.row.checkpoint == Position::End)
        })
    }

    /// Whether a lease is ours whose shard has been read to its end, which is not on record yet.
    pub(super) fn is_ending(&self, key: &str) -> bool {
        self.held.get(key).is_some_and(|held| held.is_drained)
    }

    /// The rows as last seen.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.seen.values().map(|it| &it.row)
    }

    /// Whether a lease is ours.
    #[cfg(test)]
    pub(super) fn holds(&self, key: &str) -> bool {
        self.held.contains_key(key)
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;

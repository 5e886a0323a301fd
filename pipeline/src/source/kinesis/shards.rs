//! Which shards get a lease, and from where they are read.
//!
//! A stream's shards form a graph: a split gives one parent two children, a merge two parents one
//! child. On the first sight of a stream the leases begin where the settings say. Later a shard
//! without a lease is new, mostly a child of one that has one, and is read whole; or it is old, its
//! lease has been cleared away, and its descendants have theirs: then it is left alone.

use std::collections::{BTreeMap, BTreeSet};

use super::position::Position;
use super::row::{Row, Write};

/// A shard as the stream lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shard {
    /// Its id.
    pub(super) id: String,
    /// The shards it was made of, listed or not.
    pub(super) parents: Vec<String>,
    /// Its range of hash keys, decimal.
    pub(super) hash_range: Option<(String, String)>,
    /// Whether records can still be put into it.
    pub(super) is_open: bool,
}

/// Leases to be created, generation by generation, and then rows to be deleted: those of finished
/// shards that the stream has forgotten. `known` are positions from elsewhere, by shard.
///
/// A generation must be in the table before the next is written: a parent without a row counts as
/// done, for that is what is left of those that were done long ago.
pub(super) fn plan(
    shards: &[Shard],
    rows: &[Row],
    start: &Position,
    known: &BTreeMap<String, Position>,
) -> Vec<Vec<Write>> {
    let listed: BTreeMap<&str, &Shard> = shards.iter().map(|it| (it.id.as_str(), it)).collect();
    let leased: BTreeSet<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    let begun: BTreeSet<&str> =
        leased.iter().copied().chain(known.keys().map(String::as_str)).collect();
    let is_first = begun.is_empty();
    let past = ancestors(&listed, &begun);
    // Where a shard is begun, if it is to have a lease that it has not.
    let beginning = |shard: &Shard| {
        let id = shard.id.as_str();
        if leased.contains(id) {
            return None;
        }
        if let Some(position) = known.get(id) {
            return Some(position.clone());
        }
        if is_first {
            // What is closed has nothing newer than now.
            return (shard.is_open || *start != Position::Latest).then(|| start.clone());
        }
        if past.contains(id) {
            return None;
        }
        // A child is read whole, unless all that is wanted begins at a time.
        Some(if matches!(start, Position::At(_)) { start.clone() } else { Position::Oldest })
    };
    let create = |shard: &&Shard| Some(Write::Create(row_of(shard, beginning(shard)?)));
    let generations = generations(&listed).into_iter();
    let mut writes: Vec<Vec<Write>> =
        generations.map(|shards| shards.iter().filter_map(create).collect()).collect();
    let is_forgotten =
        |row: &&Row| row.checkpoint == Position::End && !listed.contains_key(row.key.as_str());
    let delete = |row: &Row| Write::Delete { key: row.key.clone(), counter_was: row.counter };
    writes.push(rows.iter().filter(is_forgotten).map(delete).collect());
    writes.retain(|generation| !generation.is_empty());
    writes
}

/// A lease that nobody owns yet.
pub(super) fn row_of(shard: &Shard, checkpoint: Position) -> Row {
    Row {
        key: shard.id.clone(),
        owner: None,
        counter: 0,
        checkpoint,
        handover: None,
        owner_switches: 0,
        parents: shard.parents.clone(),
        children: Vec::new(),
        hash_range: shard.hash_range.clone(),
    }
}

/// Every shard that some of `begun` descends from.
fn ancestors<'s>(
    listed: &BTreeMap<&'s str, &'s Shard>,
    begun: &BTreeSet<&'s str>,
) -> BTreeSet<&'s str> {
    let mut past = BTreeSet::new();
    let mut to_see: Vec<&str> = begun.iter().copied().collect();
    while let Some(id) = to_see.pop() {
        for parent in listed.get(id).iter().flat_map(|shard| &shard.parents) {
            if past.insert(parent.as_str()) {
                to_see.push(parent);
            }
        }
    }
    past
}

/// All shards, each in a later generation than those it was made of.
fn generations<'s>(listed: &BTreeMap<&'s str, &'s Shard>) -> Vec<Vec<&'s Shard>> {
    let mut generations = Vec::new();
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    let mut left: Vec<&Shard> = listed.values().copied().collect();
    while !left.is_empty() {
        let is_ready = |shard: &&Shard| {
            let is_placed = |parent: &String| {
                placed.contains(parent.as_str()) || !listed.contains_key(parent.as_str())
            };
            shard.parents.iter().all(is_placed)
        };
        let (ready, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(is_ready);
        if ready.is_empty() {
            // A circle of parents cannot be; if it were, its shards would still be read.
            generations.push(rest);
            break;
        }
        placed.extend(ready.iter().map(|shard| shard.id.as_str()));
        generations.push(ready);
        left = rest;
    }
    generations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(id: &str, parents: &[&str], is_open: bool) -> Shard {
        let parents = parents.iter().map(|&parent| parent.to_owned()).collect();
        Shard { id: id.to_owned(), parents, hash_range: None, is_open }
    }

    /// `a` was split into `b` and `c`, and those merged into `d`; `e` was there from the start.
    fn stream() -> Vec<Shard> {
        vec![
            shard("d", &["b", "c"], true),
            shard("a", &[], false),
            shard("b", &["a"], false),
            shard("c", &["a"], false),
            shard("e", &[], true),
        ]
    }

    fn created(writes: &[Write]) -> Vec<(&str, String)> {
        writes
            .iter()
            .map(|write| match write {
                Write::Create(row) => (row.key.as_str(), row.checkpoint.to_string()),
                other => (other.key(), "deleted".to_owned()),
            })
            .collect()
    }

    fn plan_of(rows: &[Row], start: Position, known: &[(&str, Position)]) -> Vec<Write> {
        let known = known.iter().map(|(id, at)| ((*id).to_owned(), at.clone())).collect();
        plan(&stream(), rows, &start, &known).concat()
    }

    #[test]
    fn the_first_sight_of_a_stream() {
        let all = plan_of(&[], Position::Oldest, &[]);
        let names: Vec<&str> = all.iter().map(Write::key).collect();
        assert_eq!(names, ["a", "e", "b", "c", "d"], "parents first");
        let newest = plan_of(&[], Position::Latest, &[]);
        assert_eq!(created(&newest), [("e", "LATEST".into()), ("d", "LATEST".into())]);
        let timed = plan_of(&[], Position::At(5), &[]);
        assert_eq!(timed.len(), 5, "a shard closed before that time just ends");
    }

    #[test]
    fn a_child_is_read_whole_and_what_came_before_is_left_alone() {
        let mut row = row_of(&shard("b", &["a"], false), Position::Latest);
        let writes = plan_of(&[row.clone()], Position::Latest, &[]);
        // `a` is past; `c` is its other child, whose lease somebody has lost: read it rather twice.
        let oldest = || "TRIM_HORIZON".to_owned();
        assert_eq!(created(&writes), [("e", oldest()), ("c", oldest()), ("d", oldest())]);
        row.checkpoint = Position::End;
        row.key = "z".into();
        let writes = plan_of(&[row], Position::Latest, &[]);
        assert!(created(&writes).contains(&("z", "deleted".into())), "finished and forgotten");
    }

    #[test]
    fn positions_from_the_ledger_count_as_begun() {
        let at = Position::parse("7:0").expect("is one");
        let writes = plan_of(&[], Position::Latest, &[("b", at), ("c", Position::End)]);
        assert_eq!(
            created(&writes),
            [
                ("e", "TRIM_HORIZON".into()),
                ("b", "7:0".into()),
                ("c", "SHARD_END".into()),
                ("d", "TRIM_HORIZON".into())
            ]
        );
    }
}

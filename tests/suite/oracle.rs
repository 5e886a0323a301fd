//! What must be found in a stream, whatever happens to who reads it, and what was told of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

use super::program::{args, floodmark};
use super::traffic::{PLAN, code_of, life_of, sorted, values};

/// A burst, told apart by what it is: rule, key, first, last and count.
pub(super) type Burst = (String, String, i64, i64, u64);

/// A disordered feed with duplicates, and what the definition finds in it, read from a file.
pub(super) struct Oracle {
    pub(super) lines: Vec<String>,
    pub(super) bursts: Vec<Burst>,
}

/// The weeks before are left out: all that is new is a burst then, so there are hundreds.
pub(super) static LONG: LazyLock<Oracle> = LazyLock::new(|| {
    let mut arguments = args!["generate"].to_vec();
    arguments.extend(PLAN.iter().map(Into::into));
    let feed = floodmark(&arguments).expect(0).text();
    let oracle = Oracle::of(feed.lines().map(str::to_owned).collect());
    assert!(oracle.bursts.len() >= 300, "{} bursts", oracle.bursts.len());
    oracle
});

/// Its first third, where it is not the length that matters.
pub(super) static SHORT: LazyLock<Oracle> =
    LazyLock::new(|| Oracle::of(LONG.lines[..LONG.lines.len() / 3].to_vec()));

impl Oracle {
    pub(super) fn of(lines: Vec<String>) -> Oracle {
        Oracle::by(&[], lines)
    }

    /// What is found with these further arguments of `replay`.
    pub(super) fn by(more: &[OsString], lines: Vec<String>) -> Oracle {
        Oracle::apart(more, lines, &[])
    }

    /// The same, where what lies in each of these parts of the lines is found by itself. The whole is
    /// one part if there are none.
    pub(super) fn apart(more: &[OsString], lines: Vec<String>, parts: &[Vec<String>]) -> Oracle {
        let parts = if parts.is_empty() { std::slice::from_ref(&lines) } else { parts };
        let bursts = sorted(parts.iter().flat_map(|part| found(more, part)));
        assert!(bursts.len() >= 50, "{} bursts", bursts.len());
        assert!(bursts.windows(2).all(|pair| pair[0] != pair[1]), "no two bursts are the same");
        Oracle { lines, bursts }
    }
}

/// What was said of all bursts, by id and revision.
#[derive(Default)]
pub(super) struct Told {
    pub(super) bursts: BTreeMap<String, BTreeMap<u64, Value>>,
    /// Lines that a kill tore.
    pub(super) torn: usize,
}

impl Told {
    pub(super) fn read(path: &Path) -> Told {
        let mut told = Told::default();
        for line in std::fs::read_to_string(path).unwrap().lines() {
            match serde_json::from_str(line) {
                Ok(finding) => told.add(finding),
                Err(_) => told.torn += 1,
            }
        }
        told
    }

    /// The same burst's same revision may come again, but says the same then.
    #[track_caller]
    pub(super) fn add(&mut self, finding: Value) {
        let id = finding["finding_info"]["uid"].as_str().unwrap().to_owned();
        let revision = own(&finding)["revision"].as_u64().unwrap();
        let revisions = self.bursts.entry(id).or_default();
        let known = revisions.entry(revision).or_insert_with(|| finding.clone());
        assert_eq!(*known, finding, "the same revision says two things");
    }

    /// What another process told. Of one burst's one revision both say the same, at their own time.
    pub(super) fn join(&mut self, other: Told) {
        self.torn += other.torn;
        for (id, revisions) in other.bursts {
            let own = self.bursts.entry(id).or_default();
            for (revision, finding) in revisions {
                let known = own.entry(revision).or_insert_with(|| finding.clone());
                let said = |it: &Value| (life_of(it).to_owned(), burst(it));
                assert_eq!(said(known), said(&finding), "one revision says two things");
            }
        }
    }

    pub(super) fn last(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.bursts.iter().filter_map(|(id, said)| Some((id, said.last_key_value()?.1)))
    }

    /// Whether no burst is open, as far as was told.
    pub(super) fn is_over(&self) -> bool {
        self.last().all(|(_, finding)| ["closed", "merged"].contains(&life_of(finding)))
    }

    /// Bursts that were not only closed by the end of all input: said at another moment than the
    /// last.
    pub(super) fn closed_before_the_end(&self) -> usize {
        let moments: BTreeSet<u64> =
            self.last().map(|(_, finding)| finding["time"].as_u64().unwrap()).collect();
        moments.len()
    }

    /// Fails unless each burst of the oracle has exactly one id, and each id a burst.
    #[track_caller]
    pub(super) fn assert_is(&self, oracle: &Oracle) {
        let mut closed = Vec::new();
        for (id, finding) in self.last() {
            let revisions = &self.bursts[id];
            let numbers: Vec<u64> = revisions.keys().copied().collect();
            assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "{finding}");
            assert_eq!(life_of(&revisions[&1]), "open", "{finding}");
            match life_of(finding) {
                "closed" => closed.push(burst(finding)),
                "merged" => {
                    let into = own(finding)["merged_into"].as_str().unwrap();
                    assert!(self.bursts.contains_key(into), "merged into nothing: {finding}");
                }
                other => panic!("the last that was said is {other}: {finding}"),
            }
        }
        closed.sort_unstable();
        let missing: Vec<&Burst> =
            oracle.bursts.iter().filter(|burst| !closed.contains(burst)).collect();
        let false_: Vec<&Burst> =
            closed.iter().filter(|burst| !oracle.bursts.contains(burst)).collect();
        assert!(missing.is_empty() && false_.is_empty(), "missing {missing:#?}\nfalse {false_:#?}");
        assert_eq!(closed, oracle.bursts, "a burst has two ids");
    }
}

/// The bursts in some lines.
fn found(more: &[OsString], lines: &[String]) -> Vec<Burst> {
    let folder = tempfile::tempdir().unwrap();
    let feed = folder.path().join("feed.ndjson");
    std::fs::write(&feed, lines.join("\n") + "\n").unwrap();
    let arguments = args!["replay", feed, "--alerts", "-", "--quiet"];
    let done = floodmark(&[&arguments, more].concat()).expect(0);
    values(&done.text()).iter().map(burst).collect()
}

/// Floodmark's own part of a finding.
pub(super) fn own(finding: &Value) -> &Value {
    &finding["unmapped"]["floodmark"]
}

pub(super) fn burst(finding: &Value) -> Burst {
    (
        code_of(finding).to_owned(),
        own(finding)["key"].to_string(),
        finding["start_time"].as_i64().unwrap(),
        finding["end_time"].as_i64().unwrap(),
        finding["count"].as_u64().unwrap(),
    )
}

/// A record's event time, as text; nothing where it has none.
pub(super) fn event_time(line: &str) -> String {
    let record: Value = serde_json::from_str(line).unwrap();
    record["eventTime"].as_str().unwrap_or_default().to_owned()
}

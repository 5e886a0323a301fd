//! The tests that stand beside rules: `<code>.test.yml` says which bursts which records must give.
//!
//! `detectors/rules/README.md` is the format. Each test gets an engine of its own, all its records
//! and the end of time, and the bursts of the rule file beside it must pair off with what it
//! expects.

mod pairing;
mod records;
mod written;

use std::collections::BTreeMap;
use std::sync::Arc;

use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::engine::{Engine, Options};
use floodmark_detectors::record::Record;
use floodmark_detectors::rule::{Document, Environment, Fault, LoadOptions, RuleSet, pack};

use written::Test;

/// What became of one test.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The test file.
    pub path: String,
    /// The test's name in it.
    pub name: String,
    /// Why it failed; `None` if it passed.
    pub failure: Option<Failure>,
    /// The bursts that its rules found, each once.
    pub bursts: Vec<Alert>,
}

/// Why a test failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The bursts are not what was expected.
    Bursts {
        /// Expectations that no burst was left for, in the words of the format.
        expected: Vec<String>,
        /// Bursts that nothing expected.
        found: Vec<String>,
    },
    /// It could not be run: the rules do not load with its lists, a record cannot be made.
    Unrunnable(String),
}

/// One line.
impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |of: &[String]| match of {
            [] => "nothing".to_owned(),
            some => some.join(", "),
        };
        match self {
            Failure::Bursts { expected, found } if expected.is_empty() => {
                write!(f, "found beside what was expected: {}", list(found))
            }
            Failure::Bursts { expected, found } => {
                write!(f, "expected {}; found {}", list(expected), list(found))
            }
            Failure::Unrunnable(reason) => f.write_str(reason),
        }
    }
}

/// Runs every test of the files `tests` on the rules of `documents`, in the order given.
///
/// # Errors
/// Every test file that cannot be read, or has no rule file beside it, one a line.
pub fn run(
    documents: &[Document],
    tests: &[Document],
    options: LoadOptions,
) -> Result<Vec<Verdict>, Vec<String>> {
    let mut files = Vec::new();
    let mut faults = Vec::new();
    for file in tests {
        match read(file, documents) {
            Ok(read) => files.push(read),
            Err(reason) => faults.push(format!("{}: {reason}", file.path)),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut shelf = Shelf { documents, options, loaded: BTreeMap::new() };
    let mut verdicts = Vec::new();
    for ((file, tests), written) in files.iter().zip(tests) {
        for test in tests {
            let found = shelf.rules(&test.environment).and_then(|rules| play(test, rules, file));
            let (failure, bursts) = match found {
                Ok(bursts) => (judge(test, &bursts), bursts),
                Err(reason) => (Some(Failure::Unrunnable(reason)), Vec::new()),
            };
            let (path, name) = (written.path.clone(), test.name.clone());
            verdicts.push(Verdict { path, name, failure, bursts });
        }
    }
    Ok(verdicts)
}

/// The rule file beside a test file, and its tests.
fn read(file: &Document, documents: &[Document]) -> Result<(String, Vec<Test>), String> {
    let stem = file.path.strip_suffix(pack::TEST_ENDING).unwrap_or(&file.path);
    let names = [format!("{stem}.yml"), format!("{stem}.yaml")];
    let beside = documents.iter().find(|document| names.contains(&document.path));
    let beside = beside.ok_or_else(|| format!("there is no rule file {} beside it", names[0]))?;
    Ok((beside.path.clone(), written::read(&file.text)?))
}

/// The rules, loaded once for each environment that tests ask for.
struct Shelf<'d> {
    documents: &'d [Document],
    options: LoadOptions,
    loaded: BTreeMap<Lists, Result<Arc<RuleSet>, String>>,
}

type Lists = BTreeMap<String, Vec<String>>;

impl Shelf<'_> {
    fn rules(&mut self, lists: &Lists) -> Result<Arc<RuleSet>, String> {
        let load = || {
            let environment = Environment { lists: lists.clone() };
            RuleSet::load_with(self.documents, &environment, self.options)
                .map(Arc::new)
                .map_err(|faults| refusal(&faults))
        };
        self.loaded.entry(lists.clone()).or_insert_with(load).clone()
    }
}

fn refusal(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    format!("the rules have {} faults:\n  {}", faults.len(), lines.join("\n  "))
}

/// The bursts that the rules that stand in `file` find in the records of a test.
fn play(test: &Test, rules: Arc<RuleSet>, file: &str) -> Result<Vec<Alert>, String> {
    let made = records::records(test)?;
    let mut records = Vec::with_capacity(made.len());
    for (place, bytes) in made.iter().enumerate() {
        let record = Record::decode(bytes)
            .map_err(|reason| format!("record {} cannot be read: {reason}", place + 1))?;
        records.push(record);
    }
    let engine = Engine::new(rules, Options::default());
    let mut alerts = engine.apply(&records).alerts;
    alerts.extend(engine.finish().alerts);
    let mut found: Vec<Alert> = alerts
        .into_iter()
        .filter(|alert| alert.life == Life::Closed && alert.rule.file == file)
        .map(Alert::into_final)
        .collect();
    found.sort_by(|a, b| (a.first, &a.rule.id, &a.key).cmp(&(b.first, &b.rule.id, &b.key)));
    Ok(found)
}

/// Holds what was found against what the test expects.
fn judge(test: &Test, found: &[Alert]) -> Option<Failure> {
    let (expected, unexpected) = pairing::unpaired(&test.expect, found);
    if expected.is_empty() && unexpected.is_empty() {
        return None;
    }
    let expected = expected.iter().filter_map(|place| test.expect.get(*place));
    let unexpected = unexpected.iter().filter_map(|place| found.get(*place));
    Some(Failure::Bursts {
        expected: expected.map(ToString::to_string).collect(),
        found: unexpected.map(pairing::burst).collect(),
    })
}

/// A burst that the tests of the rule file at `path` give, as an example of what its rules say.
#[must_use]
pub fn example(
    documents: &[Document],
    tests: &[Document],
    options: LoadOptions,
    path: &str,
) -> Option<Alert> {
    let mut shelf = Shelf { documents, options, loaded: BTreeMap::new() };
    for file in tests {
        let Ok((beside, written)) = read(file, documents) else { continue };
        if beside != path {
            continue;
        }
        for test in written.iter().filter(|test| !test.expect.is_empty()) {
            let rules = shelf.rules(&test.environment).ok()?;
            if let Some(burst) = play(test, rules, path).ok()?.into_iter().next() {
                return Some(burst);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;

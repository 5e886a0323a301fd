//! The rules that Floodmark ships, and their tests.

use super::document::Document;

/// Path and text of every file under `rules/`.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pack.rs"));

/// The ending of files that hold tests of rules.
pub const TEST_ENDING: &str = ".test.yml";

/// The shipped rules.
#[must_use]
pub fn documents() -> Vec<Document> {
    files(false)
}

/// The tests of the shipped rules.
#[must_use]
pub fn tests() -> Vec<Document> {
    files(true)
}

fn files(are_tests: bool) -> Vec<Document> {
    FILES
        .iter()
        .filter(|(path, _)| path.ends_with(TEST_ENDING) == are_tests)
        .map(|(path, text)| Document { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect()
}

//! `floodmark demo`, with a real Kafka client and the Kafka inside the process.

use super::program::floodmark;

#[test]
fn finds_what_it_planted_in_what_it_made() {
    let done = floodmark(&["demo", "--records", "20000", "--quiet"]).expect(0);
    let text = done.text();
    assert!(text.contains(" 0 missed, 0 false,"), "{text}");
}

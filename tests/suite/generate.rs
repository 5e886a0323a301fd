//! `floodmark generate`

use super::program::{args, floodmark};
use super::traffic::{PLAN, Traffic};

#[test]
fn the_same_arguments_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let again = folder.path().join("again.ndjson");
    let mut arguments = args!["generate", "--history", "--out", again].to_vec();
    arguments.extend(PLAN.iter().map(Into::into));
    floodmark(&arguments).expect(0);
    let traffic = Traffic::shared();
    assert!(std::fs::read(&again).unwrap() == std::fs::read(traffic.feed()).unwrap());
    arguments.extend(args!["--seed", "2"]);
    floodmark(&arguments).expect(0);
    assert!(std::fs::read(again).unwrap() != std::fs::read(traffic.feed()).unwrap());
}

#[test]
fn standard_output_has_what_a_file_would() {
    let mut arguments = args!["generate", "--history"].to_vec();
    arguments.extend(PLAN.iter().map(Into::into));
    let done = floodmark(&arguments).expect(0);
    assert!(done.stdout == std::fs::read(Traffic::shared().feed()).unwrap());
}

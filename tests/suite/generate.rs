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

#[cfg(feature = "kinesis")]
#[test]
fn what_is_generated_into_a_stream_is_read_from_it() {
    use super::kinesis::server::{Kinesis, Stream};
    let stream = Stream::create("generated", 2);
    let endpoint = &Kinesis::shared().plain;
    let to =
        ["generate", "--kinesis", &stream.name, "--region", "us-east-1", "--endpoint", endpoint];
    let more = ["--records", "2000", "--envelope", "kpl"];
    let done = floodmark(&[&to[..], &more].concat()).expect(0);
    let written = done.stderr.split_once(" records").unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("floodmark.toml");
    let text = format!(
        "[[source]]\ntype = \"kinesis\"\nstream = \"generated\"\nregion = \"us-east-1\"\n\
         start = \"earliest\"\nendpoints = {{ kinesis = \"{endpoint}\" }}\n"
    );
    std::fs::write(&config, text).unwrap();
    let run = floodmark(&args!["run", "--config", config, "--until-idle"]).expect(0);
    let read = format!("ended: {written} records, ");
    assert!(run.stderr.contains(&read) && run.stderr.contains(" 0 rejected"), "{}", run.stderr);
    let absent = [&["generate", "--kinesis", "absent"], &to[3..]].concat();
    let absent = floodmark(&absent).expect(2).stderr;
    assert!(absent.contains("cannot find the stream absent"), "{absent}");
}

//! `floodmark run` on a stream, killed at random moments while shards are split and merged.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use floodmark::ledger::Ledger;

use super::super::daemon::{Daemon, Metronome};
use super::super::oracle::{SHORT, Told, event_time};
use super::super::program::{args, floodmark, until};
use super::super::traffic::shuffle;
use super::server::{self, Stream};

/// Records put at once.
const STEP: usize = 250;

/// Steps that the daemon may be behind.
const BEHIND_MAX: usize = 4;

const KILLS: usize = 6;

#[test]
fn killed_while_shards_are_split_and_merged_it_loses_and_renames_nothing() {
    let stream = Stream::create("killed", 2);
    let folder = tempfile::tempdir().unwrap();
    let config = configure(folder.path(), &stream);
    let lines = &SHORT.lines;
    let steps: Vec<&[String]> = lines.chunks(STEP).collect();
    let mut moments: Vec<usize> = (1..steps.len()).collect();
    shuffle(&mut moments, 11);
    moments.truncate(KILLS);
    let metronome = Metronome::default();
    metronome.set(&lines[0]);
    let mut daemon = Daemon::start(&config, &metronome);
    let mut latest = &lines[0];
    let mut behind = VecDeque::new();
    for (step, records) in steps.iter().enumerate() {
        match step % 9 {
            3 => stream.split(&stream.open_shards()[0]),
            7 => stream.merge_two(),
            _ => {}
        }
        let ends = stream.put(records);
        latest = records.iter().chain([latest]).max_by_key(|line| event_time(line)).unwrap();
        behind.push_back((ends, latest));
        if moments.contains(&step) {
            daemon.kill();
            daemon = Daemon::start(&config, &metronome);
        }
        while behind.len() > BEHIND_MAX {
            let (ends, latest) = behind.pop_front().unwrap();
            until_read(&config, &ends);
            metronome.set(latest);
        }
    }
    daemon.kill();
    floodmark(&args!["run", "--config", config, "--until-idle"]).expect(0);
    let told = Told::read(&folder.path().join("alerts.ndjson"));
    assert!(told.torn <= KILLS + 1, "{} torn lines", told.torn);
    assert!(told.closed_before_the_end() >= 2, "windows close while it runs");
    told.assert_is(&SHORT);
}

fn configure(folder: &Path, stream: &Stream) -> PathBuf {
    let config = folder.join("floodmark.toml");
    let text = format!(
        "[[source]]\ntype = \"kinesis\"\nstream = \"{}\"\nregion = \"us-east-1\"\n\
         start = \"earliest\"\nendpoints = {{ kinesis = \"{}\" }}\n\
         [[source]]\ntype = \"stdin\"\n\
         [[sink]]\ntype = \"file\"\npath = \"{}\"\n\
         [ledger]\ncheckpoint = \"1s\"\n[engine]\nworkers = 2\n",
        stream.name,
        server::Kinesis::shared().plain,
        folder.join("alerts.ndjson").display(),
    );
    std::fs::write(&config, text).unwrap();
    config
}

/// Waits until the daemon's ledger says that all up to there was read.
fn until_read(config: &Path, ends: &BTreeMap<String, String>) {
    let path = config.with_extension("ledger");
    until("what was put is read", || {
        let inputs = Ledger::read(&path).and_then(|ledger| ledger.resume());
        let is_read = |(shard, end): (&String, &String)| {
            let inputs = &inputs.as_ref().ok()?.inputs;
            let (_, input) = inputs.iter().find(|(name, _)| name.ends_with(shard))?;
            let position = &input.position;
            let (sequence, _) = position.split_once(':').unwrap_or((position, ""));
            let at = |number: &str| (number.len(), number.to_owned());
            (sequence == "SHARD_END" || at(sequence) >= at(end)).then_some(())
        };
        ends.iter().all(|end| is_read(end).is_some())
    });
}

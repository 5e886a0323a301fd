//! Several processes that share what they read, keyed by account: each has a ledger and a file of
//! alerts.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use floodmark_detectors::record::{Key, Record};
use tempfile::TempDir;

use super::daemon::{Daemon, Metronome};
use super::oracle::{Oracle, Told};
use super::program::{args, floodmark, until};

/// A kind of each: counted, of unlike values, further marks, in order, and what only the watermark
/// decides. All within an account.
const RULES: &str = "
title: A call
name: call
status: experimental
description: Every call.
author: Floodmark
logsource: {product: aws, service: cloudtrail}
detection:
  call: {eventSource|exists: true}
  condition: call
---
title: A failure
name: failure
status: experimental
description: Every call that failed.
author: Floodmark
logsource: {product: aws, service: cloudtrail}
detection:
  failure: {errorCode|exists: true}
  condition: failure
floodmark: {code: M-00}
---
title: Many calls
name: many
id: 1c9ad34e-6a3c-4b38-a46a-6d3f8dd9d601
status: experimental
description: Many calls of one principal.
author: Floodmark
level: low
correlation:
  type: event_count
  rules: [call]
  group-by: [floodmark.account, floodmark.principal]
  timespan: 5m
  condition: {gte: 12}
floodmark:
  code: M-01
  marks: [{gte: 40, timespan: 15m, level: high}]
---
title: Many kinds of calls
id: 1c9ad34e-6a3c-4b38-a46a-6d3f8dd9d602
status: experimental
description: Calls of many names in an account.
author: Floodmark
level: low
correlation:
  type: value_count
  rules: [call]
  group-by: [floodmark.account]
  timespan: 5m
  condition: {field: eventName, gte: 12}
floodmark: {code: M-02}
---
title: A failure after many calls
id: 1c9ad34e-6a3c-4b38-a46a-6d3f8dd9d603
status: experimental
description: Many calls, and then a failure.
author: Floodmark
level: medium
correlation:
  type: temporal_ordered
  rules: [many, failure]
  group-by: [floodmark.account, floodmark.principal]
  timespan: 30m
generate: true
floodmark: {code: M-03}
---
title: Quite a few failures
id: 1c9ad34e-6a3c-4b38-a46a-6d3f8dd9d604
status: experimental
description: Some failures, but not many.
author: Floodmark
level: low
correlation:
  type: event_count
  rules: [failure]
  group-by: [floodmark.account]
  timespan: 15m
  condition: {gte: 4, lt: 9}
floodmark: {code: M-04}
";

/// How each is called.
const NAMES: [&str; 2] = ["one", "two"];

/// The processes, by name.
pub(super) struct Members {
    folder: TempDir,
}

impl Members {
    /// With the rules above. `source` is what each reads, by name.
    pub(super) fn new(source: impl Fn(&str) -> String) -> Members {
        let members = Members { folder: tempfile::tempdir().unwrap() };
        let rules = members.path("rules", "yml");
        std::fs::write(&rules, RULES).unwrap();
        let rules = format!("shipped = false\npaths = [\"{}\"]\n", rules.display());
        members.configure(source, &rules);
        members
    }

    /// With the shipped rules, but for those that would be split.
    pub(super) fn shipped(source: impl Fn(&str) -> String) -> Members {
        let members = Members { folder: tempfile::tempdir().unwrap() };
        members.configure(&source, "");
        let checked = floodmark(&args!["check", "--config", members.path("one", "toml")]).expect(1);
        let rule = |line: &str| {
            let (_, rest) = line.split_once("keyed_by: rule ")?;
            Some(rest.split(' ').next()?.to_owned())
        };
        let said = checked.text() + &checked.stderr;
        let split: BTreeSet<String> = said.lines().filter_map(rule).collect();
        assert!((1..20).contains(&split.len()), "most rules stay: {split:?}");
        let off = |rule: &String| format!("[rules.{rule}]\nenabled = false\n");
        members.configure(source, &split.iter().map(off).collect::<String>());
        members
    }

    fn configure(&self, source: impl Fn(&str) -> String, rules: &str) {
        for name in NAMES {
            let text = format!(
                "{}[[sink]]\ntype = \"file\"\npath = \"{}\"\n\
                 [ledger]\ncheckpoint = \"1s\"\n\
                 [engine]\nworkers = 2\ntime_follows = \"records\"\n\
                 [rules]\n{rules}",
                source(name),
                self.path(name, "ndjson").display(),
            );
            std::fs::write(self.path(name, "toml"), text).unwrap();
        }
    }

    pub(super) fn path(&self, name: &str, end: &str) -> PathBuf {
        self.folder.path().join(name).with_extension(end)
    }

    pub(super) fn start(&self, name: &str) -> Daemon {
        Daemon::start(&self.path(name, "toml"), &Metronome::default())
    }

    /// Starts one, and waits until it has something to read that another had before.
    pub(super) fn join(&self, name: &str) -> Daemon {
        let said = |daemon: &Daemon| daemon.said().matches("again what windows rest on").count();
        let mut daemon = self.start(name);
        let before = said(&daemon);
        until("it has taken something over", || {
            daemon.assert_runs();
            said(&daemon) > before
        });
        daemon
    }

    /// Traffic of many accounts.
    pub(super) fn traffic(records: &str, duration: &str) -> Vec<String> {
        let arguments = [
            "generate",
            "--records",
            records,
            "--duration",
            duration,
            "--accounts",
            "40",
            "--principals",
            "200",
            "--start",
            "2025-11-25T09:00:00Z",
        ];
        floodmark(&arguments).expect(0).text().lines().map(str::to_owned).collect()
    }

    /// What the rules find in it.
    pub(super) fn oracle(&self, lines: Vec<String>) -> Oracle {
        self.oracle_apart(lines, &[])
    }

    /// What the rules find in each of these parts by itself.
    pub(super) fn oracle_apart(&self, lines: Vec<String>, parts: &[Vec<String>]) -> Oracle {
        Oracle::apart(&args!["--config", self.path("one", "toml")], lines, parts)
    }

    /// Lets each close what is open with it, and reads what both told. One that starts while another
    /// is still to be missed may have nothing yet, and nothing to close.
    pub(super) fn finish(&self) -> Told {
        let mut told = Told::default();
        until("all is over", || {
            for name in NAMES {
                let config = self.path(name, "toml");
                let done = floodmark(&args!["run", "--config", config, "--until-idle"]).expect(0);
                let log = self.path(name, "log");
                let mut log = File::options().create(true).append(true).open(log).unwrap();
                write!(log, "until idle:\n{}", done.stderr).unwrap();
            }
            told = Told::default();
            for name in NAMES {
                told.join(Told::read(&self.path(name, "ndjson")));
            }
            told.is_over()
        });
        told
    }
}

/// Where a test fails, what the members said tells why.
impl Drop for Members {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in NAMES {
                let said = std::fs::read_to_string(self.path(name, "log")).unwrap_or_default();
                eprintln!("--- {name}\n{said}");
            }
        }
    }
}

/// The account that a record is of.
pub(super) fn account(line: &str) -> Option<String> {
    let record = Record::decode(line.as_bytes()).ok()?;
    record.text(Key::RecipientAccountId).map(std::borrow::Cow::into_owned)
}

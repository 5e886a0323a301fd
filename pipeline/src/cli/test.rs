//! `floodmark test`: the tests that stand beside rules.

use std::path::PathBuf;

use anyhow::Context;
use floodmark_detectors::rule::{LoadOptions, pack};

use super::{print, read_documents};
use crate::encode::ocsf::{View, ocsf};
use crate::rule_tests;

/// Run the tests that stand beside rules. Beside `x.yml` stands `x.test.yml`, a list of tests:
/// records, written shortly, and the bursts that the rules of `x.yml` must find in them, no more
/// and no fewer.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  floodmark test                   the tests of the shipped rules
  floodmark test my-rules/ -v      those of your own, each with what became of it

A test:
  - name: twenty in ten minutes fire
    records:
      - repeat: 20
        every: 30s
        like: sagemaker/CreateTrainingJob
        with: {requestParameters.trainingJobName: 'job-{n}'}
    expect:
      - {code: DOS-01, count: 20}

All rules of what is named are loaded, so rules may count rules of other files. Exit code 0: all
passed; 1: one failed, or there was none; 2: rules or tests have faults.")]
pub(super) struct Args {
    /// Files and folders with rules and their tests; the shipped ones, if none is named.
    #[arg(value_name = "DIR")]
    paths: Vec<PathBuf>,
    /// Write the bursts that the tests give as NDJSON of OCSF findings to this file.
    #[arg(long, value_name = "FILE")]
    alerts: Option<PathBuf>,
    /// List every test, not only those that failed.
    #[arg(long, short)]
    verbose: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<bool> {
    let (documents, tests, options) = if args.paths.is_empty() {
        (pack::documents(), pack::tests(), LoadOptions { strict_services: true })
    } else {
        let read = |are_tests| read_documents(&args.paths, pack::TEST_ENDING, are_tests);
        (read(false)?, read(true)?, LoadOptions::default())
    };
    let verdicts = rule_tests::run(&documents, &tests, options)
        .map_err(|faults| anyhow::anyhow!("tests that cannot be read:\n{}", faults.join("\n")))?;
    if let Some(path) = &args.alerts {
        let bursts = verdicts.iter().flat_map(|verdict| &verdict.bursts);
        let lines: String = bursts.map(|burst| format!("{}\n", ocsf(burst, View::Final))).collect();
        std::fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut text = String::new();
    let mut failed = 0;
    for verdict in &verdicts {
        let (path, name) = (&verdict.path, &verdict.name);
        match &verdict.failure {
            Some(failure) => {
                failed += 1;
                text += &format!("failed  {path}: {name}: {failure}\n");
            }
            None if args.verbose => text += &format!("passed  {path}: {name}\n"),
            None => {}
        }
    }
    text += &match verdicts.len() {
        0 => format!("no test found: none of the files ends in {}\n", pack::TEST_ENDING),
        ran => format!("{} passed, {failed} failed\n", ran - failed),
    };
    print(&text)?;
    Ok(failed == 0 && !verdicts.is_empty())
}

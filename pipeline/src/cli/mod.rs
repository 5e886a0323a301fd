//! The command line: each command turns its arguments into parts, and runs the one flow.

mod alerts;
mod brokers;
mod check;
mod demo;
mod explain;
mod generate;
mod query;
mod replay;
mod rules;
mod run;
mod signals;
mod test;
mod tune;
mod writer;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use floodmark_detectors::rule::{Document, Fault, RuleSet};

/// Finds bursts in AWS CloudTrail: reads the stream, keeps sliding windows per principal, and
/// raises an alert the moment a burst crosses its mark.
#[derive(Debug, Parser)]
#[command(name = "floodmark", version, about, max_term_width = 100)]
#[command(after_help = "Try `floodmark demo` first. Each command has its own --help.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch it work: an organisation's traffic through Kafka, with attacks woven in.
    Demo(demo::Args),
    /// Run the daemon on the sources and sinks of a configuration file.
    Run(run::Args),
    /// List alerts from the ledger, or show one whole; a daemon may be writing it meanwhile.
    Alerts(alerts::Args),
    /// Put history through the rules, as fast as the machine allows.
    Replay(replay::Args),
    /// Propose marks from history, with the evidence.
    Tune(tune::Args),
    /// Say why a rule fired or did not, for a record or for a key.
    Explain(explain::Args),
    /// Write the query that finds the rest of an alert, for Athena, Logs Insights or Lake.
    Query(query::Args),
    /// Check a configuration and rules; tells all faults at once, and touches no network.
    Check(check::Args),
    /// Run the tests that stand beside rules.
    Test(test::Args),
    /// List the rules that are loaded.
    Rules(rules::Args),
    /// Write an organisation's traffic, seeded: the same bytes for the same seed.
    Generate(generate::Args),
    /// Write completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one for each command.
    Man {
        /// The folder; it is made if there is none.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// Parses the arguments and runs the command. Exit code 0: done, and all is well; 1: done, and
/// something is not (a test failed, an attack was missed); 2: it could not be done.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Alerts(args) => alerts::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Tune(args) => tune::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Rules(args) => rules::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "floodmark", &mut out);
            print(&String::from_utf8_lossy(&out)).map(|()| true)
        }
        Command::Man { folder } => man(&folder).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("floodmark: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Writes to standard output. A reader that has gone away (`| head`) is no fault.
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes `floodmark.1`, `floodmark-run.1` and so on.
fn man(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .with_context(|| format!("cannot write to the folder {}", folder.display()))
}

/// Which rules a command is about.
#[derive(Debug, Default, clap::Args)]
struct Chosen {
    /// A configuration: its rules, what it changes of them, and its lists. Without it, the shipped
    /// rules as they are.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Rules to use in place of those: a file or a folder. May be given again.
    #[arg(long, value_name = "DIR", global = true)]
    rules: Vec<PathBuf>,
}

impl Chosen {
    /// # Errors
    /// Every fault, one a line.
    fn load(&self) -> anyhow::Result<RuleSet> {
        self.read().map(|(_, rules)| rules)
    }

    /// The rules, and what they were read from.
    ///
    /// # Errors
    /// As there.
    fn read(&self) -> anyhow::Result<(check::Written, RuleSet)> {
        check::Written::load_from(self.config.as_deref(), &self.rules)
    }
}

/// The faults as one error, one a line.
fn refuse(faults: &[Fault]) -> anyhow::Error {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    anyhow::anyhow!("the rules have {} faults:\n{}", faults.len(), lines.join("\n"))
}

/// Reads the rule files (`.yml`, `.yaml`) that `paths` name, folders whole, by name; those that end
/// in `ending`, or those that do not.
fn read_documents(paths: &[PathBuf], ending: &str, wanted: bool) -> anyhow::Result<Vec<Document>> {
    let mut documents = Vec::new();
    let mut ahead: Vec<PathBuf> = paths.iter().rev().cloned().collect();
    while let Some(path) = ahead.pop() {
        if path.is_dir() {
            let mut inside = std::fs::read_dir(&path)
                .and_then(|entries| {
                    entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()
                })
                .with_context(|| format!("cannot read the folder {}", path.display()))?;
            inside.sort_unstable_by(|a, b| b.cmp(a));
            inside
                .retain(|p| p.is_dir() || p.extension().is_some_and(|e| e == "yml" || e == "yaml"));
            ahead.extend(inside);
        } else if path.to_string_lossy().ends_with(ending) == wanted {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            documents.push(Document { path: path.display().to_string(), text });
        }
    }
    Ok(documents)
}

//! The settings as meant: valid by type, every default in one place.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use floodmark_detectors::engine::WINDOWS_MAX;
use toml::Spanned;
use toml::de::DeTable;

use super::environment::{self, Lists};
use super::fault::Faults;
use super::http::{self, Http};
use super::kafka::{self, Kafka};
use super::kinesis;
use super::ledger::{self, Ledger};
use super::reader::{Report, Section};
use super::rules::{self, Rules};
use super::webhook::{self, Webhook};
use crate::encode;
use crate::sink::{Format, Rotation};

/// Everything that a configuration says.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where records come from; at least one.
    pub sources: Vec<Source>,
    /// Where alerts go; standard output if none is named.
    pub sinks: Vec<Sink>,
    /// The engine.
    pub engine: Engine,
    /// What survives a stop.
    pub ledger: Ledger,
    /// Where metrics and health are to be had, if anywhere.
    pub http: Option<Http>,
    /// The rules.
    pub rules: Rules,
    /// Lists that rules name as `%list%`.
    pub environment: Lists,
}

/// `[[source]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name in logs and metrics.
    pub name: String,
    /// What it reads.
    pub kind: SourceKind,
}

/// What a source reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// Files and folders.
    File {
        /// At least one.
        paths: Vec<PathBuf>,
    },
    /// Standard input.
    Stdin,
    /// Topics of Kafka.
    Kafka(Kafka),
    /// A stream of Kinesis.
    Kinesis(Box<crate::source::kinesis::Settings>),
}

/// `[[sink]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// Its name in logs, metrics and the ledger.
    pub name: String,
    /// How alerts are written.
    pub format: Format,
    /// Where to.
    pub kind: SinkKind,
}

/// Where a sink writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkKind {
    /// Standard output.
    Stdout,
    /// A topic of Kafka.
    Kafka {
        /// Brokers and properties.
        kafka: Kafka,
    },
    /// A file.
    File {
        /// The file.
        path: PathBuf,
        /// When it is put aside, if ever.
        rotation: Option<Rotation>,
    },
    /// An address that takes alerts by HTTP.
    Webhook(Box<Webhook>),
}

/// `[engine]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// How much later than newer ones a record may come, seconds.
    pub lateness_secs: i64,
    /// Whether time goes on with the clock while all sources have been caught up with; else with
    /// records alone.
    pub follows_clock: bool,
    /// Worker threads; `None` for as many as the machine has cores.
    pub workers: Option<NonZeroUsize>,
    /// Most windows of one rule.
    pub windows_max: usize,
}

impl Default for Engine {
    fn default() -> Engine {
        Engine { lateness_secs: 900, follows_clock: true, workers: None, windows_max: WINDOWS_MAX }
    }
}

impl Settings {
    /// Whether windows are kept by input: all that is read are topics and streams that are keyed by
    /// what rules group by, so that each window lies in one partition or shard, and goes where that
    /// goes.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        let is_keyed = |source: &Source| match &source.kind {
            SourceKind::Kafka(kafka) => !kafka.keyed_by.is_empty(),
            SourceKind::Kinesis(kinesis) => {
                kinesis.leases.as_ref().is_some_and(|leases| !leases.keyed_by.is_empty())
            }
            SourceKind::File { .. } | SourceKind::Stdin => false,
        };
        self.sources.iter().all(is_keyed)
    }

    /// The ledger's file: the one that is named, else one beside the configuration where a source
    /// goes on after a stop. None where all is read again from its beginning: it is in memory then.
    #[must_use]
    pub fn ledger_path(&self, config: &Path) -> Option<PathBuf> {
        let goes_on = |source: &Source| match &source.kind {
            SourceKind::File { .. } | SourceKind::Stdin => false,
            SourceKind::Kafka(_) | SourceKind::Kinesis(_) => true,
        };
        let beside = || self.sources.iter().any(goes_on).then(|| config.with_extension("ledger"));
        self.ledger.path.clone().or_else(beside)
    }

    /// Reads a configuration; all its faults at once, by line. Touches nothing else.
    pub fn parse(text: &str) -> Result<Settings, Faults> {
        let (table, mut report) = table(text);
        // What could not be read as TOML would only give faults that are none.
        let settings =
            if report.faults.is_empty() { read(table.get_ref(), &mut report) } else { None };
        report.faults.sort_by_key(|fault| fault.line);
        match settings {
            Some(settings) if report.faults.is_empty() => Ok(settings),
            _ => Err(Faults(report.faults)),
        }
    }
}

/// What a configuration says about rules, whatever else stands in it; and the faults of that alone.
///
/// # Errors
/// It is no TOML.
pub fn rules_in(text: &str) -> Result<(Rules, Lists, Faults), Faults> {
    let (table, mut report) = table(text);
    if !report.faults.is_empty() {
        return Err(Faults(report.faults));
    }
    let (rules, lists) = of_rules(&mut Section::new(table.get_ref(), "", 0), &mut report);
    report.faults.sort_by_key(|fault| fault.line);
    Ok((rules, lists, Faults(report.faults)))
}

/// The tables, and what is no TOML.
fn table(text: &str) -> (Spanned<DeTable<'_>>, Report<'_>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut report = Report { text, faults: Vec::new() };
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        let reason = format!("is no TOML: {}", error.message().replace('\n', ", "));
        report.note("", at, String::new(), &reason, "");
    }
    (table, report)
}

fn read(table: &DeTable<'_>, report: &mut Report<'_>) -> Option<Settings> {
    let mut file = Section::new(table, "", 0);
    let tables = file.tables("source", report);
    if tables.is_empty() && file.get("source").is_none() {
        file.missing("source", "write [[source]] and its type", report);
    }
    let mut names = BTreeSet::new();
    let mut sources = Vec::new();
    for section in tables {
        sources.extend(source(section, &mut names, report));
    }
    let mut sinks = Vec::new();
    names.clear();
    for section in file.tables("sink", report) {
        sinks.extend(sink(section, &mut names, report));
    }
    if file.get("sink").is_none() {
        sinks.push(Sink {
            name: "stdout".into(),
            format: Format::default(),
            kind: SinkKind::Stdout,
        });
    }
    let engine = file.table("engine", report).map(|it| engine(it, report));
    let ledger = file.table("ledger", report).map(|it| ledger::read(it, report));
    let http = file.table("http", report).and_then(|it| http::read(it, report));
    let (rules, environment) = of_rules(&mut file, report);
    file.end(report);
    Some(Settings {
        sources,
        sinks,
        engine: engine.unwrap_or_default(),
        ledger: ledger.unwrap_or_default(),
        http,
        rules,
        environment,
    })
}

fn of_rules(file: &mut Section<'_, '_>, report: &mut Report<'_>) -> (Rules, Lists) {
    let rules = file.table("rules", report).map(|it| rules::read(it, report));
    let lists = file.table("environment", report).map(|it| environment::read(&it, report));
    (rules.unwrap_or_default(), lists.unwrap_or_default())
}

fn source(
    mut section: Section<'_, '_>,
    names: &mut BTreeSet<String>,
    report: &mut Report<'_>,
) -> Option<Source> {
    let kinds = [("file", "file"), ("stdin", "stdin"), ("kafka", "kafka"), ("kinesis", "kinesis")];
    let kind = kind(&mut section, &kinds, report)?;
    let name = name(&mut section, kind, names, report);
    let read = match kind {
        "file" => {
            let paths = section.texts("paths", report);
            if section.get("paths").is_none() || paths.as_ref().is_some_and(Vec::is_empty) {
                section.missing("paths", "write paths = [\"/var/log/cloudtrail\"]", report);
            }
            paths.map(|paths| SourceKind::File {
                paths: paths.into_iter().map(PathBuf::from).collect(),
            })
        }
        "stdin" => Some(SourceKind::Stdin),
        "kafka" => kafka::read(&mut section, report).map(SourceKind::Kafka),
        _ => kinesis::read(&mut section, report).map(|it| SourceKind::Kinesis(Box::new(it))),
    };
    section.end(report);
    Some(Source { name, kind: read? })
}

fn sink(
    mut section: Section<'_, '_>,
    names: &mut BTreeSet<String>,
    report: &mut Report<'_>,
) -> Option<Sink> {
    let kinds =
        [("stdout", "stdout"), ("file", "file"), ("kafka", "kafka"), ("webhook", "webhook")];
    let kind = kind(&mut section, &kinds, report)?;
    let name = name(&mut section, kind, names, report);
    let mut words = vec![("ndjson", Format::default()), ("text", Format::Text { colour: false })];
    words.extend(encode::Format::ALL.map(|(word, format)| (word, Format::Encoded(format))));
    let format = section.word("format", &words, report).unwrap_or_default();
    let written = if kind == "file" {
        let fix = "write path = \"alerts.ndjson\"";
        let path = section.required_text("path", fix, report).map(PathBuf::from);
        let bytes_max = section.number("bytes_max", 1 << 16..=1 << 50, report);
        let files_max = section.number("files_max", 0..=10_000, report);
        if let (Some(value), None) = (section.get("files_max"), section.get("bytes_max")) {
            let path = section.path("files_max");
            let reason = "counts files put aside, and none are without bytes_max";
            report.note(&path, value.span().start, String::new(), reason, "add bytes_max");
        }
        path.map(|path| SinkKind::File {
            path,
            rotation: bytes_max.map(|bytes_max| Rotation {
                bytes_max,
                files_max: files_max.map_or(10, |files| u32::try_from(files).unwrap_or(u32::MAX)),
            }),
        })
    } else if kind == "kafka" {
        kafka::sink(&mut section, report).map(|kafka| SinkKind::Kafka { kafka })
    } else if kind == "webhook" {
        let webhook = webhook::read(&mut section, format, report);
        webhook.map(|webhook| SinkKind::Webhook(Box::new(webhook)))
    } else {
        Some(SinkKind::Stdout)
    };
    section.end(report);
    Some(Sink { name, format, kind: written? })
}

fn kind<'w>(
    section: &mut Section<'_, '_>,
    kinds: &[(&str, &'w str)],
    report: &mut Report<'_>,
) -> Option<&'w str> {
    if section.get("type").is_none() {
        let known: Vec<&str> = kinds.iter().map(|(kind, _)| *kind).collect();
        section.missing("type", &format!("one of {}", known.join(", ")), report);
    }
    section.word("type", kinds, report)
}

/// The name given, or the type, numbered where it stands more than once.
fn name(
    section: &mut Section<'_, '_>,
    kind: &str,
    names: &mut BTreeSet<String>,
    report: &mut Report<'_>,
) -> String {
    let Some(name) = section.text("name", report) else {
        let numbered = (2..).map(|number| format!("{kind}-{number}"));
        let name = std::iter::once(kind.to_owned())
            .chain(numbered)
            .find(|name| !names.contains(name))
            .expect("there is always a further number");
        names.insert(name.clone());
        return name;
    };
    if !names.insert(name.to_owned()) {
        let at = section.get("name").map_or(section.at(), |value| value.span().start);
        let path = section.path("name");
        report.note(&path, at, format!("{name:?}"), "names another one already", "choose another");
    }
    name.to_owned()
}

fn engine(mut section: Section<'_, '_>, report: &mut Report<'_>) -> Engine {
    let defaults = Engine::default();
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let lateness = section.duration_secs("lateness", 0..=7 * 86_400, report);
    let follows_clock =
        section.word("time_follows", &[("clock", true), ("records", false)], report);
    let workers = section.number("workers", 1..=1_024, report);
    let windows = section.number("windows_max", 1_000..=1 << 32, report);
    section.end(report);
    Engine {
        lateness_secs: lateness.unwrap_or(defaults.lateness_secs),
        follows_clock: follows_clock.unwrap_or(defaults.follows_clock),
        workers: workers.and_then(|workers| NonZeroUsize::new(count(workers))),
        windows_max: windows.map_or(defaults.windows_max, count),
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;

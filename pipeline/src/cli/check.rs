//! `floodmark check`: all that is wrong with a configuration and rules, at once.

use std::path::{Path, PathBuf};

use floodmark_detectors::rule::{Environment, Fault, LoadOptions, RuleSet, pack};

use super::{print, read_documents};
use crate::config::{Property, Rules, Secret, Settings, SinkKind, SourceKind};

/// Check a configuration and rules; tells all faults at once, and touches no network.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each fault is told with its place, what stands there and what to write instead; a note says what
this machine lacks, which is no fault. No source and no sink is opened.

Exit code 0: no fault; 1: faults.

Examples:
  floodmark check --config floodmark.toml         the configuration, and the rules it names
  floodmark check --rules my-rules/               rules alone
  floodmark check                                 the shipped rules")]
pub(super) struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Rules to check in place of those that the configuration names: a file or a folder. May be
    /// given again.
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<bool> {
    let examined = Examined::of(args.config.as_deref(), &args.rules);
    let mut text = String::new();
    for fault in &examined.faults {
        text += &format!("{fault}\n");
    }
    if let (Some(path), Some(settings)) = (&args.config, &examined.settings) {
        for note in notes(settings) {
            text += &format!("note: {note}\n");
        }
        text += &format!(
            "{}: {}, {}\n",
            path.display(),
            counted(settings.sources.len(), "source"),
            counted(settings.sinks.len(), "sink")
        );
    }
    if let Some(rules) = &examined.rules {
        let speaking = rules.rules.iter().filter(|rule| rule.speaks).count();
        let detections = counted(rules.detections.len(), "detection");
        text += &format!("rules: {}, over {detections}\n", counted(speaking, "rule"));
    }
    text += &match examined.faults.len() {
        0 => "no faults\n".to_owned(),
        faults => format!("{}\n", counted(faults, "fault")),
    };
    print(&text)?;
    Ok(examined.faults.is_empty())
}

/// What reading a configuration and its rules came to.
pub(super) struct Examined {
    /// The configuration, if there is one without faults.
    pub(super) settings: Option<Settings>,
    /// The rules, if they have no faults.
    pub(super) rules: Option<RuleSet>,
    /// One line each.
    pub(super) faults: Vec<String>,
}

impl Examined {
    /// Reads the configuration, if one is named, and the rules it names, or those under
    /// `instead`. Where the configuration has faults, the rules that it names are read all the
    /// same, as far as it can be told which.
    pub(super) fn of(config: Option<&Path>, instead: &[PathBuf]) -> Examined {
        let mut faults = Vec::new();
        let mut settings = None;
        let mut named = Some((Rules::default(), Environment::default()));
        if let Some(path) = config {
            match std::fs::read_to_string(path) {
                Err(error) => {
                    faults.push(format!("{}: cannot be read: {error}", path.display()));
                    named = None;
                }
                Ok(text) => match Settings::parse(&text) {
                    Ok(parsed) => {
                        named = Some((parsed.rules.clone(), parsed.environment.clone()));
                        settings = Some(parsed);
                    }
                    Err(found) => {
                        let line = |fault| format!("{}: {fault}", path.display());
                        faults.extend(found.0.iter().map(line));
                        named = named_in(&text);
                    }
                },
            }
        }
        if !instead.is_empty() {
            let (rules, _) = named.get_or_insert_default();
            *rules = Rules { paths: instead.to_vec(), shipped: false };
        }
        let rules = named.and_then(|(rules, environment)| load(&rules, &environment, &mut faults));
        Examined { settings, rules, faults }
    }
}

/// The rules and lists that a configuration with faults names; none if its TOML cannot be read.
fn named_in(text: &str) -> Option<(Rules, Environment)> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Named {
        rules: Part,
        environment: std::collections::BTreeMap<String, Vec<String>>,
    }
    #[derive(serde::Deserialize)]
    #[serde(default)]
    struct Part {
        paths: Vec<PathBuf>,
        shipped: bool,
    }
    impl Default for Part {
        fn default() -> Part {
            let Rules { paths, shipped } = Rules::default();
            Part { paths, shipped }
        }
    }
    let named: Named = toml::from_str(text).ok()?;
    let rules = Rules { paths: named.rules.paths, shipped: named.rules.shipped };
    Some((rules, Environment { lists: named.environment }))
}

fn load(rules: &Rules, environment: &Environment, faults: &mut Vec<String>) -> Option<RuleSet> {
    let before = faults.len();
    let mut documents = if rules.shipped { pack::documents() } else { Vec::new() };
    for path in &rules.paths {
        match read_documents(std::slice::from_ref(path), pack::TEST_ENDING, false) {
            Ok(read) if read.is_empty() => {
                faults.push(format!("{}: no rule file (*.yml, *.yaml) in it", path.display()));
            }
            Ok(read) => documents.extend(read),
            Err(error) => faults.push(format!("{error:#}")),
        }
    }
    let options = LoadOptions { strict_services: rules.paths.is_empty() };
    match RuleSet::load_with(&documents, environment, options) {
        Ok(loaded) => (faults.len() == before).then_some(loaded),
        Err(found) => {
            faults.extend(found.iter().map(Fault::to_string));
            None
        }
    }
}

/// What this machine lacks: no fault of the configuration, which may be meant for another.
fn notes(settings: &Settings) -> Vec<String> {
    let mut notes = Vec::new();
    for source in &settings.sources {
        match &source.kind {
            SourceKind::File { paths } => {
                let absent = paths.iter().filter(|path| !path.exists());
                notes.extend(absent.map(|path| {
                    format!("source {}: {} is not there", source.name, path.display())
                }));
            }
            SourceKind::Kafka(kafka) => {
                for (property, value) in &kafka.properties {
                    let place = format!("source {}: {property}", source.name);
                    match value {
                        Property::Secret(Secret::Env(name)) if std::env::var_os(name).is_none() => {
                            notes.push(format!("{place}: the variable {name} is not set"));
                        }
                        Property::Secret(Secret::File(path)) if !path.exists() => {
                            notes.push(format!("{place}: {} is not there", path.display()));
                        }
                        Property::Secret(_) | Property::Plain(_) => {}
                    }
                }
            }
            SourceKind::Kinesis(kinesis) => {
                if let Some(path) = &kinesis.access.trusted
                    && !path.exists()
                {
                    notes.push(format!("source {}: {} is not there", source.name, path.display()));
                }
            }
            SourceKind::Stdin => {}
        }
    }
    for sink in &settings.sinks {
        if let SinkKind::File { path, .. } = &sink.kind
            && path.is_dir()
        {
            notes.push(format!("sink {}: {} is a folder", sink.name, path.display()));
        }
    }
    notes
}

/// `1 rule`, `2 rules`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

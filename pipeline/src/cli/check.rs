//! `floodmark check`: all that is wrong with a configuration and rules, at once.

use std::path::{Path, PathBuf};

use anyhow::Context;
use floodmark_detectors::rule::{
    Document, Fault, LoadOptions, Override, RuleSet, lists_named, pack,
};

use super::{print, read_documents};
use crate::config::{self, Kafka, Lists, Property, Rules, Secret, Settings, SinkKind, SourceKind};
use crate::encode::text::counted;

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
        text += &lists(rules);
    }
    text += &match examined.faults.len() {
        0 => "no faults\n".to_owned(),
        faults => format!("{}\n", counted(faults, "fault")),
    };
    print(&text)?;
    Ok(examined.faults.is_empty())
}

/// The lists of the environment that rules name; of an empty one, what each rule means by it.
fn lists(rules: &RuleSet) -> String {
    let mut text = String::new();
    let mut before = None;
    for it in &rules.lists {
        if before != Some(&it.list) {
            let len = match it.len {
                0 => "empty".to_owned(),
                len => counted(len, "value"),
            };
            text += &format!("list {}: {len}\n", it.list);
            before = Some(&it.list);
        }
        text += &match &it.empty {
            Some(meaning) => format!("  {}: {meaning}\n", it.rule),
            None => format!("  {}\n", it.rule),
        };
    }
    text
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
        let mut named = Some((Rules::default(), Lists::default()));
        if let Some(path) = config {
            match std::fs::read_to_string(path) {
                Err(error) => {
                    faults.push(format!("{}: cannot be read: {error}", path.display()));
                    named = None;
                }
                Ok(text) => {
                    match Settings::parse(&text) {
                        Ok(parsed) => settings = Some(parsed),
                        Err(found) => faults.extend(of_config(path, &found.0)),
                    }
                    // Its faults are among those that were told.
                    named = config::rules_in(&text).ok().map(|(rules, lists, _)| (rules, lists));
                }
            }
        }
        if named.is_none() && !instead.is_empty() {
            named = Some(Default::default());
        }
        let rules = named.and_then(|(rules, lists)| {
            let written = Written::of(rules, lists, config, instead, &mut faults);
            written.load(&mut faults)
        });
        if let (Some(path), Some(settings), Some(rules)) = (config, &settings, &rules) {
            let split = split_windows(settings, rules);
            faults.extend(split.into_iter().map(|fault| format!("{}: {fault}", path.display())));
        }
        Examined { settings, rules, faults }
    }
}

/// Rules as written, and what a configuration makes of them.
pub(super) struct Written {
    pub(super) documents: Vec<Document>,
    pub(super) lists: Lists,
    pub(super) overrides: Vec<Override>,
    options: LoadOptions,
    config: PathBuf,
    /// Whether all that was named could be read.
    is_whole: bool,
}

impl Written {
    /// Reads what `config` says about rules, if one is named, and the rules it names or those under
    /// `instead`.
    fn read(config: Option<&Path>, instead: &[PathBuf], faults: &mut Vec<String>) -> Written {
        let (mut rules, mut lists) = (Rules::default(), Lists::default());
        if let Some(path) = config {
            match std::fs::read_to_string(path) {
                Err(error) => faults.push(format!("{}: cannot be read: {error}", path.display())),
                Ok(text) => match config::rules_in(&text) {
                    Ok((read_rules, read_lists, found)) => {
                        faults.extend(of_config(path, &found.0));
                        (rules, lists) = (read_rules, read_lists);
                    }
                    Err(found) => faults.extend(of_config(path, &found.0)),
                },
            }
        }
        Written::of(rules, lists, config, instead, faults)
    }

    fn of(
        rules: Rules,
        lists: Lists,
        config: Option<&Path>,
        instead: &[PathBuf],
        faults: &mut Vec<String>,
    ) -> Written {
        let before = faults.len();
        let (paths, shipped) = match instead {
            [] => (rules.paths.as_slice(), rules.shipped),
            instead => (instead, false),
        };
        let mut documents = if shipped { pack::documents() } else { Vec::new() };
        for path in paths {
            match read_documents(std::slice::from_ref(path), pack::TEST_ENDING, false) {
                Ok(read) if read.is_empty() => {
                    faults.push(format!("{}: no rule file (*.yml, *.yaml) in it", path.display()));
                }
                Ok(read) => documents.extend(read),
                Err(error) => faults.push(format!("{error:#}")),
            }
        }
        let config = config.unwrap_or(Path::new("floodmark.toml")).to_owned();
        let path = config.display().to_string();
        let overrides = rules.overrides.into_iter();
        Written {
            documents,
            lists,
            overrides: overrides.map(|it| Override { path: path.clone(), ..it }).collect(),
            options: LoadOptions { strict_services: paths.is_empty() },
            config,
            is_whole: faults.len() == before,
        }
    }

    /// The rules in force; none where anything is wrong with them.
    fn load(&self, faults: &mut Vec<String>) -> Option<RuleSet> {
        let before = faults.len();
        let named = lists_named(&self.documents);
        faults.extend(of_config(&self.config, &self.lists.unknown(&named)));
        let environment = &self.lists.environment;
        match RuleSet::load_changed(&self.documents, environment, self.options, &self.overrides) {
            Ok(loaded) => {
                faults.extend(of_config(&self.config, &self.lists.unknown_scps(&loaded)));
                (self.is_whole && faults.len() == before).then_some(loaded)
            }
            Err(found) => {
                faults.extend(found.iter().map(Fault::to_string));
                None
            }
        }
    }

    /// The rules, and what they were read from.
    ///
    /// # Errors
    /// Every fault, one a line.
    pub(super) fn load_from(
        config: Option<&Path>,
        instead: &[PathBuf],
    ) -> anyhow::Result<(Written, RuleSet)> {
        let mut faults = Vec::new();
        let written = Written::read(config, instead, &mut faults);
        let rules = written.load(&mut faults).filter(|_| faults.is_empty());
        let rules = rules.with_context(|| {
            format!("{}:\n{}", counted(faults.len(), "fault"), faults.join("\n"))
        })?;
        Ok((written, rules))
    }
}

fn of_config(path: &Path, faults: &[config::Fault]) -> Vec<String> {
    faults.iter().map(|fault| format!("{}: {fault}", path.display())).collect()
}

/// Rules whose windows no single process would have whole, where topics and streams are declared to
/// be keyed so that several may share them.
fn split_windows(settings: &Settings, rules: &RuleSet) -> Vec<String> {
    let mut faults = Vec::new();
    for source in &settings.sources {
        let (keyed_by, where_, alone) = match &source.kind {
            SourceKind::Kafka(Kafka { keyed_by, .. }) => {
                (keyed_by, "partitions", "read the topic with one process and take keyed_by away")
            }
            SourceKind::Kinesis(kinesis) => {
                let Some(leases) = &kinesis.leases else { continue };
                let alone = "read the stream with one process and take leases away";
                (&leases.keyed_by, "shards", alone)
            }
            _ => continue,
        };
        for card in rules.rules.iter().map(|rule| &rule.card) {
            let Some(field) = keyed_by.iter().find(|field| !card.group_by.contains(field)) else {
                continue;
            };
            let rule = card.code.as_ref().unwrap_or(&card.id);
            let by = if card.group_by.is_empty() {
                "nothing".to_owned()
            } else {
                card.group_by.join(", ")
            };
            faults.push(format!(
                "source {}: keyed_by: rule {rule} groups by {by} and not by {field}, so its windows \
                 lie over several {where_} and processes (switch it off with [rules.{rule}] \
                 enabled = false, or {alone})",
                source.name,
            ));
        }
    }
    faults
}

/// What a part that speaks Kafka lacks here.
fn notes_on_kafka(place: &str, kafka: &Kafka) -> Vec<String> {
    let beyond = kafka.beyond_build().map(|what| format!("{place}: {what}"));
    let unfound = kafka
        .properties
        .iter()
        .filter_map(|(property, value)| unfound(&format!("{place}: {property}"), value));
    beyond.into_iter().chain(unfound).collect()
}

/// What this machine or this build lacks: no fault of the configuration, which may be meant for another.
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
                notes.extend(notes_on_kafka(&format!("source {}", source.name), kafka));
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
        let place = |key: &str| format!("sink {}: {key}", sink.name);
        match &sink.kind {
            SinkKind::File { path, .. } if path.is_dir() => {
                notes.push(format!("sink {}: {} is a folder", sink.name, path.display()));
            }
            SinkKind::Kafka { kafka } => {
                notes.extend(notes_on_kafka(&format!("sink {}", sink.name), kafka));
            }
            SinkKind::Webhook(webhook) => {
                notes.extend(unfound(&place("url"), &webhook.url));
                let headers = webhook.headers.iter();
                notes.extend(headers.filter_map(|(key, value)| unfound(&place(key), value)));
                if let Some(path) = webhook.trusted.as_ref().filter(|path| !path.exists()) {
                    notes.push(format!("sink {}: {} is not there", sink.name, path.display()));
                }
                let is_open =
                    matches!(&webhook.url, Property::Plain(url) if url.starts_with("http:"));
                if is_open && webhook.headers.values().any(|it| matches!(it, Property::Secret(_))) {
                    notes.push(format!("{} sends secrets without TLS", place("url")));
                }
            }
            SinkKind::File { .. } | SinkKind::Stdout => {}
        }
    }
    if let Some(token) = settings.http.as_ref().and_then(|http| http.token.as_ref()) {
        notes.extend(unfound("http: token", token));
    }
    notes
}

/// Why a secret cannot be had here.
fn unfound(place: &str, value: &Property) -> Option<String> {
    match value {
        Property::Secret(Secret::Env(name)) if std::env::var_os(name).is_none() => {
            Some(format!("{place}: the variable {name} is not set"))
        }
        Property::Secret(Secret::File(path)) if !path.exists() => {
            Some(format!("{place}: {} is not there", path.display()))
        }
        Property::Secret(_) | Property::Plain(_) => None,
    }
}

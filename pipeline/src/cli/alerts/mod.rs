//! `floodmark alerts`: what the ledger says, also while the daemon writes it.

mod show;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use floodmark_detectors::alert::Life;
use floodmark_detectors::rule::{Level, Mode};
use floodmark_detectors::time::EventTime;

use crate::clock;
use crate::config::{Settings, parse_duration};
use crate::encode;
use crate::encode::redact::{self, printable};
use crate::ledger::{Entry, Filter, Ledger};

/// Characters of a title in the table.
const TITLE_CHARS_MAX: usize = 44;

/// Digits of an id in the table.
const ID_CHARS: usize = 8;

/// Rows that are measured together, so that a long table begins at once.
const ROWS_AT_ONCE: usize = 200;

/// List alerts from the ledger, or show one whole; a daemon may be writing it meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Only reads: takes no lock of the daemon's, and changes nothing. One row a burst, the last that was
said of it, newest first: its id, when it was first told (by the clock, UTC), level, rule, state,
revision, count, first and last event (UTC), title and key. State says backfill where a burst had
been over for long when it was told, and the rule's mode where that is not to alert; what a rule only
observes or enriches with is left out unless --all is given.

--json and --format write the same as a sink does: one alert a line, and by `show` each revision.

Examples:
  floodmark alerts --config floodmark.toml --since 24h
  floodmark alerts --ledger /var/lib/floodmark/floodmark.ledger --open --level high
  floodmark alerts --config floodmark.toml --rule DOS-01 --json | jq .message
  floodmark alerts --config floodmark.toml show 3fa2")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    from: From,
    /// Only bursts with an event at or after this time, or within this long: 2026-11-25T09:00:00Z,
    /// 90m, 7d.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<EventTime>,
    /// Only this level and graver ones.
    #[arg(long, value_name = "LEVEL", value_parser = level_parser())]
    level: Option<Level>,
    /// Only this rule, by code or id.
    #[arg(long, value_name = "CODE")]
    rule: Option<String>,
    /// Only bursts whose key holds this text: an account, a principal.
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
    /// Only bursts that are not over.
    #[arg(long)]
    open: bool,
    /// Also what no sink gets.
    #[arg(long)]
    all: bool,
    /// At most so many bursts.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show all that is known of one burst: revisions, reason, evidence, containment, and which
    /// sinks have it.
    Show {
        /// Its id, or how the id begins.
        id: String,
    },
}

/// Which ledger, and in what form it is told.
#[derive(Debug, clap::Args)]
struct From {
    /// The ledger.
    #[arg(long, value_name = "FILE", global = true)]
    ledger: Option<PathBuf>,
    /// The configuration that says where the ledger is.
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "ledger")]
    config: Option<PathBuf>,
    /// As NDJSON, in OCSF.
    #[arg(long, global = true, conflicts_with = "format")]
    json: bool,
    /// In the form of a sink, one alert a line.
    #[arg(long, value_name = "FORMAT", global = true, value_parser = format_parser())]
    format: Option<encode::Format>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<bool> {
    let ledger = args.from.open()?;
    let mut out = std::io::stdout().lock();
    let written = match &args.command {
        Some(Command::Show { id }) => show::show(&ledger, id, args.from.form(), &mut out),
        None => list(&ledger, args, &mut out),
    };
    match written {
        // A reader that has gone away (`| head`) is no fault.
        Err(error) if is_gone(&error) => Ok(true),
        written => written.map(|()| true),
    }
}

fn is_gone(error: &anyhow::Error) -> bool {
    let of_pipe = error.downcast_ref::<std::io::Error>();
    of_pipe.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

impl From {
    fn open(&self) -> anyhow::Result<Ledger> {
        let path = match (&self.ledger, &self.config) {
            (Some(path), _) => path.clone(),
            (None, None) => bail!("name the ledger: --ledger FILE, or --config FILE"),
            (None, Some(config)) => {
                let shown = config.display();
                let text = std::fs::read_to_string(config)
                    .with_context(|| format!("cannot read {shown}"))?;
                let settings = Settings::parse(&text)
                    .map_err(|faults| anyhow::anyhow!("{shown} has faults:\n{faults}"))?;
                settings.ledger_path(config).with_context(|| {
                    format!(
                        "{shown} keeps its ledger in memory: its sources are read again from their \
                         beginning; write [ledger] path = \"floodmark.ledger\" to keep one"
                    )
                })?
            }
        };
        Ok(Ledger::read(&path)?)
    }

    /// The form of a sink, if one is asked for.
    fn form(&self) -> Option<encode::Format> {
        self.format.or(self.json.then(encode::Format::default))
    }
}

/// One entry after the other, so that a long list is neither held in memory nor holds up whoever
/// writes the ledger.
fn list(ledger: &Ledger, args: &Args, out: &mut impl Write) -> anyhow::Result<()> {
    let places = ledger.bursts(&Filter {
        id: None,
        rule: args.rule.clone(),
        key: args.key.clone(),
        level: args.level,
        since: args.since,
        is_open: args.open,
    })?;
    let form = args.from.form();
    let mut rows = Vec::new();
    let mut left = args.limit;
    for place in places {
        // It may have been forgotten meanwhile.
        let Some(entry) = ledger.entry(place)? else { continue };
        if !entry.is_sent() && !args.all {
            continue;
        }
        match form {
            Some(format) => writeln!(out, "{}", format.encode(&entry.alert, entry.view()))?,
            None => {
                let opened_ms = ledger.opened_ms(entry.alert.id)?.unwrap_or(entry.said_ms);
                rows.push(row(&entry, opened_ms));
            }
        }
        if rows.len() == ROWS_AT_ONCE {
            write_table(&std::mem::take(&mut rows), out)?;
        }
        left -= 1;
        if left == 0 {
            break;
        }
    }
    match (form, rows.is_empty(), left == args.limit) {
        (None, false, _) => write_table(&rows, out)?,
        (None, true, true) => writeln!(out, "no alerts")?,
        _ => {}
    }
    Ok(out.flush()?)
}

/// The table's columns: name, and whether it is a number.
const COLUMNS: [(&str, bool); 10] = [
    ("id", false),
    ("opened", false),
    ("level", false),
    ("code", false),
    ("state", false),
    ("rev", true),
    ("count", true),
    ("first..last", false),
    ("title", false),
    ("key", false),
];

fn row(entry: &Entry, opened_ms: i64) -> [String; COLUMNS.len()] {
    let alert = &entry.alert;
    let floor = if alert.count_is_floor { ">=" } else { "" };
    let title = printable(&alert.rule.title);
    let title = match title.char_indices().nth(TITLE_CHARS_MAX) {
        Some((at, _)) => format!("{}..", title.split_at(at).0),
        None => title,
    };
    [
        alert.id.to_string().chars().take(ID_CHARS).collect(),
        stamp(EventTime(opened_ms.div_euclid(1_000))),
        alert.level.word().to_owned(),
        printable(alert.rule.code.as_deref().unwrap_or("-")),
        state(entry),
        alert.revision.to_string(),
        format!("{floor}{}", alert.count),
        span(alert.first, alert.last),
        title,
        printable(&redact::text(&alert.key.join(" / "))),
    ]
}

fn write_table(rows: &[[String; COLUMNS.len()]], out: &mut impl Write) -> std::io::Result<()> {
    let mut widths = COLUMNS.map(|(name, _)| name.len());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let names = COLUMNS.map(|(name, _)| name.to_owned());
    for row in std::iter::once(&names).chain(rows) {
        let mut line = String::new();
        for ((cell, (_, is_number)), width) in row.iter().zip(COLUMNS).zip(widths) {
            line += &match is_number {
                true => format!("{cell:>width$}  "),
                false => format!("{cell:<width$}  "),
            };
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Where in its life the burst is, and what else is to be known of it.
fn state(entry: &Entry) -> String {
    let state = match entry.alert.life {
        Life::Open | Life::Update => "open",
        Life::Closed => "closed",
        Life::Merged(_) => "merged",
    };
    let backfill = if entry.is_backfill { " backfill" } else { "" };
    let mode = match entry.alert.rule.mode {
        Mode::Alert => String::new(),
        mode => format!(" {}", mode.word()),
    };
    format!("{state}{backfill}{mode}")
}

fn stamp(time: EventTime) -> String {
    time.to_string().replace('T', " ").replace('Z', "")
}

/// Two times, the second without its date where that is the same.
fn span(first: EventTime, last: EventTime) -> String {
    let (first, last) = (stamp(first), stamp(last));
    match (first.split_once(' '), last.split_once(' ')) {
        (Some((day, _)), Some((same, time))) if day == same => format!("{first}..{time}"),
        _ => format!("{first}..{last}"),
    }
}

fn since(text: &str) -> Result<EventTime, String> {
    if let Some(time) = EventTime::parse(text) {
        return Ok(time);
    }
    let ago = parse_duration(text).map_err(|_| {
        format!("`{text}` is neither a time such as 2026-11-25T09:00:00Z nor a duration such as 90m or 7d")
    })?;
    Ok(clock::wall_time().plus(-ago))
}

fn level_parser() -> impl TypedValueParser<Value = Level> {
    let words = PossibleValuesParser::new(Level::ALL.map(Level::word));
    words.map(|word| {
        let found = Level::ALL.into_iter().find(|level| level.word() == word);
        found.expect("it is one of the words")
    })
}

fn format_parser() -> impl TypedValueParser<Value = encode::Format> {
    let words = PossibleValuesParser::new(encode::Format::ALL.map(|(word, _)| word));
    words.map(|word| {
        let found = encode::Format::ALL.into_iter().find(|(known, _)| *known == word);
        found.expect("it is one of the words").1
    })
}

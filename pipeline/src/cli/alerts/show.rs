//! `floodmark alerts show`: all that is known of one burst.

use std::io::Write;

use anyhow::bail;
use floodmark_detectors::alert::Life;
use floodmark_detectors::time::EventTime;

use super::{COLUMNS, row, span, stamp, state, write_table};
use crate::answer::{Answer, Fact, facts};
use crate::encode;
use crate::encode::redact::{self, printable};
use crate::ledger::{Entry, Filter, Ledger, Standing};

/// Bursts that are listed where several have an id that begins so.
const CHOICES_MAX: usize = 20;

/// Writes the burst whose id begins so: in the form of a sink each revision, else a page.
pub(super) fn show(
    ledger: &Ledger,
    id: &str,
    form: Option<encode::Format>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let revisions = chosen(ledger, id)?;
    if let Some(format) = form {
        for entry in &revisions {
            writeln!(out, "{}", format.encode(&entry.alert, entry.view()))?;
        }
        return Ok(out.flush()?);
    }
    let Some(last) = revisions.last() else { bail!("no alert has an id that begins with {id}") };
    let mut page = head(last);
    page += "\nrevisions\n";
    for entry in &revisions {
        page += &format!("  {}\n", revision(entry));
    }
    // The record that opened the burst is known to the first revision alone.
    let evidence = facts(&last.alert);
    if !evidence.is_empty() {
        let is_whole = !last.alert.count_is_floor && evidence.len() as u64 >= last.alert.count;
        page += if is_whole { "\nevidence\n" } else { "\nevidence, the first and the last\n" };
        for fact in &evidence {
            page += &format!("  {}\n", line(fact));
        }
    }
    let answer = Answer::of(&last.alert, &evidence);
    if !answer.containment.is_empty() {
        page += "\ncontainment; read it before you run it\n";
        for step in &answer.containment {
            page += &format!("  {}\n", printable(&step.line()));
        }
    }
    page += "\ndeliveries\n";
    page += &deliveries(ledger, &revisions)?;
    out.write_all(page.as_bytes())?;
    Ok(out.flush()?)
}

fn chosen(ledger: &Ledger, id: &str) -> anyhow::Result<Vec<Entry>> {
    let filter = Filter { id: Some(id.to_owned()), ..Filter::default() };
    let places = ledger.bursts(&filter)?;
    let mut entries = Vec::new();
    for place in places.iter().take(CHOICES_MAX) {
        entries.extend(ledger.entry(*place)?);
    }
    match entries.as_slice() {
        [] => bail!("no alert has an id that begins with {id}; `floodmark alerts` lists them"),
        [one] => Ok(ledger.revisions(one.alert.id)?),
        _ => {
            let mut rows = Vec::<[String; COLUMNS.len()]>::new();
            for entry in &entries {
                let mut row =
                    row(entry, ledger.opened_ms(entry.alert.id)?.unwrap_or(entry.said_ms));
                row[0] = entry.alert.id.to_string();
                rows.push(row);
            }
            let mut table = Vec::new();
            write_table(&rows, &mut table)?;
            let table = String::from_utf8_lossy(&table).into_owned();
            bail!("{} alerts have an id that begins with {id}:\n{table}", places.len())
        }
    }
}

fn head(last: &Entry) -> String {
    let alert = &last.alert;
    let card = &alert.rule;
    let evidence = facts(alert);
    let code = card.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    let mut rows = vec![
        ("state", state(last)),
        ("reason", crate::encode::text::reason(alert, &evidence)),
        ("events", format!("{}, {}", counted(last), span(alert.first, alert.last))),
    ];
    if let Life::Merged(into) = alert.life {
        rows.push(("goes on in", into.to_string()));
    }
    if !card.mark.is_empty() {
        rows.push(("mark", card.mark.clone()));
    }
    rows.push(("rule", format!("{} {}", card.id, card.version).trim_end().to_owned()));
    for (name, value) in card.group_by.iter().zip(alert.key.iter()) {
        rows.push((name.as_str(), redact::text(value)));
    }
    let level = alert.level.word().to_uppercase();
    let mut page = printable(&format!("{}  {level}{code} {}", alert.id, card.title)) + "\n";
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in rows {
        page += &format!("  {:<width$}  {}\n", printable(name), printable(&value));
    }
    page
}

fn revision(entry: &Entry) -> String {
    let backfill = if entry.is_backfill { ", backfill" } else { "" };
    format!(
        "{}  {} UTC  {:<6}  {}, {}, {}{backfill}",
        entry.alert.revision,
        stamp(EventTime(entry.said_ms.div_euclid(1_000))),
        entry.alert.life.word(),
        entry.alert.level.word(),
        counted(entry),
        span(entry.alert.first, entry.alert.last),
    )
}

fn counted(entry: &Entry) -> String {
    let floor = if entry.alert.count_is_floor { "at least " } else { "" };
    format!(
        "{floor}{} {}",
        entry.alert.count,
        if entry.alert.count == 1 { "event" } else { "events" }
    )
}

fn line(fact: &Fact) -> String {
    let mut line = stamp(fact.time);
    let of = |path: &str| fact.text(path);
    for (before, text) in [
        ("  ", of("/eventName")),
        (" by ", fact.actor()),
        (" from ", of("/sourceIPAddress")),
        (" in ", of("/awsRegion")),
        (", ", of("/errorCode")),
        ("  ", of("/eventID")),
    ] {
        if let Some(text) = text {
            line += &format!("{before}{text}");
        }
    }
    printable(&line)
}

/// One line a sink: what became of each revision.
fn deliveries(ledger: &Ledger, revisions: &[Entry]) -> anyhow::Result<String> {
    if revisions.iter().any(|entry| !entry.is_sent()) {
        return Ok("  none: the rule only observes or enriches\n".to_owned());
    }
    let mut sinks: Vec<(String, Vec<(u32, Standing)>)> = Vec::new();
    for entry in revisions {
        for (sink, standing) in ledger.standings(entry.sequence)? {
            let told = (entry.alert.revision, standing);
            match sinks.iter_mut().find(|(known, _)| *known == sink) {
                Some((_, standings)) => standings.push(told),
                None => sinks.push((sink, vec![told])),
            }
        }
    }
    let mut page = String::new();
    for (sink, standings) in sinks {
        page += &format!("  {}\n", printable(&sink));
        for (revision, standing) in standings {
            let word = match standing {
                Standing::Delivered => "delivered".to_owned(),
                Standing::Waiting => "waits to be sent".to_owned(),
                Standing::Refused(reason) => format!("refused: {reason}"),
                Standing::Earlier => "said before this sink was configured".to_owned(),
            };
            page += &format!("    {revision}  {}\n", printable(&word));
        }
    }
    Ok(page)
}

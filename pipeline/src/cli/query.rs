//! `floodmark query`: the query that finds the rest of an alert.

use std::io::{BufReader, Read};
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::Value;

use super::print;
use crate::answer::query::{Ask, Dialect, Query, Schema, schema};

/// Write the query for an alert: for Athena, for CloudWatch Logs Insights or for CloudTrail Lake,
/// filled in with accounts, regions, window and who acted, duplicates left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  floodmark query alert.json                        the calls of the burst, for Athena
  floodmark query alerts.ndjson --id a1b2 --for insights --ask timeline
  floodmark query alert.json --ask access           where the credentials come from
  floodmark query --schema --location s3://trail/AWSLogs/o-1 --account 111122223333")]
pub(super) struct Args {
    /// A file of alerts in OCSF form, one JSON after the other, or `-` for standard input.
    #[arg(required_unless_present = "schema", value_name = "ALERT")]
    alert: Option<PathBuf>,
    /// Which alert, where there are several: its id, or how the id begins.
    #[arg(long)]
    id: Option<String>,
    /// Where the query is run.
    #[arg(long = "for", value_name = "WHERE", default_value = "athena")]
    dialect: Dialect,
    /// What it is to find.
    #[arg(long, default_value = "burst")]
    ask: Ask,
    /// Table of Athena, or id of the event data store of Lake.
    #[arg(long, value_parser = name)]
    table: Option<String>,
    /// Write the table of Athena instead, its partitions projected.
    #[arg(long, conflicts_with_all = ["alert", "id", "ask", "dialect"])]
    schema: bool,
    /// For --schema: the folder of the accounts' folders.
    #[arg(long, value_parser = location, default_value = "s3://BUCKET/AWSLogs/ORGANIZATION")]
    location: String,
    /// For --schema: an account. May be given again.
    #[arg(long, value_parser = account, default_value = "111122223333")]
    account: Vec<String>,
    /// For --schema: a region. May be given again.
    #[arg(long, value_parser = name, default_values = ["us-east-1", "us-west-2", "eu-west-1"])]
    region: Vec<String>,
    /// For --schema: the first day of the trail.
    #[arg(long, value_parser = day, default_value = "2024/01/01")]
    since: String,
}

/// Bytes of alerts that are read.
const ALERTS_BYTES_MAX: u64 = 1 << 30;

pub(super) fn run(args: &Args) -> anyhow::Result<bool> {
    if args.schema {
        let table = args.table.clone().unwrap_or_else(|| Dialect::Athena.table().to_owned());
        let of = Schema {
            table,
            location: args.location.clone(),
            accounts: args.account.clone(),
            regions: args.region.clone(),
            since: args.since.clone(),
        };
        print(&schema(&of))?;
        return Ok(true);
    }
    let path = args.alert.as_ref().context("name a file of alerts, or `-`")?;
    let finding = chosen(&read(path)?, args.id.as_deref())?;
    let query = Query::read(&finding).map_err(anyhow::Error::msg)?;
    let table = args.table.as_deref().unwrap_or(args.dialect.table());
    print(&query.write(args.ask, args.dialect, table).map_err(anyhow::Error::msg)?)?;
    Ok(true)
}

fn read(path: &PathBuf) -> anyhow::Result<Vec<Value>> {
    let opened: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        let file = std::fs::File::open(path);
        Box::new(file.with_context(|| format!("cannot read {}", path.display()))?)
    };
    let limited = BufReader::new(opened.take(ALERTS_BYTES_MAX));
    let mut findings = Vec::new();
    for value in serde_json::Deserializer::from_reader(limited).into_iter::<Value>() {
        match value.with_context(|| format!("{} is no JSON", path.display()))? {
            // What a relay has put into one array counts as well.
            Value::Array(elements) => findings.extend(elements),
            one => findings.push(one),
        }
    }
    Ok(findings)
}

/// The last that is said of the alert that `id` means, or of the only one there is.
fn chosen(findings: &[Value], id: Option<&str>) -> anyhow::Result<Value> {
    let uid = |finding: &Value| {
        let uid = finding.pointer("/finding_info/uid").and_then(Value::as_str);
        uid.unwrap_or_default().to_owned()
    };
    let mut ids: Vec<String> = findings.iter().map(uid).collect();
    ids.retain(|uid| id.is_none_or(|id| uid.starts_with(id)));
    ids.sort_unstable();
    ids.dedup();
    match ids.as_slice() {
        [] if id.is_some() => bail!("no alert has this id"),
        [] => bail!("there is no alert"),
        [one] => {
            let last = findings.iter().rev().find(|finding| uid(finding) == *one);
            Ok(last.cloned().unwrap_or_default())
        }
        many => {
            let shown: Vec<&str> = many.iter().take(20).map(String::as_str).collect();
            bail!("there are {} alerts; choose one with --id:\n{}", many.len(), shown.join("\n"))
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    match !text.is_empty() && text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("letters, digits, `_`, `-` and `.` only".to_owned()),
    }
}

fn account(text: &str) -> Result<String, String> {
    match text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("an account has twelve digits".to_owned()),
    }
}

fn location(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("s3://").ok_or("a location begins with s3://")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-/".contains(&b);
    match !rest.is_empty() && rest.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("letters, digits, `_`, `-`, `.` and `/` only".to_owned()),
    }
}

fn day(text: &str) -> Result<String, String> {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    match shape == "0000/00/00" {
        true => Ok(text.to_owned()),
        false => Err("a day is written 2024/01/31".to_owned()),
    }
}

//! A Kinesis source as configured.

use std::path::PathBuf;

use floodmark_detectors::time::EventTime;

use super::reader::{Report, Section};
use crate::source::kinesis::Position;
use crate::source::kinesis::settings::{Access, Fetch, Leases, Role, Settings};

/// Calls a second and shard, if none are named: one is left for others.
const PER_SECOND: u32 = 4;

/// Seconds that a lease may go without renewal, as the Kinesis Client Library has it.
const FAILOVER_SECS: i64 = 10;

pub(super) fn read(section: &mut Section<'_, '_>, report: &mut Report<'_>) -> Option<Settings> {
    let fix = "write stream = \"cloudtrail\", or its ARN";
    let stream = section.required_text("stream", fix, report).map(str::to_owned);
    let region = section.text("region", report).map(str::to_owned);
    let start = start(section, report);
    let per_second = section.number("polls_per_second", 1..=5, report);
    let consumer = section.text("consumer", report).map(str::to_owned);
    if let (Some(value), Some(_)) = (section.get("polls_per_second"), &consumer) {
        let path = section.path("polls_per_second");
        let reason = "stands beside consumer, which does not poll";
        report.note(&path, value.span().start, String::new(), reason, "keep one of the two");
    }
    let leases = section.table("leases", report).map(|it| leases(it, report));
    let role = section.table("role", report).map(|it| role(it, report));
    let endpoints = section.table("endpoints", report).map(|it| endpoints(it, report));
    let per_second = per_second.and_then(|it| u32::try_from(it).ok()).unwrap_or(PER_SECOND);
    Some(Settings {
        stream: stream?,
        start,
        fetch: match consumer {
            Some(consumer) => Fetch::FanOut { consumer },
            None => Fetch::Poll { per_second },
        },
        leases: leases.flatten(),
        rereads: false,
        access: Access { region, role: role.flatten(), ..endpoints.unwrap_or_default() },
    })
}

fn start(section: &mut Section<'_, '_>, report: &mut Report<'_>) -> Position {
    match section.text("start", report) {
        None | Some("latest") => Position::Latest,
        Some("earliest") => Position::Oldest,
        Some(text) => EventTime::parse(text).map_or_else(
            || {
                let path = section.path("start");
                let at = section.get("start").map_or(0, |value| value.span().start);
                let reason = "must be latest, earliest or a time";
                let fix = "a time is written as \"2026-11-25T09:00:00Z\"";
                report.note(&path, at, format!("{text:?}"), reason, fix);
                Position::Latest
            },
            |time| Position::At(time.0.saturating_mul(1_000)),
        ),
    }
}

fn leases(mut section: Section<'_, '_>, report: &mut Report<'_>) -> Option<Leases> {
    let fix = "write table = \"floodmark-leases\"";
    let table = section.required_text("table", fix, report).map(str::to_owned);
    let failover = section.duration_secs("failover", 2..=3_600, report);
    let worker = section.text("worker", report).map(str::to_owned);
    let keyed_by = section.texts("keyed_by", report).filter(|fields| !fields.is_empty());
    if keyed_by.is_none() {
        let fix = "name the fields by which records are put into shards, as in keyed_by = \
                   [\"floodmark.account\"]: each process sees a part of the stream, and windows must \
                   not lie over several. Where there are none, one process reads all: take leases away";
        section.missing("keyed_by", fix, report);
    }
    section.end(report);
    let failover_ms = failover.unwrap_or(FAILOVER_SECS) * 1_000;
    Some(Leases { table: table?, failover_ms, worker, keyed_by: keyed_by? })
}

fn role(mut section: Section<'_, '_>, report: &mut Report<'_>) -> Option<Role> {
    let fix = "write arn = \"arn:aws:iam::123456789012:role/name\"";
    let arn = section.required_text("arn", fix, report).map(str::to_owned);
    let external_id = section.text("external_id", report).map(str::to_owned);
    section.end(report);
    Some(Role { arn: arn?, external_id })
}

fn endpoints(mut section: Section<'_, '_>, report: &mut Report<'_>) -> Access {
    let mut url = |key| {
        let url = section.text(key, report)?;
        if !url.starts_with("https://") && !url.starts_with("http://") {
            let path = section.path(key);
            let at = section.get(key).map_or(0, |value| value.span().start);
            let fix = "as in \"https://vpce-1.kinesis.eu-central-1.vpce.amazonaws.com\"";
            report.note(&path, at, format!("{url:?}"), "must begin with https:// or http://", fix);
        }
        Some(url.to_owned())
    };
    let (kinesis_endpoint, dynamodb_endpoint) = (url("kinesis"), url("dynamodb"));
    let sts_endpoint = url("sts");
    let trusted = section.text("trusted", report).map(PathBuf::from);
    section.end(report);
    Access { kinesis_endpoint, dynamodb_endpoint, sts_endpoint, trusted, ..Access::default() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::SourceKind;
    use super::*;

    fn kinesis(text: &str) -> Settings {
        use super::super::Settings;
        let text = format!("[[source]]\ntype = \"kinesis\"\n{text}");
        let settings = Settings::parse(&text).unwrap();
        let SourceKind::Kinesis(kinesis) = settings.sources[0].kind.clone() else { panic!() };
        *kinesis
    }

    #[test]
    fn little_is_needed_and_much_can_be_said() {
        let least = kinesis("stream = \"trail\"");
        assert_eq!((least.start, least.leases), (Position::Latest, None));
        assert_eq!(least.fetch, Fetch::Poll { per_second: 4 });
        let most = kinesis(
            "stream = \"arn:aws:kinesis:eu-central-1:1:stream/trail\"\nregion = \"eu-central-1\"\n\
             start = \"2026-11-25T09:00:00Z\"\nconsumer = \"floodmark\"\n\
             leases = { table = \"leases\", failover = \"20s\", worker = \"blue\", keyed_by = [\"floodmark.account\"] }\n\
             role = { arn = \"arn:aws:iam::1:role/r\", external_id = \"x\" }\n\
             endpoints = { kinesis = \"http://127.0.0.1:1\", trusted = \"ca.pem\" }",
        );
        assert_eq!(most.start, Position::At(1_795_597_200_000));
        assert_eq!(most.fetch, Fetch::FanOut { consumer: "floodmark".into() });
        assert_eq!(most.leases.unwrap().failover_ms, 20_000);
        assert_eq!(most.access.role.unwrap().external_id.as_deref(), Some("x"));
        assert_eq!(most.access.kinesis_endpoint.as_deref(), Some("http://127.0.0.1:1"));
    }

    #[test]
    fn all_faults_are_told() {
        let text = "[[source]]\ntype = \"kinesis\"\nstart = \"soon\"\npolls_per_second = 5\n\
                    consumer = \"c\"\nleases = { tabel = \"t\", failover = \"1s\" }\n\
                    role = {}\nendpoints = { kinesis = \"localhost\" }\n";
        let faults = super::super::Settings::parse(text).unwrap_err().to_string();
        for part in [
            "source[0].stream: is missing",
            "source[0].start: must be latest, earliest or a time",
            "source[0].polls_per_second: stands beside consumer",
            "source[0].leases.table: is missing",
            "source[0].leases.keyed_by: is missing",
            "source[0].leases.tabel: is no known key",
            "source[0].leases.failover: must be a duration from 2s to 1h",
            "source[0].role.arn: is missing",
            "source[0].endpoints.kinesis: must begin with https:// or http://",
        ] {
            assert!(faults.contains(part), "{part} not in\n{faults}");
        }
    }
}

//! A webhook as configured.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::{Placed, Report, Section};
use super::secret::{self, Property};
use crate::encode;
use crate::sink::Format;
use crate::sink::webhook::Body;

/// An address that takes alerts by HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The address; it may be a secret as a whole.
    pub url: Property,
    /// Further headers, by name.
    pub headers: BTreeMap<String, Property>,
    /// How several alerts are put together.
    pub body: Body,
    /// Whether requests are packed.
    pub gzip: bool,
    /// How long a request may take.
    pub timeout: Duration,
    /// Alerts in one request.
    pub alerts_max: usize,
    /// Certificates that are trusted beside those of the system.
    pub trusted: Option<PathBuf>,
}

/// Seconds that a request may take, if nothing is said.
const TIMEOUT_SECS: i64 = 30;

/// Alerts in one request, if nothing is said, and at most: as many as a courier hands over at once.
const ALERTS_MAX: u64 = 64;

/// Headers that follow from other keys.
const OURS: [&str; 5] =
    ["connection", "content-encoding", "content-length", "host", "transfer-encoding"];

/// Headers that hold a secret, by what is in their name.
const SECRET: [&str; 6] = ["auth", "cookie", "key", "password", "secret", "token"];

pub(super) fn read(
    section: &mut Section<'_, '_>,
    format: Format,
    report: &mut Report<'_>,
) -> Option<Webhook> {
    let url = url(section, report);
    let mut headers = BTreeMap::new();
    if let Some(table) = section.table("headers", report) {
        for (name, value) in table.entries() {
            if let Some(header) = header(&table.path(name), name, value, report) {
                headers.insert(name.to_owned(), header);
            }
        }
    }
    let body = section.word("body", &[("ndjson", Body::Lines), ("array", Body::Array)], report);
    let is_json = !matches!(format, Format::Text { .. } | Format::Encoded(encode::Format::Cef));
    if let (Some(value), Some(Body::Array), false) = (section.get("body"), body, is_json) {
        let path = section.path("body");
        let reason = "is an array of JSON, and the format is none";
        let fix = "leave it out, or choose ocsf, ecs or asff";
        report.note(&path, value.span().start, String::new(), reason, fix);
    }
    let gzip = section.flag("gzip", report);
    let timeout = section.duration_secs("timeout", 1..=300, report).unwrap_or(TIMEOUT_SECS);
    let alerts_max = section.number("alerts_max", 1..=ALERTS_MAX, report).unwrap_or(ALERTS_MAX);
    let trusted = section.text("trusted", report).map(PathBuf::from);
    Some(Webhook {
        url: url?,
        headers,
        body: body.unwrap_or_default(),
        gzip: gzip.unwrap_or_default(),
        timeout: Duration::from_secs(timeout.unsigned_abs()),
        alerts_max: usize::try_from(alerts_max).unwrap_or(1),
        trusted,
    })
}

fn url(section: &mut Section<'_, '_>, report: &mut Report<'_>) -> Option<Property> {
    let Some(value) = section.get("url") else {
        section.missing("url", "write url = \"https://..\", or { env = \"NAME\" }", report);
        return None;
    };
    let path = section.path("url");
    if value.get_ref().is_table() {
        return secret::read(&path, value, "", report).map(Property::Secret);
    }
    let text = section.text("url", report)?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest.filter(|rest| !rest.is_empty() && !rest.starts_with('/')) else {
        let fix = "as in \"https://example.org/alerts\"";
        report.wrong(&path, value.span(), "must begin with https:// or http://", fix);
        return None;
    };
    if rest.split('/').next().is_some_and(|authority| authority.contains('@')) {
        // What stands there is a password: it is not shown.
        let fix = "write url = { env = \"NAME\" }, or a header";
        let at = value.span().start;
        report.note(&path, at, String::new(), "holds a secret and must not stand here", fix);
        return None;
    }
    Some(Property::Plain(text.to_owned()))
}

fn header(
    path: &str,
    name: &str,
    value: Placed<'_, '_>,
    report: &mut Report<'_>,
) -> Option<Property> {
    let at = value.span().start;
    let lower = name.to_ascii_lowercase();
    if OURS.contains(&lower.as_str()) {
        report.note(path, at, String::new(), "is not yours to set", "it follows from other keys");
        return None;
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_name) {
        let fix = "letters, digits and - as in X-Source";
        report.note(path, at, String::new(), "is no name of a header", fix);
        return None;
    }
    let is_secret = SECRET.iter().any(|part| lower.contains(part));
    secret::property(path, value, is_secret, "", report, |report| {
        let text = value.get_ref().as_str().filter(|text| !text.contains(['\r', '\n', '\0']));
        if text.is_none() {
            let fix = "a text, or { env = \"NAME\" }";
            report.wrong(path, value.span(), "must be a text of one line", fix);
        }
        text.map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::{Secret, Settings, SinkKind};
    use super::*;

    fn parse(text: &str) -> Result<Webhook, String> {
        let text = format!("[[source]]\ntype = \"stdin\"\n[[sink]]\ntype = \"webhook\"\n{text}");
        let settings = Settings::parse(&text).map_err(|faults| faults.to_string())?;
        let SinkKind::Webhook(webhook) = settings.sinks[0].kind.clone() else { panic!() };
        Ok(*webhook)
    }

    #[test]
    fn little_is_needed_and_much_can_be_said() {
        let least = parse("url = \"https://example.org/alerts\"").unwrap();
        assert_eq!((least.body, least.gzip, least.alerts_max), (Body::Lines, false, 64));
        assert_eq!(least.timeout, Duration::from_secs(30));
        let most = parse(
            "url = { file = \"/run/secrets/url\" }\nbody = \"array\"\ngzip = true\n\
             timeout = \"5s\"\nalerts_max = 1\ntrusted = \"ca.pem\"\n\
             headers = { Authorization = { env = \"TOKEN\" }, X-Source = \"floodmark\" }",
        )
        .unwrap();
        assert_eq!(most.url, Property::Secret(Secret::File("/run/secrets/url".into())));
        assert_eq!(most.headers["Authorization"], Property::Secret(Secret::Env("TOKEN".into())));
        assert_eq!(most.headers["X-Source"], Property::Plain("floodmark".into()));
        assert_eq!((most.body, most.alerts_max), (Body::Array, 1));
    }

    #[test]
    fn all_faults_are_told_and_no_secret_is_shown() {
        let faults = parse(
            "format = \"cef\"\nbody = \"array\"\nurl = \"https://u:hunter2@example.org/\"\n\
             timeout = \"0s\"\nalerts_max = 65\ntursted = \"x\"\n\
             headers = { Authorization = \"hunter2\", Host = \"x\", \"a b\" = \"c\", \
             X-Lines = \"a\\nb\", X-Key = { evn = \"x\" } }",
        )
        .unwrap_err();
        for part in [
            "sink[0].body: is an array of JSON, and the format is none",
            "sink[0].url: holds a secret and must not stand here",
            "sink[0].timeout: must be a duration from 1s to 5m",
            "sink[0].alerts_max: must be a whole number from 1 to 64, got 65",
            "sink[0].tursted: is no known key (did you mean trusted?)",
            "sink[0].headers.Authorization: is a secret and must not stand here",
            "sink[0].headers.Host: is not yours to set",
            "sink[0].headers.a b: is no name of a header",
            "sink[0].headers.X-Lines: must be a text of one line",
            "sink[0].headers.X-Key.evn: is no known key (did you mean env?)",
        ] {
            assert!(faults.contains(part), "{part} not in\n{faults}");
        }
        assert!(!faults.contains("hunter2"), "{faults}");
        assert!(parse("").unwrap_err().contains("sink[0].url: is missing"));
        let faults = parse("url = \"ftp://example.org\"").unwrap_err();
        assert!(faults.contains("sink[0].url: must begin with https:// or http://"), "{faults}");
    }
}

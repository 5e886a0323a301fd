//! An address that takes alerts by HTTP POST: several in one request, a line each or as one array.
//!
//! What an answer means is decided here and nowhere else (`Answer::of`): 2xx is delivered; a
//! receiver that is busy, broken or gone is tried again; one that speaks of the request and not of
//! the alerts (no such page, a token that ran out, a redirect) is tried again as well, since
//! somebody may mend it and no alert is at fault. Any other 4xx means that something in the request
//! is not taken: it is halved until it is known which alerts, and those alone are refused.
//!
//! A request that got no answer may have arrived, and halves repeat what a receiver took before it
//! complained: alerts come at least once, under an id and a revision to tell repetitions by. The
//! address may hold a secret, so only its scheme and host are ever shown.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use ureq::http::{HeaderName, HeaderValue, StatusCode, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::{Format, Sink, Told, Verdict};
use crate::clock;
use crate::encode::redact::{self, printable};

/// Bytes of alerts in one request, before compression, unless a single alert is longer.
const BODY_BYTES_MAX: usize = 1 << 20;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// The longest a receiver may ask for.
const ASKED_MAX: Duration = Duration::from_secs(15 * 60);

/// How long to wait where somebody has to mend something first.
const MEND: Duration = Duration::from_secs(60);

/// Bytes of an answer that are read, and characters of it that are shown.
const ANSWER_BYTES_MAX: u64 = 1_024;
const ANSWER_CHARS_MAX: usize = 200;

/// How a request carries several alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body {
    /// A line each (`application/x-ndjson`).
    #[default]
    Lines,
    /// One JSON array.
    Array,
}

/// Where to, and how.
#[derive(Clone)]
pub struct Settings {
    /// The address.
    pub url: String,
    /// Further headers of each request.
    pub headers: Vec<(String, String)>,
    /// How alerts are put together.
    pub body: Body,
    /// Whether requests are packed with gzip.
    pub gzip: bool,
    /// How long a request may take, all in all.
    pub timeout: Duration,
    /// Alerts in one request.
    pub alerts_max: usize,
    /// Certificates in PEM form that are trusted beside those of the system.
    pub trusted: Option<PathBuf>,
}

/// Posts to an address.
pub struct Webhook {
    agent: ureq::Agent,
    uri: Uri,
    /// The address as it may be shown.
    origin: String,
    headers: HeaderMap,
    settings: Settings,
    format: Format,
}

impl Webhook {
    /// Prepares requests; nothing is reached yet.
    ///
    /// # Errors
    /// What is no address, no header or no certificate, in words and without its value.
    pub fn new(settings: Settings, format: Format) -> Result<Webhook, String> {
        let uri: Uri = settings.url.parse().map_err(|_| "url is no address".to_owned())?;
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err("url must begin with https:// or http://".to_owned());
        };
        let port = uri.port().map_or(String::new(), |port| format!(":{port}"));
        let origin = format!("{scheme}://{host}{port}");
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let header = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
            let (key, value) = header.ok_or_else(|| format!("header {name} cannot be sent"))?;
            headers.insert(key, value);
        }
        let kind = match (settings.body, format) {
            (Body::Array, _) => "application/json",
            (Body::Lines, Format::Text { .. } | Format::Encoded(crate::encode::Format::Cef)) => {
                "text/plain; charset=utf-8"
            }
            (Body::Lines, Format::Encoded(_)) => "application/x-ndjson",
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if settings.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots(&settings)?)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(settings.timeout))
            .timeout_connect(Some(CONNECT.min(settings.timeout)))
            .user_agent(concat!("floodmark/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .new_agent();
        Ok(Webhook { agent, uri, origin, headers, settings, format })
    }

    /// Sends these, in as many requests as it takes; whether to go on with others.
    fn deliver(&self, alerts: &[String], verdicts: &mut Vec<Verdict>) -> bool {
        match self.post(alerts) {
            Answer::Taken => verdicts.extend(alerts.iter().map(|_| Verdict::Delivered)),
            Answer::Again { why, after } => {
                let again = || Verdict::Again { why: why.clone(), after };
                verdicts.extend(alerts.iter().map(|_| again()));
                return false;
            }
            Answer::Refused(why) if alerts.len() <= 1 => verdicts.push(Verdict::Refused(why)),
            Answer::Refused(_) => {
                let (first, rest) = alerts.split_at(alerts.len() / 2);
                if !self.deliver(first, verdicts) {
                    verdicts.extend(rest.iter().map(|_| waits()));
                    return false;
                }
                return self.deliver(rest, verdicts);
            }
        }
        true
    }

    fn post(&self, alerts: &[String]) -> Answer {
        let body = match self.settings.body {
            Body::Lines => alerts.concat(),
            Body::Array => {
                let alerts: Vec<&str> = alerts.iter().map(|alert| alert.trim_end()).collect();
                format!("[{}]", alerts.join(","))
            }
        };
        let body = if self.settings.gzip { packed(body.as_bytes()) } else { body.into_bytes() };
        let mut request = self.agent.post(self.uri.clone());
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.headers.clone());
        }
        match request.send(&body[..]) {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                let mut said = Vec::new();
                let mut reader = body.into_reader().take(ANSWER_BYTES_MAX);
                // What cannot be read to its end is shown as far as it came.
                drop(std::io::copy(&mut reader, &mut said));
                Answer::of(head.status, &head.headers, &said, clock::wall_ms()).from(&self.origin)
            }
            Err(error) => Answer::Again { why: error.to_string(), after: None }.from(&self.origin),
        }
    }
}

impl Sink for Webhook {
    fn send(&mut self, alerts: &[Told]) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(alerts.len());
        let rendered: Vec<String> = alerts.iter().map(|told| self.format.render(told)).collect();
        let mut rest = rendered.as_slice();
        while !rest.is_empty() {
            let (request, after) = rest.split_at(fitting(rest, self.settings.alerts_max));
            if !self.deliver(request, &mut verdicts) {
                verdicts.extend(after.iter().map(|_| waits()));
                break;
            }
            rest = after;
        }
        verdicts
    }

    fn close(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// How many of the first alerts one request carries: at least one.
fn fitting(alerts: &[String], alerts_max: usize) -> usize {
    let mut bytes = 0;
    let fit = alerts.iter().take(alerts_max).take_while(|alert| {
        bytes += alert.len();
        bytes <= BODY_BYTES_MAX
    });
    fit.count().max(1)
}

/// Said of what was not sent, since something before it could not be.
fn waits() -> Verdict {
    Verdict::Again { why: "what comes before it cannot be sent".to_owned(), after: None }
}

/// What an answer, or its absence, means for the alerts of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Taken,
    Again { why: String, after: Option<Duration> },
    Refused(String),
}

impl Answer {
    fn of(status: StatusCode, headers: &HeaderMap, said: &[u8], now_ms: i64) -> Answer {
        let said = redact::text(&printable(String::from_utf8_lossy(said).trim()));
        let said: String = said.chars().take(ANSWER_CHARS_MAX).collect();
        let why = format!("{status} {said}").trim_end().to_owned();
        let asked = headers.get(RETRY_AFTER).and_then(|value| asked(value.to_str().ok()?, now_ms));
        match status.as_u16() {
            200..=299 => Answer::Taken,
            408 | 425 | 429 | 500..=599 => Answer::Again { why, after: asked },
            401 | 403 | 404 | 405 | 407 | 410 => Answer::Again { why, after: asked.or(Some(MEND)) },
            400..=499 => Answer::Refused(why),
            _ => Answer::Again { why, after: Some(MEND) },
        }
    }

    /// The same, with who said so.
    fn from(self, origin: &str) -> Answer {
        match self {
            Answer::Taken => Answer::Taken,
            Answer::Again { why, after } => {
                Answer::Again { why: format!("{origin}: {why}"), after }
            }
            Answer::Refused(why) => Answer::Refused(format!("{origin}: {why}")),
        }
    }
}

/// `Retry-After`: seconds, or a date of HTTP.
fn asked(text: &str, now_ms: i64) -> Option<Duration> {
    let asked = match text.trim().parse::<u64>() {
        Ok(secs) => Duration::from_secs(secs),
        Err(_) => {
            let at =
                httpdate::parse_http_date(text.trim()).ok()?.duration_since(UNIX_EPOCH).ok()?;
            let now = Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
            at.saturating_sub(now)
        }
    };
    Some(asked.min(ASKED_MAX))
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a Vec takes all")
}

/// The certificates to trust. An address without TLS needs none.
fn roots(settings: &Settings) -> Result<Vec<Certificate<'static>>, String> {
    if !settings.url.starts_with("https:") {
        return Ok(Vec::new());
    }
    let of_system = rustls_native_certs::load_native_certs().certs;
    let mut roots: Vec<Certificate<'static>> =
        of_system.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    if let Some(path) = &settings.trusted {
        let shown = path.display();
        let pem = std::fs::read(path).map_err(|error| format!("trusted {shown}: {error}"))?;
        let before = roots.len();
        roots.extend(parse_pem(&pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        }));
        if roots.len() == before {
            return Err(format!("trusted {shown}: holds no certificate in PEM form"));
        }
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(text) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
        }
        Answer::of(StatusCode::from_u16(status).unwrap(), &headers, b" no\x1b[1m\n", 1_000_000)
    }

    fn after(status: u16, retry_after: Option<&str>) -> Option<u64> {
        match answer(status, retry_after) {
            Answer::Again { after, .. } => after.map(|after| after.as_secs()),
            other => panic!("{status}: {other:?}"),
        }
    }

    #[test]
    fn an_answer_means_what_it_says_about_the_alerts() {
        for status in [200, 201, 202, 204] {
            assert_eq!(answer(status, None), Answer::Taken);
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(after(status, None), None, "{status}");
        }
        for status in [301, 302, 307, 401, 403, 404, 405, 407, 410] {
            assert_eq!(after(status, None), Some(MEND.as_secs()), "{status}");
        }
        for status in [400, 406, 409, 413, 415, 422, 431] {
            assert!(matches!(answer(status, None), Answer::Refused(_)), "{status}");
        }
        let Answer::Refused(why) = answer(400, None) else { panic!() };
        assert_eq!(why, "400 Bad Request no\u{fffd}[1m", "no control character is shown");
    }

    #[test]
    fn a_receiver_may_say_when_to_come_again() {
        assert_eq!(after(429, Some("7")), Some(7));
        assert_eq!(after(503, Some(" 0 ")), Some(0));
        // The clock of the tests stands at 1,000 seconds.
        assert_eq!(after(503, Some("Thu, 01 Jan 1970 00:17:10 GMT")), Some(30));
        assert_eq!(after(503, Some("Thu, 01 Jan 1970 00:00:00 GMT")), Some(0), "it has passed");
        assert_eq!(after(429, Some("99999999999")), Some(ASKED_MAX.as_secs()));
        assert_eq!(after(429, Some("soon")), None);
    }

    #[test]
    fn a_request_carries_what_fits_and_at_least_one() {
        let alerts = vec!["x".repeat(BODY_BYTES_MAX / 2); 5];
        assert_eq!(fitting(&alerts, 64), 2);
        assert_eq!(fitting(&alerts, 1), 1);
        assert_eq!(fitting(&["x".repeat(BODY_BYTES_MAX + 1)], 64), 1);
    }

    #[test]
    fn what_cannot_be_sent_is_told_without_its_value() {
        let settings = |url: &str, header: &str| Settings {
            url: url.to_owned(),
            headers: vec![("x-token".to_owned(), header.to_owned())],
            body: Body::Lines,
            gzip: false,
            timeout: Duration::from_secs(1),
            alerts_max: 1,
            trusted: None,
        };
        let fault = |url, header| Webhook::new(settings(url, header), Format::default()).err();
        assert_eq!(fault("hidden", "x").unwrap(), "url must begin with https:// or http://");
        assert_eq!(fault("http://a b/hidden", "x").unwrap(), "url is no address");
        assert_eq!(fault("http://a/", "hid\nden").unwrap(), "header x-token cannot be sent");
        assert!(fault("https://user:hidden@example.org:8443/hidden", "x").is_none());
        let sink = Webhook::new(settings("https://u:p@h:8/s", "x"), Format::default()).unwrap();
        assert_eq!(sink.origin, "https://h:8");
    }
}

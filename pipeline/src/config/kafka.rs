//! A Kafka source as configured.

use std::collections::BTreeMap;

use super::reader::{Placed, Report, Section, integer};
use super::secret::{self, Property};
use crate::iam::Iam;

/// Where to read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    /// `host:port` of brokers to begin with.
    pub brokers: Vec<String>,
    /// Topics.
    pub topics: Vec<String>,
    /// Consumer group; of no meaning for a sink.
    pub group: String,
    /// Where a partition is read from that has no position yet.
    pub start: Start,
    /// Fields of which all records with the same values lie in one partition; empty where nothing
    /// is known of that. Of no meaning for a sink.
    pub keyed_by: Vec<String>,
    /// Who signs in to Amazon MSK.
    pub iam: Option<Iam>,
    /// Further settings of librdkafka, by its names.
    pub properties: BTreeMap<String, Property>,
}

impl Kafka {
    /// A property that this build cannot serve, and which can.
    #[must_use]
    pub fn beyond_build(&self) -> Option<String> {
        if self.iam.is_some() && !cfg!(feature = "kafka-iam") {
            return Some(
                "iam wants a build that can sign: cargo build --release --features kafka-iam"
                    .into(),
            );
        }
        if cfg!(feature = "kafka-tls") {
            return None;
        }
        let (name, value) = self.properties.iter().find(|(name, value)| wants_tls(name, value))?;
        let value = match value {
            Property::Plain(value) => format!(" = \"{value}\""),
            Property::Secret(_) => String::new(),
        };
        Some(format!(
            "{name}{value} wants TLS, which this build is without: build it with \
             cargo build --release --features kafka-tls"
        ))
    }
}

/// Whether librdkafka can only do this where it is built with OpenSSL.
fn wants_tls(name: &str, value: &Property) -> bool {
    let is = |start: &str| match value {
        Property::Plain(value) => value.to_ascii_uppercase().contains(start),
        Property::Secret(_) => false,
    };
    match name {
        "security.protocol" => is("SSL"),
        "sasl.mechanism" | "sasl.mechanisms" => is("SCRAM") || is("OAUTHBEARER"),
        name => name.starts_with("ssl."),
    }
}

/// Where a partition is read from at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// What comes from now on.
    #[default]
    Latest,
    /// All that is there.
    Earliest,
}

/// Settings that are ours to make, and what to use instead.
const OURS: [(&str, &str); 9] = [
    ("bootstrap.servers", "use brokers"),
    ("metadata.broker.list", "use brokers"),
    ("group.id", "use group"),
    ("auto.offset.reset", "use start"),
    ("enable.auto.commit", "positions are committed once the ledger has them"),
    ("enable.auto.offset.store", "positions are committed once the ledger has them"),
    ("enable.partition.eof", "it is how the end of a partition is known"),
    ("statistics.interval.ms", "it is how brokers that cannot be heard are known"),
    ("client.id", "it is floodmark"),
];

/// Settings that hold a secret, by what is in their name.
const SECRET: [&str; 4] = ["password", "secret", "ssl.key.pem", "oauthbearer.config"];

/// A source.
pub(super) fn read(section: &mut Section<'_, '_>, report: &mut Report<'_>) -> Option<Kafka> {
    let kafka = common(section, report);
    let group = section.text("group", report).map(str::to_owned);
    let words = [("latest", Start::Latest), ("earliest", Start::Earliest)];
    let start = section.word("start", &words, report).unwrap_or_default();
    let keyed_by = section.texts("keyed_by", report).unwrap_or_default();
    kafka.map(|kafka| Kafka { group: group.unwrap_or(kafka.group), start, keyed_by, ..kafka })
}

/// A sink: one topic, no group.
pub(super) fn sink(section: &mut Section<'_, '_>, report: &mut Report<'_>) -> Option<Kafka> {
    let kafka = common(section, report)?;
    if let (Some(value), true) = (section.get("topics"), kafka.topics.len() > 1) {
        let path = section.path("topics");
        let reason = "is more than a sink can write to";
        report.note(&path, value.span().start, String::new(), reason, "write topic = \"alerts\"");
    }
    Some(kafka)
}

fn common(section: &mut Section<'_, '_>, report: &mut Report<'_>) -> Option<Kafka> {
    let brokers = section.texts("brokers", report);
    if brokers.is_none() && section.get("brokers").is_none() {
        section.missing("brokers", "write brokers = [\"host:9092\"]", report);
    }
    for broker in brokers.iter().flatten() {
        let port = broker.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
        if !matches!(port, Some((host, Ok(1..))) if !host.is_empty()) {
            let at = section.get("brokers").map_or(0, |value| value.span().start);
            let path = section.path("brokers");
            report.note(
                &path,
                at,
                format!("{broker:?}"),
                "must be host:port",
                "as in \"kafka-1:9092\"",
            );
        }
    }
    let topics = match (section.texts("topics", report), section.text("topic", report)) {
        (Some(_), Some(_)) => {
            let path = section.path("topic");
            let at = section.get("topic").map_or(0, |value| value.span().start);
            report.note(&path, at, String::new(), "stands beside topics", "keep one of the two");
            None
        }
        (Some(topics), None) if topics.is_empty() => {
            section.missing("topics", "name at least one topic", report);
            None
        }
        (Some(topics), None) => Some(topics),
        (None, Some(topic)) => Some(vec![topic.to_owned()]),
        (None, None) => {
            if section.get("topics").is_none() && section.get("topic").is_none() {
                section.missing("topics", "write topics = [\"cloudtrail\"]", report);
            }
            None
        }
    };
    let mut properties = BTreeMap::new();
    if let Some(table) = section.table("properties", report) {
        for (name, value) in table.entries() {
            if let Some(property) = property(&table.path(name), name, value, report) {
                properties.insert(name.to_owned(), property);
            }
        }
    }
    let iam = section.table("iam", report).map(|it| iam(it, report));
    Some(Kafka {
        brokers: brokers?,
        topics: topics?,
        group: "floodmark".into(),
        start: Start::default(),
        keyed_by: Vec::new(),
        iam: iam.flatten(),
        properties,
    })
}

fn iam(mut section: Section<'_, '_>, report: &mut Report<'_>) -> Option<Iam> {
    let fix = "write region = \"eu-central-1\", the cluster's";
    let region = section.required_text("region", fix, report).map(str::to_owned);
    let role = section.text("role", report).map(str::to_owned);
    section.end(report);
    Some(Iam { region: region?, role })
}

fn property(
    path: &str,
    name: &str,
    value: Placed<'_, '_>,
    report: &mut Report<'_>,
) -> Option<Property> {
    if let Some((_, instead)) = OURS.iter().find(|(ours, _)| *ours == name) {
        report.note(path, value.span().start, String::new(), "is not yours to set", instead);
        return None;
    }
    let found = value.get_ref();
    let fix = "names with dots want quotes: \"fetch.min.bytes\" = 1";
    let is_secret = SECRET.iter().any(|part| name.contains(part));
    secret::property(path, value, is_secret, fix, report, |report| {
        let plain = found
            .as_str()
            .map(str::to_owned)
            .or_else(|| integer(found).map(|number| number.to_string()))
            .or_else(|| found.as_bool().map(|flag| flag.to_string()));
        if plain.is_none() {
            report.wrong(path, value.span(), "must be a text, a whole number, true or false", fix);
        }
        plain
    })
}

//! Both ends as configured: sources opened, sinks opened and driven.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use crossbeam_channel::{Receiver, bounded};

use crate::config::{self, Property, Settings, SinkKind, SourceKind, Start};
use crate::iam::Iam;
use crate::ledger::Ledger;
use crate::open::Reject;
use crate::sink::{self, Courier};
use crate::source::batch::Source;
use crate::source::combined::Part;
use crate::source::history::{Aside, History, Tell};
use crate::source::kafka::{self, Kafka};
use crate::source::kinesis;
use crate::source::tail::Tail;

/// Alerts that sinks would not take and that are not noted yet, at most.
const REFUSED_WAITING_MAX: usize = 1_024;

/// Sinks with their couriers, and what they will not take.
pub(super) fn couriers(
    settings: &Settings,
    ledger: &Ledger,
    stopped: &Arc<AtomicBool>,
) -> anyhow::Result<(Vec<Courier>, Receiver<Reject>)> {
    let mut opened: Vec<(String, Box<dyn sink::Sink>)> = Vec::new();
    for it in &settings.sinks {
        let sink: Box<dyn sink::Sink> = match &it.kind {
            SinkKind::Stdout => Box::new(sink::Stdout::new(it.format)),
            SinkKind::Kafka { kafka } => {
                let properties = properties(kafka)
                    .with_context(|| format!("sink {} cannot be set up", it.name))?;
                let topic = kafka.topics.first().map_or("", String::as_str);
                let brokers = kafka.brokers.join(",");
                Box::new(sink::Kafka::new(
                    &brokers,
                    topic,
                    kafka.iam.clone(),
                    &properties,
                    it.format,
                )?)
            }
            SinkKind::Webhook(settings) => Box::new(
                webhook(settings, it.format)
                    .with_context(|| format!("sink {}: cannot be opened", it.name))?,
            ),
            SinkKind::File { path, rotation } => {
                Box::new(sink::File::open(path, it.format, *rotation).with_context(|| {
                    format!("sink {}: cannot write {}", it.name, path.display())
                })?)
            }
        };
        opened.push((it.name.clone(), sink));
    }
    let (rejects_in, rejects) = bounded(REFUSED_WAITING_MAX);
    let mut couriers = Vec::with_capacity(opened.len());
    for (name, sink) in opened {
        let cursor = ledger.cursor(&name)?;
        couriers.push(Courier::start(name, sink, cursor, stopped.clone(), rejects_in.clone()));
    }
    Ok((couriers, rejects))
}

pub(super) fn parts(
    settings: &Settings,
    positions: &BTreeMap<String, Box<str>>,
    asides: &crossbeam_channel::Sender<Aside>,
) -> anyhow::Result<Vec<Part>> {
    let is_keyed = settings.is_keyed();
    let mut parts = Vec::new();
    for it in &settings.sources {
        let tell = || -> Tell {
            let asides = asides.clone();
            // Once the daemon has closed, nobody counts any more.
            Box::new(move |aside| drop(asides.send(aside)))
        };
        let name = it.name.clone();
        let mut own = BTreeMap::new();
        for (input, to) in positions {
            let inside = input.strip_prefix(&name).and_then(|rest| rest.strip_prefix(' '));
            own.extend(inside.map(|inside| (inside.to_owned(), to.clone())));
        }
        parts.push(match &it.kind {
            SourceKind::File { paths } => {
                let lateness_secs = settings.engine.lateness_secs;
                let source = History::new(&name, paths.clone(), lateness_secs, tell());
                Part { name, source: Box::new(source), has_end: true }
            }
            SourceKind::Stdin => {
                let source = Tail::new(&name, std::io::stdin(), tell());
                Part { name, source: Box::new(source), has_end: true }
            }
            SourceKind::Kafka(kafka) => {
                let settings = kafka::Settings {
                    brokers: kafka.brokers.join(","),
                    topics: kafka.topics.clone(),
                    group: kafka.group.clone(),
                    is_from_start: kafka.start == Start::Earliest,
                    is_keyed: !kafka.keyed_by.is_empty(),
                    rereads: is_keyed,
                    positions: own,
                    iam: kafka.iam.clone(),
                    properties: properties(kafka)
                        .with_context(|| format!("source {name} cannot be set up"))?,
                };
                let source = Kafka::subscribe(&settings)?;
                Part { name, source: Box::new(source), has_end: false }
            }
            SourceKind::Kinesis(kinesis) => {
                let kinesis =
                    kinesis::Settings { rereads: is_keyed, ..kinesis::Settings::clone(kinesis) };
                Part { name, source: open_kinesis(kinesis, &own)?, has_end: false }
            }
        });
    }
    Ok(parts)
}

#[cfg(feature = "kinesis")]
fn open_kinesis(
    settings: kinesis::Settings,
    positions: &BTreeMap<String, Box<str>>,
) -> anyhow::Result<Box<dyn Source>> {
    let tell = Box::new(|what: &str| eprintln!("floodmark: {what}"));
    Ok(Box::new(kinesis::Kinesis::start(settings, positions, tell)?))
}

#[cfg(not(feature = "kinesis"))]
fn open_kinesis(
    settings: kinesis::Settings,
    _: &BTreeMap<String, Box<str>>,
) -> anyhow::Result<Box<dyn Source>> {
    anyhow::bail!("kinesis {}: this build is without the feature kinesis", settings.stream_name())
}

fn properties(kafka: &config::Kafka) -> anyhow::Result<BTreeMap<String, String>> {
    if let Some(what) = kafka.beyond_build() {
        anyhow::bail!(what);
    }
    let signing = kafka.iam.iter().flat_map(|_| Iam::PROPERTIES);
    let signing = signing.map(|(name, value)| Ok((name.to_owned(), value.to_owned())));
    let fetched =
        kafka.properties.iter().map(|(name, value)| Ok((name.clone(), fetch(name, value)?)));
    signing.chain(fetched).collect()
}

/// The value of a key, from where it is kept.
fn fetch(key: &str, value: &Property) -> anyhow::Result<String> {
    let hidden = value.fetch(&|name| std::env::var(name).ok()).with_context(|| key.to_owned())?;
    Ok(hidden.reveal().to_owned())
}

fn webhook(webhook: &config::Webhook, format: sink::Format) -> anyhow::Result<sink::Webhook> {
    let headers = webhook
        .headers
        .iter()
        .map(|(name, value)| Ok((name.clone(), fetch(&format!("headers.{name}"), value)?)));
    let settings = sink::webhook::Settings {
        url: fetch("url", &webhook.url)?,
        headers: headers.collect::<anyhow::Result<_>>()?,
        body: webhook.body,
        gzip: webhook.gzip,
        timeout: webhook.timeout,
        alerts_max: webhook.alerts_max,
        trusted: webhook.trusted.clone(),
    };
    sink::Webhook::new(settings, format).map_err(anyhow::Error::msg)
}

//! Both ends as configured: sources opened, sinks opened and driven.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;

use crate::config::{self, Property, Settings, SinkKind, SourceKind, Start};
use crate::ledger::Ledger;
use crate::sink::{self, Courier};
use crate::source::batch::Source;
use crate::source::combined::Part;
use crate::source::history::{Aside, History, Tell};
use crate::source::kafka::{self, Kafka};
use crate::source::kinesis;
use crate::source::tail::Tail;

pub(super) fn couriers(
    settings: &Settings,
    ledger: &Ledger,
    stopped: &Arc<AtomicBool>,
) -> anyhow::Result<Vec<Courier>> {
    let mut opened: Vec<(String, Box<dyn sink::Sink>)> = Vec::new();
    for it in &settings.sinks {
        let sink: Box<dyn sink::Sink> = match &it.kind {
            SinkKind::Stdout => Box::new(sink::Stdout::new(it.format)),
            SinkKind::Kafka { kafka } => {
                let properties = properties(kafka)
                    .with_context(|| format!("sink {}: a secret cannot be had", it.name))?;
                let topic = kafka.topics.first().map_or("", String::as_str);
                let brokers = kafka.brokers.join(",");
                Box::new(sink::Kafka::new(&brokers, topic, &properties, it.format)?)
            }
            SinkKind::File { path, rotation } => {
                Box::new(sink::File::open(path, it.format, *rotation).with_context(|| {
                    format!("sink {}: cannot write {}", it.name, path.display())
                })?)
            }
        };
        opened.push((it.name.clone(), sink));
    }
    let mut couriers = Vec::with_capacity(opened.len());
    for (name, sink) in opened {
        let cursor = ledger.cursor(&name)?;
        couriers.push(Courier::start(name, sink, cursor, stopped.clone()));
    }
    Ok(couriers)
}

pub(super) fn parts(
    settings: &Settings,
    positions: &BTreeMap<String, Box<str>>,
    asides: &crossbeam_channel::Sender<Aside>,
) -> anyhow::Result<Vec<Part>> {
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
                    positions: own,
                    properties: properties(kafka)
                        .with_context(|| format!("source {name}: a secret cannot be had"))?,
                };
                let source = Kafka::subscribe(&settings)?;
                Part { name, source: Box::new(source), has_end: false }
            }
            SourceKind::Kinesis(kinesis) => {
                Part { name, source: open_kinesis(kinesis, &own)?, has_end: false }
            }
        });
    }
    Ok(parts)
}

#[cfg(feature = "kinesis")]
fn open_kinesis(
    settings: &kinesis::Settings,
    positions: &BTreeMap<String, Box<str>>,
) -> anyhow::Result<Box<dyn Source>> {
    let tell = Box::new(|what: &str| eprintln!("floodmark: {what}"));
    Ok(Box::new(kinesis::Kinesis::start(settings.clone(), positions, tell)?))
}

#[cfg(not(feature = "kinesis"))]
fn open_kinesis(
    settings: &kinesis::Settings,
    _: &BTreeMap<String, Box<str>>,
) -> anyhow::Result<Box<dyn Source>> {
    anyhow::bail!("kinesis {}: this build is without the feature kinesis", settings.stream_name())
}

fn properties(kafka: &config::Kafka) -> anyhow::Result<BTreeMap<String, String>> {
    let mut properties = BTreeMap::new();
    for (property, value) in &kafka.properties {
        let value = match value {
            Property::Plain(value) => value.clone(),
            Property::Secret(secret) => {
                let hidden =
                    secret.fetch(&|name| std::env::var(name).ok()).context(property.clone())?;
                hidden.reveal().to_owned()
            }
        };
        properties.insert(property.clone(), value);
    }
    Ok(properties)
}

//! How a consumer is set up.

use std::collections::BTreeMap;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::group::Group;
use super::{Settings, SourceError, hearing};

/// How often it is looked whether topics have grown, milliseconds.
const REFRESH_MS: u32 = 30_000;

/// A consumer that begins at these offsets, by partition's name.
pub(super) fn consumer(
    settings: &Settings,
    positions: BTreeMap<String, i64>,
) -> Result<BaseConsumer<Group>, SourceError> {
    let fail = |error: KafkaError| SourceError {
        source_name: format!("kafka {}", settings.brokers),
        reason: error.to_string(),
    };
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("group.id", &settings.group)
        .set("client.id", "floodmark")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        // Where the group is behind what is kept, all that is left. Where a partition begins that
        // nobody has read is for the group's listener to say.
        .set("auto.offset.reset", "earliest")
        .set("topic.metadata.refresh.interval.ms", REFRESH_MS.to_string())
        .set("statistics.interval.ms", hearing::INTERVAL_MS.to_string())
        .set("fetch.queue.backoff.ms", "20")
        .set("queued.max.messages.kbytes", "65536");
    for (key, value) in &settings.properties {
        config.set(key, value);
    }
    // What it says of offsets that are out of range is a warning.
    config.set_log_level(RDKafkaLogLevel::Warning);
    let group = Group::at(positions, settings.is_from_start)
        .rereading(settings.rereads)
        .with_iam(settings.iam.clone());
    let consumer: BaseConsumer<Group> = config.create_with_context(group).map_err(fail)?;
    let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(fail)?;
    Ok(consumer)
}

/// Trouble that librdkafka mends by itself; it goes on trying.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    match error {
        KafkaError::MessageConsumption(code) => !matches!(
            code,
            RDKafkaErrorCode::Fatal
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
        ),
        _ => false,
    }
}

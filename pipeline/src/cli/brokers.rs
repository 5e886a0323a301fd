//! The Kafka that a command writes to: its brokers, and what it takes to be let in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rdkafka::config::ClientConfig;

/// How a command is let in by brokers.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct BrokersArgs {
    /// Settings of librdkafka for --kafka, such as security.protocol, a line each: NAME=VALUE. TLS and
    /// SASL with SCRAM want a build with the feature kafka-tls.
    #[arg(long, value_name = "FILE", requires = "kafka")]
    kafka_properties: Option<PathBuf>,
}

/// Brokers and how to be let in.
#[derive(Debug, Clone)]
pub(super) struct Brokers {
    /// `host:port`, comma-separated.
    pub(super) addresses: String,
    /// librdkafka's properties.
    pub(super) properties: BTreeMap<String, String>,
}

impl BrokersArgs {
    /// The brokers at these addresses.
    pub(super) fn at(&self, addresses: &str) -> anyhow::Result<Brokers> {
        let properties = self.kafka_properties.as_deref().map(read).transpose()?;
        let properties = properties.unwrap_or_default();
        Ok(Brokers { addresses: addresses.to_owned(), properties })
    }
}

impl Brokers {
    /// What a client begins with.
    pub(super) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.addresses);
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }
}

/// The properties in a file. A value that is wrong is never shown: it may be a password.
fn read(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let mut properties = BTreeMap::new();
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            bail!("{}:{number}: is no NAME=VALUE", path.display());
        };
        properties.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn properties_are_lines_and_faults_name_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.properties");
        std::fs::write(&path, "# ours\n\nsasl.password = a=b \nsecurity.protocol=SSL\n").unwrap();
        let args = BrokersArgs { kafka_properties: Some(path.clone()) };
        let config = args.at("a:1").unwrap().config();
        assert_eq!(config.get("sasl.password"), Some("a=b"));
        assert_eq!(config.get("security.protocol"), Some("SSL"));
        assert_eq!(config.get("bootstrap.servers"), Some("a:1"));
        std::fs::write(&path, "a=b\nhunter2\n").unwrap();
        let error = args.at("a:1").unwrap_err().to_string();
        assert!(error.ends_with("client.properties:2: is no NAME=VALUE"), "{error}");
    }
}

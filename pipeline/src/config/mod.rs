//! `floodmark.toml`: as written, as meant, and what to mend.
//!
//! [`Settings::parse`] reads a file into settings that are valid by type, or says *all* that is
//! wrong with it, each fault with place, value, reason and the fix. It opens nothing: no network, no
//! file but the text it is given. Defaults stand in [`settings`] and nowhere else. Unknown keys are
//! faults, with the nearest known one.
//!
//! Secrets are never in the file: `{ env = "NAME" }` or `{ file = "/run/secrets/name" }` says where
//! they are ([`Secret`]).

mod environment;
mod fault;
mod http;
mod kafka;
mod kinesis;
mod ledger;
mod reader;
mod rules;
mod secret;
pub mod settings;
mod webhook;

pub use environment::{LISTS, Lists};
pub use fault::{Fault, Faults};
pub use http::Http;
pub use kafka::{Kafka, Start};
pub use ledger::Ledger;
pub use rules::Rules;
pub use secret::{Hidden, Property, Secret, Unfound};
pub use settings::{Engine, Settings, Sink, SinkKind, Source, SourceKind, rules_in};
pub use webhook::Webhook;

/// Reads a duration for the command line: `15m`, `90s`, `1h30m`; in seconds.
///
/// # Errors
/// What it should look like.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    reader::duration_secs(text)
        .ok_or_else(|| format!("`{text}` is no duration such as 15m, 90s or 1h30m"))
}

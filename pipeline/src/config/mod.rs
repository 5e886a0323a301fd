//! `floodmark.toml`: as written, as meant, and what to mend.
//!
//! [`Settings::parse`] reads a file into settings that are valid by type, or says *all* that is
//! wrong with it, each fault with place, value, reason and the fix. It opens nothing: no network, no
//! file but the text it is given. Defaults stand in [`settings`] and nowhere else. Unknown keys are
//! faults, with the nearest known one.
//!
//! Secrets are never in the file: `{ env = "NAME" }` or `{ file = "/run/secrets/name" }` says where
//! they are ([`Secret`]).

mod fault;
mod kafka;
mod reader;
mod secret;
pub mod settings;

pub use fault::{Fault, Faults};
pub use kafka::{Kafka, Property};
pub use secret::{Hidden, Secret};
pub use settings::{Engine, Rules, Settings, Sink, SinkKind, Source, SourceKind};

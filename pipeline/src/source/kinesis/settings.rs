//! What to read and how, as the source takes it.

use std::fmt;
use std::path::PathBuf;

use super::position::Position;

/// What to read and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The stream, by name or by ARN. Another account's stream wants the ARN.
    pub stream: String,
    /// Where a stream is begun that has no positions yet: the oldest, the latest, or a time.
    pub start: Position,
    /// How records are fetched.
    pub fetch: Fetch,
    /// The table through which several processes share the stream; without it this process reads
    /// every shard.
    pub leases: Option<Leases>,
    /// Whether windows are kept by shard, so that what they rest on is read again when one is taken
    /// over.
    pub rereads: bool,
    /// How AWS is reached.
    pub access: Access,
}

/// How records are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetch {
    /// `GetRecords`, at most so many calls a second and shard; Kinesis allows all consumers
    /// together five.
    Poll {
        /// Calls.
        per_second: u32,
    },
    /// Enhanced fan-out: `SubscribeToShard`, with throughput of its own and its own price.
    FanOut {
        /// The name of the registered consumer; it is registered if it is not yet.
        consumer: String,
    },
}

/// A lease table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leases {
    /// Its name; it is created if it is not there.
    pub table: String,
    /// How long a lease may go without renewal before another process takes it, milliseconds. All
    /// processes on one table must agree.
    pub failover_ms: i64,
    /// How this process's name in the table begins; the host's name if nothing is given. What
    /// follows makes it unlike any other.
    pub worker: Option<String>,
    /// Fields of which all records with the same values lie in one shard: only then have the
    /// processes whole windows.
    pub keyed_by: Vec<String>,
}

/// How AWS is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Region; else that of the environment or the profile.
    pub region: Option<String>,
    /// A role to be assumed.
    pub role: Option<Role>,
    /// Where Kinesis answers, if not where its region says.
    pub kinesis_endpoint: Option<String>,
    /// Where DynamoDB answers.
    pub dynamodb_endpoint: Option<String>,
    /// Where the token service answers that hands out roles.
    pub sts_endpoint: Option<String>,
    /// Certificates in PEM form that are trusted beside those of the system.
    pub trusted: Option<PathBuf>,
    /// An access key to use in place of the default chain; for tests, not for configuration.
    pub key: Option<Key>,
}

/// An access key. Its secret is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A role to be assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// What the role's trust policy asks for, if it does.
    pub external_id: Option<String>,
}

impl Settings {
    /// The stream's name, whichever way it was given.
    #[must_use]
    pub fn stream_name(&self) -> &str {
        match self.stream.rsplit_once('/') {
            Some((before, name)) if before.starts_with("arn:") => name,
            _ => &self.stream,
        }
    }

    /// The stream's ARN, if it was given.
    #[must_use]
    pub fn stream_arn(&self) -> Option<&str> {
        self.stream.starts_with("arn:").then_some(self.stream.as_str())
    }
}

//! What envelopes were met, in numbers.

/// A kind of envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// gzip, of one or more members.
    Gzip,
    /// Zstandard, of one or more frames.
    Zstd,
    /// Aggregation by the Kinesis Producer Library.
    Kpl,
    /// What a CloudWatch Logs subscription sends.
    CloudWatch,
    /// An event of EventBridge, with the record in `detail`.
    EventBridge,
    /// `{"Records": [...]}`, as CloudTrail writes log files.
    Records,
    /// Several values in one payload: an array, a line each, or one behind the other as Firehose
    /// leaves them.
    Sequence,
    /// `schema` and `payload` of Kafka Connect's JSON converter.
    Connect,
    /// A JSON text that holds JSON.
    Text,
    /// Base64, as JSON converters write bytes.
    Base64,
    /// A notification of SNS with something in its `Message`.
    Sns,
    /// What log shippers make of a line: `message`, `log` or `event` beside members of their own.
    Shipper,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 12] = [
        Kind::Gzip,
        Kind::Zstd,
        Kind::Kpl,
        Kind::CloudWatch,
        Kind::EventBridge,
        Kind::Records,
        Kind::Sequence,
        Kind::Connect,
        Kind::Text,
        Kind::Base64,
        Kind::Sns,
        Kind::Shipper,
    ];

    /// Its name, for metrics and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Gzip => "gzip",
            Kind::Zstd => "zstd",
            Kind::Kpl => "kpl",
            Kind::CloudWatch => "cloudwatch",
            Kind::EventBridge => "eventbridge",
            Kind::Records => "records",
            Kind::Sequence => "sequence",
            Kind::Connect => "connect",
            Kind::Text => "text",
            Kind::Base64 => "base64",
            Kind::Sns => "sns",
            Kind::Shipper => "shipper",
        }
    }
}

/// How much of one kind there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Envelopes.
    pub count: u64,
    /// Bytes they were.
    pub bytes_in: u64,
    /// Bytes that came out of them.
    pub bytes_out: u64,
}

/// What was met while payloads were opened; counts of several batches can be added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records found, readable or not.
    pub records: u64,
    /// Stretches that gave no record.
    pub rejects: u64,
    /// Control messages of CloudWatch Logs, which try whether the destination can be reached.
    pub control_messages: u64,
    /// Digest files of CloudTrail, which hold signatures and no records.
    pub digests: u64,
    kinds: [Tally; Kind::ALL.len()],
}

impl Counts {
    /// How much there was of one kind of envelope.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Tally {
        self.kinds.get(kind as usize).copied().unwrap_or_default()
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Counts) {
        self.records += other.records;
        self.rejects += other.rejects;
        self.control_messages += other.control_messages;
        self.digests += other.digests;
        for (sum, more) in self.kinds.iter_mut().zip(&other.kinds) {
            sum.count += more.count;
            sum.bytes_in += more.bytes_in;
            sum.bytes_out += more.bytes_out;
        }
    }

    pub(super) fn tally(&mut self, kind: Kind, bytes_in: usize, bytes_out: usize) {
        if let Some(tally) = self.kinds.get_mut(kind as usize) {
            tally.count += 1;
            tally.bytes_in += bytes_in as u64;
            tally.bytes_out += bytes_out as u64;
        }
    }
}

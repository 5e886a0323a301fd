//! Servers that the tests start, and what they ask of them beside the source.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::Shard;
use md5::{Digest, Md5};
use tokio::runtime::Runtime;

use super::super::program::until;

/// A server of `tests/servers`, until it is dropped or this process ends.
pub(crate) struct Server {
    child: Child,
    /// What its script printed before it was ready.
    pub(crate) told: Vec<String>,
}

impl Server {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(name: &str, arguments: &[String]) -> Server {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let mut child = Command::new(root.join("tests/servers").join(name).join("start"))
            .args(arguments)
            .env("CARGO_TARGET_DIR", target)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if line == "ready" {
                return Server { child, told };
            }
            told.push(line);
        }
        panic!("{name} does not start: {:?}", child.wait().unwrap());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The one Kinesis server of all tests.
pub(crate) struct Kinesis {
    _server: Server,
    pub(crate) plain: String,
    pub(crate) tls: String,
    pub(crate) ca: PathBuf,
}

impl Kinesis {
    pub(crate) fn shared() -> &'static Kinesis {
        static SHARED: OnceLock<Kinesis> = OnceLock::new();
        SHARED.get_or_init(|| {
            let (plain, tls) = (free_port(), free_port());
            let server = Server::start("kinesis", &[plain.to_string(), tls.to_string()]);
            let ca = server.told.iter().find_map(|line| line.strip_prefix("ca ")).unwrap().into();
            let url = |scheme, port| format!("{scheme}://127.0.0.1:{port}");
            Kinesis { _server: server, plain: url("http", plain), tls: url("https", tls), ca }
        })
    }
}

/// The one DynamoDB of all tests.
pub(crate) fn dynamodb() -> &'static str {
    static SHARED: OnceLock<(Server, String)> = OnceLock::new();
    let (_, url) = SHARED.get_or_init(|| {
        let port = free_port();
        (Server::start("dynamodb", &[port.to_string()]), format!("http://127.0.0.1:{port}"))
    });
    url
}

/// A way to ask it.
fn asking() -> &'static (Runtime, aws_sdk_dynamodb::Client) {
    static ASKING: OnceLock<(Runtime, aws_sdk_dynamodb::Client)> = OnceLock::new();
    ASKING.get_or_init(|| {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(dynamodb())
            .build();
        (Runtime::new().unwrap(), aws_sdk_dynamodb::Client::from_conf(config))
    })
}

/// Writes a checkpoint as one does who knows of nothing else in the row.
pub(crate) fn checkpoint(table: &str, shard: &str, sequence: &str, sub_sequence: usize) {
    let (runtime, client) = asking();
    let text = |value: &str| aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned());
    let number = aws_sdk_dynamodb::types::AttributeValue::N(sub_sequence.to_string());
    let update = client.update_item().table_name(table).key("leaseKey", text(shard));
    let update = update
        .update_expression("SET checkpoint = :checkpoint, checkpointSubSequenceNumber = :sub")
        .expression_attribute_values(":checkpoint", text(sequence))
        .expression_attribute_values(":sub", number);
    runtime.block_on(update.send()).unwrap();
}

/// The rows of a lease table, each with its attributes as texts.
pub(crate) fn rows(table: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let (runtime, client) = asking();
    let scan = client.scan().table_name(table).consistent_read(true).send();
    let items = match runtime.block_on(scan) {
        Ok(answer) => answer.items.unwrap_or_default(),
        Err(error) => {
            assert_eq!(error.code(), Some("ResourceNotFoundException"), "it may not be there yet");
            Vec::new()
        }
    };
    let text = |value: &aws_sdk_dynamodb::types::AttributeValue| match value {
        aws_sdk_dynamodb::types::AttributeValue::Ss(texts) => {
            let mut texts = texts.clone();
            texts.sort();
            texts.join(",")
        }
        value => value.as_s().or(value.as_n()).cloned().unwrap_or_default(),
    };
    let row = |item: std::collections::HashMap<String, _>| -> BTreeMap<String, String> {
        item.iter().map(|(name, value)| (name.clone(), text(value))).collect()
    };
    items.into_iter().map(row).map(|row| (row["leaseKey"].clone(), row)).collect()
}

/// A stream of a test's own.
pub(crate) struct Stream {
    pub(crate) name: String,
    runtime: Runtime,
    client: aws_sdk_kinesis::Client,
}

impl Stream {
    pub(crate) fn create(name: &str, shards: i32) -> Stream {
        let config = aws_sdk_kinesis::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(&Kinesis::shared().plain)
            .build();
        let stream = Stream {
            name: name.to_owned(),
            runtime: Runtime::new().unwrap(),
            client: aws_sdk_kinesis::Client::from_conf(config),
        };
        until("a stream of this name that is being deleted is gone", || {
            let call = stream.client.describe_stream_summary().stream_name(name);
            stream.runtime.block_on(call.send()).map_or_else(
                |error| error.code() == Some("ResourceNotFoundException"),
                |answer| {
                    let summary = answer.stream_description_summary.unwrap();
                    assert_eq!(summary.stream_status.as_str(), "DELETING", "{name} is there");
                    false
                },
            )
        });
        let call = stream.client.create_stream().stream_name(name).shard_count(shards);
        stream.runtime.block_on(call.send()).unwrap();
        stream.settle();
        stream
    }

    /// Waits until the stream can be changed again.
    fn settle(&self) {
        until("the stream is active", || {
            let call = self.client.describe_stream_summary().stream_name(&self.name);
            match self.runtime.block_on(call.send()) {
                Ok(answer) => {
                    let summary = answer.stream_description_summary.unwrap();
                    summary.stream_status.as_str() == "ACTIVE"
                }
                Err(error) => {
                    assert_eq!(error.code(), Some("ResourceNotFoundException"));
                    false
                }
            }
        });
    }

    /// Puts one record each, under a key of its own. Where they ended: by shard, the last one's
    /// sequence number.
    pub(crate) fn put(&self, payloads: &[String]) -> BTreeMap<String, String> {
        let key = |payload: &String| format!("{:x?}", Md5::digest(payload).as_slice());
        let entries = payloads.iter().map(|it| (key(it), it.clone().into_bytes()));
        self.put_by(entries.collect()).into_iter().collect()
    }

    /// Puts one record each, with its key. Where each is: shard and sequence number.
    pub(crate) fn put_by(&self, entries: Vec<(String, Vec<u8>)>) -> Vec<(String, String)> {
        let mut places = Vec::with_capacity(entries.len());
        let entry = |(key, data): (String, Vec<u8>)| {
            aws_sdk_kinesis::types::PutRecordsRequestEntry::builder()
                .data(Blob::new(data))
                .partition_key(key)
                .build()
                .unwrap()
        };
        let entries: Vec<_> = entries.into_iter().map(entry).collect();
        for some in entries.chunks(100) {
            let call = self.client.put_records().stream_name(&self.name);
            let call = call.set_records(Some(some.to_vec()));
            let answer = self.runtime.block_on(call.send()).unwrap();
            assert_eq!(answer.failed_record_count, Some(0));
            let placed = answer.records.into_iter();
            places.extend(placed.map(|it| (it.shard_id.unwrap(), it.sequence_number.unwrap())));
        }
        places
    }

    /// Puts one record of these bytes, under one key.
    pub(crate) fn put_bytes(&self, bytes: &[u8]) {
        let call = self.client.put_record().stream_name(&self.name);
        let call = call.data(Blob::new(bytes)).partition_key("a");
        self.runtime.block_on(call.send()).unwrap();
    }

    pub(crate) fn open_shards(&self) -> Vec<Shard> {
        let call = self.client.list_shards().stream_name(&self.name);
        let shards = self.runtime.block_on(call.send()).unwrap().shards.unwrap();
        let is_open = |shard: &Shard| {
            let range = shard.sequence_number_range.as_ref().unwrap();
            range.ending_sequence_number.is_none()
        };
        shards.into_iter().filter(is_open).collect()
    }

    /// Splits a shard in the middle.
    pub(crate) fn split(&self, shard: &Shard) {
        let range = shard.hash_key_range.as_ref().unwrap();
        let first: u128 = range.starting_hash_key.parse().unwrap();
        let last: u128 = range.ending_hash_key.parse().unwrap();
        let middle = first + (last - first) / 2 + 1;
        let call =
            self.client.split_shard().stream_name(&self.name).shard_to_split(&shard.shard_id);
        let call = call.new_starting_hash_key(middle.to_string());
        self.runtime.block_on(call.send()).unwrap();
        self.settle();
    }

    /// Merges two shards whose ranges of hashes lie side by side.
    pub(crate) fn merge_two(&self) {
        let mut shards = self.open_shards();
        shards.sort_by_key(|shard| {
            let range = shard.hash_key_range.as_ref().unwrap();
            range.starting_hash_key.parse::<u128>().unwrap()
        });
        self.merge(&shards[0], &shards[1]);
    }

    pub(crate) fn merge(&self, one: &Shard, other: &Shard) {
        let call = self.client.merge_shards().stream_name(&self.name);
        let call = call.shard_to_merge(&one.shard_id).adjacent_shard_to_merge(&other.shard_id);
        self.runtime.block_on(call.send()).unwrap();
        self.settle();
    }
}

/// An aggregated record as the Kinesis Producer Library makes it.
pub(crate) fn aggregated(payloads: &[String]) -> Vec<u8> {
    fn field(number: u8, bytes: &[u8], message: &mut Vec<u8>) {
        message.push(number << 3 | 2);
        let mut length = bytes.len();
        while length >= 0x80 {
            message.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(bytes);
    }
    let mut message = Vec::new();
    field(1, b"key", &mut message);
    for payload in payloads {
        // The first partition key, by number, and the data.
        let mut record = vec![1 << 3, 0];
        field(3, payload.as_bytes(), &mut record);
        field(3, &record, &mut message);
    }
    let md5 = Md5::digest(&message);
    [&[0xf3, 0x89, 0x9a, 0xc2][..], &message, md5.as_slice()].concat()
}

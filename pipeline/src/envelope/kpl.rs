//! Aggregation by the Kinesis Producer Library: many user records in one payload.
//!
//! Four bytes of magic, a protobuf message `AggregatedRecord`, and the MD5 of that message
//! ("KPL aggregated record format" in the producer's repository). Only the few fields of that one
//! message are read, in place: no generated code, nothing copied but two tables of borrowed keys.
//!
//! A payload whose MD5 does not fit is an ordinary payload, as it is to Amazon's own consumer. In
//! one other point we part with that consumer: it drops a whole payload, silently, when one of its
//! user records hashes to another shard. We give all of them, and leave [`UserRecord::hash_key`]
//! to whoever wants to know. The partition key around the payload means nothing: the producer sets
//! it to `a` and routes by explicit hash key.

use md5::{Digest, Md5};

/// How an aggregated payload begins.
pub const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];

/// Length of the MD5 at the end, bytes.
const MD5_BYTES: usize = 16;

/// One of the records that a producer put together into a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserRecord<'p> {
    /// Its number in the payload, from 0: the `subSequenceNumber` of the Kinesis Client Library.
    pub sub_sequence: u64,
    /// The key its producer gave it; `None` where the payload names one that it does not hold.
    pub partition_key: Option<&'p str>,
    /// The hash key its producer gave it, in decimal, where it gave one.
    pub explicit_hash_key: Option<&'p str>,
    /// What the producer put.
    pub data: &'p [u8],
}

impl UserRecord<'_> {
    /// Where in a stream's range of hash keys it belongs: by the explicit key, else by the MD5 of
    /// the partition key. `None` where neither can be read.
    #[must_use]
    pub fn hash_key(&self) -> Option<u128> {
        match self.explicit_hash_key {
            Some(decimal) => decimal.parse().ok(),
            None => {
                let key = self.partition_key?;
                Some(u128::from_be_bytes(Md5::digest(key.as_bytes()).into()))
            }
        }
    }
}

/// The message ends early or is no message; what came before it is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("aggregated payload broken at user record {sub_sequence}")]
pub struct Malformed {
    /// The number of the user record that could not be read.
    pub sub_sequence: u64,
}

/// Whether a payload is aggregated: magic and MD5 both fit.
#[must_use]
pub fn is_aggregated(payload: &[u8]) -> bool {
    message(payload).is_some()
}

/// The user records of a payload, in order; `None` if it is not aggregated.
///
/// What the producer put may be empty, and may be an envelope itself. After a [`Malformed`] there
/// is nothing more.
#[must_use]
pub fn user_records(payload: &[u8]) -> Option<UserRecords<'_>> {
    let message = message(payload)?;
    let (mut partition_keys, mut explicit_hash_keys) = (Vec::new(), Vec::new());
    let mut fields = Fields(message);
    while let Some(Ok(field)) = fields.next() {
        match field {
            (PARTITION_KEYS, Content::Bytes(key)) => partition_keys.push(key),
            (EXPLICIT_HASH_KEYS, Content::Bytes(key)) => explicit_hash_keys.push(key),
            _ => {}
        }
    }
    let fields = Some(Fields(message));
    Some(UserRecords { partition_keys, explicit_hash_keys, fields, sub_sequence: 0 })
}

/// See [`user_records`].
#[derive(Debug, Clone)]
pub struct UserRecords<'p> {
    partition_keys: Vec<&'p [u8]>,
    explicit_hash_keys: Vec<&'p [u8]>,
    /// `None` once the message is found broken.
    fields: Option<Fields<'p>>,
    sub_sequence: u64,
}

impl<'p> Iterator for UserRecords<'p> {
    type Item = Result<UserRecord<'p>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let sub_sequence = self.sub_sequence;
        let read = loop {
            match self.fields.as_mut()?.next()? {
                Ok((USER_RECORDS, Content::Bytes(message))) => break self.read(message),
                Ok(_) => {}
                Err(Broken) => break Err(Broken),
            }
        };
        self.sub_sequence += 1;
        Some(read.map_err(|Broken| {
            self.fields = None;
            Malformed { sub_sequence }
        }))
    }
}

impl<'p> UserRecords<'p> {
    /// Reads the message `Record`; its tags are passed over.
    fn read(&self, message: &'p [u8]) -> Result<UserRecord<'p>, Broken> {
        let (mut partition_key, mut explicit_hash_key, mut data) = (None, None, None);
        for field in Fields(message) {
            match field? {
                (PARTITION_KEY_INDEX, Content::Number(index)) => partition_key = Some(index),
                (EXPLICIT_HASH_KEY_INDEX, Content::Number(index)) => {
                    explicit_hash_key = Some(index);
                }
                (DATA, Content::Bytes(bytes)) => data = Some(bytes),
                _ => {}
            }
        }
        Ok(UserRecord {
            sub_sequence: self.sub_sequence,
            partition_key: key(&self.partition_keys, partition_key),
            explicit_hash_key: key(&self.explicit_hash_keys, explicit_hash_key),
            data: data.ok_or(Broken)?,
        })
    }
}

fn key<'p>(table: &[&'p [u8]], index: Option<u64>) -> Option<&'p str> {
    let key = table.get(usize::try_from(index?).ok()?)?;
    std::str::from_utf8(key).ok()
}

/// The protobuf message between magic and MD5, if both fit.
fn message(payload: &[u8]) -> Option<&[u8]> {
    let (message, md5) = payload.strip_prefix(&MAGIC)?.split_last_chunk::<MD5_BYTES>()?;
    (<[u8; MD5_BYTES]>::from(Md5::digest(message)) == *md5).then_some(message)
}

// Field numbers of `AggregatedRecord`.
const PARTITION_KEYS: u64 = 1;
const EXPLICIT_HASH_KEYS: u64 = 2;
const USER_RECORDS: u64 = 3;

// Field numbers of `Record`.
const PARTITION_KEY_INDEX: u64 = 1;
const EXPLICIT_HASH_KEY_INDEX: u64 = 2;
const DATA: u64 = 3;

/// The fields of one protobuf message.
#[derive(Debug, Clone)]
struct Fields<'p>(&'p [u8]);

/// What a field holds, as far as we need to know.
enum Content<'p> {
    Number(u64),
    Bytes(&'p [u8]),
    Other,
}

/// No protobuf.
struct Broken;

impl<'p> Iterator for Fields<'p> {
    type Item = Result<(u64, Content<'p>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field().ok_or(Broken);
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'p> Fields<'p> {
    fn field(&mut self) -> Option<(u64, Content<'p>)> {
        let tag = self.varint()?;
        let content = match tag & 7 {
            0 => Content::Number(self.varint()?),
            1 => self.take(8).map(|_| Content::Other)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Content::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Content::Other)?,
            _ => return None,
        };
        Some((tag >> 3, content))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'p [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
#[path = "kpl_tests.rs"]
mod tests;

//! What lies in the ledger as bytes: MessagePack, compressed.
//!
//! Windows and alerts are mostly records, which are much alike: a third of their size is left. At this
//! level it takes less time to compress them than to write the rest.

use std::borrow::Cow;
use std::error::Error;

use rusqlite::types::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zstd::bulk::Compressor;

/// Level of compression, of those that are for speed.
const LEVEL: i32 = -1;

/// How what is compressed begins (RFC 8878, section 3.1.1); no map in MessagePack does.
const MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Makes bodies.
pub(super) struct Packer(Compressor<'static>);

impl Packer {
    pub(super) fn new() -> rusqlite::Result<Packer> {
        Compressor::new(LEVEL).map(Packer).map_err(unfit)
    }

    /// The body of `value`.
    pub(super) fn pack(&mut self, value: &impl Serialize) -> rusqlite::Result<Vec<u8>> {
        let plain = rmp_serde::to_vec_named(value).map_err(unfit)?;
        self.0.compress(&plain).map_err(unfit)
    }
}

/// What a body was made of. Earlier versions did not compress theirs.
pub(super) fn unpack<T: DeserializeOwned>(body: &[u8]) -> rusqlite::Result<T> {
    let unreadable = |error| rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, error);
    let plain = match body.starts_with(MAGIC) {
        true => Cow::Owned(zstd::decode_all(body).map_err(|error| unreadable(error.into()))?),
        false => Cow::Borrowed(body),
    };
    rmp_serde::from_slice(&plain).map_err(|error| unreadable(error.into()))
}

fn unfit(error: impl Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

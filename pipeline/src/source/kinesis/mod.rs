//! Kinesis as a source: every shard of a stream, alone or shared with others through leases.
//!
//! ```text
//! shards ----+                    +-> reader of a shard --+
//!            +-> leases (table) --+-> reader of a shard --+-> bounded queue -> Source::next
//! ledger ----+                    +-> ..                --+
//! ```
//! A shard is an input. Parents are read to their end before their children are begun, on a split as
//! on a merge. What came twice does no harm, so nothing is kept to tell; what matters is that no
//! record is passed over: a position goes into the lease table only once the ledger has it.
//!
//! The SDK wants an async runtime. It has one here, with threads of its own; from outside this is a
//! source like any other, that blocks for a bounded time.

mod position;
pub mod settings;

#[cfg(feature = "kinesis")]
mod access;
#[cfg(feature = "kinesis")]
mod driver;
#[cfg(feature = "kinesis")]
mod fan_out;
#[cfg(feature = "kinesis")]
mod handover;
#[cfg(feature = "kinesis")]
mod lease;
#[cfg(feature = "kinesis")]
mod own;
#[cfg(feature = "kinesis")]
mod poll;
#[cfg(feature = "kinesis")]
mod reader;
#[cfg(feature = "kinesis")]
mod row;
#[cfg(feature = "kinesis")]
mod shards;
#[cfg(feature = "kinesis")]
mod shared;
#[cfg(feature = "kinesis")]
mod source;
#[cfg(feature = "kinesis")]
mod stream;
#[cfg(feature = "kinesis")]
mod table;

pub use self::position::{Place, Position, Sequence};
pub use self::settings::Settings;
#[cfg(feature = "kinesis")]
pub use self::{
    own::{OwnStream, OwnWriter},
    shared::Tell,
    source::Kinesis,
};

//! Where records come from. Each source hands on whole records' bytes, or says what it could not
//! read; nothing is lost silently and nothing stops.

pub mod batch;
pub mod combined;
pub mod files;
pub mod history;
pub mod kafka;
pub mod kinesis;
pub mod tail;

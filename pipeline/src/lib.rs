//! Floodmark: a streaming burst detector for AWS CloudTrail.

pub mod config;
pub mod encode;
pub mod replay;
pub mod sink;
pub mod source;

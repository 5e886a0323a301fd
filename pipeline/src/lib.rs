//! Floodmark: a streaming burst detector for AWS CloudTrail.

pub mod generate;

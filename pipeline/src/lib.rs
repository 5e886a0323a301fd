//! Floodmark: a streaming burst detector for AWS CloudTrail.

pub mod answer;
pub mod cli;
pub mod clock;
pub mod config;
pub mod encode;
pub mod envelope;
pub mod feeds;
pub mod flow;
pub mod generate;
pub mod http;
pub mod iam;
pub mod incident;
pub mod ledger;
pub mod metrics;
pub mod open;
pub mod progress;
pub mod replay;
pub mod rule_tests;
pub mod sink;
pub mod source;

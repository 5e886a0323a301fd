//! The program from outside: each test runs the real binary on files of its own.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a test may fail at what it did not expect"
)]

mod suite {
    mod changes;
    mod check;
    mod daemon;
    mod demo;
    mod deploy;
    mod generate;
    mod help;
    mod kafka;
    #[cfg(feature = "kinesis")]
    mod kinesis;
    mod members;
    mod metrics;
    mod oracle;
    mod program;
    mod query;
    mod reload;
    mod replay;
    mod rules;
    mod run;
    mod traffic;
    mod webhook;
}

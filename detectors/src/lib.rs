//! Floodmark's core: CloudTrail records in, bursts out.
//!
//! Pure and synchronous: no clock, no network, no file, no log. Time is an argument. A record
//! meets [`record`], [`field`], [`rule`], [`sample`], [`window`] and [`alert`], in this order, and
//! [`engine`] has the order of the steps; `ARCHITECTURE.md` tells the way.

pub mod alert;
mod bytes;
pub mod catalogue;
pub mod definition;
pub mod derive;
pub mod engine;
pub mod field;
pub mod matcher;
pub mod principal;
mod reach;
pub mod record;
pub mod rule;
pub mod sample;
pub mod time;
pub mod window;

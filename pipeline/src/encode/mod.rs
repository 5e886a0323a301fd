//! An alert in its receiver's words. Pure: time is an argument, nothing is sent from here.

pub mod asff;
mod attack;
pub mod cef;
pub mod ecs;
mod format;
pub mod ocsf;
pub mod redact;
pub mod text;

pub use format::Format;

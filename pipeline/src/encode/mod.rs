//! An alert in its receiver's words. Pure: time is an argument, nothing is sent from here.

mod attack;
mod facts;
pub mod ocsf;
pub mod redact;
pub mod text;

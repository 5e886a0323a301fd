//! What records travel in, and how they come out of it.

pub mod framing;
pub mod inflate;
pub mod kpl;
pub mod reject;
mod scan;
mod shape;

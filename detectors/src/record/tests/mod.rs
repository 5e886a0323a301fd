//! What records of every shape read as, and what holds for all of them.

mod laws;
mod shapes;

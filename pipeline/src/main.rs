//! The `floodmark` program.

fn main() {}

//! The `floodmark` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    floodmark::cli::main()
}

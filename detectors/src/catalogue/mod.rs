//! What SageMaker can be asked for: its operations and its instance types, as data with date and
//! source in the first line of each file. Other services are not listed.

mod instance;
mod operation;
mod set;

pub use instance::InstanceType;
pub use operation::{Critical, Operation};
pub use set::{operation_set, operation_set_names};

/// Rows of an embedded table: lines that are neither empty nor a comment, split at tabs.
fn rows(table: &'static str) -> impl Iterator<Item = std::str::Split<'static, char>> {
    table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split('\t'))
}

//! SageMaker's operations.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::rows;

/// One API operation of SageMaker, as CloudTrail records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// `eventName`.
    pub name: &'static str,
    /// `eventSource`.
    pub event_source: &'static str,
    /// What it does, in one word: `compute`, `delete`, `read-sensitive`, `access-grant`, ...
    pub category: &'static str,
    /// Whether it matters to an investigation, and how.
    pub critical: Critical,
    /// Whether its request hands a role to SageMaker (`iam:PassRole`).
    pub passes_role: bool,
    /// Whether it only reads.
    pub read_only: bool,
    /// Whether it is a data event, seen only where a trail asks for data events.
    pub data_event: bool,
    /// The resource it is about, as ARNs name the type: `training-job`. Empty where the request
    /// names any type by ARN, or nothing.
    pub resource_type: &'static str,
    /// Where requestParameters name that resource: parts joined by `/`, alternatives within a
    /// part by `|`, members by `.`. Empty where the request names nothing.
    pub name_path: &'static str,
}

/// How much an operation matters to an investigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Critical {
    /// Little by itself.
    No,
    /// It changes what matters.
    Write,
    /// It shows what matters.
    Read,
    /// A data event that matters.
    Data,
    /// A list that matters when it is asked for often.
    Count,
}

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let mut operations: Vec<Operation> = rows(include_str!("operations.tsv"))
        .filter_map(|mut row| {
            Some(Operation {
                name: row.next()?,
                event_source: row.next()?,
                category: row.next()?,
                critical: match row.next()? {
                    "write" => Critical::Write,
                    "read" => Critical::Read,
                    "data" => Critical::Data,
                    "count" => Critical::Count,
                    _ => Critical::No,
                },
                passes_role: row.next()? == "y",
                read_only: row.next()? == "y",
                data_event: row.next()? == "data",
                resource_type: row.next()?,
                name_path: row.next()?,
            })
        })
        .collect();
    operations.sort_by(|a, b| ignoring_case(a.name, b.name));
    operations
});

/// Places among them, for names in the letter case that nearly all are written in.
static BY_NAME: LazyLock<HashMap<&str, usize, foldhash::fast::RandomState>> = LazyLock::new(|| {
    OPERATIONS.iter().enumerate().map(|(place, operation)| (operation.name, place)).collect()
});

impl Operation {
    /// The operation of this event, ignoring ASCII case as rules do. No two of one name.
    #[must_use]
    pub fn of(event_source: &str, event_name: &str) -> Option<&'static Operation> {
        let operations = Operation::all();
        let at = match BY_NAME.get(event_name) {
            Some(at) => *at,
            None => operations.binary_search_by(|o| ignoring_case(o.name, event_name)).ok()?,
        };
        operations.get(at).filter(|o| o.event_source.eq_ignore_ascii_case(event_source))
    }

    /// All of them, by name.
    #[must_use]
    pub fn all() -> &'static [Operation] {
        &OPERATIONS
    }
}

fn ignoring_case(a: &str, b: &str) -> Ordering {
    let a = a.bytes().map(|byte| byte.to_ascii_lowercase());
    a.cmp(b.bytes().map(|byte| byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_no_name_stands_twice() {
        assert_eq!(Operation::all().len(), 476);
        for pair in Operation::all().windows(2) {
            let [a, b] = pair else { continue };
            assert_eq!(ignoring_case(a.name, b.name), Ordering::Less, "{}", a.name);
        }
        for operation in Operation::all() {
            let known = operation.resource_type.is_empty() || !operation.name_path.is_empty();
            assert!(known, "{}", operation.name);
            assert!(operation.event_source.ends_with(".amazonaws.com"), "{}", operation.name);
        }
    }

    #[test]
    fn is_found_by_source_and_name_ignoring_case() {
        let found = Operation::of("SageMaker.amazonaws.com", "createtrainingjob");
        let job = Operation::of("sagemaker.amazonaws.com", "CreateTrainingJob");
        assert_eq!(found, job);
        let job = job.map(|o| (o.category, o.critical, o.passes_role, o.read_only));
        assert_eq!(job, Some(("compute", Critical::Write, true, false)));
        let invoke = Operation::of("sagemaker.amazonaws.com", "InvokeEndpoint");
        assert!(invoke.is_some_and(|o| o.data_event));
        // CreateCluster is also an operation of ECS and EKS.
        assert_eq!(Operation::of("ecs.amazonaws.com", "CreateCluster"), None);
        assert_eq!(Operation::of("sagemaker.amazonaws.com", "Create"), None);
        assert_eq!(Operation::of("", ""), None);
    }
}

//! Rules as people write them: what loads, what is refused and how, what matches.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod compiled;
mod eight;
mod empty;
mod faults;
mod matching;
mod overrides;

use super::*;

/// One file `r.yml`.
fn document(text: &str) -> Document {
    Document { path: "r.yml".to_owned(), text: text.to_owned() }
}

fn load(text: &str) -> Result<RuleSet, Vec<Fault>> {
    RuleSet::load(&[document(text)], &environment())
}

/// Loads, or panics with the faults.
fn rules(text: &str) -> RuleSet {
    load(text).unwrap_or_else(|faults| panic!("{}\n{text}", told(&faults)))
}

fn told(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// A few sets and lists of the tests' own.
fn environment() -> Environment {
    let lists = [
        ("allowed_buckets", vec!["ml-data", "ml-out-*"]),
        ("nothing", vec![]),
        ("compute", vec!["CreateTrainingJob", "CreateEndpoint"]),
        ("jobs", vec!["CreateTrainingJob", "CreateProcessingJob"]),
        ("asset_reads", vec!["DescribeModel"]),
        ("passrole", vec!["CreateTrainingJob", "CreateModel"]),
        ("presign", vec!["CreatePresignedDomainUrl"]),
        ("job_outputs", vec!["CreateTrainingJob"]),
    ];
    Environment {
        lists: lists
            .into_iter()
            .map(|(name, values)| {
                let values = values.into_iter().map(str::to_owned).collect();
                (name.to_owned(), values)
            })
            .collect(),
    }
}

/// A detection rule of this detection (YAML in one line, braces included).
fn detecting(detection: &str) -> String {
    format!(
        "title: t\nname: d\nsigma-version: 3\nlogsource: {{product: aws, service: cloudtrail}}\n\
         detection: {detection}\n"
    )
}

/// A base detection `d`, and a correlation over it.
fn correlating(correlation: &str) -> String {
    let base = detecting("{s: {eventName: A}, condition: s}");
    format!("{base}---\ntitle: c\nname: c\ncorrelation: {correlation}\n")
}

//! Operation sets: the lists of event names that rules write as `%compute%`.

use super::{Critical, Operation};

/// The event names of a set, by its name without the percent signs, in alphabetical order for
/// sets taken from the catalogue's columns. None where there is no such set.
#[must_use]
pub fn operation_set(name: &str) -> Option<Vec<&'static str>> {
    if let Some((_, names)) = LISTED.iter().find(|(listed, _)| *listed == name) {
        return Some(names.to_vec());
    }
    let chosen = CHOSEN.iter().find(|chosen| chosen.name == name)?;
    let all = Operation::all().iter();
    Some(all.filter(|o| (chosen.belongs)(o)).map(|o| o.name).collect())
}

/// The names of all sets.
pub fn operation_set_names() -> impl Iterator<Item = &'static str> {
    let chosen = CHOSEN.iter().map(|chosen| chosen.name);
    chosen.chain(LISTED.iter().map(|(name, _)| *name))
}

/// A set taken from the catalogue's columns.
struct Chosen {
    name: &'static str,
    belongs: fn(&Operation) -> bool,
}

#[rustfmt::skip]
const CHOSEN: &[Chosen] = &[
    Chosen { name: "compute", belongs: |o| o.category == "compute" },
    Chosen { name: "passrole", belongs: |o| o.passes_role },
    Chosen { name: "critical_writes", belongs: |o| o.critical == Critical::Write },
    Chosen { name: "sensitive_reads", belongs: |o| o.critical == Critical::Read },
    Chosen { name: "sensitive_lists", belongs: |o| o.critical == Critical::Count },
    Chosen { name: "critical_data", belongs: |o| o.critical == Critical::Data },
    Chosen { name: "deletes", belongs: |o| o.category == "delete" },
    Chosen { name: "stops", belongs: |o| o.category == "stop" },
    Chosen { name: "access_grants", belongs: |o| o.category == "access-grant" },
    Chosen { name: "code_supply", belongs: |o| o.category == "code-supply" },
    Chosen { name: "model_supply", belongs: |o| o.category == "model-supply" },
    Chosen { name: "lineage", belongs: |o| o.category == "lineage-metadata" },
    Chosen { name: "all", belongs: |_| true },
];

/// Sets that no column tells apart, event name by event name.
#[rustfmt::skip]
const LISTED: &[(&str, &[&str])] = &[
    // What starts jobs.
    ("jobs", &[
        "CreateTrainingJob", "CreateProcessingJob", "CreateTransformJob",
        "CreateHyperParameterTuningJob", "CreateAutoMLJob", "CreateAutoMLJobV2",
        "StartPipelineExecution",
    ]),
    // What shows where models and data lie.
    ("asset_reads", &[
        "DescribeTrainingJob", "DescribeModelPackage", "BatchDescribeModelPackage",
        "DescribeModel", "DescribeModelPackageGroup", "DescribeEndpointConfig",
        "DescribeFeatureGroup", "DescribePipeline",
    ]),
    // What gives a sign-in URL or a shell.
    ("presign", &[
        "CreatePresignedNotebookInstanceUrl", "CreatePresignedDomainUrl",
        "CreatePresignedMlflowTrackingServerUrl", "CreatePresignedMlflowAppUrl",
        "CreatePartnerAppPresignedUrl", "StartSession",
    ]),
    // What writes its result to a bucket of the caller's choice.
    ("job_outputs", &[
        "CreateTrainingJob", "CreateProcessingJob", "CreateTransformJob", "CreateAutoMLJob",
        "CreateAutoMLJobV2", "CreateLabelingJob", "CreateCompilationJob",
        "CreateModelCardExportJob", "CreateHyperParameterTuningJob", "CreateOptimizationJob",
        "CreateEdgePackagingJob",
    ]),
    ("endpoint_changes", &[
        "CreateEndpoint", "UpdateEndpoint", "CreateInferenceComponent",
        "UpdateEndpointWeightsAndCapacities",
    ]),
    ("destructive", &[
        "DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel", "DeleteModelPackage",
        "DeleteFeatureGroup", "DeleteCluster", "BatchDeleteClusterNodes", "DeleteDomain",
        "DeleteApp", "StopTrainingJob", "StopProcessingJob", "StopTransformJob",
        "StopHyperParameterTuningJob", "StopPipelineExecution",
    ]),
    // What removes the trace of a job.
    ("job_erasures", &[
        "DeleteTrainingJob", "DeleteProcessingJob", "DeleteHyperParameterTuningJob",
    ]),
    // What asks a model.
    ("inferences", &[
        "InvokeEndpoint", "InvokeEndpointAsync", "InvokeEndpointWithResponseStream",
    ]),
    // What writes a script that notebooks run as root.
    ("lifecycle_scripts", &[
        "CreateNotebookInstanceLifecycleConfig", "UpdateNotebookInstanceLifecycleConfig",
        "CreateStudioLifecycleConfig",
    ]),
    ("resource_policies", &["PutModelPackageGroupPolicy", "PutEndpointPolicy"]),
    // What may replace the execution role of something that exists.
    ("role_changes", &[
        "UpdateNotebookInstance", "UpdateUserProfile", "UpdateDomain", "UpdateCluster",
        "UpdatePipeline",
    ]),
    // What names the container image or model that will run.
    ("image_choices", &[
        "CreateModel", "CreateModelPackage", "CreateTrainingJob", "CreateProcessingJob",
        "CreateAlgorithm",
    ]),
    // What names the instance type that will run.
    ("instance_choices", &[
        "CreateNotebookInstance", "UpdateNotebookInstance", "CreateApp", "CreateTrainingJob",
        "CreateProcessingJob", "CreateTransformJob", "CreateEndpointConfig", "CreateCluster",
        "UpdateCluster",
    ]),
    ("feature_writes", &["PutRecord", "BatchWriteRecord", "UpdateRecord", "DeleteRecord"]),
    ("feature_reads", &["GetRecord", "BatchGetRecord", "BatchGetMetrics", "Search"]),
    // What may show credentials, in environment, script or configuration.
    ("credential_reads", &[
        "DescribeNotebookInstance", "DescribeProcessingJob", "DescribeTrainingJob",
        "DescribeNotebookInstanceLifecycleConfig", "DescribeStudioLifecycleConfig",
    ]),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_set_has_operations_and_every_operation_exists() {
        for name in operation_set_names() {
            let names = operation_set(name).unwrap();
            assert!(!names.is_empty(), "{name}");
            for operation in names {
                let known = Operation::all().iter().any(|o| o.name == operation);
                assert!(known, "{name}: {operation}");
            }
        }
        assert_eq!(operation_set("computer"), None);
    }

    #[test]
    fn no_set_name_stands_twice() {
        let mut names: Vec<_> = operation_set_names().collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn columns_choose_what_the_playbook_counts() {
        let size = |name| operation_set(name).unwrap().len();
        assert_eq!(size("compute"), 48);
        assert_eq!(size("passrole"), 50);
        assert_eq!(size("critical_writes"), 205);
        assert_eq!(size("sensitive_reads"), 41);
    }
}

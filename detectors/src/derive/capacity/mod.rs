//! What a request asks for: instances, accelerators, money, storage.
//!
//! SageMaker says it in a dozen shapes, but each is an object that names a type and a count, or an
//! array of such objects; [`PLACES`] says where they stand by operation. A choice between types
//! (instance preferences, pools) counts as the one with the most accelerators, then the most
//! instances. A tuning job asks for as many instances as it may run at once: its parallel limit
//! times its greatest definition. Capacities of updates (clusters, endpoint variants) are the new
//! totals, not the difference. What autoscaling may add later is not counted. `CreateEndpoint` names
//! a configuration and so no size.
//!
//! What is not known is not guessed at: totals are of the parts that are known, and where these
//! make nothing while another part is unknown there is no total at all.

mod shape;

use std::borrow::Cow;
use std::sync::LazyLock;

use smallvec::SmallVec;

use crate::catalogue::InstanceType;
use crate::field::Fields;
use crate::reach::{self, Paths};
use crate::record::{Object, Value};

use shape::{COUNT_MAX, add_parts};

/// Where the capacity stands that an operation asks for; an empty path is the request itself.
/// Tuning jobs are not here: see [`tuning`].
#[rustfmt::skip]
const PLACES: &[(&str, &[&str])] = &[
    ("CreateTrainingJob", &["resourceConfig", "debugRuleConfigurations", "profilerRuleConfigurations"]),
    ("UpdateTrainingJob", &["profilerRuleConfigurations"]),
    ("CreateProcessingJob", &["processingResources.clusterConfig"]),
    ("CreateTransformJob", &["transformResources"]),
    ("CreateEndpointConfig", &["productionVariants", "shadowProductionVariants"]),
    ("UpdateEndpointWeightsAndCapacities", &["desiredWeightsAndCapacities"]),
    ("CreateNotebookInstance", &[""]),
    ("UpdateNotebookInstance", &[""]),
    ("CreateApp", &["resourceSpec"]),
    ("CreateSpace", &["spaceSettings.spaceStorageSettings.ebsStorageSettings"]),
    ("UpdateSpace", &["spaceSettings.spaceStorageSettings.ebsStorageSettings"]),
    ("CreateCluster", &["instanceGroups", "restrictedInstanceGroups"]),
    ("UpdateCluster", &["instanceGroups", "restrictedInstanceGroups"]),
    ("BatchAddClusterNodes", &["nodesToAdd"]),
    ("CreateInferenceExperiment", &["modelVariants.infrastructureConfig.realTimeInferenceConfig"]),
    ("UpdateInferenceExperiment", &["modelVariants.infrastructureConfig.realTimeInferenceConfig"]),
    ("StopInferenceExperiment", &["desiredModelVariants.infrastructureConfig.realTimeInferenceConfig"]),
    ("CreateInferenceRecommendationsJob", &["inputConfig.endpointConfigurations"]),
    ("CreateOptimizationJob", &[""]),
    ("CreateDataQualityJobDefinition", &["jobResources.clusterConfig"]),
    ("CreateModelQualityJobDefinition", &["jobResources.clusterConfig"]),
    ("CreateModelBiasJobDefinition", &["jobResources.clusterConfig"]),
    ("CreateModelExplainabilityJobDefinition", &["jobResources.clusterConfig"]),
    ("CreateMonitoringSchedule", &["monitoringScheduleConfig.monitoringJobDefinition.monitoringResources.clusterConfig"]),
    ("UpdateMonitoringSchedule", &["monitoringScheduleConfig.monitoringJobDefinition.monitoringResources.clusterConfig"]),
    ("CreateAlgorithm", &[
        "validationSpecification.validationProfiles.trainingJobDefinition.resourceConfig",
        "validationSpecification.validationProfiles.transformJobDefinition.transformResources",
    ]),
    ("CreateModelPackage", &["validationSpecification.validationProfiles.transformJobDefinition.transformResources"]),
];

/// Instances of one type that a request asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part<'b> {
    instance_type: Option<Cow<'b, str>>,
    /// How many; none where the request does not say.
    instances: Option<u64>,
    /// Gigabytes of volume, all instances together.
    storage_gb: Option<u64>,
}

/// Parts of a request.
pub(crate) type Parts<'b> = SmallVec<[Part<'b>; 2]>;

/// How many instances are asked for.
pub(super) fn instances(parts: &Parts<'_>) -> Option<String> {
    total(parts, |part| part.instances).map(|sum| sum.to_string())
}

/// How many accelerators they hold: see [`InstanceType::accelerators`].
pub(super) fn accelerators(parts: &Parts<'_>) -> Option<String> {
    total(parts, Part::accelerators).map(|sum| sum.to_string())
}

/// What an hour of them costs, US dollars: see [`InstanceType::hourly_cost_millionths`].
pub(super) fn hourly_cost(parts: &Parts<'_>) -> Option<String> {
    let millionths = total(parts, Part::hourly_cost_millionths)?;
    let (whole, fraction) = (millionths / 1_000_000, millionths % 1_000_000);
    let text = format!("{whole}.{fraction:06}");
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

/// How many gigabytes of volumes are asked for; none where no size is named.
pub(super) fn storage_gb(parts: &Parts<'_>) -> Option<String> {
    let mut sizes = parts.iter().filter_map(|part| part.storage_gb);
    let first = sizes.next()?;
    Some(sizes.fold(first, u64::saturating_add).to_string())
}

impl Part<'_> {
    fn accelerators(&self) -> Option<u64> {
        self.times(|instance_type| instance_type.accelerators())
    }

    fn hourly_cost_millionths(&self) -> Option<u64> {
        self.times(|instance_type| instance_type.hourly_cost_millionths())
    }

    fn times(&self, of_one: impl Fn(&InstanceType<'_>) -> Option<u64>) -> Option<u64> {
        match self.instances? {
            0 => Some(0),
            instances => {
                let parsed = InstanceType::parse(self.instance_type.as_deref()?)?;
                Some(of_one(&parsed)?.saturating_mul(instances))
            }
        }
    }

    /// What a choice is decided by.
    fn weight(&self) -> (u64, u64) {
        let accelerators = self.accelerators().unwrap_or(0);
        (accelerators, self.instances.unwrap_or(0))
    }
}

/// The sum of what is known; none where nothing is, or where it makes nothing beside an unknown.
fn total<'b>(parts: &[Part<'b>], of: impl Fn(&Part<'b>) -> Option<u64>) -> Option<u64> {
    let known = parts.iter().filter_map(&of);
    let sum = known.fold(0, u64::saturating_add);
    let complete = !parts.is_empty() && parts.iter().all(|part| of(part).is_some());
    (sum > 0 || complete).then_some(sum)
}

/// The parts of what a record asks for.
pub(crate) fn parts<'b>(fields: &Fields<'_, 'b>) -> Parts<'b> {
    let record = fields.record();
    let mut parts = Parts::new();
    let params = record.get("requestParameters");
    let source = record.get("eventSource").into_text().unwrap_or_default();
    let Some(name) = record.get("eventName").into_text() else {
        return parts;
    };
    if !source.eq_ignore_ascii_case("sagemaker.amazonaws.com") {
        return parts;
    }
    if name.eq_ignore_ascii_case("CreateHyperParameterTuningJob") {
        return tuning(fields.parameters());
    }
    let places = PLACES.iter().find(|(operation, _)| operation.eq_ignore_ascii_case(&name));
    for path in places.map_or(&[][..], |(_, paths)| paths) {
        reach::each(params.clone(), path, &mut |object| add_parts(&mut parts, object));
    }
    parts
}

/// A tuning job: the greatest of its definitions, as often as it may run at once.
fn tuning<'b>(params: &Object<'b>) -> Parts<'b> {
    static DEFINITIONS: LazyLock<Paths> =
        LazyLock::new(|| Paths::of(["trainingJobDefinition", "trainingJobDefinitions"]));
    let mut greatest = Parts::new();
    DEFINITIONS.each(params, &mut |definition| {
        let Value::Object(definition) = definition else {
            return;
        };
        let mut parts = Parts::new();
        for name in ["hyperParameterTuningResourceConfig", "resourceConfig"] {
            add_parts(&mut parts, definition.get(name));
        }
        let weight = |parts: &Parts<'_>| {
            let all = parts.iter().map(Part::weight);
            all.fold((0_u64, 0_u64), |(a, b), (c, d)| (a.saturating_add(c), b.saturating_add(d)))
        };
        if greatest.is_empty() || weight(&parts) > weight(&greatest) {
            greatest = parts;
        }
    });
    let config = params.get("hyperParameterTuningJobConfig");
    let parallel = reach::text_at(config, "resourceLimits.maxParallelTrainingJobs");
    let parallel = parallel.and_then(|text| reach::count(Value::Text(text))).unwrap_or(1);
    let parallel = parallel.min(COUNT_MAX);
    for part in &mut greatest {
        part.instances = part.instances.map(|n| n.saturating_mul(parallel));
        part.storage_gb = part.storage_gb.map(|n| n.saturating_mul(parallel));
    }
    greatest
}

#[cfg(test)]
mod tests {
    use crate::derive::tests::{asked, derived};

    /// Instances, accelerators, dollars an hour, gigabytes; `-` for none.
    #[track_caller]
    fn asks(operation: &str, params: &str, wanted: [&str; 4]) {
        let names = ["instances", "accelerators", "hourly_cost", "storage_gb"];
        let found = names.map(|name| {
            let values = asked(name, operation, params);
            values.into_iter().next().unwrap_or_else(|| "-".to_owned())
        });
        assert_eq!(found, wanted, "{operation} {params}");
    }

    #[test]
    fn training_jobs() {
        let of = |config: &str, wanted| {
            asks("CreateTrainingJob", &format!(r#"{{"resourceConfig":{config}}}"#), wanted);
        };
        of(
            r#"{"instanceType":"ml.p4d.24xlarge","instanceCount":4,"volumeSizeInGB":100}"#,
            ["4", "32", "101.005152", "400"],
        );
        of(
            r#"{"instanceType":"ml.m5.large","instanceCount":2,"volumeSizeInGB":10}"#,
            ["2", "0", "0.23", "20"],
        );
        of(r#"{"instanceType":"ml.m5.large"}"#, ["1", "0", "0.115", "-"]);
        of(
            r#"{"instanceGroups":[{"instanceType":"ml.g5.12xlarge","instanceCount":2},{"instanceType":"ml.c5.xlarge","instanceCount":1}],"volumeSizeInGB":5}"#,
            ["3", "8", "14.384", "15"],
        );
        // A choice is the one with the most accelerators.
        of(
            r#"{"instancePreferences":[{"instanceType":"ml.m5.large","instanceCount":9},{"instanceType":"ml.p5.48xlarge","instanceCount":2}]}"#,
            ["2", "16", "126.592", "-"],
        );
        of(r#"{"instanceType":"ml.p5.48xlarge","instanceCount":"2"}"#, ["2", "16", "126.592", "-"]);
        of("{}", ["-", "-", "-", "-"]);
        of("null", ["-", "-", "-", "-"]);
        let rules = r#"{"resourceConfig":{"instanceType":"ml.m5.large","instanceCount":1},"debugRuleConfigurations":[{"instanceType":"ml.g5.xlarge","volumeSizeInGB":3},{"ruleEvaluatorImage":"x"}]}"#;
        asks("CreateTrainingJob", rules, ["2", "1", "1.523", "3"]);
    }

    #[test]
    fn unknown_parts_leave_a_floor_and_never_a_wrong_nothing() {
        let of = |config: &str, wanted| {
            asks("CreateTrainingJob", &format!(r#"{{"resourceConfig":{config}}}"#), wanted);
        };
        of(r#"{"instanceType":"ml.quantum1.large","instanceCount":3}"#, ["3", "-", "-", "-"]);
        of(r#"{"instanceType":"ml.p4d.96xlarge","instanceCount":3}"#, ["3", "3", "-", "-"]);
        of(
            r#"{"instanceGroups":[{"instanceType":"ml.quantum1.large","instanceCount":1},{"instanceType":"ml.m5.large","instanceCount":1}]}"#,
            ["2", "-", "0.115", "-"],
        );
        of(
            r#"{"instanceGroups":[{"instanceType":"ml.quantum1.large","instanceCount":1},{"instanceType":"ml.p3.2xlarge","instanceCount":1}]}"#,
            ["2", "1", "3.825", "-"],
        );
        of(r#"{"instanceType":"ml.m5.large","instanceCount":-4}"#, ["1", "0", "0.115", "-"]);
        of(
            r#"{"instanceType":"ml.p4d.24xlarge","instanceCount":18446744073709551615,"volumeSizeInGB":18446744073709551615}"#,
            ["1000000000", "8000000000", "25251288000", "1000000000000000000"],
        );
    }

    #[test]
    fn tuning_jobs_ask_for_what_may_run_at_once() {
        let one = r#"{"hyperParameterTuningJobConfig":{"resourceLimits":{"maxNumberOfTrainingJobs":500,"maxParallelTrainingJobs":10}},
            "trainingJobDefinition":{"resourceConfig":{"instanceType":"ml.p3.2xlarge","instanceCount":2,"volumeSizeInGB":7}}}"#;
        asks("CreateHyperParameterTuningJob", one, ["20", "20", "76.5", "140"]);
        let several = r#"{"hyperParameterTuningJobConfig":{"resourceLimits":{"maxParallelTrainingJobs":3}},
            "trainingJobDefinitions":[{"resourceConfig":{"instanceType":"ml.m5.large","instanceCount":50}},
            {"hyperParameterTuningResourceConfig":{"instanceType":"ml.g5.48xlarge","instanceCount":1}}]}"#;
        asks("CreateHyperParameterTuningJob", several, ["3", "24", "61.08", "-"]);
        let choice = r#"{"trainingJobDefinition":{"hyperParameterTuningResourceConfig":{"instanceConfigs":[{"instanceType":"ml.m5.large","instanceCount":1,"volumeSizeInGB":1},{"instanceType":"ml.trn2.3xlarge","instanceCount":2,"volumeSizeInGB":4}]}}}"#;
        asks("CreateHyperParameterTuningJob", choice, ["2", "2", "-", "8"]);
        asks("CreateHyperParameterTuningJob", "{}", ["-", "-", "-", "-"]);
    }

    #[test]
    fn other_jobs_and_schedules() {
        let cluster = r#"{"instanceType":"ml.g4dn.xlarge","instanceCount":3,"volumeSizeInGB":30}"#;
        let wanted = ["3", "3", "2.2092", "90"];
        for (operation, place) in [
            ("CreateProcessingJob", "processingResources.clusterConfig"),
            ("CreateTransformJob", "transformResources"),
            ("CreateModelBiasJobDefinition", "jobResources.clusterConfig"),
            (
                "CreateMonitoringSchedule",
                "monitoringScheduleConfig.monitoringJobDefinition.monitoringResources.clusterConfig",
            ),
        ] {
            let params = place
                .rsplit('.')
                .fold(cluster.to_owned(), |inner, name| format!(r#"{{"{name}":{inner}}}"#));
            asks(operation, &params, wanted);
            assert_eq!(
                asked("instance_types", operation, &params),
                ["ml.g4dn.xlarge"],
                "{operation}"
            );
        }
    }

    #[test]
    fn endpoints() {
        let params = r#"{"productionVariants":[{"instanceType":"ml.g5.xlarge","initialInstanceCount":2},{"serverlessConfig":{"maxConcurrency":5}}],
            "shadowProductionVariants":[{"instanceType":"ml.inf2.24xlarge","initialInstanceCount":1}]}"#;
        asks("CreateEndpointConfig", params, ["3", "8", "10.606", "-"]);
        asks(
            "CreateEndpointConfig",
            r#"{"productionVariants":[{"serverlessConfig":{"maxConcurrency":5}}]}"#,
            ["0", "0", "0", "-"],
        );
        let pools = r#"{"productionVariants":[{"initialInstanceCount":2,"instancePools":[{"instanceType":"ml.g6.xlarge","priority":2},{"instanceType":"ml.g5.12xlarge","priority":1}]}]}"#;
        asks("CreateEndpointConfig", pools, ["2", "8", "14.18", "-"]);
        asks(
            "UpdateEndpointWeightsAndCapacities",
            r#"{"desiredWeightsAndCapacities":[{"variantName":"a","desiredInstanceCount":7}]}"#,
            ["7", "-", "-", "-"],
        );
        asks(
            "CreateEndpoint",
            r#"{"endpointName":"e","endpointConfigName":"c"}"#,
            ["-", "-", "-", "-"],
        );
    }

    #[test]
    fn notebooks_apps_and_spaces() {
        asks(
            "CreateNotebookInstance",
            r#"{"instanceType":"ml.p3.2xlarge","volumeSizeInGB":50}"#,
            ["1", "1", "3.825", "50"],
        );
        asks(
            "UpdateNotebookInstance",
            r#"{"notebookInstanceName":"n","rootAccess":"Enabled"}"#,
            ["-", "-", "-", "-"],
        );
        asks("CreateApp", r#"{"resourceSpec":{"instanceType":"system"}}"#, ["0", "0", "0", "-"]);
        asks(
            "CreateApp",
            r#"{"resourceSpec":{"instanceType":"ml.t3.medium"}}"#,
            ["1", "0", "0.05", "-"],
        );
        asks("CreateApp", r#"{"domainId":"d"}"#, ["-", "-", "-", "-"]);
        asks(
            "CreateSpace",
            r#"{"spaceSettings":{"spaceStorageSettings":{"ebsStorageSettings":{"ebsVolumeSizeInGb":500}}}}"#,
            ["-", "-", "-", "500"],
        );
    }

    #[test]
    fn clusters() {
        let params = r#"{"instanceGroups":[{"instanceType":"ml.p5.48xlarge","instanceCount":4,"instanceStorageConfigs":[{"ebsVolumeConfig":{"volumeSizeInGB":500}}]},
            {"instanceRequirements":{"instanceTypes":["ml.m5.large","ml.trn1.32xlarge"]},"instanceCount":2}],
            "restrictedInstanceGroups":[{"instanceType":"ml.m5.xlarge","instanceCount":1}]}"#;
        asks("CreateCluster", params, ["7", "64", "302.874", "2000"]);
        let types = ["ml.p5.48xlarge", "ml.m5.large", "ml.trn1.32xlarge", "ml.m5.xlarge"];
        assert_eq!(asked("instance_types", "CreateCluster", params), types);
        assert_eq!(asked("families", "CreateCluster", params), ["p5", "m5", "trn1"]);
        asks(
            "BatchAddClusterNodes",
            r#"{"nodesToAdd":[{"instanceGroupName":"g","incrementTargetCountBy":3}]}"#,
            ["3", "-", "-", "-"],
        );
        asks(
            "BatchAddClusterNodes",
            r#"{"nodesToAdd":[{"incrementTargetCountBy":3,"instanceTypes":["ml.p4d.24xlarge"]}]}"#,
            ["3", "24", "75.753864", "-"],
        );
    }

    #[test]
    fn only_sagemaker_is_asked() {
        let members = r#""eventSource":"ec2.amazonaws.com","eventName":"CreateNotebookInstance","requestParameters":{"instanceType":"ml.p3.2xlarge"}"#;
        assert!(derived("accelerators", members).is_empty());
        asks("DescribeTrainingJob", r#"{"trainingJobName":"j"}"#, ["-", "-", "-", "-"]);
        asks("CreateTrainingJob", "null", ["-", "-", "-", "-"]);
    }
}

//! Buckets that a request has written to or models read from.
//!
//! The paths are those of SageMaker's service model in CloudTrail's casing. Other services use some
//! of the same names: which service is meant is for the rule to say.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::Texts;
use crate::reach::Paths;
use crate::record::{Object, Value};

/// Where results, captures and checkpoints are written to.
#[rustfmt::skip]
const OUTPUTS: &[&str] = &[
    "outputDataConfig.s3OutputPath",
    "outputConfig.s3OutputPath",
    "outputConfig.s3OutputLocation",
    "outputConfig.s3Data.s3Uri",
    "checkpointConfig.s3Uri",
    "processingOutputConfig.outputs.s3Output.s3Uri",
    "processingInputs.datasetDefinition.athenaDatasetDefinition.outputS3Uri",
    "processingInputs.datasetDefinition.redshiftDatasetDefinition.outputS3Uri",
    "transformOutput.s3OutputPath",
    "trainingJobDefinition.outputDataConfig.s3OutputPath",
    "trainingJobDefinition.checkpointConfig.s3Uri",
    "trainingJobDefinitions.outputDataConfig.s3OutputPath",
    "trainingJobDefinitions.checkpointConfig.s3Uri",
    "validationSpecification.validationProfiles.trainingJobDefinition.outputDataConfig.s3OutputPath",
    "validationSpecification.validationProfiles.transformJobDefinition.transformOutput.s3OutputPath",
    "dataCaptureConfig.destinationS3Uri",
    "asyncInferenceConfig.outputConfig.s3OutputPath",
    "asyncInferenceConfig.outputConfig.s3FailurePath",
    "routingTargets.asyncInferenceConfig.outputConfig.s3OutputPath",
    "routingTargets.asyncInferenceConfig.outputConfig.s3FailurePath",
    "productionVariants.coreDumpConfig.destinationS3Uri",
    "shadowProductionVariants.coreDumpConfig.destinationS3Uri",
    "debugHookConfig.s3OutputPath",
    "debugRuleConfigurations.s3OutputPath",
    "tensorBoardOutputConfig.s3OutputPath",
    "profilerConfig.s3OutputPath",
    "profilerRuleConfigurations.s3OutputPath",
    "dataQualityJobOutputConfig.monitoringOutputs.s3Output.s3Uri",
    "modelQualityJobOutputConfig.monitoringOutputs.s3Output.s3Uri",
    "modelBiasJobOutputConfig.monitoringOutputs.s3Output.s3Uri",
    "modelExplainabilityJobOutputConfig.monitoringOutputs.s3Output.s3Uri",
    "monitoringScheduleConfig.monitoringJobDefinition.monitoringOutputConfig.monitoringOutputs.s3Output.s3Uri",
    "offlineStoreConfig.s3StorageConfig.s3Uri",
    "s3StorageConfig.s3OutputPath",
    "artifactStoreUri",
    "defaultUserSettings.sharingSettings.s3OutputPath",
    "defaultUserSettings.canvasAppSettings.workspaceSettings.s3ArtifactPath",
    "userSettings.sharingSettings.s3OutputPath",
    "userSettings.canvasAppSettings.workspaceSettings.s3ArtifactPath",
];

/// Containers that serve a model.
pub(super) const CONTAINERS: &[&str] = &[
    "primaryContainer",
    "containers",
    "inferenceSpecification.containers",
    "additionalInferenceSpecifications.containers",
    "additionalInferenceSpecificationsToAdd.containers",
    "sourceAlgorithmSpecification.sourceAlgorithms",
    "specification.container",
    "specifications.container",
];

/// Where a container names the model it serves.
const MODELS: &[&str] = &[
    "modelDataUrl",
    "artifactUrl",
    "modelDataSource.s3DataSource.s3Uri",
    "modelDataSource.s3DataSource.manifestS3Uri",
    "additionalModelDataSources.s3DataSource.s3Uri",
    "additionalModelDataSources.s3DataSource.manifestS3Uri",
    "additionalS3DataSource.s3Uri",
];

/// Buckets the request has written to.
pub(super) fn output_buckets<'b>(params: &Object<'b>) -> Texts<'b> {
    static PATHS: LazyLock<Paths> = LazyLock::new(|| Paths::of(OUTPUTS));
    let mut buckets = Texts::default();
    PATHS.each(params, &mut |uri| add_bucket(&mut buckets, uri));
    buckets
}

/// Buckets that models are read from.
pub(super) fn model_buckets<'b>(params: &Object<'b>) -> Texts<'b> {
    static PATHS: LazyLock<Paths> = LazyLock::new(|| {
        let of_container =
            |container| MODELS.iter().map(move |model| format!("{container}.{model}"));
        Paths::of(CONTAINERS.iter().flat_map(of_container).chain(["sourceUri".to_owned()]))
    });
    let mut buckets = Texts::default();
    PATHS.each(params, &mut |uri| add_bucket(&mut buckets, uri));
    buckets
}

fn add_bucket(buckets: &mut Texts<'_>, uri: Value<'_>) {
    let uri = uri.into_text().unwrap_or_default();
    if let Some(bucket) = bucket(&uri) {
        buckets.add(Cow::Owned(bucket.to_owned()));
    }
}

/// What follows `s3://`.
pub(super) fn without_scheme(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once("://")?;
    let is_s3 = ["s3", "s3a", "s3n"].iter().any(|s| scheme.eq_ignore_ascii_case(s));
    is_s3.then_some(rest)
}

/// The bucket of an `s3://` URI, an S3 ARN, or S3's own `https://` in either form. The bucket of an
/// access point is the access point's ARN.
fn bucket(uri: &str) -> Option<&str> {
    let place = without_scheme(uri).unwrap_or(uri);
    if place.starts_with("arn:") {
        let resource = place.splitn(6, ':').nth(5)?;
        let (first, rest) = resource.split_once('/').unwrap_or((resource, ""));
        if first != "accesspoint" {
            return Some(first).filter(|bucket| !bucket.is_empty());
        }
        let key = rest.split_once('/').map_or("", |(_, key)| key);
        let arn = place.strip_suffix(key).unwrap_or(place);
        return Some(arn.trim_end_matches('/'));
    }
    if place.len() != uri.len() {
        return place.split('/').next().filter(|bucket| !bucket.is_empty());
    }
    let (host, path) = uri.strip_prefix("https://")?.split_once('/')?;
    if !host.contains(".amazonaws.com") {
        return None;
    }
    if host.starts_with("s3.") || host.starts_with("s3-") {
        return path.split('/').next().filter(|bucket| !bucket.is_empty());
    }
    let end = host.find(".s3.").or_else(|| host.find(".s3-"))?;
    host.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derive::tests::asked;

    #[test]
    fn buckets_of_every_way_to_write_one() {
        for (uri, wanted) in [
            ("s3://b/o/k", Some("b")),
            ("S3://b", Some("b")),
            ("arn:aws:s3:::b/k", Some("b")),
            ("https://s3.us-east-1.amazonaws.com/b/k", Some("b")),
            ("https://s3-us-west-2.amazonaws.com/b/k", Some("b")),
            ("https://b.c.s3.us-east-1.amazonaws.com/k", Some("b.c")),
            ("https://b.s3.cn-north-1.amazonaws.com.cn/k", Some("b")),
            ("s3://arn:aws:s3:r:1:accesspoint/p/k/l", Some("arn:aws:s3:r:1:accesspoint/p")),
            ("arn:aws:s3:r:1:accesspoint/p", Some("arn:aws:s3:r:1:accesspoint/p")),
            ("s3://", None),
            ("https://example.com/b/k", None),
            ("b/k", None),
            ("", None),
        ] {
            assert_eq!(bucket(uri), wanted, "{uri}");
        }
    }

    #[test]
    fn outputs_of_jobs_and_endpoints() {
        for (operation, params, wanted) in [
            (
                "CreateTrainingJob",
                r#"{"outputDataConfig":{"s3OutputPath":"s3://a/o"},"checkpointConfig":{"s3Uri":"s3://b/c"}}"#,
                vec!["a", "b"],
            ),
            (
                "CreateProcessingJob",
                r#"{"processingOutputConfig":{"outputs":[{"s3Output":{"s3Uri":"s3://a/1"}},{"s3Output":{"s3Uri":"s3://a/2"}},{"s3Output":{"s3Uri":"s3://b"}}]}}"#,
                vec!["a", "b"],
            ),
            ("CreateTransformJob", r#"{"transformOutput":{"s3OutputPath":"s3://a"}}"#, vec!["a"]),
            (
                "CreateCompilationJob",
                r#"{"outputConfig":{"s3OutputLocation":"s3://a"}}"#,
                vec!["a"],
            ),
            (
                "CreateHyperParameterTuningJob",
                r#"{"trainingJobDefinitions":[{"outputDataConfig":{"s3OutputPath":"s3://a"}},{"outputDataConfig":{"s3OutputPath":"s3://b"}}]}"#,
                vec!["a", "b"],
            ),
            (
                "CreateEndpointConfig",
                r#"{"asyncInferenceConfig":{"outputConfig":{"s3OutputPath":"s3://a","s3FailurePath":"s3://b"}},"dataCaptureConfig":{"destinationS3Uri":"s3://c"}}"#,
                vec!["a", "b", "c"],
            ),
            (
                "CreateTrainingJob",
                r#"{"outputDataConfig":"s3://a","transformOutput":null}"#,
                vec![],
            ),
        ] {
            assert_eq!(asked("output_buckets", operation, params), wanted, "{operation}");
        }
    }

    #[test]
    fn models_of_containers() {
        let params = r#"{"primaryContainer":{"modelDataUrl":"s3://a/model.tar.gz","image":"i"},
            "containers":[{"modelDataSource":{"s3DataSource":{"s3Uri":"s3://b/"}}},{"additionalModelDataSources":[{"s3DataSource":{"s3Uri":"s3://c/"}}]}]}"#;
        assert_eq!(asked("model_buckets", "CreateModel", params), ["a", "b", "c"]);
    }
}

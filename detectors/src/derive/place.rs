//! Places a request names: buckets, registries, roles.
//!
//! The paths are those of SageMaker's service model in CloudTrail's casing. Other services use
//! some of the same names, so the service is for the rule to say.

use std::borrow::Cow;

use super::Texts;
use crate::reach;
use crate::record::{Record, Value};

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
const CONTAINERS: &[&str] = &[
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

/// Container images outside [`CONTAINERS`], and Studio images.
const IMAGES: &[&str] = &[
    "algorithmSpecification.trainingImage",
    "trainingJobDefinition.algorithmSpecification.trainingImage",
    "trainingJobDefinitions.algorithmSpecification.trainingImage",
    "trainingSpecification.trainingImage",
    "appSpecification.imageUri",
    "dataQualityAppSpecification.imageUri",
    "modelQualityAppSpecification.imageUri",
    "modelBiasAppSpecification.imageUri",
    "modelExplainabilityAppSpecification.imageUri",
    "monitoringScheduleConfig.monitoringJobDefinition.monitoringAppSpecification.imageUri",
    "debugRuleConfigurations.ruleEvaluatorImage",
    "profilerRuleConfigurations.ruleEvaluatorImage",
    "optimizationConfigs.modelQuantizationConfig.image",
    "optimizationConfigs.modelCompilationConfig.image",
    "optimizationConfigs.modelShardingConfig.image",
    "baseImage",
    "resourceSpec.sageMakerImageArn",
    "resourceSpec.sageMakerImageVersionArn",
];

/// Roles handed to the service.
#[rustfmt::skip]
const ROLES: &[&str] = &[
    "roleArn",
    "executionRoleArn",
    "role",
    "trainingJobDefinition.roleArn",
    "trainingJobDefinitions.roleArn",
    "instanceGroups.executionRole",
    "restrictedInstanceGroups.executionRole",
    "monitoringScheduleConfig.monitoringJobDefinition.roleArn",
    "processingInputs.datasetDefinition.redshiftDatasetDefinition.clusterRoleArn",
    "templateProviders.cfnTemplateProvider.roleARN",
    "domainSettings.rStudioServerProDomainSettings.domainExecutionRoleArn",
    "domainSettingsForUpdate.rStudioServerProDomainSettingsForUpdate.domainExecutionRoleArn",
    "defaultSpaceSettings.executionRole",
    "defaultSpaceSettings.jupyterLabAppSettings.emrSettings.assumableRoleArns",
    "defaultSpaceSettings.jupyterLabAppSettings.emrSettings.executionRoleArns",
    "defaultUserSettings.executionRole",
    "defaultUserSettings.canvasAppSettings.timeSeriesForecastingSettings.amazonForecastRoleArn",
    "defaultUserSettings.canvasAppSettings.modelRegisterSettings.crossAccountModelRegisterRoleArn",
    "defaultUserSettings.canvasAppSettings.generativeAiSettings.amazonBedrockRoleArn",
    "defaultUserSettings.canvasAppSettings.emrServerlessSettings.executionRoleArn",
    "defaultUserSettings.jupyterLabAppSettings.emrSettings.assumableRoleArns",
    "defaultUserSettings.jupyterLabAppSettings.emrSettings.executionRoleArns",
    "userSettings.executionRole",
    "userSettings.canvasAppSettings.timeSeriesForecastingSettings.amazonForecastRoleArn",
    "userSettings.canvasAppSettings.modelRegisterSettings.crossAccountModelRegisterRoleArn",
    "userSettings.canvasAppSettings.generativeAiSettings.amazonBedrockRoleArn",
    "userSettings.canvasAppSettings.emrServerlessSettings.executionRoleArn",
    "userSettings.jupyterLabAppSettings.emrSettings.assumableRoleArns",
    "userSettings.jupyterLabAppSettings.emrSettings.executionRoleArns",
];

/// Where training and its like read from.
const INPUTS: &[&str] = &[
    "inputDataConfig.dataSource.s3DataSource.s3Uri",
    "trainingJobDefinition.inputDataConfig.dataSource.s3DataSource.s3Uri",
    "trainingJobDefinitions.inputDataConfig.dataSource.s3DataSource.s3Uri",
    "autoMLJobInputDataConfig.dataSource.s3DataSource.s3Uri",
    "processingInputs.s3Input.s3Uri",
    "transformInput.dataSource.s3DataSource.s3Uri",
    "inputConfig.dataSource.s3DataSource.manifestS3Uri",
];

/// Buckets the request has written to.
pub(super) fn output_buckets<'b>(params: &Value<'b>) -> Texts<'b> {
    let mut buckets = Texts::default();
    reach::each_of(params, OUTPUTS, &mut |uri| add_bucket(&mut buckets, uri));
    buckets
}

/// Buckets that models are read from.
pub(super) fn model_buckets<'b>(params: &Value<'b>) -> Texts<'b> {
    let mut buckets = Texts::default();
    reach::each_of(params, CONTAINERS, &mut |container| {
        reach::each_of(&container, MODELS, &mut |uri| add_bucket(&mut buckets, uri));
    });
    reach::each_of(params, &["sourceUri"], &mut |uri| add_bucket(&mut buckets, uri));
    buckets
}

/// Accounts, or else hosts, of the registries that images come from.
pub(super) fn image_accounts<'b>(params: &Value<'b>) -> Texts<'b> {
    let mut accounts = Texts::default();
    let mut add = |image: Value<'b>| {
        if let Some(image) = reach::text(image) {
            accounts.add(Cow::Owned(registry(&image).to_owned()));
        }
    };
    reach::each_of(params, IMAGES, &mut add);
    reach::each_of(params, CONTAINERS, &mut |container| {
        reach::each_of(&container, &["image"], &mut add);
    });
    accounts
}

/// ARNs of roles handed to a service. The role that STS is asked for is not handed to anybody.
pub(super) fn passed_roles<'b>(record: &Record<'b>) -> Texts<'b> {
    let mut roles = Texts::default();
    let source = reach::text(record.get("eventSource")).unwrap_or_default();
    if source.eq_ignore_ascii_case("sts.amazonaws.com") {
        return roles;
    }
    reach::each_of(&record.get("requestParameters"), ROLES, &mut |role| {
        let arn = reach::text(role).filter(|arn| arn.starts_with("arn:") && arn.contains(":role/"));
        if let Some(arn) = arn {
            roles.add(arn);
        }
    });
    roles
}

/// Their names: what IAM's own calls name a role by.
pub(super) fn passed_role_names<'b>(record: &Record<'b>) -> Texts<'b> {
    let mut names = Texts::default();
    for arn in passed_roles(record).0 {
        let name = arn.rsplit('/').next().unwrap_or_default();
        names.add(Cow::Owned(name.to_owned()));
    }
    names
}

/// `bucket/prefix` of all that a job reads; of an object event the bucket and each prefix, cut at a
/// slash, that the object lies under. S3 itself cuts prefixes anywhere: a job that reads
/// `s3://b/data` and an object `data-2/x` have nothing in common here.
pub(super) fn s3_prefixes<'b>(record: &Record<'b>) -> Texts<'b> {
    let mut prefixes = Texts::default();
    let params = record.get("requestParameters");
    let source = reach::text(record.get("eventSource")).unwrap_or_default();
    if source.eq_ignore_ascii_case("s3.amazonaws.com") {
        let Value::Object(request) = params else {
            return prefixes;
        };
        let bucket = reach::text(request.get("bucketName"));
        let (Some(bucket), Some(key)) = (bucket, reach::text(request.get("key"))) else {
            return prefixes;
        };
        let mut prefix = bucket.into_owned();
        for part in key.split('/').take(super::VALUES_MAX) {
            prefixes.add(Cow::Owned(prefix.clone()));
            prefix = format!("{prefix}/{part}");
        }
        prefixes.add(Cow::Owned(prefix.trim_end_matches('/').to_owned()));
        return prefixes;
    }
    reach::each_of(&params, INPUTS, &mut |uri| {
        let uri = reach::text(uri).unwrap_or_default();
        if let Some(prefix) = without_scheme(&uri) {
            prefixes.add(Cow::Owned(prefix.trim_end_matches('/').to_owned()));
        }
    });
    prefixes
}

fn add_bucket(buckets: &mut Texts<'_>, uri: Value<'_>) {
    let uri = reach::text(uri).unwrap_or_default();
    if let Some(bucket) = bucket(&uri) {
        buckets.add(Cow::Owned(bucket.to_owned()));
    }
}

/// What follows `s3://`.
fn without_scheme(uri: &str) -> Option<&str> {
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

/// The account of an image in ECR or of a SageMaker image, else the registry's host.
fn registry(image: &str) -> &str {
    if image.starts_with("arn:") {
        return image.split(':').nth(4).unwrap_or_default();
    }
    // Docker's own rule: what stands before the first slash is a host only with a dot or a port.
    let host = match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => return "docker.io",
    };
    match host.split_once(".dkr.ecr") {
        Some((account, _)) if account.bytes().all(|b| b.is_ascii_digit()) => account,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derive::tests::{asked, derived};

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

    #[test]
    fn registries_of_images() {
        for (image, wanted) in [
            ("763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch:2", "763104351884"),
            ("763104351884.dkr.ecr-fips.us-gov-west-1.amazonaws.com/x", "763104351884"),
            ("public.ecr.aws/x/y", "public.ecr.aws"),
            ("ghcr.io/x/y@sha256:1", "ghcr.io"),
            ("localhost:5000/x", "localhost:5000"),
            ("evil/xmrig:latest", "docker.io"),
            ("ubuntu", "docker.io"),
            ("arn:aws:sagemaker:us-east-1:081325390199:image/jupyter-server-3", "081325390199"),
        ] {
            assert_eq!(registry(image), wanted);
        }
        let params =
            r#"{"algorithmSpecification":{"trainingImage":"1.dkr.ecr.r.amazonaws.com/x"}}"#;
        assert_eq!(asked("image_accounts", "CreateTrainingJob", params), ["1"]);
        let params = r#"{"containers":[{"image":"1.dkr.ecr.r.amazonaws.com/x"},{"image":"x"}]}"#;
        assert_eq!(asked("image_accounts", "CreateModel", params), ["1", "docker.io"]);
    }

    #[test]
    fn roles_and_their_names() {
        let params = r#"{"roleArn":"arn:aws:iam::1:role/service-role/R","defaultUserSettings":{"executionRole":"arn:aws:iam::1:role/S",
            "jupyterLabAppSettings":{"emrSettings":{"executionRoleArns":["arn:aws:iam::1:role/T","arn:aws:iam::1:role/S"]}}}}"#;
        let roles = asked("passed_roles", "CreateDomain", params);
        assert_eq!(
            roles,
            [
                "arn:aws:iam::1:role/service-role/R",
                "arn:aws:iam::1:role/S",
                "arn:aws:iam::1:role/T"
            ]
        );
        assert_eq!(asked("passed_role_names", "CreateDomain", params), ["R", "S", "T"]);
        let assumed = r#""eventSource":"sts.amazonaws.com","requestParameters":{"roleArn":"arn:aws:iam::1:role/R"}"#;
        assert!(derived("passed_roles", assumed).is_empty());
    }

    #[test]
    fn a_job_and_its_data_have_a_prefix_in_common() {
        let object = r#""eventSource":"s3.amazonaws.com","eventName":"PutObject","requestParameters":{"bucketName":"b","key":"data/train/x.csv"}"#;
        let under = derived("s3_prefixes", object);
        assert_eq!(under, ["b", "b/data", "b/data/train", "b/data/train/x.csv"]);
        let params = r#"{"inputDataConfig":[{"dataSource":{"s3DataSource":{"s3Uri":"s3://b/data/train/"}}},{"dataSource":{"s3DataSource":{"s3Uri":"s3://c"}}}]}"#;
        let read = asked("s3_prefixes", "CreateTrainingJob", params);
        assert_eq!(read, ["b/data/train", "c"]);
        let deep = object.replace("data/train/x.csv", &"a/".repeat(500));
        assert_eq!(derived("s3_prefixes", &deep).len(), crate::derive::VALUES_MAX);
    }
}

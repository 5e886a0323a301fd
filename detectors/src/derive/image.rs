//! Registries that container images come from.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::Texts;
use super::bucket::CONTAINERS;
use crate::reach::Paths;
use crate::record::{Object, Value};

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

/// Accounts, or else hosts, of the registries that images come from.
pub(super) fn image_accounts<'b>(params: &Object<'b>) -> Texts<'b> {
    static PATHS: LazyLock<Paths> = LazyLock::new(|| {
        let in_containers = CONTAINERS.iter().map(|container| format!("{container}.image"));
        Paths::of(IMAGES.iter().map(ToString::to_string).chain(in_containers))
    });
    let mut accounts = Texts::default();
    let mut add = |image: Value<'b>| {
        if let Some(image) = image.into_text() {
            accounts.add(Cow::Owned(registry(&image).to_owned()));
        }
    };
    PATHS.each(params, &mut add);
    accounts
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
    use crate::derive::tests::asked;

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
}

//! The instance types that a request chooses.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::Texts;
use crate::catalogue::InstanceType;
use crate::reach::Paths;
use crate::record::Object;

/// Where a request names an instance type as its choice: not what is merely supported or hidden.
#[rustfmt::skip]
const TYPES: &[&str] = &[
    "instanceType",
    "deploymentInstanceType",
    "resourceConfig.instanceType",
    "resourceConfig.selectedInstanceType",
    "resourceConfig.instanceGroups.instanceType",
    "resourceConfig.instancePreferences.instanceType",
    "debugRuleConfigurations.instanceType",
    "profilerRuleConfigurations.instanceType",
    "trainingJobDefinition.resourceConfig.instanceType",
    "trainingJobDefinition.resourceConfig.instanceGroups.instanceType",
    "trainingJobDefinition.resourceConfig.instancePreferences.instanceType",
    "trainingJobDefinition.hyperParameterTuningResourceConfig.instanceType",
    "trainingJobDefinition.hyperParameterTuningResourceConfig.instanceConfigs.instanceType",
    "trainingJobDefinitions.resourceConfig.instanceType",
    "trainingJobDefinitions.resourceConfig.instanceGroups.instanceType",
    "trainingJobDefinitions.resourceConfig.instancePreferences.instanceType",
    "trainingJobDefinitions.hyperParameterTuningResourceConfig.instanceType",
    "trainingJobDefinitions.hyperParameterTuningResourceConfig.instanceConfigs.instanceType",
    "processingResources.clusterConfig.instanceType",
    "processingResources.clusterConfig.selectedInstanceType",
    "processingResources.clusterConfig.instancePreferences.instanceType",
    "transformResources.instanceType",
    "productionVariants.instanceType",
    "productionVariants.instancePools.instanceType",
    "shadowProductionVariants.instanceType",
    "shadowProductionVariants.instancePools.instanceType",
    "resourceSpec.instanceType",
    "instanceGroups.instanceType",
    "instanceGroups.instanceRequirements.instanceTypes",
    "restrictedInstanceGroups.instanceType",
    "nodesToAdd.instanceTypes",
    "modelVariants.infrastructureConfig.realTimeInferenceConfig.instanceType",
    "desiredModelVariants.infrastructureConfig.realTimeInferenceConfig.instanceType",
    "inputConfig.endpointConfigurations.instanceType",
    "computeSpec.instanceTypes",
    "specification.instanceType",
    "specifications.instanceType",
    "computeQuotaConfig.computeQuotaResources.instanceType",
    "jobResources.clusterConfig.instanceType",
    "monitoringScheduleConfig.monitoringJobDefinition.monitoringResources.clusterConfig.instanceType",
    "validationSpecification.validationProfiles.trainingJobDefinition.resourceConfig.instanceType",
    "validationSpecification.validationProfiles.trainingJobDefinition.resourceConfig.instanceGroups.instanceType",
    "validationSpecification.validationProfiles.transformJobDefinition.transformResources.instanceType",
    "spaceSettings.jupyterServerAppSettings.defaultResourceSpec.instanceType",
    "spaceSettings.kernelGatewayAppSettings.defaultResourceSpec.instanceType",
    "spaceSettings.codeEditorAppSettings.defaultResourceSpec.instanceType",
    "spaceSettings.jupyterLabAppSettings.defaultResourceSpec.instanceType",
    "userSettings.jupyterServerAppSettings.defaultResourceSpec.instanceType",
    "userSettings.kernelGatewayAppSettings.defaultResourceSpec.instanceType",
    "userSettings.tensorBoardAppSettings.defaultResourceSpec.instanceType",
    "userSettings.rSessionAppSettings.defaultResourceSpec.instanceType",
    "userSettings.codeEditorAppSettings.defaultResourceSpec.instanceType",
    "userSettings.jupyterLabAppSettings.defaultResourceSpec.instanceType",
    "defaultUserSettings.jupyterServerAppSettings.defaultResourceSpec.instanceType",
    "defaultUserSettings.kernelGatewayAppSettings.defaultResourceSpec.instanceType",
    "defaultUserSettings.tensorBoardAppSettings.defaultResourceSpec.instanceType",
    "defaultUserSettings.rSessionAppSettings.defaultResourceSpec.instanceType",
    "defaultUserSettings.codeEditorAppSettings.defaultResourceSpec.instanceType",
    "defaultUserSettings.jupyterLabAppSettings.defaultResourceSpec.instanceType",
    "defaultSpaceSettings.jupyterServerAppSettings.defaultResourceSpec.instanceType",
    "defaultSpaceSettings.kernelGatewayAppSettings.defaultResourceSpec.instanceType",
    "defaultSpaceSettings.jupyterLabAppSettings.defaultResourceSpec.instanceType",
    "domainSettings.rStudioServerProDomainSettings.defaultResourceSpec.instanceType",
    "domainSettingsForUpdate.rStudioServerProDomainSettingsForUpdate.defaultResourceSpec.instanceType",
];

/// Every instance type that the request chooses, as written.
pub(super) fn instance_types<'b>(params: &Object<'b>) -> Texts<'b> {
    static PATHS: LazyLock<Paths> = LazyLock::new(|| Paths::of(TYPES));
    let mut types = Texts::default();
    PATHS.each(params, &mut |value| {
        if let Some(text) = value.into_text() {
            types.add(text);
        }
    });
    types
}

/// Their families, in lower case.
pub(super) fn families<'b>(params: &Object<'b>) -> Texts<'b> {
    let mut families = Texts::default();
    for text in instance_types(params).0 {
        if let Some(parsed) = InstanceType::parse(&text) {
            families.add(Cow::Owned(parsed.family.to_ascii_lowercase()));
        }
    }
    families
}

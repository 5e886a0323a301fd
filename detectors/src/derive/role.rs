//! Roles that a request hands to a service (`iam:PassRole`).

use std::borrow::Cow;
use std::sync::LazyLock;

use super::Texts;
use crate::field::Fields;
use crate::reach::Paths;

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

/// ARNs of roles handed to a service. The role that STS is asked for is not handed to anybody.
pub(super) fn passed_roles<'b>(fields: &Fields<'_, 'b>) -> Texts<'b> {
    static PATHS: LazyLock<Paths> = LazyLock::new(|| Paths::of(ROLES));
    let mut roles = Texts::default();
    let source = fields.record().get("eventSource").into_text().unwrap_or_default();
    if source.eq_ignore_ascii_case("sts.amazonaws.com") {
        return roles;
    }
    PATHS.each(fields.parameters(), &mut |role| {
        let arn = role.into_text().filter(|arn| arn.starts_with("arn:") && arn.contains(":role/"));
        if let Some(arn) = arn {
            roles.add(arn);
        }
    });
    roles
}

/// Their names: what IAM's own calls name a role by.
pub(super) fn passed_role_names<'b>(fields: &Fields<'_, 'b>) -> Texts<'b> {
    let mut names = Texts::default();
    for arn in passed_roles(fields).0 {
        let name = arn.rsplit('/').next().unwrap_or_default();
        names.add(Cow::Owned(name.to_owned()));
    }
    names
}

#[cfg(test)]
mod tests {
    use crate::derive::tests::{asked, derived};

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
}

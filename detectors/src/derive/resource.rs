//! What a request is about.

use std::borrow::Cow;

use super::Texts;
use crate::catalogue::Operation;
use crate::reach;
use crate::record::{Record, Value};

/// The resources of a record, the first of these that gives any:
///
/// 1. of an operation in the catalogue, what the request names: an ARN as it stands, else
///    `type/name`, so that create, describe and delete of one thing name it alike (what a create
///    answers is an ARN, but a refused one answers nothing);
/// 2. the ARNs in `resources`, without those that only contain another (a bucket beside its object);
/// 3. of an operation in the catalogue, the ARNs that the answer names at its top.
pub(super) fn resources<'b>(record: &Record<'b>) -> Texts<'b> {
    let mut found = Texts::default();
    let source = record.event_source().unwrap_or_default();
    let name = record.event_name().unwrap_or_default();
    let operation = Operation::of(&source, &name);
    if let Some(operation) = operation {
        add_named(&mut found, operation, record);
    }
    if found.0.is_empty() {
        add_listed(&mut found, record);
    }
    if found.0.is_empty() && operation.is_some() {
        add_answered(&mut found, record);
    }
    found
}

fn add_named<'b>(found: &mut Texts<'b>, operation: &Operation, record: &Record<'b>) {
    if operation.name_path.is_empty() {
        return;
    }
    let params = record.get("requestParameters");
    let (before, last) = match operation.name_path.rsplit_once('/') {
        Some((before, last)) => (Some(before), last),
        None => (None, operation.name_path),
    };
    let mut name = String::new();
    for part in before.into_iter().flat_map(|before| before.split('/')) {
        let alternatives = part.split('|');
        let value = alternatives.into_iter().find_map(|p| reach::text_at(params.clone(), p));
        match value {
            Some(value) => name.extend([&value, "/"]),
            // Without its first part a name would be another thing's.
            None if name.is_empty() => return,
            None => {}
        }
    }
    let mut add = |value: Cow<'b, str>| {
        if value.starts_with("arn:") {
            found.add(value);
        } else if operation.resource_type.is_empty() {
            found.add(Cow::Owned(format!("{name}{value}")));
        } else {
            found.add(Cow::Owned(format!("{}/{name}{value}", operation.resource_type)));
        }
    };
    let mut any = false;
    for path in last.split('|') {
        reach::each(params.clone(), path, &mut |value| {
            if let Some(value) = value.into_text() {
                any = true;
                add(value);
            }
        });
    }
    if !any && !name.is_empty() {
        let whole = name.trim_end_matches('/');
        found.add(Cow::Owned(format!("{}/{whole}", operation.resource_type)));
    }
}

fn add_listed<'b>(found: &mut Texts<'b>, record: &Record<'b>) {
    let mut arns = Texts::default();
    reach::each(record.get("resources"), "", &mut |resource| {
        let Value::Object(resource) = resource else {
            return;
        };
        let arn = resource.get("ARN").into_text().or_else(|| resource.get("arn").into_text());
        if let Some(arn) = arn {
            arns.add(arn);
        }
    });
    let contains = |outer: &str, inner: &str| {
        let rest = inner.strip_prefix(outer);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    for arn in &arns.0 {
        if !arns.0.iter().any(|other| contains(arn, other)) {
            found.add(arn.clone());
        }
    }
}

fn add_answered<'b>(found: &mut Texts<'b>, record: &Record<'b>) {
    let Value::Object(answer) = record.get("responseElements") else {
        return;
    };
    for (name, value) in answer.members().take(reach::ELEMENTS_MAX) {
        let names_arn = name.ends_with("Arn") || name.eq_ignore_ascii_case("arn");
        if let Some(arn) = value.into_text().filter(|a| names_arn && a.starts_with("arn:")) {
            found.add(arn);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::derive::tests::{asked, derived};

    #[track_caller]
    fn named(operation: &str, params: &str, wanted: &[&str]) {
        assert_eq!(asked("resource", operation, params), wanted, "{operation}");
    }

    #[test]
    fn names_by_operation() {
        named("CreateTrainingJob", r#"{"trainingJobName":"j"}"#, &["training-job/j"]);
        named("describetrainingjob", r#"{"trainingJobName":"j"}"#, &["training-job/j"]);
        named(
            "UpdateEndpoint",
            r#"{"endpointName":"e","endpointConfigName":"c"}"#,
            &["endpoint/e"],
        );
        named("DescribeModelPackage", r#"{"modelPackageName":"p"}"#, &["model-package/p"]);
        let arn = "arn:aws:sagemaker:r:1:model-package/g/1";
        named("DescribeModelPackage", &format!(r#"{{"modelPackageName":"{arn}"}}"#), &[arn]);
        named("AddTags", &format!(r#"{{"resourceArn":"{arn}","tags":[]}}"#), &[arn]);
        named("ListModels", "{}", &[]);
        named("CreateTrainingJob", "null", &[]);
        named("CreateTrainingJob", r#"{"trainingJobName":""}"#, &[]);
    }

    #[test]
    fn names_in_parts() {
        let profile = r#"{"domainId":"d","userProfileName":"u"}"#;
        named("CreatePresignedDomainUrl", profile, &["user-profile/d/u"]);
        let app = r#"{"domainId":"d","spaceName":"s","appType":"JupyterLab","appName":"default"}"#;
        named("CreateApp", app, &["app/d/s/JupyterLab/default"]);
        named("CreateApp", r#"{"domainId":"d","appType":"T"}"#, &["app/d/T"]);
        named("CreateApp", r#"{"appType":"T","appName":"a"}"#, &[]);
        named("DescribeImageVersion", r#"{"imageName":"i","version":3}"#, &["image-version/i/3"]);
        named("DescribeImageVersion", r#"{"imageName":"i"}"#, &["image-version/i"]);
    }

    #[test]
    fn batches_name_several() {
        named(
            "BatchDescribeModelPackage",
            r#"{"modelPackageArnList":["arn:a","arn:b","arn:a"]}"#,
            &["arn:a", "arn:b"],
        );
        named(
            "BatchGetRecord",
            r#"{"identifiers":[{"featureGroupName":"f"},{"featureGroupName":"g"}]}"#,
            &["feature-group/f", "feature-group/g"],
        );
        named(
            "DeregisterDevices",
            r#"{"deviceFleetName":"f","deviceNames":["a","b"]}"#,
            &["device/f/a", "device/f/b"],
        );
    }

    #[test]
    fn other_services_list_arns() {
        let members = r#""eventSource":"s3.amazonaws.com","eventName":"GetObject","resources":[
            {"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b/k"},{"accountId":"1","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::b"}]"#;
        assert_eq!(derived("resource", members), ["arn:aws:s3:::b/k"]);
        let members = r#""eventSource":"kms.amazonaws.com","resources":[{"arn":"arn:k1"},{"ARN":"arn:k2"},7,null]"#;
        assert_eq!(derived("resource", members), ["arn:k1", "arn:k2"]);
        assert!(
            derived("resource", r#""resources":null,"responseElements":{"arn":"arn:x"}"#)
                .is_empty()
        );
    }

    #[test]
    fn the_answer_names_what_the_request_does_not() {
        let members = r#""eventSource":"sagemaker.amazonaws.com","eventName":"SendPipelineExecutionStepSuccess",
            "requestParameters":{"callbackToken":"x"},"responseElements":{"pipelineExecutionArn":"arn:p","other":"arn:o"}"#;
        assert_eq!(derived("resource", members), ["arn:p"]);
    }
}

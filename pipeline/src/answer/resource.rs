//! What calls are about, by ARN.

use floodmark_detectors::principal::partition;
use serde_json::Value;

use super::Fact;

/// One resource.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Resource {
    /// ARN, else `type/name` or whatever the record gives.
    pub(crate) uid: String,
    /// `AWS::SageMaker::TrainingJob`.
    pub(crate) kind: Option<String>,
    /// The type as ARNs name it: `training-job`.
    pub(crate) word: String,
    /// The name behind the type; of an ARN without a type, all of it.
    pub(crate) name: String,
    pub(crate) region: Option<String>,
    pub(crate) account: Option<String>,
}

impl Resource {
    /// Reads an ARN, `arn:PARTITION:SERVICE:REGION:ACCOUNT:TYPE/NAME`; of a topic or key `TYPE:NAME`.
    pub(crate) fn of_arn(arn: &str) -> Option<Resource> {
        let mut parts = arn.splitn(6, ':');
        let ("arn", _) = (parts.next()?, parts.next()?) else { return None };
        let (service, region, account) = (parts.next()?, parts.next()?, parts.next()?);
        let rest = parts.next()?;
        let (word, name) = match service {
            // A bucket, a queue and a topic have no type in their ARN.
            "s3" if rest.contains('/') => ("object", rest),
            "s3" => ("bucket", rest),
            _ => rest.split_once(['/', ':']).unwrap_or(("", rest)),
        };
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Some(Resource {
            uid: arn.to_owned(),
            kind: kind(service, word),
            word: word.to_owned(),
            name: name.to_owned(),
            region: some(region),
            account: some(account),
        })
    }
}

/// What the call is about: the resources that its operation names, as ARNs where the record tells
/// enough. The ARN that the answer gives counts more than one put together.
pub(crate) fn subjects(fact: &Fact) -> Vec<Resource> {
    let one = |named: &String| {
        if let Some(resource) = Resource::of_arn(named) {
            return resource;
        }
        let (word, name) = named.split_once('/').unwrap_or(("", named));
        let answered = answered(fact).find(|arn| {
            Resource::of_arn(arn).is_some_and(|resource| {
                resource.word == word && resource.name.eq_ignore_ascii_case(name)
            })
        });
        let uid = answered.map(str::to_owned).or_else(|| arn(fact, named));
        let found = uid.as_deref().and_then(Resource::of_arn).unwrap_or_default();
        Resource {
            uid: uid.unwrap_or_else(|| named.clone()),
            kind: kind("sagemaker", word),
            word: word.to_owned(),
            name: name.to_owned(),
            ..found
        }
    };
    fact.derived("resource").iter().map(one).collect()
}

/// The ARN that SageMaker gives `type/name` in the record's region and account.
fn arn(fact: &Fact, named: &str) -> Option<String> {
    let service = fact.text("/eventSource")?.strip_suffix(".amazonaws.com")?;
    let (region, account) = (fact.text("/awsRegion")?, fact.account()?);
    if service != "sagemaker" || !named.contains('/') {
        return None;
    }
    Some(format!("arn:{}:sagemaker:{region}:{account}:{named}", partition(region)))
}

fn answered(fact: &Fact) -> impl Iterator<Item = &str> {
    let members = fact.at("/responseElements").and_then(Value::as_object);
    let texts = members.into_iter().flat_map(|members| members.values()).filter_map(Value::as_str);
    texts.filter(|text| text.starts_with("arn:"))
}

/// `sagemaker` and `training-job` give `AWS::SageMaker::TrainingJob`.
pub(crate) fn kind(service: &str, word: &str) -> Option<String> {
    let service = match service {
        "sagemaker" => "SageMaker",
        "s3" => "S3",
        "iam" | "sts" => "IAM",
        "kms" => "KMS",
        "ec2" => "EC2",
        "secretsmanager" => "SecretsManager",
        "cloudtrail" => "CloudTrail",
        "lambda" => "Lambda",
        _ => return None,
    };
    let known = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && word.len() <= 64;
    let pascal: String = word
        .split('-')
        .filter_map(|part| {
            let mut letters = part.chars();
            let first = letters.next()?.to_ascii_uppercase();
            Some(std::iter::once(first).chain(letters).collect::<String>())
        })
        .collect();
    (known && !pascal.is_empty()).then(|| format!("AWS::{service}::{pascal}"))
}

//! The fields that rules read as `floodmark.NAME`: derived from one record, and from nothing else
//! but the networks the caller calls its own. Each is computed when a rule first asks for it.
//!
//! What a record does not tell gives no value at all, never a made-up one: a rule that compares it
//! does not match, a rule that groups by it does not count the record. Lists (see [`is_list`]) give
//! one value for each distinct element, at most [`VALUES_MAX`].

mod bucket;
mod capacity;
mod image;
mod instance_type;
mod network;
mod policy;
mod prefix;
mod resource;
mod role;
mod script;

use std::borrow::Cow;

use smallvec::{SmallVec, smallvec};

pub(crate) use capacity::{Parts, parts};
pub use network::{Network, NetworkSet, Networks};

use crate::field::Fields;
use crate::principal::Principal;
use crate::record::{Key, Record, Value};

/// Most values of one field of one record.
pub const VALUES_MAX: usize = 64;

/// The names of all derived fields, without `floodmark.`.
pub const NAMES: &[&str] = &[
    "account",
    "principal",
    "actor",
    "resource",
    "source_network",
    "source_class",
    "params",
    "instances",
    "accelerators",
    "hourly_cost",
    "storage_gb",
    "instance_types",
    "families",
    "output_buckets",
    "model_buckets",
    "image_accounts",
    "passed_roles",
    "passed_role_names",
    "scripts",
    "policy_accounts",
    "s3_prefixes",
];

/// Whether a derived field is a list, of which array selectors see each element.
#[must_use]
pub fn is_list(name: &str) -> bool {
    const LISTS: &[&str] = &[
        "resource",
        "instance_types",
        "families",
        "output_buckets",
        "model_buckets",
        "image_accounts",
        "passed_roles",
        "passed_role_names",
        "scripts",
        "policy_accounts",
        "s3_prefixes",
    ];
    LISTS.contains(&name)
}

/// The values of the derived field `name`, one of [`NAMES`]; none for any other name.
///
/// - `account`: the account whose trail this is (`recipientAccountId`), else the caller's.
/// - `principal`, `actor`: see [`Principal`].
/// - `resource`: what the request is about, `type/name` or an ARN as the request names it; a batch
///   names several. For services outside the catalogue the ARNs in `resources`.
/// - `source_network`: the network of `sourceIPAddress`, /24 of IPv4 and /48 of IPv6. None where
///   it is no address.
/// - `source_class`: `service`, `own`, `private`, `aws` or `public`; see [`Networks`].
/// - `params`: whether `requestParameters` is there. A denied call has none, so that a rule about
///   what a request lacks must ask for this.
/// - `instances`, `accelerators`, `hourly_cost` (US dollars), `storage_gb`: what the request asks
///   for, over every SageMaker shape. A floor where a part is unknown; none where all is, or where
///   the known parts make nothing.
/// - `instance_types`, `families`: every instance type the request names as a choice, and their
///   families, accelerated or not.
/// - `output_buckets`, `model_buckets`: buckets the request has written to, or models read from.
/// - `image_accounts`: accounts of the registries its container images come from; of an image that
///   is in no ECR repository, the registry's host (`docker.io` where it names none).
/// - `passed_roles`, `passed_role_names`: ARNs of the roles the request hands to the service, and
///   the last part of each.
/// - `scripts`: lifecycle scripts, decoded.
/// - `policy_accounts`: accounts other than the record's own that a resource policy in the request
///   lets in; `*` for everybody.
/// - `s3_prefixes`: what training and its data have in common, `bucket/prefix`: for a job the
///   prefixes it reads, for an object event the bucket and every prefix the object lies under.
#[must_use]
pub fn compute<'b>(
    name: &str,
    record: &Record<'b>,
    networks: &Networks,
) -> SmallVec<[Value<'b>; 2]> {
    named(name, &Fields::within(record, networks))
}

/// The same for the field at `place` in [`NAMES`], and what is known of the record already.
pub(crate) fn computed<'b>(place: u8, fields: &Fields<'_, 'b>) -> SmallVec<[Value<'b>; 2]> {
    NAMES.get(usize::from(place)).map_or_else(SmallVec::new, |name| named(name, fields))
}

fn named<'b>(name: &str, fields: &Fields<'_, 'b>) -> SmallVec<[Value<'b>; 2]> {
    let record = fields.record();
    match name {
        "account" => one(account(fields)),
        "principal" => one(Principal::id_of(fields)),
        "actor" => one(Principal::actor_of(fields)),
        "resource" => resource::resources(record).into_values(),
        "source_network" => one(network::source_network(fields).map(Cow::Owned)),
        "source_class" => one(network::source_class(fields).map(Cow::Borrowed)),
        "params" => {
            let params = record.value(Key::RequestParameters);
            let there = !matches!(params, Value::Missing | Value::Null);
            smallvec![Value::Bool(there)]
        }
        "instances" => number(capacity::instances(fields.capacity())),
        "accelerators" => number(capacity::accelerators(fields.capacity())),
        "hourly_cost" => number(capacity::hourly_cost(fields.capacity())),
        "storage_gb" => number(capacity::storage_gb(fields.capacity())),
        "instance_types" => instance_type::instance_types(fields.parameters()).into_values(),
        "families" => instance_type::families(fields.parameters()).into_values(),
        "output_buckets" => bucket::output_buckets(fields.parameters()).into_values(),
        "model_buckets" => bucket::model_buckets(fields.parameters()).into_values(),
        "image_accounts" => image::image_accounts(fields.parameters()).into_values(),
        "passed_roles" => role::passed_roles(fields).into_values(),
        "passed_role_names" => role::passed_role_names(fields).into_values(),
        "scripts" => script::scripts(fields.parameters()).into_values(),
        "policy_accounts" => policy::policy_accounts(fields).into_values(),
        "s3_prefixes" => prefix::s3_prefixes(fields).into_values(),
        _ => SmallVec::new(),
    }
}

/// The address in `sourceIPAddress`.
pub(crate) fn source_address(record: &Record<'_>) -> Option<std::net::IpAddr> {
    network::first_address(&record.text(Key::SourceIpAddress)?)
}

fn account<'b>(fields: &Fields<'_, 'b>) -> Option<Cow<'b, str>> {
    let recipient = fields.record().text(Key::RecipientAccountId);
    recipient.or_else(|| fields.identity().get("accountId").into_text())
}

/// Distinct texts in the order found, at most [`VALUES_MAX`]; empty texts are left out.
#[derive(Debug, Default)]
struct Texts<'b>(SmallVec<[Cow<'b, str>; 2]>);

impl<'b> Texts<'b> {
    fn add(&mut self, text: Cow<'b, str>) {
        if self.0.len() < VALUES_MAX && !text.is_empty() && !self.0.contains(&text) {
            self.0.push(text);
        }
    }

    fn into_values(self) -> SmallVec<[Value<'b>; 2]> {
        self.0.into_iter().map(Value::Text).collect()
    }
}

fn one<'b>(text: Option<Cow<'b, str>>) -> SmallVec<[Value<'b>; 2]> {
    text.map(Value::Text).into_iter().collect()
}

fn number<'b>(text: Option<String>) -> SmallVec<[Value<'b>; 2]> {
    let number = text.map(|text| Value::Number(Cow::Owned(text)));
    number.into_iter().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// The values of a derived field of a record with these members, as texts.
    pub(super) fn derived(name: &str, members: &str) -> Vec<String> {
        let json = format!(r#"{{"eventTime":"2026-11-07T10:00:00Z",{members}}}"#);
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
        let record = Record::decode(json.as_bytes()).unwrap();
        compute(name, &record, &Networks::default())
            .into_iter()
            .map(|value| match value {
                Value::Text(text) | Value::Number(text) => text.into_owned(),
                Value::Bool(yes) => yes.to_string(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    /// The same for a SageMaker operation with these request parameters.
    pub(super) fn asked(name: &str, operation: &str, params: &str) -> Vec<String> {
        derived(
            name,
            &format!(
                r#""eventSource":"sagemaker.amazonaws.com","eventName":"{operation}",
                "recipientAccountId":"111122223333","requestParameters":{params}"#
            ),
        )
    }

    #[test]
    fn account_is_the_recipient_else_the_caller() {
        let caller = r#""userIdentity":{"accountId":"2"}"#;
        let both = format!(r#""recipientAccountId":"1",{caller}"#);
        assert_eq!(derived("account", &both), ["1"]);
        assert_eq!(derived("account", caller), ["2"]);
        assert!(derived("account", r#""recipientAccountId":"","userIdentity":null"#).is_empty());
    }

    #[test]
    fn params_tells_null_and_absent_from_empty() {
        assert_eq!(derived("params", r#""eventName":"x""#), ["false"]);
        assert_eq!(derived("params", r#""requestParameters":null"#), ["false"]);
        assert_eq!(derived("params", r#""requestParameters":{}"#), ["true"]);
        assert_eq!(derived("params", r#""requestParameters":"a=b""#), ["true"]);
    }

    #[test]
    fn principal_and_actor_are_fields() {
        let user = r#""userIdentity":{"arn":"arn:aws:sts::1:assumed-role/R/s"}"#;
        assert_eq!(derived("principal", user), ["arn:aws:iam::1:role/R"]);
        assert_eq!(derived("actor", user), ["arn:aws:iam::1:role/R/s"]);
        assert!(derived("actor", r#""userIdentity":null"#).is_empty());
        assert!(derived("principle", user).is_empty());
    }

    #[test]
    fn lists_are_names_and_give_at_most_so_many_values() {
        let lists = NAMES.iter().filter(|name| is_list(name)).count();
        assert_eq!(lists, 11);
        let arns: Vec<String> = (0..200).map(|n| format!(r#""arn:{n}""#)).collect();
        let params = format!(r#"{{"modelPackageArnList":[{}]}}"#, arns.join(","));
        let values = asked("resource", "BatchDescribeModelPackage", &params);
        assert_eq!(values.len(), VALUES_MAX);
    }

    /// Member names that the code looks for, so that arbitrary records meet it.
    const MEMBERS: &[&str] = &[
        "userIdentity",
        "type",
        "arn",
        "principalId",
        "sessionContext",
        "sessionIssuer",
        "sourceIPAddress",
        "resources",
        "ARN",
        "requestParameters",
        "responseElements",
        "resourceConfig",
        "instanceGroups",
        "instanceType",
        "instanceCount",
        "volumeSizeInGB",
        "trainingJobDefinitions",
        "hyperParameterTuningJobConfig",
        "resourceLimits",
        "maxParallelTrainingJobs",
        "outputDataConfig",
        "s3OutputPath",
        "primaryContainer",
        "image",
        "modelDataUrl",
        "roleArn",
        "onCreate",
        "content",
        "resourcePolicy",
        "Statement",
        "Principal",
        "Effect",
        "AWS",
        "bucketName",
        "key",
        "tags",
        "domainId",
        "appName",
        "instancePreferences",
        "serverlessConfig",
        "productionVariants",
    ];

    /// Texts that the code takes apart.
    const TEXTS: &[&str] = &[
        "",
        "ml.p4d.24xlarge",
        "ml.",
        "s3://",
        "s3://b/k/",
        "arn:aws:iam::1:role/",
        "*",
        "Allow",
        "H4sIAAAAAAAAA0vOSSwuVkgtLgEAvLnT9gkAAAA=",
        "{\"Statement\":[{\"Principal\":\"*\"}]}",
        "1.2.3.4, 5.6.7.8",
        "::1",
        "AWSService",
        "999999999999999999999",
        "1e9",
        "😀:/.",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/x",
        "arn:aws:sts::1:assumed-role/",
        "system",
    ];

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            proptest::sample::select(TEXTS).prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(6, 96, 6, |inner| {
            let member = prop_oneof![
                9 => proptest::sample::select(MEMBERS).prop_map(str::to_owned),
                1 => any::<String>(),
            ];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::hash_map(member, inner, 0..6)
                    .prop_map(|members| members.into_iter().collect::<serde_json::Value>()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn every_field_of_every_record_has_an_end(
            identity in json(),
            params in json(),
            address in json(),
            resources in json(),
            operation in 0..crate::catalogue::Operation::all().len(),
        ) {
            let operation = &crate::catalogue::Operation::all()[operation];
            let record = serde_json::json!({
                "eventTime": "2026-11-07T10:00:00Z",
                "eventSource": operation.event_source,
                "eventName": operation.name,
                "userIdentity": identity,
                "requestParameters": params,
                "responseElements": resources.clone(),
                "sourceIPAddress": address,
                "resources": resources,
            })
            .to_string();
            let record = Record::decode(record.as_bytes()).unwrap();
            for name in NAMES {
                let values = compute(name, &record, &Networks::default());
                let values_max = if is_list(name) { VALUES_MAX } else { 1 };
                prop_assert!(values.len() <= values_max);
                for value in values {
                    let ok = match value {
                        Value::Text(text) => !text.is_empty(),
                        Value::Number(text) => text.parse::<f64>().is_ok_and(|n| n >= 0.0),
                        Value::Bool(_) => *name == "params",
                        _ => false,
                    };
                    prop_assert!(ok, "{}", name);
                }
            }
        }
    }
}

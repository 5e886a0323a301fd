//! What can be asked about an alert.

use super::Query;
use super::term::{Term, is};

/// What a query is to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub enum Ask {
    /// The calls of the burst itself, all of them, and five minutes around it.
    #[default]
    Burst,
    /// All that who acted did an hour before and after, in every service.
    Timeline,
    /// Where the credentials come from: what issued the keys that were used.
    Access,
    /// What who acted made, changed and removed.
    Changes,
    /// Reads and writes of data and models, and where jobs write to.
    Data,
    /// What was put into models, data sets and the registry.
    Supply,
    /// Trails, log groups and detectors that were changed.
    Logging,
    /// Users, roles and policies that were changed.
    Permissions,
    /// Networks that were changed.
    Network,
    /// Sign-in URLs of notebooks, and what execution roles did afterwards.
    Notebooks,
    /// What who acted did outside SageMaker.
    Abroad,
}

/// What lies this near to a burst is shown with it.
const MARGIN_SECS: i64 = 300;
const HOUR_SECS: i64 = 3_600;
const DAY_SECS: i64 = 24 * HOUR_SECS;

#[rustfmt::skip]
const LOGGING: &[&str] = &[
    "StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors", "PutInsightSelectors",
    "DeleteEventDataStore", "UpdateEventDataStore", "StopEventDataStoreIngestion",
    "DeleteFlowLogs", "StopConfigurationRecorder", "DeleteConfigurationRecorder",
    "DeleteDeliveryChannel", "DeleteDetector", "UpdateDetector", "DisableSecurityHub",
    "DisableMacie", "DeleteLogGroup", "DeleteLogStream", "PutRetentionPolicy",
    "DeleteSubscriptionFilter", "DisableRule", "DeleteRule", "DeleteTrainingJob",
    "DeleteProcessingJob", "DeleteHyperParameterTuningJob",
];
#[rustfmt::skip]
const CREDENTIALS: &[&str] = &[
    "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetSessionToken",
    "GetFederationToken", "AssumeRoot", "CreateAccessKey", "ConsoleLogin", "GetRoleCredentials",
];
#[rustfmt::skip]
const NETWORK: &[&str] = &[
    "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress",
    "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress", "CreateSecurityGroup",
    "DeleteSecurityGroup", "ModifySecurityGroupRules", "CreateVpc", "DeleteVpc",
    "CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints", "CreateRoute",
    "ReplaceRoute", "DeleteRoute", "CreateInternetGateway", "AttachInternetGateway",
    "CreateNatGateway", "ModifySubnetAttribute", "CreateNetworkAclEntry",
    "ReplaceNetworkAclEntry", "ModifyNetworkInterfaceAttribute", "DeleteFlowLogs",
    "CreateVpcPeeringConnection", "UpdateDomain", "CreateNotebookInstance", "UpdateCluster",
    "AttachClusterNodeNetworkInterface",
];
#[rustfmt::skip]
const SUPPLY: &[&str] = &[
    "CreateModel", "CreateModelPackage", "UpdateModelPackage", "CreateModelPackageGroup",
    "PutModelPackageGroupPolicy", "CreateTrainingJob", "CreateTransformJob",
    "CreateEndpointConfig", "CreateEndpoint", "UpdateEndpoint", "CreateAlgorithm", "PutRecord",
    "BatchWriteRecord", "DeleteRecord", "PutImage", "PutObject", "CreateImageVersion",
    "ImportHubContent", "StopMonitoringSchedule", "DeleteMonitoringSchedule",
];
#[rustfmt::skip]
const DATA: &[&str] = &[
    "GetObject", "PutObject", "CopyObject", "ListObjects", "ListObjectsV2", "GetRecord",
    "BatchGetRecord", "InvokeEndpoint", "InvokeEndpointAsync",
    "InvokeEndpointWithResponseStream", "DescribeModelPackage", "BatchDescribeModelPackage",
    "DescribeTrainingJob", "DescribeModel", "CreateTrainingJob", "CreateProcessingJob",
    "CreateTransformJob", "CreateModelCardExportJob", "CreateEndpointConfig",
    "PutModelPackageGroupPolicy", "PutBucketPolicy",
];

impl Ask {
    /// How much earlier than the burst, and later, the answer may lie, seconds. An assumed role
    /// lasts 12 hours at most, a session token 36 (IAM user guide).
    pub(super) fn margins_secs(self) -> (i64, i64) {
        match self {
            Ask::Burst => (MARGIN_SECS, MARGIN_SECS),
            Ask::Timeline | Ask::Changes | Ask::Abroad => (HOUR_SECS, HOUR_SECS),
            Ask::Access => (36 * HOUR_SECS, 0),
            Ask::Notebooks => (12 * HOUR_SECS, 12 * HOUR_SECS),
            Ask::Data | Ask::Supply | Ask::Logging | Ask::Permissions | Ask::Network => {
                (DAY_SECS, DAY_SECS)
            }
        }
    }

    /// Whether the answer lies in other regions too (IAM, STS and the console write to their own).
    pub(super) fn is_global(self) -> bool {
        !matches!(self, Ask::Burst)
    }

    /// What it finds, for the head of the query.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Ask::Burst => "the calls of the burst",
            Ask::Timeline => "all that who acted did an hour before and after",
            Ask::Access => "where the credentials come from",
            Ask::Changes => "what who acted made, changed and removed",
            Ask::Data => "reads and writes of data and models",
            Ask::Supply => "what was put into models, data sets and the registry",
            Ask::Logging => "trails, logs and detectors that were changed, by anybody",
            Ask::Permissions => "users, roles and policies that were changed, by anybody",
            Ask::Network => "networks that were changed, by anybody",
            Ask::Notebooks => "sign-in URLs, and what execution roles did",
            Ask::Abroad => "what who acted did outside SageMaker",
        }
    }

    /// The condition beside accounts, regions and time.
    pub(super) fn term(self, query: &Query) -> Term {
        let principals = query.by_principals();
        let sagemaker = || Term::Begins("eventSource".into(), "sagemaker".into());
        let mut terms: Vec<Term> = Vec::new();
        match self {
            Ask::Burst => {
                terms.extend(principals);
                terms.extend(query.keys.iter().map(super::Part::term));
                if !query.sources.is_empty() {
                    terms.push(Term::Is("eventSource".into(), query.sources.clone()));
                }
                if query.is_whole && !query.names.is_empty() {
                    terms.push(Term::Is("eventName".into(), query.names.clone()));
                }
            }
            Ask::Timeline => terms.extend(principals),
            Ask::Access => {
                let issued = |key: &String| {
                    Term::Any(vec![
                        Term::Holds("responseElements.credentials".into(), key.clone()),
                        Term::Holds("responseElements.accessKey".into(), key.clone()),
                    ])
                };
                let keys = query.access_keys.iter().map(issued).collect::<Vec<_>>();
                terms.push(is("eventName", CREDENTIALS));
                if !keys.is_empty() {
                    terms.push(Term::Any(keys));
                }
            }
            Ask::Changes => {
                terms.extend(principals);
                terms.push(is("readOnly", &["false"]));
            }
            Ask::Data => {
                terms.extend(principals);
                terms.push(is("eventName", DATA));
            }
            Ask::Supply => terms.push(is("eventName", SUPPLY)),
            Ask::Logging => terms.push(is("eventName", LOGGING)),
            Ask::Permissions => {
                terms.push(is(
                    "eventSource",
                    &[
                        "iam.amazonaws.com",
                        "organizations.amazonaws.com",
                        "sso.amazonaws.com",
                        "kms.amazonaws.com",
                    ],
                ));
                terms.push(is("readOnly", &["false"]));
            }
            Ask::Network => terms.push(is("eventName", NETWORK)),
            Ask::Notebooks => {
                let presign = Term::Begins("eventName".into(), "CreatePresigned".into());
                let shell = is("eventName", &["StartSession"]);
                // The session name is SageMaker's for what runs under an execution role.
                let role = Term::Holds("userIdentity.arn".into(), "/SageMaker".into());
                let sign_in = Term::All(vec![sagemaker(), Term::Any(vec![presign, shell])]);
                terms.push(Term::Any(vec![sign_in, role]));
            }
            Ask::Abroad => {
                terms.extend(principals);
                terms.push(Term::IsNot(
                    "eventSource".into(),
                    vec!["sagemaker.amazonaws.com".into()],
                ));
            }
        }
        Term::All(terms)
    }
}

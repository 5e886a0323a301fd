//! Odd shapes: what real feeds hold besides plain calls, at a small rate.
//!
//! Each of them was found in public CloudTrail data. They fall on calls that no rule counts, so
//! that the truth stays exact however a reader understands them.

use super::random::Random;
use super::template::Template;

/// The shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Odd {
    // Whole records of another kind.
    ServiceEvent,
    Insight,
    EndpointEvent,
    ConsoleAction,
    FailedSignIn,
    // Other identities.
    AnotherAccount,
    FederatedUser,
    SamlUser,
    IdentityCenterUser,
    WebIdentityUser,
    NoType,
    EmptyIssuer,
    NoSessionContext,
    NoIdentity,
    NullIdentity,
    // Fields that are not what they should be.
    SourceInternal,
    SourceList,
    SourceEmpty,
    SourcePadded,
    SourceService,
    CodeOnSuccess,
    TextBooleans,
    TextParameters,
    AgentList,
    TimeWithSpace,
    LogstashTime,
    NarrowSpace,
    EmptyResponse,
}

const ALL: [Odd; 28] = [
    Odd::ServiceEvent,
    Odd::Insight,
    Odd::EndpointEvent,
    Odd::ConsoleAction,
    Odd::FailedSignIn,
    Odd::AnotherAccount,
    Odd::FederatedUser,
    Odd::SamlUser,
    Odd::IdentityCenterUser,
    Odd::WebIdentityUser,
    Odd::NoType,
    Odd::EmptyIssuer,
    Odd::NoSessionContext,
    Odd::NoIdentity,
    Odd::NullIdentity,
    Odd::SourceInternal,
    Odd::SourceList,
    Odd::SourceEmpty,
    Odd::SourcePadded,
    Odd::SourceService,
    Odd::CodeOnSuccess,
    Odd::TextBooleans,
    Odd::TextParameters,
    Odd::AgentList,
    Odd::TimeWithSpace,
    Odd::LogstashTime,
    Odd::NarrowSpace,
    Odd::EmptyResponse,
];

impl Odd {
    pub(super) fn draw(random: &mut Random) -> Odd {
        random.pick(&ALL)
    }

    /// The record, where all of it is of another kind.
    fn whole(self) -> Option<&'static str> {
        match self {
            Odd::ServiceEvent => Some(
                r#"{"eventVersion":"1.11","userIdentity":{"accountId":"<account>","invokedBy":"AWS Internal"},"eventTime":"<time>","eventSource":"kms.amazonaws.com","eventName":"RotateKey","awsRegion":"<region>","sourceIPAddress":"AWS Internal","userAgent":"AWS Internal","requestParameters":null,"responseElements":null,"eventID":"<uuid>","readOnly":false,"resources":[{"accountId":"<account>","type":"AWS::KMS::Key","ARN":"arn:<partition>:kms:<region>:<account>:key/<uuid>"}],"eventType":"AwsServiceEvent","managementEvent":true,"recipientAccountId":"<account>","serviceEventDetails":{"keyId":"<uuid>","rotationType":"AUTOMATIC","keyOrigin":"AWS_KMS"},"eventCategory":"Management"}"#,
            ),
            Odd::Insight => Some(
                r#"{"eventVersion":"1.08","eventTime":"<time>","awsRegion":"<region>","eventID":"<uuid>","eventType":"AwsCloudTrailInsight","recipientAccountId":"<account>","sharedEventID":"<uuid>","insightDetails":{"state":"Start","eventSource":"ssm.amazonaws.com","eventName":"UpdateInstanceInformation","insightType":"ApiCallRateInsight","insightContext":{"statistics":{"baseline":{"average":0.<number:9000>},"insight":{"average":<number:900>.5},"insightDuration":1,"baselineDuration":11459},"attributions":[{"attribute":"userIdentityArn","insight":[{"value":"arn:<partition>:sts::<account>:assumed-role/<actor>/i-0<hex:16>","average":<number:900>}],"baseline":[]}]}},"eventCategory":"Insight"}"#,
            ),
            Odd::EndpointEvent => Some(
                r#"{"eventVersion":"1.09","userIdentity":{"type":"AWSAccount","principalId":"AROA<base:17>:i-0<hex:16>","accountId":"<account>"},"eventTime":"<time>","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"<region>","sourceIPAddress":"10.0.<number:250>.<number:250>","requestParameters":null,"responseElements":null,"requestID":"<uuid>","eventID":"<uuid>","readOnly":true,"resources":[{"type":"AWS::S3::Bucket","ARN":"arn:<partition>:s3:::<bucket>"}],"eventType":"AwsVpceEvent","managementEvent":false,"recipientAccountId":"<account>","sharedEventID":"<uuid>","vpcEndpointId":"vpce-0<hex:16>","vpcEndpointAccountId":"<account>","eventCategory":"NetworkActivity"}"#,
            ),
            Odd::ConsoleAction => Some(
                r#"{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDA<base:17>","arn":"arn:<partition>:iam::<account>:user/<actor>","accountId":"<account>","accessKeyId":"","userName":"<actor>"},"eventTime":"<time>","eventSource":"signin.amazonaws.com","eventName":"CredentialVerification","awsRegion":"us-east-1","sourceIPAddress":"<address>","userAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0","requestParameters":null,"responseElements":{"CredentialVerification":"Success"},"additionalEventData":{"CredentialType":"TOTP"},"eventID":"<uuid>","readOnly":false,"eventType":"AwsConsoleAction","managementEvent":true,"recipientAccountId":"<account>","eventCategory":"Management"}"#,
            ),
            Odd::FailedSignIn => Some(
                r#"{"eventVersion":"1.08","userIdentity":{"type":"Unknown","principalId":"","arn":"","accountId":"<account>","accessKeyId":"","userName":"HIDDEN_DUE_TO_SECURITY_REASONS"},"eventTime":"<time>","eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","awsRegion":"<region>","sourceIPAddress":"<address>","userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36","errorMessage":"No username found in supplied account","requestParameters":null,"responseElements":{"ConsoleLogin":"Failure"},"additionalEventData":{"LoginTo":"https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true","MobileVersion":"No","MFAUsed":"No"},"eventID":"<uuid>","readOnly":false,"eventType":"AwsConsoleSignIn","managementEvent":true,"recipientAccountId":"<account>","eventCategory":"Management"}"#,
            ),
            _ => None,
        }
    }

    /// The identity, where only that is odd.
    fn identity(self) -> Option<&'static str> {
        match self {
            Odd::AnotherAccount => Some(
                r#""userIdentity":{"type":"AWSAccount","principalId":"AROA<base:17>:<actor>","accountId":"<number:9>11122223333"},"#,
            ),
            Odd::FederatedUser => Some(
                r#""userIdentity":{"type":"FederatedUser","principalId":"<account>:<actor>","arn":"arn:<partition>:sts::<account>:federated-user/<actor>","accountId":"<account>","accessKeyId":"ASIA<base:16>","sessionContext":{"sessionIssuer":{"type":"IAMUser","principalId":"AIDA<base:17>","arn":"arn:<partition>:iam::<account>:user/<actor>","accountId":"<account>","userName":"<actor>"},"attributes":{"creationDate":"<time>","mfaAuthenticated":"false"}}},"#,
            ),
            Odd::SamlUser => Some(
                r#""userIdentity":{"type":"SAMLUser","principalId":"<blob:27>=:<actor>@example.com","userName":"<actor>@example.com","identityProvider":"<blob:27>="},"#,
            ),
            Odd::IdentityCenterUser => Some(
                r#""userIdentity":{"type":"IdentityCenterUser","principalId":"","arn":"","accountId":"<account>","accessKeyId":"","onBehalfOf":{"userId":"<uuid>","identityStoreArn":"arn:<partition>:identitystore::<account>:identitystore/d-<hex:10>"},"credentialId":"<blob:64>"},"#,
            ),
            Odd::WebIdentityUser => Some(
                r#""userIdentity":{"type":"WebIdentityUser","principalId":"arn:<partition>:iam::<account>:oidc-provider/token.actions.githubusercontent.com:sts.amazonaws.com:repo:example/<actor>:ref:refs/heads/main","userName":"repo:example/<actor>:ref:refs/heads/main","identityProvider":"arn:<partition>:iam::<account>:oidc-provider/token.actions.githubusercontent.com"},"#,
            ),
            Odd::NoType => Some(
                r#""userIdentity":{"accountId":"<account>","arn":"arn:<partition>:iam::<account>:user/<actor>","userName":"<actor>"},"#,
            ),
            Odd::EmptyIssuer => Some(
                r#""userIdentity":{"type":"IAMUser","principalId":"AIDA<base:17>","arn":"arn:<partition>:iam::<account>:user/<actor>","accountId":"<account>","accessKeyId":"ASIA<base:16>","userName":"<actor>","sessionContext":{"sessionIssuer":{},"webIdFederationData":{},"attributes":{"mfaAuthenticated":"true","creationDate":"<time>"}}},"#,
            ),
            Odd::NoSessionContext => Some(
                r#""userIdentity":{"type":"AssumedRole","principalId":"AROA<base:17>:<resource>","arn":"arn:<partition>:sts::<account>:assumed-role/<actor>/<resource>","accountId":"<account>","accessKeyId":"ASIA<base:16>"},"#,
            ),
            Odd::NoIdentity => Some(""),
            Odd::NullIdentity => Some(r#""userIdentity":null,"#),
            _ => None,
        }
    }
}

/// The templates of the odd shapes, by shape.
pub(super) struct Odds(Vec<OddTemplates>);

#[derive(Default)]
pub(super) struct OddTemplates {
    pub(super) whole: Option<Template>,
    pub(super) identity: Option<Template>,
}

impl Odds {
    pub(super) fn new() -> Odds {
        let templates = |odd: Odd| OddTemplates {
            whole: odd.whole().map(Template::parse),
            identity: odd.identity().map(Template::parse),
        };
        Odds(ALL.into_iter().map(templates).collect())
    }

    pub(super) fn of(&self, odd: Odd) -> &OddTemplates {
        &self.0[odd as usize]
    }
}

//! The way to AWS: credentials, roles, endpoints, and what errors mean.
//!
//! The SDK's own retries are off. Shards have call limits that retries count against, a conditional
//! write must not be repeated blindly, and each caller here has a loop of its own with its own pace.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::{
    AppName, Credentials, SharedCredentialsProvider, SharedHttpClient,
    StalledStreamProtectionConfig,
};
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

use super::settings::{Access, Role};

/// Longest wait for a connection.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// Longest wait for an answer to begin. `GetRecords` may bring 10 MB.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// The session name of an assumed role, as CloudTrail shows it.
const SESSION: &str = "floodmark";

/// Clients for the services that are used.
pub(super) struct Clients {
    pub(super) kinesis: aws_sdk_kinesis::Client,
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
}

/// Prepares the clients; asks for no credentials yet.
///
/// # Errors
/// A certificate file that cannot be read, in words.
pub(super) async fn connect(access: &Access) -> Result<Clients, String> {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client(access)?)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_WAIT)
                .read_timeout(ANSWER_WAIT)
                .build(),
        );
    if let Ok(name) = AppName::new("floodmark") {
        loader = loader.app_name(name);
    }
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(key) = &access.key {
        let key = Credentials::new(&key.id, &key.secret, None, None, "settings");
        loader = loader.credentials_provider(key);
    }
    let mut config = loader.load().await;
    if let Some(role) = &access.role {
        config = assume(config, role, access.sts_endpoint.as_deref()).await;
    }
    let mut kinesis = aws_sdk_kinesis::config::Builder::from(&config);
    if let Some(endpoint) = &access.kinesis_endpoint {
        kinesis = kinesis.endpoint_url(endpoint);
    }
    let mut dynamodb = aws_sdk_dynamodb::config::Builder::from(&config);
    if let Some(endpoint) = &access.dynamodb_endpoint {
        dynamodb = dynamodb.endpoint_url(endpoint);
    }
    Ok(Clients {
        kinesis: aws_sdk_kinesis::Client::from_conf(kinesis.build()),
        dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
    })
}

async fn assume(config: SdkConfig, role: &Role, endpoint: Option<&str>) -> SdkConfig {
    let mut asking = config.to_builder();
    if let Some(endpoint) = endpoint {
        asking = asking.endpoint_url(endpoint);
    }
    let mut provider =
        AssumeRoleProvider::builder(&role.arn).session_name(SESSION).configure(&asking.build());
    if let Some(external_id) = &role.external_id {
        provider = provider.external_id(external_id);
    }
    let provider = SharedCredentialsProvider::new(provider.build().await);
    config.into_builder().credentials_provider(provider).build()
}

fn http_client(access: &Access) -> Result<SharedHttpClient, String> {
    let mut store = TrustStore::default();
    if let Some(path) = &access.trusted {
        let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        store = store.with_pem_certificate(pem);
    }
    let context = TlsContext::builder().with_trust_store(store).build();
    let context = context.map_err(|error| error.to_string())?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https())
}

/// Why a call did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) kind: Kind,
    text: String,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Slow down.
    Throttled,
    /// Ask for a new iterator.
    IteratorExpired,
    /// There is no such stream, shard or table.
    NotFound,
    /// A condition did not hold, or somebody else is at it.
    Taken,
    /// Not allowed: no waiting mends it, but somebody may.
    Denied,
    /// Anything else: try again.
    Other,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Trouble {
    /// What an error of the SDK comes to.
    pub(super) fn of<E, R>(error: &SdkError<E, R>) -> Trouble
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: fmt::Debug + 'static,
    {
        let code = error.code().unwrap_or_default();
        let text = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            (None, _) => chain(error),
        };
        Trouble { kind: kind(code), text }
    }

    /// No answer in time.
    pub(super) fn timed_out() -> Trouble {
        Trouble { kind: Kind::Other, text: "no answer in time".to_owned() }
    }

    /// Something that no code stands for.
    pub(super) fn other(text: impl Into<String>) -> Trouble {
        Trouble { kind: Kind::Other, text: text.into() }
    }
}

/// An error and what led to it.
fn chain(error: &dyn Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    texts.dedup();
    texts.join(": ")
}

fn kind(code: &str) -> Kind {
    match code {
        "ProvisionedThroughputExceededException"
        | "LimitExceededException"
        | "KMSThrottlingException"
        | "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException" => Kind::Throttled,
        "ExpiredIteratorException" => Kind::IteratorExpired,
        "ResourceNotFoundException" => Kind::NotFound,
        "ConditionalCheckFailedException" | "ResourceInUseException" => Kind::Taken,
        "AccessDeniedException"
        | "InvalidSignatureException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "KMSAccessDeniedException"
        | "KMSDisabledException"
        | "KMSNotFoundException"
        | "KMSOptInRequired" => Kind::Denied,
        _ => Kind::Other,
    }
}

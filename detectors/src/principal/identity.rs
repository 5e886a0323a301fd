//! What `userIdentity` says, and what can be made of it.

use std::borrow::Cow;

use crate::record::{Record, Value};

/// What `userIdentity` says, empty texts left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Identity<'b> {
    kind: Option<Cow<'b, str>>,
    pub(super) arn: Option<Cow<'b, str>>,
    principal_id: Option<Cow<'b, str>>,
    pub(super) account_id: Option<Cow<'b, str>>,
    user_name: Option<Cow<'b, str>>,
    access_key_id: Option<Cow<'b, str>>,
    invoked_by: Option<Cow<'b, str>>,
    identity_provider: Option<Cow<'b, str>>,
    on_behalf_of: Option<Cow<'b, str>>,
    pub(super) issuer_arn: Option<Cow<'b, str>>,
    pub(super) source_identity: Option<Cow<'b, str>>,
}

impl<'b> Identity<'b> {
    /// Reads it; its members may also be named in lower case throughout, as some relays do.
    pub(super) fn read(identity: &Value<'b>) -> Identity<'b> {
        let mut read = Identity::default();
        let Value::Object(raw) = identity else {
            return read;
        };
        for (name, value) in raw.members() {
            match &*name {
                "type" => read.kind = value.into_text(),
                "arn" => read.arn = value.into_text(),
                "principalId" | "principalid" => read.principal_id = value.into_text(),
                "accountId" | "accountid" => read.account_id = value.into_text(),
                "userName" | "username" => {
                    read.user_name = value.into_text().filter(|name| name != HIDDEN);
                }
                "accessKeyId" | "accesskeyid" => read.access_key_id = value.into_text(),
                "invokedBy" | "invokedby" => read.invoked_by = value.into_text(),
                "identityProvider" | "identityprovider" => {
                    read.identity_provider = value.into_text();
                }
                "onBehalfOf" | "onbehalfof" => {
                    read.on_behalf_of = value.get("userId").into_text();
                }
                "sessionContext" | "sessioncontext" => {
                    let [issuer, source] = value.pick(["sessionIssuer", "sourceIdentity"]);
                    read.issuer_arn = issuer.get("arn").into_text();
                    read.source_identity = source.into_text();
                }
                _ => {}
            }
        }
        read
    }

    fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    pub(super) fn service(&self, record: &Record<'b>) -> Option<Cow<'b, str>> {
        let somebody = self.arn.is_some()
            || self.issuer_arn.is_some()
            || self.principal_id.is_some()
            || self.user_name.is_some()
            || self.access_key_id.is_some()
            || self.on_behalf_of.is_some();
        let alone = self.kind.is_none() && !somebody && self.invoked_by.is_some();
        if !alone && !self.is("AWSService") {
            return None;
        }
        let name = self.invoked_by.clone();
        Some(service(name.or_else(|| record.get("eventSource").into_text())?))
    }

    pub(super) fn by_type(&self, record: &Record<'b>) -> Option<Cow<'b, str>> {
        match self.kind.as_deref()? {
            "IdentityCenterUser" => {
                Some(format!("identity-center:{}", self.on_behalf_of.as_deref()?).into())
            }
            "SAMLUser" | "WebIdentityUser" => self.principal_id.clone().or_else(|| {
                let user_name = self.user_name.as_deref()?;
                Some(match self.identity_provider.as_deref() {
                    Some(provider) => format!("{provider}:{user_name}").into(),
                    None => user_name.to_owned().into(),
                })
            }),
            "IAMUser" => {
                let (account, name) = (self.account_id.as_deref()?, self.user_name.as_deref()?);
                Some(format!("arn:{}:iam::{account}:user/{name}", partition(record)).into())
            }
            "Root" => {
                let account = self.account_id.as_deref()?;
                Some(format!("arn:{}:iam::{account}:root", partition(record)).into())
            }
            _ => None,
        }
    }

    pub(super) fn by_leftovers(&self) -> Option<Cow<'b, str>> {
        if let Some(id) = &self.principal_id {
            let stem = id.split(':').next().filter(|stem| !stem.is_empty());
            return Some(stem.map_or_else(|| id.clone(), |stem| stem.to_owned().into()));
        }
        if let (Some(account), Some(name)) = (&self.account_id, &self.user_name) {
            return Some(format!("{account}:{name}").into());
        }
        self.access_key_id.clone()
    }

    /// The name of a session, where this is one.
    pub(super) fn session_name(&self) -> Option<&str> {
        let arn = self.arn.as_deref().unwrap_or_default();
        let mut resource = arn.splitn(6, ':').nth(5).unwrap_or_default().splitn(3, '/');
        let in_arn = match resource.next() {
            Some("assumed-role") => resource.nth(1),
            Some("federated-user") => resource.next(),
            _ => None,
        };
        let whole_id = self.is("SAMLUser") || self.is("WebIdentityUser") || self.is("AWSService");
        let may_be = in_arn.is_some() || self.issuer_arn.is_some() || self.arn.is_none();
        if whole_id || !may_be {
            return None;
        }
        let id = self.principal_id.as_deref().unwrap_or_default();
        let in_id = id.split_once(':').map(|(_, session)| session);
        let name = in_id.filter(|name| !name.is_empty()).or(in_arn);
        name.filter(|name| !name.is_empty())
    }
}

/// What CloudTrail writes for the user name of a failed console sign-in that may be a password.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

fn service(name: Cow<'_, str>) -> Cow<'_, str> {
    Cow::Owned(format!("service:{name}"))
}

pub(super) fn service_event<'b>(record: &Record<'b>) -> Option<Cow<'b, str>> {
    let kind = record.get("eventType").into_text()?;
    (kind == "AwsServiceEvent").then_some(())?;
    record.get("eventSource").into_text().map(service)
}

/// `arn:P:sts::A:assumed-role/NAME/SESSION` becomes `arn:P:iam::A:role/NAME`; others stay.
pub(super) fn role_of_session(arn: Cow<'_, str>) -> Cow<'_, str> {
    let mut parts = arn.splitn(6, ':');
    let (Some("arn"), Some(partition), Some("sts"), Some(_), Some(account), Some(resource)) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return arn;
    };
    match resource.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next()) {
        Some(name) if !name.is_empty() => {
            format!("arn:{partition}:iam::{account}:role/{name}").into()
        }
        _ => arn,
    }
}

/// The partition that the record's region lies in (AWS General Reference, "Partitions").
fn partition(record: &Record<'_>) -> &'static str {
    let region = record.get("awsRegion").into_text().unwrap_or_default();
    let starts = |prefix| region.starts_with(prefix);
    match () {
        () if starts("us-gov-") => "aws-us-gov",
        () if starts("cn-") => "aws-cn",
        () if starts("us-isob-") => "aws-iso-b",
        () if starts("us-iso-") => "aws-iso",
        () if starts("eusc-") => "aws-eusc",
        () => "aws",
    }
}

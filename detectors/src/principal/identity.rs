//! What `userIdentity` says, and what can be made of it.

use std::borrow::Cow;

use crate::field::Fields;
use crate::record::Record;

/// What `userIdentity` says, read where it is asked for; empty texts count as absent.
pub(super) struct Identity<'f, 'r, 'b> {
    fields: &'f Fields<'r, 'b>,
    kind: Option<Cow<'b, str>>,
}

impl<'f, 'r, 'b> Identity<'f, 'r, 'b> {
    pub(super) fn of(fields: &'f Fields<'r, 'b>) -> Identity<'f, 'r, 'b> {
        Identity { fields, kind: fields.identity().get("type").into_text() }
    }

    /// A member as text.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'b, str>> {
        self.fields.identity().get(name).into_text()
    }

    fn user_name(&self) -> Option<Cow<'b, str>> {
        self.text("userName").filter(|name| name != HIDDEN)
    }

    fn on_behalf_of(&self) -> Option<Cow<'b, str>> {
        self.fields.identity().get("onBehalfOf").get("userId").into_text()
    }

    /// The role of a session, or the user of a federated one.
    pub(super) fn issuer_arn(&self) -> Option<Cow<'b, str>> {
        self.fields.session().get("sessionIssuer").get("arn").into_text()
    }

    pub(super) fn source_identity(&self) -> Option<Cow<'b, str>> {
        self.fields.session().get("sourceIdentity").into_text()
    }

    fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    pub(super) fn service(&self, record: &Record<'b>) -> Option<Cow<'b, str>> {
        let is_somebody = || {
            ["arn", "principalId", "accessKeyId"].iter().any(|name| self.text(name).is_some())
                || self.user_name().is_some()
                || self.issuer_arn().is_some()
                || self.on_behalf_of().is_some()
        };
        if !self.is("AWSService") && (self.kind.is_some() || is_somebody()) {
            return None;
        }
        let name = self.text("invokedBy");
        if name.is_none() && !self.is("AWSService") {
            return None;
        }
        Some(service(name.or_else(|| record.get("eventSource").into_text())?))
    }

    pub(super) fn by_type(&self, record: &Record<'b>) -> Option<Cow<'b, str>> {
        match self.kind.as_deref()? {
            "IdentityCenterUser" => {
                Some(format!("identity-center:{}", self.on_behalf_of()?).into())
            }
            "SAMLUser" | "WebIdentityUser" => self.text("principalId").or_else(|| {
                let user_name = self.user_name()?;
                Some(match self.text("identityProvider") {
                    Some(provider) => format!("{provider}:{user_name}").into(),
                    None => user_name,
                })
            }),
            "IAMUser" => {
                let (account, name) = (self.text("accountId")?, self.user_name()?);
                Some(format!("arn:{}:iam::{account}:user/{name}", partition_of(record)).into())
            }
            "Root" => {
                let account = self.text("accountId")?;
                Some(format!("arn:{}:iam::{account}:root", partition_of(record)).into())
            }
            _ => None,
        }
    }

    pub(super) fn by_leftovers(&self) -> Option<Cow<'b, str>> {
        if let Some(id) = self.text("principalId") {
            let stem = id.split(':').next().filter(|stem| !stem.is_empty()).map(str::to_owned);
            return Some(stem.map_or(id, Cow::Owned));
        }
        if let (Some(account), Some(name)) = (self.text("accountId"), self.user_name()) {
            return Some(format!("{account}:{name}").into());
        }
        self.text("accessKeyId")
    }

    /// The name of a session, where this is one.
    pub(super) fn session_name(&self) -> Option<String> {
        let arn = self.text("arn");
        let mut resource = arn.as_deref().unwrap_or_default().splitn(6, ':');
        let mut resource = resource.nth(5).unwrap_or_default().splitn(3, '/');
        let in_arn = match resource.next() {
            Some("assumed-role") => resource.nth(1),
            Some("federated-user") => resource.next(),
            _ => None,
        };
        let whole_id = self.is("SAMLUser") || self.is("WebIdentityUser") || self.is("AWSService");
        let may_be = in_arn.is_some() || arn.is_none() || self.issuer_arn().is_some();
        if whole_id || !may_be {
            return None;
        }
        let id = self.text("principalId");
        let in_id = id.as_deref().and_then(|id| id.split_once(':')).map(|(_, session)| session);
        let name = in_id.filter(|name| !name.is_empty()).or(in_arn);
        name.filter(|name| !name.is_empty()).map(str::to_owned)
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

fn partition_of(record: &Record<'_>) -> &'static str {
    partition(&record.get("awsRegion").into_text().unwrap_or_default())
}

/// The partition that a region lies in (AWS General Reference, "Partitions").
#[must_use]
pub fn partition(region: &str) -> &'static str {
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

//! Who acts.
//!
//! The *principal* is what permissions hang on and what outlives a session: the role of a session,
//! a user, an account's root, a service. It is the usual window key, so it must not change from one
//! record of the same caller to the next, and a caller must not be able to choose it. The first
//! of these that the record has, empty texts counting as absent:
//!
//! 1. a service that acts for itself: `service:NAME` from `invokedBy`, else from `eventSource`
//!    (type `AWSService`, or nothing but an account beside `invokedBy`);
//! 2. `sessionContext.sessionIssuer.arn`: the role of a session, the user of a federated one;
//! 3. `arn`, that of an assumed role turned into the role's own
//!    (`arn:aws:sts::1:assumed-role/NAME/SESSION` is `arn:aws:iam::1:role/NAME`; the role's path is
//!    not in it, so a record without issuer differs from one with, if the role has a path);
//! 4. by type: `identity-center:ID` from `onBehalfOf.userId`; `principalId` whole for SAML and web
//!    identities, else provider and user name; the ARN of an IAM user or root put together from
//!    account and name (failed console sign-ins carry no ARN);
//! 5. `principalId` up to its colon; `accountId:userName`; `accessKeyId`;
//! 6. `service:NAME` from `eventSource` where `eventType` is `AwsServiceEvent`;
//! 7. `account:ID`.
//!
//! A record with none of these has no principal, and is in no window that is kept by principal.
//!
//! The *actor* is the person behind a principal that several share. The first of:
//! `sessionContext.sourceIdentity`; for SageMaker calls of a session the request's tag
//! `sagemaker:user-profile-arn`, which Studio sets; principal, `/` and session name; the
//! principal. Tag and session name are the caller's to choose: the actor refines a principal, and
//! does not replace it as the key of a rule that must not be evaded.
//!
//! Source of the shapes: CloudTrail user guide, "CloudTrail userIdentity element", and public
//! records.

use std::borrow::Cow;

use crate::reach;
use crate::record::{Raw, Record, Value};

/// Who acts, as one record tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal<'b> {
    id: Cow<'b, str>,
    session: Option<Cow<'b, str>>,
    source_identity: Option<Cow<'b, str>>,
    user_profile: Option<Cow<'b, str>>,
}

impl<'b> Principal<'b> {
    /// Reads it from a record; none where the record does not tell.
    #[must_use]
    pub fn of(record: &Record<'b>) -> Option<Principal<'b>> {
        let identity = match record.get("userIdentity") {
            Value::Object(raw) => Identity::read(raw),
            _ => Identity::default(),
        };
        let issuer = identity.issuer_arn.clone();
        let id = identity
            .service(record)
            .or(issuer)
            .or_else(|| identity.arn.clone().map(role_of_session))
            .or_else(|| identity.by_type(record))
            .or_else(|| identity.by_leftovers())
            .or_else(|| service_event(record))
            .or_else(|| Some(format!("account:{}", identity.account_id.as_deref()?).into()))?;
        let session = identity.session_name();
        let user_profile = session.is_some().then(|| user_profile(record)).flatten();
        Some(Principal { id, session, source_identity: identity.source_identity, user_profile })
    }

    /// The principal in one text.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The principal's text, handed over.
    #[must_use]
    pub fn into_id(self) -> Cow<'b, str> {
        self.id
    }

    /// The person behind it, as far as the record tells; else the principal itself.
    #[must_use]
    pub fn actor(&self) -> Cow<'b, str> {
        if let Some(person) = self.source_identity.as_ref().or(self.user_profile.as_ref()) {
            return person.clone();
        }
        match &self.session {
            Some(session) => Cow::Owned(format!("{}/{session}", self.id)),
            None => self.id.clone(),
        }
    }
}

/// What `userIdentity` says, empty texts left out.
#[derive(Debug, Default)]
struct Identity<'b> {
    kind: Option<Cow<'b, str>>,
    arn: Option<Cow<'b, str>>,
    principal_id: Option<Cow<'b, str>>,
    account_id: Option<Cow<'b, str>>,
    user_name: Option<Cow<'b, str>>,
    access_key_id: Option<Cow<'b, str>>,
    invoked_by: Option<Cow<'b, str>>,
    identity_provider: Option<Cow<'b, str>>,
    on_behalf_of: Option<Cow<'b, str>>,
    issuer_arn: Option<Cow<'b, str>>,
    source_identity: Option<Cow<'b, str>>,
}

impl<'b> Identity<'b> {
    fn read(raw: Raw<'b>) -> Identity<'b> {
        let mut identity = Identity::default();
        for (name, value) in raw.members() {
            match &*name {
                "type" => identity.kind = reach::text(value),
                "arn" => identity.arn = reach::text(value),
                "principalId" => identity.principal_id = reach::text(value),
                "accountId" => identity.account_id = reach::text(value),
                "userName" => identity.user_name = reach::text(value).filter(|name| name != HIDDEN),
                "accessKeyId" => identity.access_key_id = reach::text(value),
                "invokedBy" => identity.invoked_by = reach::text(value),
                "identityProvider" => identity.identity_provider = reach::text(value),
                "onBehalfOf" => identity.on_behalf_of = reach::text_at(value, "userId"),
                "sessionContext" => {
                    identity.issuer_arn = reach::text_at(value.clone(), "sessionIssuer.arn");
                    identity.source_identity = reach::text_at(value, "sourceIdentity");
                }
                _ => {}
            }
        }
        identity
    }

    fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    fn service(&self, record: &Record<'b>) -> Option<Cow<'b, str>> {
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
        Some(service(name.or_else(|| reach::text(record.get("eventSource")))?))
    }

    fn by_type(&self, record: &Record<'b>) -> Option<Cow<'b, str>> {
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

    fn by_leftovers(&self) -> Option<Cow<'b, str>> {
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
    fn session_name(&self) -> Option<Cow<'b, str>> {
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
        let name = in_id.filter(|name| !name.is_empty()).or(in_arn)?;
        (!name.is_empty()).then(|| Cow::Owned(name.to_owned()))
    }
}

/// What CloudTrail writes for the user name of a failed console sign-in that may be a password.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// The tag in which Studio names the user profile that a call is made for.
const USER_PROFILE_TAG: &str = "sagemaker:user-profile-arn";

fn service(name: Cow<'_, str>) -> Cow<'_, str> {
    Cow::Owned(format!("service:{name}"))
}

fn service_event<'b>(record: &Record<'b>) -> Option<Cow<'b, str>> {
    let kind = reach::text(record.get("eventType"))?;
    (kind == "AwsServiceEvent").then_some(())?;
    reach::text(record.get("eventSource")).map(service)
}

/// `arn:P:sts::A:assumed-role/NAME/SESSION` becomes `arn:P:iam::A:role/NAME`; others stay.
fn role_of_session(arn: Cow<'_, str>) -> Cow<'_, str> {
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
    let region = reach::text(record.get("awsRegion")).unwrap_or_default();
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

/// The user profile that a SageMaker request is tagged with; tags are an array of keys and values
/// or one object.
fn user_profile<'b>(record: &Record<'b>) -> Option<Cow<'b, str>> {
    let source = reach::text(record.get("eventSource"))?;
    if !source.starts_with("sagemaker") {
        return None;
    }
    let mut found = None;
    reach::each(record.get("requestParameters"), "tags", &mut |tag| {
        let Value::Object(tag) = tag else { return };
        let key = reach::text(tag.get("key"));
        let value = match key.as_deref() {
            Some(USER_PROFILE_TAG) => tag.get("value"),
            _ => tag.get(USER_PROFILE_TAG),
        };
        if found.is_none() {
            found = reach::text(value);
        }
    });
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Principal and actor of a record with these members beside `eventTime`.
    fn who(members: &str) -> Option<(String, String)> {
        let json = format!(r#"{{"eventTime":"2026-11-07T10:00:00Z",{members}}}"#);
        let record = Record::decode(json.as_bytes()).unwrap();
        let principal = Principal::of(&record)?;
        Some((principal.id().to_owned(), principal.actor().into_owned()))
    }

    #[track_caller]
    fn is(members: &str, id: &str, actor: &str) {
        assert_eq!(who(members), Some((id.to_owned(), actor.to_owned())), "{members}");
    }

    #[test]
    fn a_session_is_its_role_and_its_actor_the_session() {
        is(
            r#""userIdentity":{"type":"AssumedRole","principalId":"AROA1:SageMaker",
            "arn":"arn:aws:sts::111122223333:assumed-role/R/SageMaker","sessionContext":{"sessionIssuer":
            {"type":"Role","arn":"arn:aws:iam::111122223333:role/service-role/R"}}}"#,
            "arn:aws:iam::111122223333:role/service-role/R",
            "arn:aws:iam::111122223333:role/service-role/R/SageMaker",
        );
        // No session context, an empty issuer, an issuer of empty texts; any partition.
        for context in [
            "",
            r#","sessionContext":{"sessionIssuer":{}}"#,
            r#","sessionContext":{"sessionIssuer":{"arn":""}}"#,
        ] {
            is(
                &format!(
                    r#""userIdentity":{{"type":"AssumedRole","arn":"arn:aws-us-gov:sts::1:assumed-role/R/me@x"{context}}}"#
                ),
                "arn:aws-us-gov:iam::1:role/R",
                "arn:aws-us-gov:iam::1:role/R/me@x",
            );
        }
        is(
            r#""userIdentity":{"type":"AssumedRole","arn":"arn:aws-cn:sts::1:assumed-role/R"}"#,
            "arn:aws-cn:iam::1:role/R",
            "arn:aws-cn:iam::1:role/R",
        );
        // Without a type, and with one unknown.
        is(
            r#""userIdentity":{"arn":"arn:aws:sts::1:assumed-role/R/s"}"#,
            "arn:aws:iam::1:role/R",
            "arn:aws:iam::1:role/R/s",
        );
        is(
            r#""userIdentity":{"type":"Unknown","principalId":"AROA1:s","arn":"arn:aws:sts::1:assumed-role/R/s"}"#,
            "arn:aws:iam::1:role/R",
            "arn:aws:iam::1:role/R/s",
        );
    }

    #[test]
    fn source_identity_comes_before_tag_and_tag_before_session() {
        let session = r#""arn":"arn:aws:sts::1:assumed-role/R/SageMaker""#;
        let tags = r#""eventSource":"sagemaker.amazonaws.com","requestParameters":{"tags":
            [{"key":"team","value":"x"},{"key":"sagemaker:user-profile-arn","value":"arn:aws:sagemaker:r:1:user-profile/d/alice"}]}"#;
        is(
            &format!(
                r#"{tags},"userIdentity":{{{session},"sessionContext":{{"sourceIdentity":"alice@x"}}}}"#
            ),
            "arn:aws:iam::1:role/R",
            "alice@x",
        );
        is(
            &format!(
                r#"{tags},"userIdentity":{{{session},"sessionContext":{{"sourceIdentity":""}}}}"#
            ),
            "arn:aws:iam::1:role/R",
            "arn:aws:sagemaker:r:1:user-profile/d/alice",
        );
        is(
            &format!(
                r#""eventSource":"sagemaker.amazonaws.com","requestParameters":{{"tags":
            {{"sagemaker:user-profile-arn":"bob"}}}},"userIdentity":{{{session}}}"#
            ),
            "arn:aws:iam::1:role/R",
            "bob",
        );
        // Another service's tags say nothing, nor do a user's own.
        is(
            &format!(
                r#"{},"userIdentity":{{{session}}}"#,
                tags.replace("sagemaker.amazonaws", "ec2.amazonaws")
            ),
            "arn:aws:iam::1:role/R",
            "arn:aws:iam::1:role/R/SageMaker",
        );
        is(
            &format!(r#"{tags},"userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::1:user/u"}}"#),
            "arn:aws:iam::1:user/u",
            "arn:aws:iam::1:user/u",
        );
    }

    #[test]
    fn users_and_root() {
        for (members, id) in [
            (
                r#""type":"IAMUser","principalId":"AIDA1","arn":"arn:aws:iam::1:user/a/u","sessionContext":{"sessionIssuer":{}}"#,
                "arn:aws:iam::1:user/a/u",
            ),
            (
                r#""type":"IAMUser","principalId":"AIDA1","accountId":"1","accessKeyId":"","userName":"u""#,
                "arn:aws:iam::1:user/u",
            ),
            (
                r#""type":"IAMUser","accountId":"1","userName":"HIDDEN_DUE_TO_SECURITY_REASONS","accessKeyId":"""#,
                "account:1",
            ),
            (
                r#""type":"Root","principalId":"1","arn":"arn:aws:iam::1:root","accountId":"1""#,
                "arn:aws:iam::1:root",
            ),
            (r#""type":"Root","accountId":"1""#, "arn:aws:iam::1:root"),
            (
                r#""invokedBy":"signin.amazonaws.com","type":"IAMUser","arn":"arn:aws:iam::1:user/u""#,
                "arn:aws:iam::1:user/u",
            ),
        ] {
            is(&format!(r#""userIdentity":{{{members}}}"#), id, id);
        }
        is(
            r#""awsRegion":"us-gov-west-1","userIdentity":{"type":"Root","accountId":"1"}"#,
            "arn:aws-us-gov:iam::1:root",
            "arn:aws-us-gov:iam::1:root",
        );
    }

    #[test]
    fn services() {
        let rds = "service:rds.amazonaws.com";
        is(r#""userIdentity":{"type":"AWSService","invokedBy":"rds.amazonaws.com"}"#, rds, rds);
        is(r#""userIdentity":{"accountId":"1","invokedBy":"rds.amazonaws.com"}"#, rds, rds);
        is(
            r#""eventSource":"rds.amazonaws.com","userIdentity":{"type":"AWSService","invokedBy":""}"#,
            rds,
            rds,
        );
        is(
            r#""eventSource":"rds.amazonaws.com","eventType":"AwsServiceEvent","userIdentity":null"#,
            rds,
            rds,
        );
        is(
            r#""eventSource":"rds.amazonaws.com","eventType":"AwsServiceEvent","userIdentity":{"accountId":"1"}"#,
            rds,
            rds,
        );
        // A service that acts on a role's behalf is that role.
        is(
            r#""userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/R/s","invokedBy":"rds.amazonaws.com"}"#,
            "arn:aws:iam::1:role/R",
            "arn:aws:iam::1:role/R/s",
        );
    }

    #[test]
    fn accounts_and_federations() {
        is(
            r#""userIdentity":{"type":"AWSAccount","principalId":"AROA1:s","accountId":"2"}"#,
            "AROA1",
            "AROA1/s",
        );
        is(
            r#""userIdentity":{"type":"AWSAccount","principalId":"","accountId":"ANONYMOUS_PRINCIPAL"}"#,
            "account:ANONYMOUS_PRINCIPAL",
            "account:ANONYMOUS_PRINCIPAL",
        );
        is(
            r#""userIdentity":{"type":"FederatedUser","principalId":"1:f","arn":"arn:aws:sts::1:federated-user/f",
            "sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:user/u"}}}"#,
            "arn:aws:iam::1:user/u",
            "arn:aws:iam::1:user/u/f",
        );
        let web = "accounts.google.com:app:user";
        is(
            &format!(
                r#""userIdentity":{{"type":"WebIdentityUser","principalId":"{web}","userName":"user"}}"#
            ),
            web,
            web,
        );
        is(
            r#""userIdentity":{"type":"SAMLUser","userName":"u","identityProvider":"idp"}"#,
            "idp:u",
            "idp:u",
        );
        is(
            r#""userIdentity":{"type":"IdentityCenterUser","accountId":"1","arn":"","accessKeyId":"","onBehalfOf":{"userId":"54-8"}}"#,
            "identity-center:54-8",
            "identity-center:54-8",
        );
    }

    #[test]
    fn leftovers_in_their_order() {
        for (members, id) in [
            (r#""accountId":"1","userName":"u","accessKeyId":"AKIA""#, "1:u"),
            (r#""accountId":"1","accessKeyId":"AKIA""#, "AKIA"),
            (r#""accountId":"1""#, "account:1"),
            (r#""principalId":":x""#, ":x"),
        ] {
            assert_eq!(
                who(&format!(r#""userIdentity":{{{members}}}"#)).map(|w| w.0).as_deref(),
                Some(id)
            );
        }
        for nobody in [
            r#""userIdentity":null"#,
            r#""userIdentity":"x""#,
            r#""userIdentity":{"type":"AWSService"}"#,
            r#""userIdentity":{"type":"","arn":"","principalId":null,"sessionContext":null}"#,
            r#""eventType":"AwsCloudTrailInsight""#,
        ] {
            assert_eq!(who(nobody), None, "{nobody}");
        }
    }
}

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

mod identity;

use std::borrow::Cow;

use crate::field::Fields;
use crate::reach;
use crate::record::Record;

pub use identity::partition;
use identity::{Identity, role_of_session, service_event};

/// Who acts, as one record tells it.
#[derive(Debug, Clone)]
pub struct Principal<'b> {
    id: Cow<'b, str>,
    actor: Cow<'b, str>,
}

impl<'b> Principal<'b> {
    /// Reads it from a record; none where the record does not tell.
    #[must_use]
    pub fn of(record: &Record<'b>) -> Option<Principal<'b>> {
        let fields = Fields::of(record);
        let id = Principal::id_of(&fields)?;
        Some(Principal { actor: Principal::actor_of(&fields)?, id })
    }

    /// The principal in one text, and nothing else of it.
    pub(crate) fn id_of(fields: &Fields<'_, 'b>) -> Option<Cow<'b, str>> {
        let record = fields.record();
        let identity = Identity::of(fields);
        identity
            .service(record)
            .or_else(|| identity.issuer_arn())
            .or_else(|| identity.text("arn").map(role_of_session))
            .or_else(|| identity.by_type(record))
            .or_else(|| identity.by_leftovers())
            .or_else(|| service_event(record))
            .or_else(|| Some(format!("account:{}", identity.text("accountId")?).into()))
    }

    /// The person behind it, and nothing else of it.
    pub(crate) fn actor_of(fields: &Fields<'_, 'b>) -> Option<Cow<'b, str>> {
        let id = Principal::id_of(fields)?;
        let identity = Identity::of(fields);
        if let Some(person) = identity.source_identity() {
            return Some(person);
        }
        let Some(session) = identity.session_name() else {
            return Some(id);
        };
        let source = fields.record().event_source().unwrap_or_default();
        let profile = source.starts_with("sagemaker").then(|| user_profile(fields)).flatten();
        Some(profile.unwrap_or_else(|| Cow::Owned(format!("{id}/{session}"))))
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
        self.actor.clone()
    }
}

/// The tag in which Studio names the user profile that a call is made for.
const USER_PROFILE_TAG: &str = "sagemaker:user-profile-arn";

/// The user profile that a request is tagged with; tags are an array of keys and values or one
/// object.
fn user_profile<'b>(fields: &Fields<'_, 'b>) -> Option<Cow<'b, str>> {
    let mut found = None;
    reach::each(fields.parameters().get("tags"), "", &mut |tag| {
        let value = match tag.get("key").into_text().as_deref() {
            Some(USER_PROFILE_TAG) => tag.get("value"),
            _ => tag.get(USER_PROFILE_TAG),
        };
        if found.is_none() {
            found = value.into_text();
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

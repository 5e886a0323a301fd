//! Who acted: one entry for each identity and key of the evidence.

use serde::Serialize;

use super::{Counted, Fact, counted, owned};

/// Who acted, as `userIdentity` tells it. What it does not tell is not there.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct Actor {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    /// What permissions hang on: the role of a session, the user, the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) principal: Option<String>,
    /// The person behind it, as far as the record tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) person: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// ARN of the role, where this is a session of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_id: Option<String>,
    /// `long-term` (`AKIA`) or `session` (`ASIA`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mfa: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity_provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invoked_by: Option<String>,
    /// The credentials come from a console sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from_console: Option<bool>,
}

impl Actor {
    fn of(fact: &Fact) -> Actor {
        let identity = |path: &str| owned(fact.text(&format!("/userIdentity/{path}")));
        let key_id = identity("accessKeyId");
        let key_kind = match key_id.as_deref() {
            Some(id) if id.starts_with("AKIA") => Some("long-term"),
            Some(id) if id.starts_with("ASIA") => Some("session"),
            _ => None,
        };
        Actor {
            kind: identity("type"),
            principal: fact.derived("principal").first().cloned(),
            person: fact.derived("actor").first().cloned(),
            name: owned(fact.actor()),
            account: identity("accountId"),
            role: identity("sessionContext/sessionIssuer/arn").filter(|arn| arn.contains(":role/")),
            session: owned(fact.session()),
            session_created: identity("sessionContext/attributes/creationDate"),
            key_id,
            key_kind,
            mfa: fact.flag("/userIdentity/sessionContext/attributes/mfaAuthenticated"),
            source_identity: identity("sessionContext/sourceIdentity"),
            identity_provider: identity("sessionContext/webIdFederationData/federatedProvider")
                .or_else(|| identity("identityProvider")),
            invoked_by: identity("invokedBy"),
            from_console: fact.flag("/sessionCredentialFromConsole"),
        }
    }
}

/// Everybody who acted.
pub(crate) fn actors(facts: &[Fact]) -> Vec<Counted<Actor>> {
    counted(facts.iter().map(Actor::of).filter(|actor| *actor != Actor::default()))
}

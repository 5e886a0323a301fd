//! Resource policies: whom a request lets in.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::Texts;
use crate::field::Fields;
use crate::reach::{self, Paths};
use crate::record::{Raw, Value};

/// Members of a request that hold a policy: a JSON document in a text, or (S3) as an object.
const POLICIES: &[&str] = &[
    "resourcePolicy",
    "policy",
    "policyDocument",
    "assumeRolePolicyDocument",
    "policyText",
    "bucketPolicy",
    "accessPolicy",
];

/// Accounts other than the record's own that a policy of the request allows anything, and `*`.
///
/// Conditions are not weighed: `*` that a condition narrows to an organisation is still `*`. What
/// denies lets nobody in; what allows all but somebody (`NotPrincipal`) lets everybody in.
pub(super) fn policy_accounts<'b>(fields: &Fields<'_, 'b>) -> Texts<'b> {
    static PATHS: LazyLock<Paths> = LazyLock::new(|| Paths::of(POLICIES));
    let own = fields.record().account().unwrap_or_default();
    let mut accounts = Texts::default();
    PATHS.each(fields.parameters(), &mut |policy| {
        let mut admit = |name: &str| {
            if name != own {
                accounts.add(Cow::Owned(name.to_owned()));
            }
        };
        match policy {
            Value::Text(document) => {
                let document = document.trim();
                let is_json = serde_json::from_str::<serde::de::IgnoredAny>(document).is_ok();
                if is_json && document.starts_with('{') {
                    admitted(Value::Object(Raw(document.as_bytes())), &mut admit);
                }
            }
            document => admitted(document, &mut admit),
        }
    });
    accounts
}

fn admitted(document: Value<'_>, admit: &mut dyn FnMut(&str)) {
    reach::each(document, "Statement", &mut |statement| {
        let Value::Object(statement) = statement else {
            return;
        };
        let denies = |effect: Cow<'_, str>| effect.eq_ignore_ascii_case("Deny");
        if statement.get("Effect").into_text().is_some_and(denies) {
            return;
        }
        if !matches!(statement.get("NotPrincipal"), Value::Missing) {
            admit("*");
        }
        let principal = match statement.get("Principal") {
            Value::Object(by_kind) => by_kind.get("AWS"),
            other => other,
        };
        reach::each(principal, "", &mut |principal| {
            if let Some(account) = principal.into_text().as_deref().and_then(account_of) {
                admit(account);
            }
        });
    });
}

/// The account of a policy's principal: `*`, an account id, an ARN. None for ids without account.
fn account_of(principal: &str) -> Option<&str> {
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    match principal {
        "*" => Some("*"),
        id if is_account(id) => Some(id),
        arn => match arn.strip_prefix("arn:")?.split(':').nth(3)? {
            "*" => Some("*"),
            account => is_account(account).then_some(account),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::derive::tests::asked;

    fn of(policy: &str) -> Vec<String> {
        let policy = policy.replace('"', "\\\"");
        let params = format!(r#"{{"modelPackageGroupName":"g","resourcePolicy":"{policy}"}}"#);
        asked("policy_accounts", "PutModelPackageGroupPolicy", &params)
    }

    #[test]
    fn who_is_let_in() {
        let allow = |principal: &str| {
            of(&format!(r#"{{"Statement":[{{"Effect":"Allow","Principal":{principal}}}]}}"#))
        };
        assert_eq!(allow(r#""*""#), ["*"]);
        assert_eq!(allow(r#"{"AWS":"*"}"#), ["*"]);
        assert_eq!(allow(r#"{"AWS":"444455556666"}"#), ["444455556666"]);
        assert_eq!(
            allow(
                r#"{"AWS":["arn:aws:iam::444455556666:root","arn:aws:iam::111122223333:role/r","777788889999"]}"#
            ),
            ["444455556666", "777788889999"]
        );
        assert!(allow(r#"{"AWS":"111122223333"}"#).is_empty());
        assert!(allow(r#"{"Service":"sagemaker.amazonaws.com"}"#).is_empty());
        assert!(allow(r#"{"AWS":"AROAEXAMPLE"}"#).is_empty());
    }

    #[test]
    fn statements_alone_denying_and_the_other_way_round() {
        assert_eq!(of(r#"{"Statement":{"Effect":"Allow","Principal":"*"}}"#), ["*"]);
        assert!(of(r#"{"Statement":[{"Effect":"Deny","Principal":"*"}]}"#).is_empty());
        let not = r#"{"Statement":[{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"}}]}"#;
        assert_eq!(of(not), ["*"]);
        for odd in ["", "{", "[]", "null", "x", r#"{"Statement":7}"#] {
            assert!(of(odd).is_empty(), "{odd}");
        }
    }

    #[test]
    fn a_policy_may_be_an_object() {
        let params = r#"{"bucketPolicy":{"Statement":[{"Effect":"Allow","Principal":{"AWS":["444455556666"]}}]}}"#;
        assert_eq!(asked("policy_accounts", "PutBucketPolicy", params), ["444455556666"]);
    }
}

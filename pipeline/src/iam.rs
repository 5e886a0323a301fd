//! Signing in to Amazon MSK by IAM: a token for SASL/OAUTHBEARER in the place of a password.
//!
//! The token is a request to connect, signed with AWS credentials and good for a quarter of an hour;
//! librdkafka asks for the next one in time. Amazon MSK developer guide, "Configure clients to use
//! IAM access control".

use std::error::Error;

use rdkafka::client::OAuthToken;

/// Who signs in, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iam {
    /// The cluster's region.
    pub region: String,
    /// The role that is assumed first; without it, the credentials of AWS's default chain sign.
    pub role: Option<String>,
}

impl Iam {
    /// The settings of librdkafka that go with it.
    pub const PROPERTIES: [(&str, &str); 2] =
        [("security.protocol", "SASL_SSL"), ("sasl.mechanism", "OAUTHBEARER")];

    /// The next token. Waits for whoever gives credentials.
    ///
    /// # Errors
    /// Credentials that cannot be had; a build that cannot sign.
    #[cfg(feature = "kafka-iam")]
    pub fn token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        use aws_msk_iam_sasl_signer::{generate_auth_token, generate_auth_token_from_role};

        let region = aws_config::Region::new(self.region.clone());
        signed(async {
            match &self.role {
                None => generate_auth_token(region).await,
                Some(role) => {
                    generate_auth_token_from_role(region, role.clone(), CLIENT.into()).await
                }
            }
        })
    }

    /// The next token.
    ///
    /// # Errors
    /// Always: this build cannot sign.
    #[cfg(not(feature = "kafka-iam"))]
    pub fn token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        Err("iam wants a build with the feature kafka-iam".into())
    }
}

/// The next token for whoever asks librdkafka for one.
pub(crate) fn token(iam: Option<&Iam>) -> Result<OAuthToken, Box<dyn Error>> {
    iam.ok_or("OAUTHBEARER is for Amazon MSK: set iam = { region = \"..\" }")?.token()
}

/// Names the session of an assumed role, and the holder of a token to librdkafka.
#[cfg(feature = "kafka-iam")]
const CLIENT: &str = "floodmark";

#[cfg(feature = "kafka-iam")]
fn signed<E: Error + 'static>(
    signing: impl Future<Output = Result<(String, i64), E>>,
) -> Result<OAuthToken, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (token, lifetime_ms) = runtime.block_on(signing)?;
    Ok(OAuthToken { token, principal_name: CLIENT.to_owned(), lifetime_ms })
}

#[cfg(all(test, feature = "kafka-iam"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_msk_iam_sasl_signer::generate_auth_token_from_credentials_provider;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::clock;

    #[test]
    fn a_token_is_a_signed_request_to_connect() {
        let key = aws_sdk_kinesis::config::Credentials::new("AKID", "secret", None, None, "test");
        let provider = aws_sdk_kinesis::config::SharedCredentialsProvider::new(key);
        let region = aws_config::Region::new("eu-central-1");
        let token =
            signed(generate_auth_token_from_credentials_provider(region, provider)).unwrap();
        let url = String::from_utf8(URL_SAFE_NO_PAD.decode(&token.token).unwrap()).unwrap();
        assert!(url.starts_with("https://kafka.eu-central-1.amazonaws.com/?"), "{url}");
        for part in [
            "Action=kafka-cluster%3AConnect",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Credential=AKID%2F",
            "X-Amz-Expires=900",
            "X-Amz-Signature=",
        ] {
            assert!(url.contains(part), "{part} in {url}");
        }
        assert!(!url.contains("secret"));
        let left_ms = token.lifetime_ms - clock::wall_ms();
        assert!((800_000..=900_000).contains(&left_ms), "{left_ms}");
    }

    #[test]
    fn without_settings_nobody_signs_in() {
        let error = token(None).err().unwrap().to_string();
        assert!(error.contains("set iam"), "{error}");
    }
}

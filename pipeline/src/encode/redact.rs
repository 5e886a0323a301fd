//! Secrets out of what leaves us: alerts, rejects, logs.
//!
//! CloudTrail hides most secrets itself, but not presigned URLs (`authorizedUrl` opens a notebook
//! or a Studio domain to whoever holds it), not session tokens in answers of STS, and nothing that
//! a caller puts where no secret belongs. Replaced are values by the name of their key, and, in any
//! text, secret parameters of URLs and headers, JSON Web Tokens and session tokens by their shape.
//! Access key ids stay: they are names, and who hunts needs them. User data of instances goes:
//! it is code, often with secrets in it, and up to 16 KiB.
//!
//! Its weakness: a secret under an innocent name and without a known shape is not seen.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Longest record kept whole as evidence, bytes; of a longer one an excerpt is kept. The longest
/// measured in organisations are 109 KB, the 99th percentile 4.8 KB.
pub const DATA_BYTES_MAX: usize = 64 << 10;

/// Bytes of an excerpt of a record that is not kept whole.
pub const EXCERPT_BYTES_MAX: usize = 1 << 10;

/// A record as evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Redacted {
    /// The record's JSON without its secrets, or a note with an excerpt of it.
    pub data: Value,
    /// The record was too long, too deep or no JSON, and `data` is the note.
    pub is_excerpt: bool,
}

/// The record as evidence: secrets replaced; too long, too deep (128) or broken, an excerpt.
#[must_use]
pub fn record(bytes: &[u8]) -> Redacted {
    let note = |why: String| {
        let mut note = Map::new();
        note.insert("note".into(), why.into());
        note.insert("excerpt".into(), excerpt(bytes, EXCERPT_BYTES_MAX).into());
        Redacted { data: Value::Object(note), is_excerpt: true }
    };
    if bytes.len() > DATA_BYTES_MAX {
        return note(format!("record of {} bytes not kept whole", bytes.len()));
    }
    match serde_json::from_str(&String::from_utf8_lossy(bytes)) {
        Ok(mut data) => {
            value(&mut data);
            Redacted { data, is_excerpt: false }
        }
        Err(error) => note(format!("record not kept whole: {error}")),
    }
}

/// Replaces secrets in a JSON value. Recursion ends where serde_json's reading does (128).
pub fn value(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(found) => {
            if let Some(redacted) = redacted(found) {
                *found = redacted;
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(self::value),
        Value::Object(members) => {
            for (key, member) in members {
                match secrecy(key) {
                    Secrecy::Open => self::value(member),
                    Secrecy::Secret => hide(member),
                    Secrecy::Credentials => match member {
                        Value::Object(parts) => {
                            for (part, secret) in parts {
                                if !matches!(folded(part).as_str(), "accesskeyid" | "expiration") {
                                    hide(secret);
                                }
                            }
                        }
                        _ => hide(member),
                    },
                }
            }
        }
    }
}

/// `text` without secret parameters and tokens.
#[must_use]
pub fn text(text: &str) -> String {
    redacted(text).unwrap_or_else(|| text.to_owned())
}

/// The beginning of what may be anything, fit to be shown: no secrets, no control characters, at
/// most `bytes_max` bytes.
#[must_use]
pub fn excerpt(bytes: &[u8], bytes_max: usize) -> String {
    // Some more than is shown, so that a secret is known by what comes after it.
    let head = bytes.get(..bytes.len().min(4 * bytes_max)).unwrap_or_default();
    let shown = printable(&text(&String::from_utf8_lossy(head)));
    let cut = shown.floor_char_boundary(bytes_max);
    shown.get(..cut).unwrap_or_default().to_owned()
}

/// `text` with characters that could steer a terminal or turn the reading order replaced.
#[must_use]
pub fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// Whether a value under this key would be replaced, for values shown apart from their record.
#[must_use]
pub fn is_secret(key: &str) -> bool {
    secrecy(key) != Secrecy::Open
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    Open,
    Secret,
    /// An object of which only the key's id and its end of life are open.
    Credentials,
}

/// Keys that hold secrets, wherever these letters stand in them.
const SECRET_WITHIN: [&str; 20] = [
    "password",
    "passwd",
    "passphrase",
    "secretaccesskey",
    "secretkey",
    "secretstring",
    "secretbinary",
    "clientsecret",
    "sharedsecret",
    "sessiontoken",
    "securitytoken",
    "accesstoken",
    "refreshtoken",
    "authtoken",
    "bearertoken",
    "authorizationtoken",
    "privatekey",
    "authorizedurl",
    "presignedurl",
    "amzsignature",
];

/// Keys that hold secrets, when they are no more than this.
const SECRET_WHOLE: [&str; 6] =
    ["authorization", "userdata", "apikey", "secret", "idtoken", "signature"];

fn secrecy(key: &str) -> Secrecy {
    let key = folded(key);
    if key == "credentials" {
        Secrecy::Credentials
    } else if SECRET_WHOLE.contains(&key.as_str())
        || SECRET_WITHIN.iter().any(|within| key.contains(within))
    {
        Secrecy::Secret
    } else {
        Secrecy::Open
    }
}

/// Lower case, letters and digits only: `X-Amz-Security-Token` is `xamzsecuritytoken`.
fn folded(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether and when stays (`passwordResetRequired: true`); what goes.
fn hide(value: &mut Value) {
    if !matches!(value, Value::Null | Value::Bool(_)) {
        *value = REDACTED.into();
    }
}

fn redacted(text: &str) -> Option<String> {
    let mut text = std::borrow::Cow::Borrowed(text);
    for (pattern, by) in PATTERNS.iter() {
        if let std::borrow::Cow::Owned(changed) = pattern.replace_all(&text, *by) {
            text = std::borrow::Cow::Owned(changed);
        }
    }
    match text {
        std::borrow::Cow::Owned(changed) => Some(changed),
        std::borrow::Cow::Borrowed(_) => None,
    }
}

/// Secrets by their shape. Linear in the text, as all of this crate's patterns are.
static PATTERNS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        // `?X-Amz-Signature=..&`, also with `=` as `%3D`, and `Signature=..` in an Authorization.
        (
            r#"(?i)\b((?:x-amz-)?(?:signature|security-token)|(?:[a-z]+[_-]?)?token|sig|(?:[a-z]+[_-]?)?(?:password|passwd|secret|apikey))(=|%3D)[^&\s"'<>#,;\\]+"#,
            "${1}${2}[redacted]",
        ),
        // `"password": "..` of JSON as text, and the same where it is a text inside a text.
        (
            r#"(?i)("[a-z0-9_-]*(?:password|passwd|passphrase|secret-?_?access-?_?key|secretstring|session-?_?token|security-?_?token|access-?_?token|auth-?_?token|private-?_?key|authorizedurl|presignedurl|userdata)[a-z0-9_-]*"\s*:\s*")(?:[^"\\]|\\.)+"#,
            "${1}[redacted]",
        ),
        (
            r#"(?i)("[a-z0-9_-]*(?:password|passwd|passphrase|secret-?_?access-?_?key|secretstring|session-?_?token|security-?_?token|access-?_?token|auth-?_?token|private-?_?key|authorizedurl|presignedurl|userdata)[a-z0-9_-]*\\+"\s*:\s*\\+")[^"\\]+"#,
            "${1}[redacted]",
        ),
        (r"(?i)\b(bearer|basic)\s+[a-z0-9+/=._~-]{12,}", "${1} [redacted]"),
        (r"(://[^/\s:@]+:)[^/\s@]+@", "${1}[redacted]@"),
        // A JSON Web Token, and a session token of STS.
        (r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?", REDACTED),
        (r"\b(?:IQoJ|FwoG|FQoG)[A-Za-z0-9+/%]{40,}={0,2}", REDACTED),
    ]
    .into_iter()
    .map(|(pattern, by)| (Regex::new(pattern).expect("the patterns are valid"), by))
    .collect()
});

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn redact(found: &Value) -> Value {
        let bytes = serde_json::to_vec(found).unwrap();
        let redacted = record(&bytes);
        assert!(!redacted.is_excerpt);
        redacted.data
    }

    #[test]
    fn secrets_go_and_names_stay() {
        let found = json!({
            "userIdentity": {"accessKeyId": "AKIAEXAMPLE"},
            "requestParameters": {
                "masterUserPassword": "s3cret", "passwordResetRequired": true, "nextToken": "abc",
                "secretId": "prod/db", "userData": "IyEvYmluL2Jhc2g=",
                "url": "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA&X-Amz-Signature=ab12&x=1",
                "headers": {"Authorization": "Bearer abc", "x-amz-security-token": "t"},
                "document": "{\"user\":\"a\",\"password\":\"hunter2\"}",
            },
            "responseElements": {
                "authorizedUrl": "https://d-1.studio.eu-west-1.sagemaker.aws/auth?token=eyJabc",
                "credentials": {"accessKeyId": "ASIAEXAMPLE", "sessionToken": "IQoJ", "expiration": "x"},
                "password": null,
            },
        });
        let redacted = redact(&found);
        assert_eq!(
            redacted,
            json!({
                "userIdentity": {"accessKeyId": "AKIAEXAMPLE"},
                "requestParameters": {
                    "masterUserPassword": REDACTED, "passwordResetRequired": true, "nextToken": "abc",
                    "secretId": "prod/db", "userData": REDACTED,
                    "url": "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA&X-Amz-Signature=[redacted]&x=1",
                    "headers": {"Authorization": REDACTED, "x-amz-security-token": REDACTED},
                    "document": "{\"user\":\"a\",\"password\":\"[redacted]\"}",
                },
                "responseElements": {
                    "authorizedUrl": REDACTED,
                    "credentials": {"accessKeyId": "ASIAEXAMPLE", "sessionToken": REDACTED, "expiration": "x"},
                    "password": null,
                },
            })
        );
        assert_eq!(redact(&redacted), redacted, "twice is once");
    }

    #[test]
    fn secrets_in_texts_go_by_their_shape() {
        let token = format!("IQoJ{}", "b3JpZ2luX2Vj".repeat(8));
        for (before, after) in [
            ("/auth?token=abc.def&x=1", "/auth?token=[redacted]&x=1"),
            ("?authToken=abc", "?authToken=[redacted]"),
            ("X-Amz-Signature%3Dab12%26", "X-Amz-Signature%3D[redacted]"),
            (
                "AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=ab12",
                "AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=[redacted]",
            ),
            ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer [redacted]"),
            (
                "git clone https://me:ghp_x@github.com/a",
                "git clone https://me:[redacted]@github.com/a",
            ),
            ("x eyJhbGciOiJI.eyJzdWIi.abc y", "x [redacted] y"),
            ("{\\\"sessionToken\\\":\\\"abc\\\"}", "{\\\"sessionToken\\\":\\\"[redacted]\\\"}"),
            (token.as_str(), "[redacted]"),
            ("aws-cli/2.15 Python/3.11", "aws-cli/2.15 Python/3.11"),
            (
                "arn:aws:sagemaker:eu-west-1:111122223333:training-job/token-ring",
                "arn:aws:sagemaker:eu-west-1:111122223333:training-job/token-ring",
            ),
        ] {
            assert_eq!(text(before), after);
        }
    }

    #[test]
    fn excerpts_are_bounded_and_tame() {
        let cut = br#"{"authorizedUrl":"https://x/auth?token=abc"#;
        assert_eq!(excerpt(cut, 200), r#"{"authorizedUrl":"[redacted]"#);
        assert_eq!(excerpt(b"\x1b[31mred\xff\n", 200), "\u{fffd}[31mred\u{fffd}\u{fffd}");
        assert_eq!(excerpt("\u{e9}".repeat(300).as_bytes(), 201).len(), 200);
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(DATA_BYTES_MAX));
        for (odd, note) in [
            (deep.as_str(), "record not kept whole: recursion limit exceeded at line 1 column 132"),
            (long.as_str(), "record of 65544 bytes not kept whole"),
        ] {
            let redacted = record(odd.as_bytes());
            assert!(redacted.is_excerpt);
            assert_eq!(redacted.data["note"], note);
            assert!(redacted.data["excerpt"].as_str().unwrap().len() <= EXCERPT_BYTES_MAX);
        }
    }
}

//! With which tool: the user agent, taken apart. The caller writes it, so it is a hint, no proof.

use serde::Serialize;

use super::{Counted, Fact, counted};

/// Characters of a user agent that are shown.
const AGENT_CHARS_MAX: usize = 256;

/// One user agent of the evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Agent {
    /// As sent, cut to 256 characters.
    pub(crate) agent: String,
    /// `boto3`, `aws-cli`, `terraform`, `pacu`, .., or the first word of it.
    pub(crate) tool: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// `sdk`, `command line`, `infrastructure code`, `console`, `browser`, `service`,
    /// `attack tool` or `other`.
    pub(crate) kind: &'static str,
}

/// (what stands in the agent, lower case; tool; kind), the first that is in it counts: what tells
/// most stands first, since a tool on top of an SDK names the SDK too.
const TOOLS: [(&str, &str, &str); 37] = [
    ("pacu", "pacu", "attack tool"),
    ("kali", "kali linux", "attack tool"),
    ("parrot", "parrot os", "attack tool"),
    ("pentoo", "pentoo", "attack tool"),
    ("cloudfox", "cloudfox", "attack tool"),
    ("scoutsuite", "scoutsuite", "attack tool"),
    ("enumerate-iam", "enumerate-iam", "attack tool"),
    ("trufflehog", "trufflehog", "attack tool"),
    ("stratus-red-team", "stratus-red-team", "attack tool"),
    ("s3-browser", "s3-browser", "command line"),
    ("s3 browser", "s3-browser", "command line"),
    ("prowler", "prowler", "command line"),
    ("terraform", "terraform", "infrastructure code"),
    ("opentofu", "opentofu", "infrastructure code"),
    ("pulumi", "pulumi", "infrastructure code"),
    ("ansible", "ansible", "infrastructure code"),
    ("cloudformation", "cloudformation", "infrastructure code"),
    ("aws-cdk", "aws-cdk", "infrastructure code"),
    ("signin.amazonaws.com", "console", "console"),
    ("console.amazonaws.com", "console", "console"),
    ("aws-internal/", "console", "console"),
    ("s3console", "console", "console"),
    ("sagemaker-python-sdk", "sagemaker-python-sdk", "sdk"),
    ("sagemaker-core", "sagemaker-core", "sdk"),
    ("aws-cli", "aws-cli", "command line"),
    ("powershell", "aws-powershell", "command line"),
    ("boto3", "boto3", "sdk"),
    ("botocore", "botocore", "sdk"),
    ("aiobotocore", "aiobotocore", "sdk"),
    ("aws-sdk-java", "aws-sdk-java", "sdk"),
    ("aws-sdk-go", "aws-sdk-go", "sdk"),
    ("aws-sdk-nodejs", "aws-sdk-js", "sdk"),
    ("aws-sdk-js", "aws-sdk-js", "sdk"),
    ("aws-sdk-rust", "aws-sdk-rust", "sdk"),
    ("mozilla/", "browser", "browser"),
    (".amazonaws.com", "aws service", "service"),
    ("aws internal", "aws service", "service"),
];

/// Different user agents.
pub(crate) fn agents(facts: &[Fact]) -> Vec<Counted<Agent>> {
    let shown = |text: &str| text.chars().take(AGENT_CHARS_MAX).collect();
    let texts = facts.iter().filter_map(|fact| fact.text("/userAgent"));
    counted(texts.map(|text| parsed(shown(text))))
}

fn parsed(agent: String) -> Agent {
    let folded = agent.to_ascii_lowercase();
    let known = TOOLS.iter().find(|(mark, ..)| folded.contains(mark));
    let (tool, kind, mark) = match known {
        Some((mark, tool, kind)) => ((*tool).to_owned(), *kind, Some(*mark)),
        None => {
            let first = agent.split([' ', '/']).next().unwrap_or_default();
            (first.to_owned(), "other", None)
        }
    };
    let after = folded.split_once(mark.unwrap_or(&tool.to_ascii_lowercase())).map(|(_, rest)| rest);
    let version = after
        .and_then(|rest| rest.strip_prefix('/'))
        .and_then(|rest| rest.split([' ', ';', ')', '/']).next())
        .filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))
        .map(str::to_owned);
    Agent { agent, tool, version, kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_told_apart() {
        for (agent, tool, version, kind) in [
            ("Boto3/1.34.11 md/Botocore#1.34 ua/2.0", "boto3", Some("1.34.11"), "sdk"),
            ("aws-cli/2.15.0 Python/3.11 Linux/6.1", "aws-cli", Some("2.15.0"), "command line"),
            ("aws-cli/1.16 Linux/4.19.0-kali3-amd64", "kali linux", None, "attack tool"),
            (
                "APN/1.0 HashiCorp/1.0 Terraform/1.5.7 aws-sdk-go/1.44",
                "terraform",
                Some("1.5.7"),
                "infrastructure code",
            ),
            (
                "AWS-SageMaker-Python-SDK/2.200 Boto3/1.3",
                "sagemaker-python-sdk",
                Some("2.200"),
                "sdk",
            ),
            ("Mozilla/5.0 (X11; Linux)", "browser", None, "browser"),
            ("sagemaker.amazonaws.com", "aws service", None, "service"),
            ("signin.amazonaws.com", "console", None, "console"),
            ("curl/8.1", "curl", Some("8.1"), "other"),
            ("", "", None, "other"),
        ] {
            let found = parsed(agent.to_owned());
            assert_eq!(
                (found.tool.as_str(), found.version.as_deref(), found.kind),
                (tool, version, kind)
            );
        }
    }
}

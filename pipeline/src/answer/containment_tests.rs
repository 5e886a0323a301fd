#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::sync::Arc;

use floodmark_detectors::alert::{Alert, Evidence};
use floodmark_detectors::rule::{CONTAINMENTS, Card};
use floodmark_detectors::time::EventTime;
use serde_json::{Value, json};

use super::*;
use crate::answer::{Answer, facts};
use crate::encode::ocsf::tests::burst;

/// An alert over one record, of a rule that contains all there is.
fn alert(record: &Value, containment: &[&str]) -> Alert {
    let mut alert = burst();
    alert.rule = Arc::new(Card {
        containment: containment.iter().map(|word| (*word).to_owned()).collect(),
        ..Card::clone(&alert.rule)
    });
    let record = serde_json::to_vec(record).unwrap().into();
    alert.evidence = vec![Evidence { time: EventTime(0), record }];
    alert.count = 1;
    alert
}

fn steps_of(record: &Value, containment: &[&str]) -> Vec<Step> {
    let alert = alert(record, containment);
    Answer::of(&alert, &facts(&alert)).containment
}

fn call(operation: &str, params: &Value) -> Value {
    json!({
        "eventTime": "2026-01-01T00:00:00Z", "eventSource": "sagemaker.amazonaws.com",
        "eventName": operation, "awsRegion": "eu-west-1", "recipientAccountId": "111122223333",
        "eventID": "e", "requestParameters": params,
        "userIdentity": {
            "type": "IAMUser", "userName": "ana", "accountId": "111122223333",
            "arn": "arn:aws:iam::111122223333:user/ana", "accessKeyId": "AKIAEXAMPLE",
        },
    })
}

fn commands(steps: &[Step]) -> Vec<&str> {
    steps.iter().filter_map(|step| step.command.as_deref()).collect()
}

#[test]
fn steps_come_in_their_order_with_the_real_names() {
    let record = call("CreateTrainingJob", &json!({"trainingJobName": "miner-1"}));
    let steps = steps_of(&record, &["training_job", "access_key"]);
    assert_eq!(
        commands(&steps),
        [
            "aws sagemaker describe-training-job --training-job-name=miner-1 --region=eu-west-1 > evidence-00000000-01.json",
            "aws iam list-access-keys --user-name=ana > evidence-00000000-02.json",
            "aws iam update-access-key --user-name=ana --access-key-id=AKIAEXAMPLE --status=Inactive",
            "aws iam attach-user-policy --user-name=ana --policy-arn=arn:aws:iam::aws:policy/AWSDenyAll",
            "aws sagemaker stop-training-job --training-job-name=miner-1 --region=eu-west-1",
        ]
    );
    assert!(steps.iter().all(|step| step.account.as_deref() == Some("111122223333")));
    assert_eq!(steps_of(&record, &[]).len(), 5, "where the rule names nothing the record decides");
}

#[test]
fn roles_are_revoked_at_the_time_of_the_paste_and_reserved_ones_elsewhere() {
    let mut record = call("CreateTrainingJob", &json!(null));
    let session = |role: &str| {
        json!({"type": "AssumedRole", "sessionContext": {"sessionIssuer": {
            "type": "Role", "arn": format!("arn:aws:iam::111122223333:role/{role}"),
        }}})
    };
    record["userIdentity"] = session("ml-dev");
    let steps = steps_of(&record, &["role_session"]);
    let revoke = steps.iter().find(|step| step.phase == Phase::Revoke).unwrap();
    let command = revoke.command.as_deref().unwrap();
    assert!(command.starts_with(
        "aws iam put-role-policy --role-name=ml-dev --policy-name=AWSRevokeOlderSessions"
    ));
    assert!(command.contains(r#""aws:TokenIssueTime":"'"$(date -u"#));
    record["userIdentity"] = session("aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_1a2b");
    let steps = steps_of(&record, &["role_session"]);
    assert_eq!(commands(&steps), [""; 0]);
    assert!(steps.first().unwrap().note.unwrap().contains("Identity Center"));
}

#[test]
fn what_was_only_read_is_left_alone_and_only_what_was_made_is_deleted() {
    let endpoint = json!({"endpointName": "shop"});
    let phases = |record: &Value| -> Vec<Phase> {
        steps_of(record, &["endpoint"]).iter().map(|step| step.phase).collect()
    };
    assert_eq!(phases(&call("DescribeEndpoint", &endpoint)), [Phase::Preserve]);
    assert_eq!(phases(&call("UpdateEndpoint", &endpoint)), [Phase::Preserve, Phase::RollBack]);
    let all = [Phase::Preserve, Phase::RollBack, Phase::Delete];
    assert_eq!(phases(&call("CreateEndpoint", &endpoint)), all);
    let mut failed = call("CreateEndpoint", &endpoint);
    failed["errorCode"] = "AccessDenied".into();
    assert_eq!(phases(&failed), [Phase::Preserve]);
}

#[test]
fn what_destroys_evidence_is_never_among_them() {
    let banned = [
        "delete-training-job",
        "delete-processing-job",
        "delete-notebook-instance",
        "delete-domain",
        "delete-cluster",
        "delete-model",
        "delete-model-package",
        "delete-feature-group",
        "delete-trail",
        "delete-user-profile",
        "delete-pipeline",
        "batch-delete-cluster-nodes",
    ];
    for (.., command, _, _, _) in RECIPES {
        let operation = command.split(' ').nth(1).unwrap();
        assert!(!banned.contains(&operation), "{command}");
    }
    for kind in CONTAINMENTS.iter().copied() {
        let by_code = ["access_key", "role_session", "execution_role", "account", "network"];
        let known = RECIPES.iter().any(|recipe| recipe.0 == kind) || by_code.contains(&kind);
        assert!(known, "{kind} has no step");
    }
}

/// What a shell makes of a command: each word that `aws` gets. Redirection goes to nowhere.
fn words(command: &str) -> Vec<String> {
    let command = command.split(" > evidence-").next().unwrap();
    let script = format!("aws() {{ printf '%s\\0' \"$@\"; }}\n{command}\n");
    let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn a_name_cannot_leave_its_word() {
    let hostile = [
        "a; rm -rf /",
        "$(touch /tmp/x)",
        "`id`",
        "a'b",
        "'; id; '",
        "a\"b",
        "a\\",
        "a\\'; id #",
        "--endpoint-url=x",
        "-x",
        "a b",
        "a|b",
        "a>b",
        "*",
        "~",
        "a&&b",
        "!!",
        "${IFS}",
        "{a,b}",
        "é 名",
        "%s",
        "#",
        "a=b",
    ];
    for name in hostile {
        let record = call("CreateTrainingJob", &json!({"trainingJobName": name}));
        let steps = steps_of(&record, &["training_job"]);
        assert_eq!(commands(&steps).len(), 2, "{name}");
        for command in commands(&steps) {
            let words = words(command);
            assert_eq!(words.len(), 4, "{command}");
            assert_eq!(words[2], format!("--training-job-name={name}"), "{command}");
            assert_eq!(words[3], "--region=eu-west-1");
        }
    }
    // What steers a terminal, or makes the AWS CLI read something else, is not written at all.
    for name in
        ["a\nid\n", "\u{1b}[201~id\n", "a\u{202e}b", "file:///etc/passwd", "fileb://x", "\0"]
    {
        let record = call("CreateTrainingJob", &json!({"trainingJobName": name}));
        assert_eq!(commands(&steps_of(&record, &["training_job"])), [""; 0], "{name:?}");
    }
}

#[test]
fn no_identity_leaves_its_word_either() {
    for name in ["a'; id; '", "--profile=x", "$(id)"] {
        let mut record =
            call("CreateTrainingJob", &json!({"roleArn": format!("arn:aws:iam::1:role/{name}")}));
        record["userIdentity"]["userName"] = name.into();
        record["awsRegion"] = name.into();
        let all: Vec<&str> = CONTAINMENTS.to_vec();
        for step in steps_of(&record, &all) {
            let Some(command) = step.command.filter(|command| command.starts_with("aws iam "))
            else {
                continue;
            };
            let words = words(&command);
            assert!(words.iter().skip(2).all(|word| word.starts_with("--")), "{command}");
            assert!(words.iter().any(|word| word.ends_with(&format!("={name}"))), "{command}");
        }
    }
}

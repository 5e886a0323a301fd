#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use floodmark_detectors::alert::{AlertId, Evidence};
use floodmark_detectors::rule::Card;
use floodmark_detectors::time::EventTime;

use super::*;

const FIRST: i64 = 1_767_225_600;

/// 24 training jobs by one role in three minutes.
pub(crate) fn burst() -> Alert {
    let record = |n: i64| {
        Evidence {
        time: EventTime(FIRST + n),
        record: serde_json::to_vec(&json!({
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole", "principalId": "AROAEXAMPLE:ana",
                "arn": "arn:aws:sts::111122223333:assumed-role/ml-dev/ana",
                "accountId": "111122223333", "accessKeyId": "ASIAEXAMPLE",
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "Role", "arn": "arn:aws:iam::111122223333:role/ml-dev",
                        "userName": "ml-dev", "accountId": "111122223333",
                    },
                    "attributes": {"mfaAuthenticated": "false"},
                },
            },
            "eventTime": EventTime(FIRST + n).to_string(),
            "eventSource": "sagemaker.amazonaws.com",
            "eventName": "CreateTrainingJob",
            "awsRegion": "eu-west-1",
            "sourceIPAddress": "198.51.100.7",
            "userAgent": "Boto3/1.34",
            "requestParameters": {
                "trainingJobName": format!("job-{n}"),
                "roleArn": "arn:aws:iam::111122223333:role/training",
                "environment": {"DB_PASSWORD": "hunter2"},
            },
            "responseElements": {
                "trainingJobArn": format!("arn:aws:sagemaker:eu-west-1:111122223333:training-job/job-{n}"),
            },
            "requestID": format!("request-{n}"),
            "eventID": format!("event-{n}"),
            "recipientAccountId": "111122223333",
        }))
        .unwrap()
        .into(),
    }
    };
    Alert {
        id: AlertId(0xa1),
        revision: 1,
        opened: 0,
        life: Life::Open,
        rule: Arc::new(Card {
            id: "sm-burst".into(),
            code: Some("DOS-01".into()),
            title: "SageMaker job burst".into(),
            description: "Many training jobs at once.".into(),
            level: Some(Level::High),
            tags: vec!["attack.impact".into(), "attack.t1496".into(), "atlas.aml.t0034".into()],
            group_by: vec!["floodmark.principal".into()],
            timespan_secs: 180,
            mark: "at least 20 events in 180 s".into(),
            ..Card::default()
        }),
        key: vec!["arn:aws:iam::111122223333:role/ml-dev".into()].into(),
        level: Level::High,
        first: EventTime(FIRST),
        last: EventTime(FIRST + 180),
        count: 24,
        count_is_floor: false,
        evidence: vec![record(0), record(180)],
        crossing: None,
    }
}

fn golden(name: &str, found: &Value, expected: &str) {
    let expected: Value = serde_json::from_str(expected).unwrap();
    if *found != expected {
        let place = std::env::temp_dir().join(name);
        std::fs::write(&place, format!("{found:#}\n")).unwrap();
        panic!("{name} differs; what was found is in {}", place.display());
    }
}

#[test]
fn a_burst_in_final_form() {
    let finding = ocsf(&burst(), View::Final);
    golden("final.json", &finding, include_str!("golden/final.json"));
    assert_eq!(finding.to_string(), ocsf(&burst(), View::Final).to_string());
    let mut closed = burst();
    (closed.life, closed.revision) = (Life::Closed, 4);
    let found = ocsf(&closed, View::Final);
    assert_eq!(found["finding_info"], finding["finding_info"], "how it came to be is not in it");
    assert_eq!(found["unmapped"], finding["unmapped"]);
    assert!(!finding.to_string().contains("hunter2"));
}

#[test]
fn a_burst_merged_in_life() {
    let mut alert = burst();
    alert.life = Life::Merged(AlertId(0xa2));
    (alert.revision, alert.count, alert.count_is_floor) = (3, 4_096, true);
    let finding = ocsf(&alert, View::Life { now_ms: 1_767_226_000_123 });
    golden("merged.json", &finding, include_str!("golden/merged.json"));
}

#[test]
fn odd_evidence_still_makes_a_finding() {
    let mut alert = burst();
    alert.rule = Arc::new(Card { id: "x".into(), title: "Odd".into(), ..Card::default() });
    alert.key = Arc::new([]);
    let odd = [
        r#"{"userIdentity":{"type":"AWSService","invokedBy":"ec2.amazonaws.com"},"sourceIPAddress":"ec2.amazonaws.com","eventName":"AssumeRole","errorCode":"AccessDenied","errorMessage":"no"}"#,
        r#"{"userIdentity":{"type":"Unknown","sessionContext":{"sessionIssuer":{}}},"sourceIPAddress":"a, 10.0.0.1","userAgent":["x"]}"#,
        r#"{"userIdentity":null,"resources":{"ARN":"x"},"awsRegion":7}"#,
        r#"{"resources":[{"ARN":"arn:aws:s3:::b","type":"AWS::S3::Bucket","accountId":"1"},{},3]}"#,
        "not json",
        "[]",
    ];
    alert.evidence = odd
        .iter()
        .map(|text| Evidence { time: EventTime(FIRST), record: text.as_bytes().into() })
        .collect();
    let finding = ocsf(&alert, View::Life { now_ms: 1 });
    golden("odd.json", &finding, include_str!("golden/odd.json"));
}

#[test]
fn lists_are_bounded() {
    let mut alert = burst();
    let one = String::from_utf8(alert.evidence[0].record.to_vec()).unwrap();
    alert.evidence = (0..200)
        .map(|n| Evidence {
            time: EventTime(FIRST),
            record: one
                .replace("job-0", &format!("job-{n}"))
                .replace("198.51.100.7", &format!("198.51.100.{n}"))
                .into_bytes()
                .into(),
        })
        .collect();
    let finding = ocsf(&alert, View::Final);
    assert_eq!(finding["resources"].as_array().unwrap().len(), RESOURCES_MAX);
    assert_eq!(finding["observables"].as_array().unwrap().len(), OBSERVABLES_MAX);
}

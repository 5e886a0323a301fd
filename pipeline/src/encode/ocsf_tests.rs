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
        peak: None,
        before: None,
        usual: None,
        incident: None,
    }
}

/// The burst with `evil` in every text that a record, a key or a rule may hold.
pub(crate) fn hostile(evil: &str) -> Alert {
    let mut alert = burst();
    for evidence in &mut alert.evidence {
        let mut record: Value = serde_json::from_slice(&evidence.record).unwrap();
        replace(&mut record, &mut |text| evil.clone_into(text));
        record["eventTime"] = evidence.time.to_string().into();
        evidence.record = serde_json::to_vec(&record).unwrap().into();
    }
    alert.key = vec![evil.into()].into();
    alert.rule = Arc::new(Card { title: evil.into(), id: evil.into(), ..Card::clone(&alert.rule) });
    alert
}

fn replace(value: &mut Value, by: &mut dyn FnMut(&mut String)) {
    match value {
        Value::String(text) => by(text),
        Value::Array(elements) => elements.iter_mut().for_each(|element| replace(element, by)),
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, by)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
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
fn the_record_that_opened_it_is_kept_too() {
    let mut alert = burst();
    alert.crossing = alert.evidence.last().cloned();
    let finding = ocsf(&alert, View::Life { now_ms: 1 });
    assert_eq!(finding["evidences"].as_array().unwrap().len(), 2, "it is the last");
    let text = String::from_utf8(alert.evidence[0].record.to_vec()).unwrap();
    let text = text.replace("event-0", "event-90").replace("job-0", "job-90");
    alert.crossing =
        Some(Evidence { time: EventTime(FIRST + 90), record: text.into_bytes().into() });
    let finding = ocsf(&alert, View::Life { now_ms: 1 });
    let marked = &finding["unmapped"]["floodmark"]["evidence"];
    assert_eq!(
        *marked,
        json!({
            "first": "event-0", "crossing": "event-90", "latest": "event-180", "is_whole": false,
        })
    );
    assert_eq!(finding["evidences"][2]["uid"], "event-90");
    assert_eq!(finding["evidences"][2]["data"]["requestParameters"]["trainingJobName"], "job-90");
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

/// A secret in each shape that CloudTrail has shown: what stands around it, and itself.
fn planted(shape: usize) -> String {
    let token = format!("IQoJSECRET{}", "b3JpZ2luX2Vj".repeat(6));
    match shape {
        0 => "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA&X-Amz-Signature=SECRETSECRET&x=1"
            .into(),
        1 => format!("https://h/p?X-Amz-Security-Token={token}"),
        2 => "https://d-1.studio.eu-west-1.sagemaker.aws/auth?token=SECRETSECRET".into(),
        3 => "Bearer SECRETSECRETSECRET".into(),
        4 => "eyJSECRETSECRET.eyJSECRETSECRET.SECRETSECRET".into(),
        5 => r#"{"password":"SECRETSECRET","x":1}"#.into(),
        6 => "--password=SECRETSECRET".into(),
        7 => "https://me:SECRETSECRET@git.example/a".into(),
        _ => token,
    }
}
const SHAPES: usize = 9;

/// Paths of every text of a record.
fn texts(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(path.to_owned()),
        Value::Array(elements) => {
            for (place, element) in elements.iter().enumerate() {
                texts(element, &format!("{path}/{place}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                texts(member, &format!("{path}/{}", name.replace('/', "~1")), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A record with as many members that answers look at as there are.
pub(crate) fn rich() -> Value {
    json!({
        "eventVersion": "1.11", "eventID": "e-1", "requestID": "r-1", "eventType": "AwsApiCall",
        "userIdentity": {
            "type": "AssumedRole", "principalId": "AROAEXAMPLE:ana", "invokedBy": "a.amazonaws.com",
            "arn": "arn:aws:sts::111122223333:assumed-role/ml-dev/ana",
            "accountId": "111122223333", "accessKeyId": "ASIAEXAMPLE", "userName": "ana",
            "identityProvider": "idp",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role", "arn": "arn:aws:iam::111122223333:role/ml-dev",
                    "userName": "ml-dev", "accountId": "111122223333", "principalId": "AROA",
                },
                "attributes": {"mfaAuthenticated": "false", "creationDate": "2026-01-01T00:00:00Z"},
                "sourceIdentity": "ana@example.com", "ec2RoleDelivery": "1.0",
                "webIdFederationData": {"federatedProvider": "idp"},
            },
        },
        "eventTime": "2026-01-01T00:00:00Z", "eventSource": "sagemaker.amazonaws.com",
        "eventName": "CreateTrainingJob", "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.7", "userAgent": "Boto3/1.34", "vpcEndpointId": "vpce-1",
        "errorMessage": "no", "recipientAccountId": "111122223333",
        "tlsDetails": {"clientProvidedHostHeader": "api.sagemaker.eu-west-1.amazonaws.com"},
        "resources": [{"ARN": "arn:aws:s3:::b/k", "type": "AWS::S3::Object", "accountId": "444455556666"}],
        "requestParameters": {
            "trainingJobName": "job", "roleArn": "arn:aws:iam::111122223333:role/training",
            "algorithmSpecification": {"trainingImage": "444455556666.dkr.ecr.eu-west-1.amazonaws.com/x:1"},
            "outputDataConfig": {"s3OutputPath": "s3://out/x"},
            "resourceConfig": {"instanceType": "ml.p4d.24xlarge", "instanceCount": 2},
            "environment": {"A": "b"}, "hyperParameters": {"c": "d"},
            "modelApprovalStatus": "Approved", "vpcConfig": {"subnets": ["subnet-1"]},
            "tags": [{"key": "sagemaker:user-profile-arn", "value": "arn:p"}],
        },
        "responseElements": {"trainingJobArn": "arn:aws:sagemaker:eu-west-1:111122223333:training-job/job"},
        "additionalEventData": {"note": "x"},
    })
}

#[test]
fn no_secret_passes_in_any_member_and_any_form() {
    let clean = rich();
    let mut paths = Vec::new();
    texts(&clean, "", &mut paths);
    assert!(paths.len() > 40);
    for (place, path) in paths.iter().enumerate() {
        // What decides whether it is a record at all.
        if path == "/eventTime" {
            continue;
        }
        // One shape alone, all of them together, and all behind what stood there: where the member
        // is taken apart, its parts must not carry a secret either.
        let all = (0..SHAPES).map(planted).collect::<Vec<_>>().join(" ");
        let stood = clean.pointer(path).and_then(Value::as_str).unwrap();
        for secret in [planted(place % SHAPES), format!("{stood} {all}"), all] {
            let mut record = clean.clone();
            *record.pointer_mut(path).unwrap() = secret.as_str().into();
            let mut alert = burst();
            let record: Arc<[u8]> = serde_json::to_vec(&record).unwrap().into();
            alert.evidence = vec![Evidence { time: EventTime(FIRST), record }];
            alert.crossing = alert.evidence.first().cloned();
            alert.count = 1;
            alert.key = vec![secret.into()].into();
            for (name, format) in crate::encode::Format::ALL {
                let text = format.encode(&alert, View::Life { now_ms: 1 });
                assert!(!text.contains("SECRET"), "{name}, {path}: {text}");
            }
            let lines = crate::encode::text::lines(&alert, View::Final, false);
            assert!(!lines.contains("SECRET"), "text, {path}: {lines}");
        }
    }
}

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use clap::ValueEnum;
use floodmark_detectors::alert::{Alert, Evidence, Incident, Peak, Usual};
use floodmark_detectors::rule::Card;
use floodmark_detectors::time::EventTime;
use serde_json::{Value, json};

use super::query::{Ask, Dialect, Query};
use crate::encode::ocsf::tests::{burst, rich};
use crate::encode::ocsf::{View, ocsf};

/// An incident in which something of everything was done.
fn incident() -> Alert {
    let call = |id: i64, source: &str, name: &str, params: Value| {
        let mut record = rich();
        record["eventID"] = format!("e-{id}").into();
        record["eventSource"] = format!("{source}.amazonaws.com").into();
        record["eventName"] = name.into();
        record["requestParameters"] = params;
        record["responseElements"] = Value::Null;
        record
    };
    let mut read = call(5, "s3", "GetObject", json!({"bucketName": "b", "key": "k"}));
    read["readOnly"] = true.into();
    read["additionalEventData"] = json!({"bytesTransferredOut": 1024});
    let model = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/g/1";
    let mut shell = call(
        7,
        "sagemaker",
        "CreatePresignedNotebookInstanceUrl",
        json!({"notebookInstanceName": "lab"}),
    );
    shell["userIdentity"]["arn"] = "arn:aws:sts::111122223333:assumed-role/ml-dev/SageMaker".into();
    let records = [
        rich(),
        call(1, "cloudtrail", "StopLogging", json!({"name": "trail"})),
        call(2, "iam", "PutRolePolicy", json!({"roleName": "training"})),
        call(3, "ec2", "AuthorizeSecurityGroupIngress", json!({"groupId": "sg-1"})),
        call(
            4,
            "sagemaker",
            "UpdateModelPackage",
            json!({"modelPackageArn": model, "modelApprovalStatus": "Approved"}),
        ),
        read,
        call(6, "sagemaker", "DeleteModel", json!({"modelName": "m"})),
        shell,
        call(
            8,
            "sagemaker",
            "CreateModel",
            json!({"modelName": "n", "primaryContainer": {
                "image": "444455556666.dkr.ecr.eu-west-1.amazonaws.com/x:1",
                "modelDataUrl": "s3://models/n.tar.gz",
            }}),
        ),
    ];
    let mut alert = burst();
    let first = alert.first;
    alert.evidence = records
        .iter()
        .zip(0..)
        .map(|(record, at)| {
            let mut record = record.clone();
            record["eventTime"] = first.plus(at).to_string().into();
            let record = serde_json::to_vec(&record).unwrap().into();
            Evidence { time: first.plus(at), record }
        })
        .collect();
    alert.crossing = alert.evidence.get(3).cloned();
    alert.peak = Some(Peak { measure: 9, at: first.plus(8) });
    alert.before = Some(2);
    alert.usual = Some(Usual { most: 3, since: first.plus(-86_400) });
    alert.incident = Some(Incident {
        id: "00112233445566778899aabbccddeeff".into(),
        first,
        page: true,
        enrichment: vec!["CFG-06".into()],
    });
    alert.count = 9;
    alert.last = EventTime(first.0 + 8);
    alert.rule = Arc::new(Card {
        scenario: Some("malware".into()),
        version: "00112233445566aa".into(),
        references: vec!["https://example.com/".into()],
        ..Card::clone(&alert.rule)
    });
    alert
}

/// Whether something stands at a pointer in which `*` is any element.
fn stands(value: &Value, pointer: &str) -> bool {
    let Some(rest) = pointer.strip_prefix('/') else {
        return match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(elements) => !elements.is_empty(),
            Value::Object(members) => !members.is_empty(),
            Value::Bool(_) | Value::Number(_) => true,
        };
    };
    let (name, behind) = match rest.split_once('/') {
        Some((name, _)) => (name, rest.strip_prefix(name).unwrap()),
        None => (rest, ""),
    };
    match name {
        "*" => value.as_array().is_some_and(|all| all.iter().any(|one| stands(one, behind))),
        name => value.get(name).is_some_and(|member| stands(member, behind)),
    }
}

/// What stands between backquotes in a cell.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_questions_have_their_answers() {
    let page = include_str!("../../../docs/alerts.md");
    let finding = ocsf(&incident(), View::Life { now_ms: 1_767_226_000_123 });
    let query = Query::read(&finding).unwrap();
    let (mut questions, mut places) = (0, 0);
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let pointers = cells.iter().flat_map(|cell| quoted(cell)).filter(|it| it.starts_with('/'));
        for pointer in pointers {
            places += 1;
            assert!(stands(&finding, pointer), "{pointer} of {line} is not in {finding:#}");
        }
        let is_question = cells.first().is_some_and(|cell| cell.parse::<u8>().is_ok());
        if is_question {
            questions += 1;
            let ask = quoted(cells.get(3).unwrap());
            let ask = Ask::from_str(ask.first().unwrap(), false).unwrap();
            for dialect in [Dialect::Athena, Dialect::Insights, Dialect::Lake] {
                query.write(ask, dialect, dialect.table()).unwrap();
            }
        }
    }
    assert_eq!(questions, 15);
    assert!(places > 50, "{places}");
    for ask in Ask::value_variants() {
        let name = ask.to_possible_value().unwrap().get_name().to_owned();
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not described");
    }
    for (name, _) in crate::encode::Format::ALL {
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not described");
    }
}

#[test]
fn answers_of_an_incident() {
    let finding = ocsf(&incident(), View::Final);
    let own = &finding["unmapped"]["floodmark"];
    let list = |path: &str, member: &str| -> Vec<&str> {
        let all = own.pointer(path).and_then(Value::as_array).unwrap();
        all.iter().filter_map(|one| one[member].as_str()).collect()
    };
    let sagemaker = |what: &str| format!("arn:aws:sagemaker:eu-west-1:111122223333:{what}");
    assert_eq!(list("/created", "uid"), [sagemaker("training-job/job"), sagemaker("model/n")]);
    assert_eq!(list("/deleted", "uid"), [sagemaker("model/m")]);
    assert!(list("/changed", "uid").contains(&sagemaker("model-package/g/1").as_str()));
    assert_eq!(list("/touched/logging", "operation"), ["StopLogging"]);
    assert_eq!(list("/touched/permissions", "operation"), ["PutRolePolicy"]);
    assert_eq!(
        list("/touched/network", "operation"),
        ["CreateTrainingJob", "AuthorizeSecurityGroupIngress"]
    );
    assert_eq!(own["touched"]["other_accounts"], json!(["444455556666"]));
    assert_eq!(
        own["data"],
        json!({
            "approvals": ["Approved"], "bytes_out": 1024,
            "image_accounts": ["444455556666"], "model_buckets": ["models"],
            "output_buckets": ["out"],
        })
    );
    assert_eq!(
        own["notebooks"],
        json!({
            "execution_role_calls": 1, "role_delivery": ["1.0"],
            "sign_in_urls": ["notebook-instance/lab"],
        })
    );
    assert_eq!(own["impact"]["instances"], 2.0);
    assert_eq!(own["impact"]["accelerators"], 16.0);
    assert_eq!(own["window"]["peak"], 9);
    assert_eq!(own["evidence"]["is_whole"], true);
    assert_eq!(finding["impact_id"], 3);
    let actor = &own["actors"][0];
    assert_eq!(
        (&actor["source_identity"], &actor["session"], &actor["key_kind"], &actor["mfa"]),
        (&json!("ana@example.com"), &json!("ana"), &json!("session"), &json!(false))
    );
    assert_eq!(
        own["reason"],
        "9 calls such as CreateTrainingJob, StopLogging, PutRolePolicy, .. by ana in account \
         111122223333 from 198.51.100.7 within 8 seconds; at least 20 events in 180 s is the mark, \
         at most 3 is usual; \
         a sign of hostile code being brought in."
    );
}

#[test]
fn a_refused_call_is_an_attempt_and_makes_nothing() {
    let mut record = rich();
    record["errorCode"] = "AccessDenied".into();
    let mut alert = incident();
    alert.evidence.truncate(1);
    alert.evidence[0].record = serde_json::to_vec(&record).unwrap().into();
    let finding = ocsf(&alert, View::Final);
    let own = &finding["unmapped"]["floodmark"];
    assert_eq!(own["impact"]["is_attempt"], true);
    assert!(own.get("created").is_none());
    assert!(own["reason"].as_str().unwrap().contains("all that are kept were refused"));
}

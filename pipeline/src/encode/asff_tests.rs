#![allow(clippy::unwrap_used)]

use floodmark_detectors::alert::Life;

use super::*;
use crate::encode::ocsf::tests::{burst, hostile};

/// Limits of the format: the longest text of each member wherever it stands, and what must be there.
fn check(finding: &Value) {
    for member in [
        "SchemaVersion",
        "Id",
        "ProductArn",
        "GeneratorId",
        "AwsAccountId",
        "CreatedAt",
        "UpdatedAt",
        "Title",
        "Description",
    ] {
        let text = finding[member].as_str().unwrap_or_else(|| panic!("{member} must be there"));
        assert!(!text.trim().is_empty(), "{member} is blank");
    }
    let text = |member: &str| finding[member].as_str().unwrap();
    assert!(text("Title").len() <= TITLE_BYTES_MAX);
    assert!(text("Description").len() <= DESCRIPTION_BYTES_MAX);
    assert!(text("Id").len() <= ID_BYTES_MAX && text("GeneratorId").len() <= ID_BYTES_MAX);
    assert_eq!(text("AwsAccountId").len(), 12);
    for time in ["CreatedAt", "UpdatedAt", "FirstObservedAt", "LastObservedAt"] {
        assert_eq!(text(time).len(), "2026-01-01T00:00:00.000Z".len(), "{time}");
    }
    let resources = finding["Resources"].as_array().unwrap();
    assert!((1..=RESOURCES_MAX).contains(&resources.len()));
    for resource in resources {
        let id = resource["Id"].as_str().unwrap();
        assert!(!id.trim().is_empty() && id.len() <= ID_BYTES_MAX);
        assert!(!resource["Type"].as_str().unwrap().is_empty());
    }
    let fields = finding["ProductFields"].as_object().unwrap();
    assert!(fields.len() <= PRODUCT_FIELDS_MAX);
    for (name, value) in fields {
        assert!(name.len() <= 128 && value.as_str().unwrap().len() <= PRODUCT_FIELD_BYTES_MAX);
    }
    let label = finding["Severity"]["Label"].as_str().unwrap();
    assert!(["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"].contains(&label));
    let recommendation = &finding["Remediation"]["Recommendation"]["Text"];
    assert!(recommendation.as_str().is_none_or(|text| text.len() <= RECOMMENDATION_BYTES_MAX));
    assert!(finding.to_string().len() <= 240_000, "a finding has at most 240 KB");
}

#[test]
fn a_burst() {
    let finding = asff(&burst(), View::Final, None);
    check(&finding);
    insta::assert_snapshot!(format!("{finding:#}"));
}

#[test]
fn the_importing_account_is_the_finding_s_and_the_record_s_stands_beside_it() {
    let home = Home { account: "999988887777".into(), region: "us-gov-west-1".into() };
    let mut alert = burst();
    alert.life = Life::Closed;
    let finding = asff(&alert, View::Life { now_ms: 1_767_226_000_123 }, Some(&home));
    check(&finding);
    assert_eq!(finding["AwsAccountId"], "999988887777");
    assert_eq!(
        finding["ProductArn"],
        "arn:aws-us-gov:securityhub:us-gov-west-1:999988887777:product/999988887777/default"
    );
    assert_eq!(finding["ProductFields"]["floodmark/account"], "111122223333");
    assert_eq!(finding["RecordState"], "ARCHIVED");
    assert_eq!(finding["UpdatedAt"], "2026-01-01T00:06:40.123Z");
    assert_eq!(finding["CreatedAt"], "2026-01-01T00:00:00.000Z");
}

#[test]
fn every_text_ends_at_its_limit() {
    for evil in ["é".repeat(5_000), "\n\u{1b}".repeat(400), String::new(), "{}\"'\\".repeat(900)] {
        check(&asff(&hostile(&evil), View::Final, None));
    }
}

#[test]
fn a_backlog_is_marked() {
    let mark = |view| asff(&burst(), view, None)["ProductFields"]["floodmark/backfill"].clone();
    assert_eq!(mark(View::Backfill { now_ms: 1 }), "true");
    assert_eq!(mark(View::Life { now_ms: 1 }), Value::Null);
}

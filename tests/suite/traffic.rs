//! Traffic for the tests: a small organisation's day, made once.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use floodmark_detectors::time::EventTime;
use serde_json::Value;
use tempfile::TempDir;

use super::program::{args, floodmark};

/// A small organisation, in the past so that no clock bears on it.
pub(super) const PLAN: [&str; 10] = [
    "--records",
    "20000",
    "--duration",
    "6h",
    "--accounts",
    "8",
    "--principals",
    "300",
    "--start",
    "2025-11-25T09:00:00Z",
];

/// Its disordered feed after the weeks before, and what is planted in it.
pub(super) struct Traffic {
    folder: TempDir,
    /// What must be found.
    pub(super) planted: Vec<Value>,
}

impl Traffic {
    /// The one that tests share.
    pub(super) fn shared() -> &'static Traffic {
        static SHARED: LazyLock<Traffic> = LazyLock::new(|| {
            let folder = tempfile::tempdir().unwrap();
            let (feed, truth) = (folder.path().join("feed.ndjson"), folder.path().join("truth"));
            let mut arguments =
                args!["generate", "--history", "--out", feed, "--truth", truth].to_vec();
            arguments.extend(PLAN.iter().map(Into::into));
            floodmark(&arguments).expect(0);
            let planted = values(&std::fs::read_to_string(truth).unwrap());
            assert!(planted.len() >= 10, "too little is planted: {planted:?}");
            Traffic { folder, planted }
        });
        &SHARED
    }

    /// The feed's file.
    pub(super) fn feed(&self) -> PathBuf {
        self.folder.path().join("feed.ndjson")
    }

    /// The feed's lines.
    pub(super) fn lines(&self) -> Vec<String> {
        std::fs::read_to_string(self.feed()).unwrap().lines().map(str::to_owned).collect()
    }

    /// Fails unless the findings, each burst once, are the planted ones: the rule, the account and
    /// the count of each, and no other.
    #[track_caller]
    pub(super) fn assert_found(&self, findings: &[Value]) {
        let planted = self.planted.iter().map(|burst| {
            let account = burst["account"].as_str().unwrap();
            (burst["code"].as_str().unwrap(), account, burst["count"].as_u64().unwrap())
        });
        let found = findings.iter().filter(|finding| wakes(finding)).map(|finding| {
            (code_of(finding), account_of(finding), finding["count"].as_u64().unwrap())
        });
        assert_eq!(sorted(found), sorted(planted));
    }
}

/// Each line's JSON.
pub(super) fn values(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The file's lines' JSON.
pub(super) fn values_in(path: &Path) -> Vec<Value> {
    values(&std::fs::read_to_string(path).unwrap())
}

/// Puts lines in another order, the same for the same seed.
pub(super) fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for end in (1..items.len()).rev() {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        items.swap(end, usize::try_from(mixed % (end as u64 + 1)).unwrap());
    }
}

/// The code of the rule that a finding is of.
pub(super) fn code_of(finding: &Value) -> &str {
    finding["unmapped"]["floodmark"]["code"].as_str().unwrap()
}

/// Whether the finding is more than one about a setting, or an aside.
pub(super) fn wakes(finding: &Value) -> bool {
    finding["unmapped"]["floodmark"]["mode"] == "alert"
}

/// The account that a finding is about.
pub(super) fn account_of(finding: &Value) -> &str {
    finding["cloud"]["account"]["uid"].as_str().unwrap()
}

/// Where in its burst's life a finding was sent.
pub(super) fn life_of(finding: &Value) -> &str {
    finding["unmapped"]["floodmark"]["life"].as_str().unwrap()
}

pub(super) fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort_unstable();
    items
}

/// A rule by which two calls are a burst.
pub(super) const PAIR: &str = "\
title: A call
name: call
status: experimental
description: Every call of the test.
author: Floodmark
logsource: {product: aws, service: cloudtrail}
detection:
  call: {eventSource: sagemaker.amazonaws.com}
  condition: call
---
title: Two calls
id: 1c9ad34e-6a3c-4b38-a46a-6d3f8dd9d6b3
status: experimental
description: Two calls are a burst.
author: Floodmark
level: low
correlation:
  type: event_count
  rules: [call]
  group-by: [floodmark.account]
  timespan: 2s
  condition: {gte: 2}
";

/// The record of a call.
pub(super) fn call(number: usize, time: EventTime) -> String {
    format!(
        "{{\"eventVersion\":\"1.11\",\"userIdentity\":{{\"type\":\"IAMUser\",\
         \"accountId\":\"111122223333\",\"userName\":\"ada\"}},\"eventTime\":\"{time}\",\
         \"eventSource\":\"sagemaker.amazonaws.com\",\"eventName\":\"ListModels\",\
         \"awsRegion\":\"eu-west-1\",\"eventID\":\"00000000-0000-4000-8000-{number:012}\",\
         \"eventType\":\"AwsApiCall\",\"recipientAccountId\":\"111122223333\"}}"
    )
}

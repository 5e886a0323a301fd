//! What a job and the data it reads have in common: prefixes in S3.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::bucket::without_scheme;
use super::{Texts, VALUES_MAX};
use crate::field::Fields;
use crate::reach::Paths;

/// Where training and its like read from.
const INPUTS: &[&str] = &[
    "inputDataConfig.dataSource.s3DataSource.s3Uri",
    "trainingJobDefinition.inputDataConfig.dataSource.s3DataSource.s3Uri",
    "trainingJobDefinitions.inputDataConfig.dataSource.s3DataSource.s3Uri",
    "autoMLJobInputDataConfig.dataSource.s3DataSource.s3Uri",
    "processingInputs.s3Input.s3Uri",
    "transformInput.dataSource.s3DataSource.s3Uri",
    "inputConfig.dataSource.s3DataSource.manifestS3Uri",
];

/// `bucket/prefix` of all that a job reads; of an object event the bucket and each prefix, cut at a
/// slash, that the object lies under. S3 itself cuts prefixes anywhere: a job that reads
/// `s3://b/data` and an object `data-2/x` have nothing in common here.
pub(super) fn s3_prefixes<'b>(fields: &Fields<'_, 'b>) -> Texts<'b> {
    static PATHS: LazyLock<Paths> = LazyLock::new(|| Paths::of(INPUTS));
    let mut prefixes = Texts::default();
    let request = fields.parameters();
    let source = fields.record().get("eventSource").into_text().unwrap_or_default();
    if source.eq_ignore_ascii_case("s3.amazonaws.com") {
        let bucket = request.get("bucketName").into_text();
        let (Some(bucket), Some(key)) = (bucket, request.get("key").into_text()) else {
            return prefixes;
        };
        let mut prefix = bucket.into_owned();
        for part in key.split('/').take(VALUES_MAX) {
            prefixes.add(Cow::Owned(prefix.clone()));
            prefix = format!("{prefix}/{part}");
        }
        prefixes.add(Cow::Owned(prefix.trim_end_matches('/').to_owned()));
        return prefixes;
    }
    PATHS.each(request, &mut |uri| {
        let uri = uri.into_text().unwrap_or_default();
        if let Some(prefix) = without_scheme(&uri) {
            prefixes.add(Cow::Owned(prefix.trim_end_matches('/').to_owned()));
        }
    });
    prefixes
}

#[cfg(test)]
mod tests {
    use crate::derive::VALUES_MAX;
    use crate::derive::tests::{asked, derived};

    #[test]
    fn a_job_and_its_data_have_a_prefix_in_common() {
        let object = r#""eventSource":"s3.amazonaws.com","eventName":"PutObject","requestParameters":{"bucketName":"b","key":"data/train/x.csv"}"#;
        let under = derived("s3_prefixes", object);
        assert_eq!(under, ["b", "b/data", "b/data/train", "b/data/train/x.csv"]);
        let params = r#"{"inputDataConfig":[{"dataSource":{"s3DataSource":{"s3Uri":"s3://b/data/train/"}}},{"dataSource":{"s3DataSource":{"s3Uri":"s3://c"}}}]}"#;
        let read = asked("s3_prefixes", "CreateTrainingJob", params);
        assert_eq!(read, ["b/data/train", "c"]);
        let deep = object.replace("data/train/x.csv", &"a/".repeat(500));
        assert_eq!(derived("s3_prefixes", &deep).len(), VALUES_MAX);
    }
}

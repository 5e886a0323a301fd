//! Everyday calls outside SageMaker.

use super::Access::{DataRead, DataWrite, Read, Write};
use super::{Access, Guard, Shape};

/// A row without a guard or an extra.
const fn row(
    service: &'static str,
    name: &'static str,
    access: Access,
    weights: [u64; 7],
    request: &'static str,
    response: &'static str,
) -> Shape {
    Shape { service, name, access, guard: Guard::None, weights, request, response, extra: "" }
}

impl Shape {
    const fn guarded(mut self, guard: Guard) -> Shape {
        self.guard = guard;
        self
    }

    const fn with(mut self, extra: &'static str) -> Shape {
        self.extra = extra;
        self
    }
}

const KEY: &str = r#","resources":[{"accountId":"<account>","type":"AWS::KMS::Key","ARN":"arn:<partition>:kms:<region>:<account>:key/<kms_key>"}]"#;
const BUCKET: &str = r#","resources":[{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:<partition>:s3:::<bucket>"}],"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"<blob:76>","bytesTransferredOut":<number:9000>}"#;
const OBJECT: &str = r#","resources":[{"type":"AWS::S3::Object","ARN":"arn:<partition>:s3:::<bucket>/<key>"},{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:<partition>:s3:::<bucket>"}],"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":<number:60000>,"SSEApplied":"Default_SSE_S3","AuthenticationMethod":"AuthHeader","x-amz-id-2":"<blob:76>","bytesTransferredOut":<number:60000>}"#;
const ROLE: &str = r#","resources":[{"accountId":"<account>","type":"AWS::IAM::Role","ARN":"arn:<partition>:iam::<account>:role/<resource>"}]"#;

/// The weights are, in this order: human, machine, function, pipeline, user, scientist, service.
#[rustfmt::skip]
pub(super) const SHAPES: &[Shape] = &[
    // ec2
    row("ec2", "DescribeInstances", Read, [90, 70, 20, 80, 60, 10, 0], r#"{"instancesSet":{"items":[{"instanceId":"i-0<hex:16>"}]},"filterSet":{"items":[{"name":"instance-state-name","valueSet":{"items":[{"value":"running"},{"value":"pending"}]}},{"name":"tag:team","valueSet":{"items":[{"value":"<resource>"}]}}]},"maxResults":100}"#, "null"),
    row("ec2", "DescribeVolumes", Read, [30, 40, 8, 40, 20, 0, 0], r#"{"maxResults":500,"volumeSet":{},"filterSet":{"items":[{"name":"attachment.instance-id","valueSet":{"items":[{"value":"i-0<hex:16>"}]}}]}}"#, "null"),
    row("ec2", "DescribeSecurityGroups", Read, [40, 20, 5, 70, 10, 2, 0], r#"{"securityGroupSet":{},"securityGroupIdSet":{"items":[{"groupId":"sg-0<hex:16>"}]},"filterSet":{}}"#, "null"),
    row("ec2", "DescribeSubnets", Read, [20, 20, 5, 60, 8, 4, 0], r#"{"subnetSet":{"items":[{"subnetId":"subnet-0<hex:16>"},{"subnetId":"subnet-0<hex:16>"}]},"filterSet":{}}"#, "null"),
    row("ec2", "DescribeVpcs", Read, [20, 10, 2, 60, 8, 2, 0], r#"{"vpcSet":{"items":[{"vpcId":"vpc-0<hex:16>"}]},"filterSet":{}}"#, "null"),
    row("ec2", "DescribeRouteTables", Read, [6, 4, 0, 50, 4, 0, 0], r#"{"routeTableIdSet":{"items":[{"routeTableId":"rtb-0<hex:16>"}]},"filterSet":{}}"#, "null"),
    row("ec2", "DescribeNetworkInterfaces", Read, [12, 50, 6, 30, 8, 0, 10], r#"{"networkInterfaceIdSet":{"items":[{"networkInterfaceId":"eni-0<hex:16>"}]},"filterSet":{}}"#, "null"),
    row("ec2", "DescribeInstanceStatus", Read, [20, 30, 8, 10, 20, 0, 0], r#"{"instancesSet":{"items":[{"instanceId":"i-0<hex:16>"}]},"filterSet":{},"includeAllInstances":true}"#, "null"),
    row("ec2", "DescribeTags", Read, [6, 40, 10, 20, 6, 0, 0], r#"{"maxResults":200,"filterSet":{"items":[{"name":"resource-id","valueSet":{"items":[{"value":"i-0<hex:16>"}]}}]}}"#, "null"),
    row("ec2", "DescribeImages", Read, [8, 2, 2, 30, 6, 0, 0], r#"{"executableBySet":{},"imagesSet":{"items":[{"imageId":"ami-0<hex:16>"}]},"ownersSet":{"items":[{"owner":"amazon"}]},"filterSet":{}}"#, "null"),
    row("ec2", "GetPasswordData", Read, [1, 0, 0, 0, 1, 0, 0], r#"{"instanceId":"i-0<hex:16>"}"#, "null").guarded(Guard::Password),
    row("ec2", "RunInstances", Write, [2, 0, 0, 6, 2, 0, 6], r#"{"instancesSet":{"items":[{"imageId":"ami-0<hex:16>","minCount":1,"maxCount":1,"keyName":"<resource>"}]},"userData":"HIDDEN_DUE_TO_SECURITY_REASONS","instanceType":"m6i.large","blockDeviceMapping":{},"monitoring":{"enabled":false},"subnetId":"subnet-0<hex:16>","disableApiTermination":false,"clientToken":"<uuid>","tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[{"key":"team","value":"<resource>"},{"key":"environment","value":"prod"}]}]}}"#, r#"{"requestId":"<uuid>","reservationId":"r-0<hex:16>","ownerId":"<account>","groupSet":{},"instancesSet":{"items":<items>}}"#),
    row("ec2", "TerminateInstances", Write, [2, 0, 1, 4, 2, 0, 6], r#"{"instancesSet":{"items":[{"instanceId":"i-0<hex:16>"}]}}"#, r#"{"requestId":"<uuid>","instancesSet":{"items":[{"instanceId":"i-0<hex:16>","currentState":{"code":32,"name":"shutting-down"},"previousState":{"code":16,"name":"running"}}]}}"#),
    row("ec2", "CreateTags", Write, [3, 4, 2, 12, 2, 0, 4], r#"{"resourcesSet":{"items":[{"resourceId":"i-0<hex:16>"}]},"tagSet":{"items":[{"key":"team","value":"<resource>"},{"key":"cost-centre","value":"<number:9000>"}]}}"#, r#"{"requestId":"<uuid>","_return":true}"#),
    row("ec2", "CreateNetworkInterface", Write, [0, 0, 0, 2, 0, 0, 20], r#"{"subnetId":"subnet-0<hex:16>","description":"AWS Lambda VPC ENI-<resource>-<uuid>","groupSet":{"items":[{"groupId":"sg-0<hex:16>"}]},"privateIpAddressesSet":{},"ipv6AddressCount":0,"clientToken":"<uuid>"}"#, r#"{"requestId":"<uuid>","networkInterface":{"networkInterfaceId":"eni-0<hex:16>","subnetId":"subnet-0<hex:16>","vpcId":"vpc-0<hex:16>","availabilityZone":"<region>a","description":"AWS Lambda VPC ENI-<resource>","ownerId":"<account>","requesterManaged":false,"status":"pending","macAddress":"0a:58:0a:f4:02:0b","privateIpAddress":"10.0.<number:250>.<number:250>","sourceDestCheck":true,"interfaceType":"interface","groupSet":{"items":[{"groupId":"sg-0<hex:16>","groupName":"<resource>"}]},"tagSet":{}}}"#),
    row("ec2", "AuthorizeSecurityGroupIngress", Write, [1, 0, 0, 3, 0, 0, 0], r#"{"groupId":"sg-0<hex:16>","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":443,"toPort":443,"groups":{},"ipRanges":{"items":[{"cidrIp":"10.0.0.0/8","description":"<resource>"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}"#, r#"{"requestId":"<uuid>","_return":true,"securityGroupRuleSet":{"items":[{"groupOwnerId":"<account>","groupId":"sg-0<hex:16>","securityGroupRuleId":"sgr-0<hex:16>","isEgress":false,"ipProtocol":"tcp","fromPort":443,"toPort":443,"cidrIpv4":"10.0.0.0/8"}]}}"#),
    // s3
    row("s3", "GetObject", DataRead, [6, 110, 120, 20, 60, 50, 30], r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<key>"}"#, "null").with(OBJECT),
    row("s3", "PutObject", DataWrite, [2, 50, 60, 10, 40, 20, 60], r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<key>","x-amz-server-side-encryption":"AES256","x-amz-storage-class":"STANDARD"}"#, r#"{"x-amz-server-side-encryption":"AES256","x-amz-version-id":"<blob:32>"}"#).with(OBJECT),
    row("s3", "HeadObject", DataRead, [1, 40, 30, 10, 20, 15, 0], r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<key>"}"#, "null").with(OBJECT),
    row("s3", "ListBuckets", Read, [30, 6, 2, 8, 20, 6, 0], r#"{"Host":"s3.amazonaws.com","x-id":"ListBuckets"}"#, "null").with(r#","additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"<blob:76>","bytesTransferredOut":<number:9000>}"#),
    row("s3", "GetBucketLocation", Read, [12, 10, 6, 20, 16, 6, 0], r#"{"bucketName":"<bucket>","location":"","Host":"<bucket>.s3.<region>.amazonaws.com"}"#, "null").with(BUCKET),
    row("s3", "GetBucketAcl", Read, [12, 4, 2, 30, 8, 0, 40], r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","acl":""}"#, "null").with(BUCKET),
    row("s3", "GetBucketPolicy", Read, [8, 0, 0, 30, 6, 0, 4], r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","policy":""}"#, "null").with(BUCKET),
    row("s3", "PutBucketPolicy", Write, [1, 0, 0, 3, 1, 0, 0], r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","policy":"","bucketPolicy":{"Version":"2012-10-17","Statement":<items>}}"#, "null").with(BUCKET),
    // sts and sign-in
    row("sts", "AssumeRole", Read, [10, 30, 6, 30, 20, 4, 330], r#"{"roleArn":"arn:<partition>:iam::<account>:role/<peer>","roleSessionName":"<resource>","durationSeconds":3600}"#, r#"{"credentials":{"accessKeyId":"ASIA<base:16>","sessionToken":"<blob:240>","expiration":"Nov 25, 2026, 11:59:59 PM"},"assumedRoleUser":{"assumedRoleId":"AROA<base:17>:<resource>","arn":"arn:<partition>:sts::<account>:assumed-role/<peer>/<resource>"}}"#).with(ROLE),
    row("sts", "GetCallerIdentity", Read, [30, 20, 4, 50, 20, 12, 0], "null", "null"),
    // iam
    row("iam", "GetRole", Read, [20, 4, 1, 60, 6, 4, 2], r#"{"roleName":"<resource>"}"#, "null"),
    row("iam", "ListAttachedRolePolicies", Read, [16, 0, 0, 50, 4, 0, 0], r#"{"roleName":"<resource>"}"#, "null"),
    row("iam", "ListRoles", Read, [20, 0, 0, 4, 4, 10, 0], r#"{"maxItems":1000}"#, "null"),
    row("iam", "GetPolicyVersion", Read, [8, 0, 0, 30, 2, 0, 0], r#"{"policyArn":"arn:<partition>:iam::<account>:policy/<resource>","versionId":"v<number:9>"}"#, "null"),
    row("iam", "PutRolePolicy", Write, [2, 0, 0, 5, 0, 0, 0], r#"{"roleName":"<resource>","policyName":"<resource>","policyDocument":"<policy>"}"#, "null"),
    row("iam", "CreatePolicyVersion", Write, [1, 0, 0, 4, 0, 0, 0], r#"{"policyArn":"arn:<partition>:iam::<account>:policy/<resource>","policyDocument":"<policy>","setAsDefault":true}"#, r#"{"policyVersion":{"versionId":"v<number:9>","isDefaultVersion":true,"createDate":"Nov 25, 2026, 9:00:00 AM"}}"#),
    // kms and secrets
    row("kms", "Decrypt", Read, [4, 90, 90, 20, 10, 12, 60], r#"{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"aws:lambda:FunctionArn":"arn:<partition>:lambda:<region>:<account>:function:<resource>"}}"#, "null").guarded(Guard::Decrypt).with(KEY),
    row("kms", "GenerateDataKey", Read, [0, 40, 30, 4, 6, 8, 130], r#"{"keyId":"arn:<partition>:kms:<region>:<account>:key/<kms_key>","encryptionContext":{"aws:s3:arn":"arn:<partition>:s3:::<bucket>/<key>"},"keySpec":"AES_256"}"#, "null").with(KEY),
    row("kms", "DescribeKey", Read, [10, 10, 4, 40, 4, 4, 10], r#"{"keyId":"arn:<partition>:kms:<region>:<account>:key/<kms_key>"}"#, "null").with(KEY),
    row("kms", "ListAliases", Read, [14, 0, 0, 10, 2, 4, 0], r#"{"limit":100}"#, "null"),
    row("secretsmanager", "GetSecretValue", Read, [2, 60, 50, 12, 10, 4, 2], r#"{"secretId":"arn:<partition>:secretsmanager:<region>:<account>:secret:<resource>-<base:6>"}"#, "null").guarded(Guard::Secret),
    row("secretsmanager", "DescribeSecret", Read, [6, 10, 4, 20, 2, 0, 0], r#"{"secretId":"<resource>"}"#, "null"),
    row("ssm", "GetParameter", Read, [4, 40, 50, 30, 10, 4, 0], r#"{"name":"/prod/<resource>/database-url","withDecryption":true}"#, "null").guarded(Guard::ParameterRead),
    row("ssm", "PutParameter", Write, [2, 0, 1, 6, 1, 0, 0], r#"{"name":"/prod/<resource>/feature-flags","type":"String","value":"HIDDEN_DUE_TO_SECURITY_REASONS","overwrite":true}"#, r#"{"version":<number:90>,"tier":"Standard"}"#).guarded(Guard::ParameterWrite),
    row("ssm", "DeleteParameter", Write, [1, 0, 0, 2, 0, 0, 0], r#"{"name":"/prod/<resource>/feature-flags"}"#, "null").guarded(Guard::ParameterDelete),
    row("ssm", "UpdateInstanceInformation", Write, [0, 100, 0, 0, 0, 0, 0], r#"{"instanceId":"i-0<hex:16>","agentVersion":"3.3.2299.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"10.0.<number:250>.<number:250>","computerName":"ip-10-0-<number:250>-<number:250>.<region>.compute.internal","agentName":"amazon-ssm-agent","availabilityZone":"<region>a","availabilityZoneId":"az1","sSMConnectionChannel":"ssmmessages"}"#, "null"),
    row("ssm", "PutInventory", Write, [0, 85, 0, 0, 0, 0, 0], r#"{"instanceId":"i-0<hex:16>","items":[{"typeName":"AWS:Application","schemaVersion":"1.1","captureTime":"<time>","contentHash":"<hex:32>","content":<items>}]}"#, "null"),
    row("ssm", "DescribeInstanceInformation", Read, [16, 6, 6, 6, 4, 0, 0], r#"{"filters":[{"key":"InstanceIds","values":["i-0<hex:16>"]}]}"#, "null"),
    row("ssm", "SendCommand", Write, [2, 0, 1, 3, 1, 0, 0], r#"{"documentName":"AWS-RunShellScript","instanceIds":["i-0<hex:16>"],"parameters":"HIDDEN_DUE_TO_SECURITY_REASONS","interactive":false,"comment":"<resource>"}"#, r#"{"command":{"commandId":"<uuid>","documentName":"AWS-RunShellScript","documentVersion":"$DEFAULT","comment":"<resource>","instanceIds":["i-0<hex:16>"],"status":"Pending","statusDetails":"Pending","outputS3Region":"<region>","maxConcurrency":"50","maxErrors":"0","targetCount":1,"completedCount":0,"errorCount":0}}"#),
    // logs and metrics
    row("logs", "CreateLogStream", Write, [0, 20, 120, 2, 2, 4, 40], r#"{"logGroupName":"/aws/lambda/<resource>","logStreamName":"2026/11/25/[$LATEST]<hex:32>"}"#, "null"),
    row("logs", "DescribeLogGroups", Read, [24, 6, 4, 30, 6, 10, 0], r#"{"logGroupNamePrefix":"/aws/","limit":50}"#, "null"),
    row("logs", "DescribeLogStreams", Read, [20, 40, 6, 6, 6, 12, 0], r#"{"logGroupName":"/aws/lambda/<resource>","orderBy":"LastEventTime","descending":true,"limit":50}"#, "null"),
    row("logs", "StartQuery", Read, [10, 0, 1, 0, 1, 1, 0], r#"{"logGroupIdentifiers":["arn:<partition>:logs:<region>:<account>:log-group:/aws/lambda/<resource>"],"startTime":<number:60000>,"endTime":<number:60000>,"queryString":"***"}"#, r#"{"queryId":"<uuid>"}"#),
    row("monitoring", "DescribeAlarms", Read, [20, 14, 6, 30, 20, 2, 0], r#"{"alarmNamePrefix":"<resource>","maxRecords":100}"#, "null"),
    row("monitoring", "PutMetricAlarm", Write, [1, 2, 1, 8, 0, 0, 4], r#"{"alarmName":"<resource>-<hex:8>","actionsEnabled":true,"alarmActions":["arn:<partition>:sns:<region>:<account>:<resource>"],"metricName":"CPUUtilization","namespace":"AWS/ECS","statistic":"Average","dimensions":[{"name":"ServiceName","value":"<resource>"}],"period":60,"evaluationPeriods":3,"threshold":75,"comparisonOperator":"GreaterThanThreshold"}"#, "null"),
    row("health", "DescribeEventAggregates", Read, [30, 0, 0, 0, 6, 2, 0], r#"{"aggregateField":"eventTypeCategory","filter":{"eventStatusCodes":["open","upcoming"],"startTimes":[{"from":"Nov 18, 2026, 9:00:00 AM"}]}}"#, "null"),
    // lambda, containers, data
    row("lambda", "Invoke", DataWrite, [2, 20, 30, 2, 8, 4, 30], r#"{"functionName":"arn:<partition>:lambda:<region>:<account>:function:<resource>","invocationType":"RequestResponse","sourceArn":"arn:<partition>:execute-api:<region>:<account>:<hex:10>/*"}"#, "null").with(r#","resources":[{"accountId":"<account>","type":"AWS::Lambda::Function","ARN":"arn:<partition>:lambda:<region>:<account>:function:<resource>"}],"additionalEventData":{"functionVersion":"arn:<partition>:lambda:<region>:<account>:function:<resource>:$LATEST"}"#),
    row("lambda", "GetFunction20150331v2", Read, [16, 2, 2, 40, 6, 1, 0], r#"{"functionName":"<resource>"}"#, "null"),
    row("lambda", "ListFunctions20150331", Read, [20, 0, 0, 6, 6, 0, 0], r#"{"maxItems":50}"#, "null"),
    row("lambda", "UpdateFunctionCode20150331v2", Write, [1, 0, 0, 8, 1, 0, 0], r#"{"functionName":"<resource>","s3Bucket":"<bucket>","s3Key":"<key>","publish":false,"dryRun":false}"#, r#"{"functionName":"<resource>","functionArn":"arn:<partition>:lambda:<region>:<account>:function:<resource>","runtime":"python3.13","role":"arn:<partition>:iam::<account>:role/<resource>","handler":"app.handler","codeSize":<number:60000>,"description":"","timeout":30,"memorySize":512,"codeSha256":"<blob:44>","version":"$LATEST","environment":{},"tracingConfig":{"mode":"PassThrough"},"revisionId":"<uuid>","state":"Active","lastUpdateStatus":"InProgress","packageType":"Zip","architectures":["arm64"],"ephemeralStorage":{"size":512},"loggingConfig":{"logFormat":"Text","logGroup":"/aws/lambda/<resource>"}}"#),
    row("batch", "SubmitJob", Write, [1, 10, 56, 2, 10, 6, 0], r#"{"jobName":"<resource>","jobQueue":"arn:<partition>:batch:<region>:<account>:job-queue/<resource>","jobDefinition":"<resource>:<number:90>","parameters":{},"containerOverrides":{"environment":<items>}}"#, r#"{"jobArn":"arn:<partition>:batch:<region>:<account>:job/<uuid>","jobName":"<resource>","jobId":"<uuid>"}"#),
    row("ecs", "DescribeTasks", Read, [10, 40, 6, 40, 6, 0, 2], r#"{"cluster":"<resource>","tasks":["arn:<partition>:ecs:<region>:<account>:task/<resource>/<hex:32>"],"include":["TAGS"]}"#, "null"),
    row("ecs", "DescribeServices", Read, [14, 20, 4, 70, 6, 0, 4], r#"{"cluster":"<resource>","services":["<resource>"]}"#, "null"),
    row("ecs", "RegisterTaskDefinition", Write, [0, 0, 0, 6, 0, 0, 0], r#"{"family":"<resource>","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"512","memory":"1024","executionRoleArn":"arn:<partition>:iam::<account>:role/<resource>","containerDefinitions":<items>}"#, r#"{"taskDefinition":{"taskDefinitionArn":"arn:<partition>:ecs:<region>:<account>:task-definition/<resource>:<number:900>","family":"<resource>","revision":<number:900>,"volumes":[],"status":"ACTIVE","networkMode":"awsvpc","containerDefinitions":<items>}}"#),
    row("ecs", "SubmitTaskStateChange", Write, [0, 0, 0, 0, 0, 0, 30], r#"{"cluster":"<resource>","task":"<hex:32>","status":"RUNNING","containers":[{"containerName":"<resource>","status":"RUNNING"}],"pullStartedAt":"Nov 25, 2026, 9:00:00 AM"}"#, r#"{"acknowledgment":"ACCEPT"}"#),
    row("eks", "DescribeCluster", Read, [12, 20, 0, 40, 6, 0, 2], r#"{"name":"<resource>"}"#, "null"),
    row("eks", "ListNodegroups", Read, [8, 4, 0, 16, 2, 0, 0], r#"{"name":"<resource>","maxResults":100}"#, "null"),
    row("ecr", "GetAuthorizationToken", Read, [3, 20, 0, 20, 2, 4, 6], "null", "null"),
    row("ecr", "BatchGetImage", Read, [2, 30, 2, 10, 2, 4, 40], r#"{"registryId":"<account>","repositoryName":"<resource>","imageIds":[{"imageDigest":"sha256:<hex:64>"}],"acceptedMediaTypes":["application/vnd.docker.distribution.manifest.v2+json","application/vnd.oci.image.manifest.v1+json"]}"#, "null").with(r#","resources":[{"accountId":"<account>","ARN":"arn:<partition>:ecr:<region>:<account>:repository/<resource>"}]"#),
    row("dynamodb", "DescribeTable", Read, [14, 30, 20, 30, 8, 0, 4], r#"{"tableName":"<resource>"}"#, "null").with(r#","apiVersion":"2012-08-10","resources":[{"accountId":"<account>","type":"AWS::DynamoDB::Table","ARN":"arn:<partition>:dynamodb:<region>:<account>:table/<resource>"}]"#),
    row("dynamodb", "GetItem", DataRead, [0, 30, 50, 0, 4, 0, 0], r#"{"tableName":"<resource>","key":{"pk":"HIDDEN_DUE_TO_SECURITY_REASONS"},"consistentRead":false}"#, "null").with(r#","resources":[{"accountId":"<account>","type":"AWS::DynamoDB::Table","ARN":"arn:<partition>:dynamodb:<region>:<account>:table/<resource>"}]"#),
    row("rds", "DescribeDBInstances", Read, [20, 10, 6, 20, 16, 0, 0], r#"{"dBInstanceIdentifier":"<resource>"}"#, "null"),
    row("cloudformation", "DescribeStacks", Read, [14, 4, 2, 50, 4, 4, 0], r#"{"stackName":"arn:<partition>:cloudformation:<region>:<account>:stack/<resource>/<uuid>"}"#, "null"),
    row("cloudformation", "CreateChangeSet", Write, [1, 0, 0, 4, 0, 0, 0], r#"{"stackName":"<resource>","changeSetName":"<resource>-<hex:8>","capabilities":["CAPABILITY_NAMED_IAM"],"changeSetType":"UPDATE","templateURL":"https://<bucket>.s3.<region>.amazonaws.com/<key>","parameters":[{"parameterKey":"Environment","parameterValue":"HIDDEN_DUE_TO_SECURITY_REASONS"}],"tags":[{"key":"team","value":"<resource>"}]}"#, r#"{"id":"arn:<partition>:cloudformation:<region>:<account>:changeSet/<resource>/<uuid>","stackId":"arn:<partition>:cloudformation:<region>:<account>:stack/<resource>/<uuid>"}"#),
    row("config", "PutEvaluations", Write, [0, 0, 6, 0, 0, 0, 6], r#"{"evaluations":<items>,"resultToken":"<blob:200>","testMode":false}"#, r#"{"failedEvaluations":[]}"#),
    row("dms", "CreateEndpoint", Write, [0, 0, 0, 1, 0, 0, 0], r#"{"endpointIdentifier":"<resource>","endpointType":"source","engineName":"postgres","username":"replication","serverName":"<resource>.<hex:12>.<region>.rds.amazonaws.com","port":5432,"databaseName":"orders"}"#, r#"{"endpoint":{"endpointIdentifier":"<resource>","endpointType":"SOURCE","engineName":"postgres","status":"active","endpointArn":"arn:<partition>:dms:<region>:<account>:endpoint:<base:26>"}}"#),
    row("codepipeline", "StartPipelineExecution", Write, [1, 0, 1, 4, 0, 0, 2], r#"{"name":"<resource>","clientRequestToken":"<uuid>"}"#, r#"{"pipelineExecutionId":"<uuid>"}"#),
    row("signin", "ConsoleLogin", Write, [2, 0, 0, 0, 1, 0, 0], "null", r#"{"ConsoleLogin":"Success"}"#).with(r#","additionalEventData":{"LoginTo":"https://console.aws.amazon.com/console/home?state=hashArgs%23&isauthcode=true","MobileVersion":"No","MFAUsed":"Yes"}"#),
    // What only an attack does here.
    row("cloudtrail", "StopLogging", Write, [0; 7], r#"{"name":"arn:<partition>:cloudtrail:<region>:<account>:trail/<resource>"}"#, "null"),
];

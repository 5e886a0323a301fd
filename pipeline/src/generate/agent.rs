//! User agents.

use super::organisation::{Actor, Kind};

/// Agents of people, by habit.
const AGENTS_HUMAN: [&str; 6] = [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "aws-cli/2.32.3 md/awscrt#0.28.4 ua/2.1 os/macos#25.1.0 md/arch#arm64 lang/python#3.13.9 md/pyimpl#CPython m/b,E,Z,g cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#sts.get-caller-identity",
    "aws-cli/2.31.1 md/awscrt#0.27.6 ua/2.1 os/linux#6.1.147 md/arch#x86_64 lang/python#3.13.7 md/pyimpl#CPython m/E,b,Z,C cfg/retry-mode#standard md/installer#exe md/distrib#ubuntu.24 md/prompt#off",
    "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.488 Linux/5.10.184 OpenJDK_64-Bit_Server_VM/25.372-b08 java/1.8.0_372 vendor/Oracle_Corporation cfg/retry-mode/standard]",
];
/// Agents of programs.
const AGENTS_PROGRAM: [&str; 6] = [
    "Boto3/1.40.61 md/Botocore#1.40.61 ua/2.1 os/linux#6.1.155 md/arch#aarch64 lang/python#3.13.5 md/pyimpl#CPython exec-env/AWS_Lambda_python3.13 m/b,Z,D cfg/retry-mode#legacy Botocore/1.40.61",
    "aws-sdk-java/2.35.7 md/io#async md/http#NettyNio ua/2.1 os/Linux#6.1.155 lang/java#21.0.8 md/OpenJDK_64-Bit_Server_VM#21.0.8 md/vendor#Amazon.com_Inc. m/F,n",
    "aws-sdk-go-v2/1.39.4 ua/2.1 os/linux lang/go#1.25.2 md/GOOS#linux md/GOARCH#arm64 m/E,n",
    "aws-sdk-js/3.915.0 ua/2.1 os/linux#6.1.155 lang/js md/nodejs#22.20.0 exec-env/AWS_ECS_FARGATE m/E,n",
    "aws-sdk-go/1.55.8 (go1.24.6; linux; amd64) amazon-ssm-agent/",
    "Boto3/1.26.165 Python/3.10.6 Linux/5.19.0-46-generic Botocore/1.29.165",
];
/// Agents of deployment.
const AGENTS_PIPELINE: [&str; 2] = [
    "APN/1.0 HashiCorp/1.0 Terraform/1.13.4 (+https://www.terraform.io) terraform-provider-aws/6.18.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.39.4 ua/2.1 os/linux lang/go#1.24.6 md/GOOS#linux md/GOARCH#amd64",
    "aws-cli/2.31.1 md/awscrt#0.27.6 ua/2.1 os/linux#6.11.0-1018-azure md/arch#x86_64 lang/python#3.13.7 md/pyimpl#CPython exec-env/GitHub_Actions m/E,b,Z cfg/retry-mode#standard md/installer#exe md/distrib#ubuntu.24",
];

/// What an actor calls with: each keeps to its habit.
pub(super) fn of(actor: &Actor) -> &'static str {
    let habit = (actor.unique >> 32) as usize;
    match actor.kind {
        Kind::SingleSignOn | Kind::Root => AGENTS_HUMAN[habit % AGENTS_HUMAN.len()],
        Kind::Deployment => AGENTS_PIPELINE[habit % AGENTS_PIPELINE.len()],
        _ => AGENTS_PROGRAM[habit % AGENTS_PROGRAM.len()],
    }
}

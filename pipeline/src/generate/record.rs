//! A call, rendered as CloudTrail writes it.

use std::io::Write;

use floodmark_detectors::time::EventTime;

use super::odd::{Odd, Odds};
use super::operation::Operation;
use super::organisation::{Account, Actor, Kind, Organisation, REGIONS};
use super::random::{Concern, Random, mix, quantile};
use super::template::{Hole, Piece, Template};
use super::{Call, Outcome, Quirk, identity};

/// Instance types by place.
const MACHINES: [&str; 11] = [
    "ml.m5.large",
    "ml.m5.xlarge",
    "ml.c5.2xlarge",
    "ml.t3.medium",
    "ml.g5.xlarge",
    "ml.g5.12xlarge",
    "ml.g4dn.xlarge",
    "ml.g6.xlarge",
    "ml.p3.2xlarge",
    "ml.p4d.24xlarge",
    "ml.p5.48xlarge",
];
/// Those without accelerators come first.
pub(super) const MACHINES_PLAIN: u64 = 4;

/// The place of an instance type that is known to be in the table.
pub(super) fn machine(name: &str) -> u8 {
    let place = MACHINES.iter().position(|machine| *machine == name);
    place.unwrap_or_else(|| panic!("no instance type {name}")) as u8
}

const WORDS: [&str; 16] = [
    "churn",
    "ranking",
    "forecast",
    "embedding",
    "anomaly",
    "pricing",
    "vision",
    "speech",
    "orders",
    "ledger",
    "customer",
    "stock",
    "routing",
    "consent",
    "session",
    "basket",
];
const STEPS: [&str; 8] = [
    "train", "eval", "prep", "score", "export", "nightly", "daily", "model",
];

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

/// First octets of addresses that people and their networks come from.
const PEOPLE_NETWORKS: [u64; 12] = [24, 62, 73, 77, 81, 86, 91, 109, 151, 178, 188, 212];

/// Bytes of a policy, of 10,000: mostly a few statements, rarely as much as CloudTrail keeps
/// (`requestParameters` is cut at 100 KB).
const POLICY_BYTES: [(u64, u64); 6] = [
    (0, 300),
    (5_000, 1_400),
    (9_000, 5_500),
    (9_900, 14_000),
    (9_990, 40_000),
    (10_000, 107_000),
];
/// Entries of a list, of 10,000.
const ITEMS: [(u64, u64); 6] = [
    (0, 1),
    (5_000, 6),
    (8_000, 26),
    (9_500, 50),
    (9_950, 100),
    (10_000, 900),
];

/// Renders calls.
pub(super) struct Renderer {
    pub(super) organisation: Organisation,
    odds: Odds,
}

/// What the holes of one record are filled from.
struct Scope<'a> {
    call: &'a Call,
    actor: &'a Actor,
    account: &'a Account,
    random: Random,
}

impl Renderer {
    pub(super) fn new(organisation: Organisation) -> Renderer {
        Renderer {
            organisation,
            odds: Odds::new(),
        }
    }

    /// Appends the record of a call: the same bytes for the same call, always.
    pub(super) fn render(&self, call: &Call, out: &mut Vec<u8>) {
        let organisation = &self.organisation;
        let actor = organisation.actor(call);
        let account = organisation.account(actor);
        let random = Random::of(organisation.seed, Concern::Record, call.id);
        let mut scope = Scope {
            call,
            actor,
            account,
            random,
        };
        let mut identity = None;
        if let Quirk::Odd(odd) = call.quirk {
            let odd = self.odds.of(odd);
            if let Some(whole) = &odd.whole {
                scope.fill(whole, out);
                return;
            }
            identity = odd.identity.as_ref();
        }
        scope.write(organisation.operations.at(call.operation), identity, out);
    }
}

impl Scope<'_> {
    fn write(&mut self, operation: &Operation, identity: Option<&Template>, out: &mut Vec<u8>) {
        let (call, actor, account) = (self.call, self.actor, self.account);
        put(out, &["{\"eventVersion\":\"1.11\","]);
        match identity {
            Some(template) => self.fill(template, out),
            None => identity::write(
                out,
                actor,
                account,
                self.session(),
                call.time,
                call.quirk.invoked_by(),
            ),
        }
        self.write_time(out);
        put(
            out,
            &[
                "\"eventSource\":\"",
                operation.service,
                ".amazonaws.com\",\"eventName\":\"",
            ],
        );
        put(out, &[operation.name, "\",\"awsRegion\":\"", self.region()]);
        self.write_source(out);
        self.write_agent(out);
        self.write_outcome(operation, out);
        self.write_parameters(operation, out);
        put(out, &[",\"requestID\":\""]);
        self.put_uuid(out);
        put(out, &["\",\"eventID\":\""]);
        self.put_uuid(out);
        let texts = call.quirk == Quirk::Odd(Odd::TextBooleans);
        put(
            out,
            &[
                "\",\"readOnly\":",
                boolean(operation.access.is_read(), texts),
            ],
        );
        self.fill(&operation.extra, out);
        let event_type = if operation.service == "signin" {
            "AwsConsoleSignIn"
        } else {
            "AwsApiCall"
        };
        put(
            out,
            &[",\"eventType\":\"", event_type, "\",\"managementEvent\":"],
        );
        put(out, &[boolean(operation.access.is_management(), texts)]);
        put(out, &[",\"recipientAccountId\":\"", &account.id]);
        if actor.kind == Kind::Service {
            put(out, &["\",\"sharedEventID\":\""]);
            self.put_uuid(out);
        }
        let category = if operation.access.is_management() {
            "Management"
        } else {
            "Data"
        };
        put(out, &["\",\"eventCategory\":\"", category, "\""]);
        let forwarded = call.quirk.invoked_by().is_some() || actor.kind == Kind::Service;
        if !forwarded {
            put(
                out,
                &[
                    ",\"tlsDetails\":{\"tlsVersion\":\"TLSv1.3\",\"cipherSuite\":\"TLS_AES_128_GCM_SHA256\",\"clientProvidedHostHeader\":\"",
                ],
            );
            put(
                out,
                &[operation.service, ".", self.region(), ".amazonaws.com\"}"],
            );
        }
        if self.at_console() {
            put(out, &[",\"sessionCredentialFromConsole\":\"true\""]);
        }
        out.push(b'}');
    }

    fn write_time(&mut self, out: &mut Vec<u8>) {
        let Call { time, quirk, .. } = *self.call;
        if quirk == Quirk::Odd(Odd::LogstashTime) {
            put(out, &["\"@timestamp\":\""]);
            put_time(out, time);
            out.pop();
            put(out, &[".000Z\",\"@version\":\"1\","]);
            return;
        }
        put(out, &["\"eventTime\":\""]);
        let begin = out.len();
        put_time(out, time);
        if quirk == Quirk::Odd(Odd::TimeWithSpace) {
            out.pop();
            out[begin + 10] = b' ';
        }
        put(out, &["\","]);
    }

    fn region(&self) -> &'static str {
        REGIONS[usize::from(self.call.region)]
    }

    fn write_source(&mut self, out: &mut Vec<u8>) {
        put(out, &["\",\"sourceIPAddress\":\""]);
        match self.call.quirk {
            Quirk::Odd(Odd::SourceInternal) => put(out, &["AWS Internal"]),
            Quirk::Odd(Odd::SourceEmpty) => {}
            Quirk::Odd(Odd::SourceService) => put(out, &["cloudformation.amazonaws.com"]),
            Quirk::Odd(Odd::SourcePadded) => self.put_address(out, true),
            Quirk::Odd(Odd::SourceList) => {
                self.put_address(out, false);
                put(out, &[", 10.0.12.7"]);
            }
            quirk => match quirk.invoked_by() {
                Some(service) => put(out, &[service]),
                None if self.actor.kind == Kind::Service => {
                    put(out, &[&self.actor.name, ".amazonaws.com"]);
                }
                None => self.put_address(out, false),
            },
        }
    }

    /// The address of the session: one network for a key, always. Machines call from inside a VPC
    /// or through its way out; people from their offices.
    fn put_address(&mut self, out: &mut Vec<u8>, padded: bool) {
        let roaming = self.call.quirk == Quirk::Roaming;
        let session = if roaming {
            self.call.session
        } else {
            self.session()
        };
        let unique = self.actor.session(session);
        let octet = |shift: u32| unique >> shift & 0xff;
        let octets = match self.actor.kind {
            Kind::Instance | Kind::Task | Kind::Pod if octet(0) < 100 => {
                [10, octet(8), octet(16), octet(24)]
            }
            Kind::SingleSignOn | Kind::User | Kind::Root => {
                let first = PEOPLE_NETWORKS[(unique % 12) as usize];
                // Neighbouring sessions differ in the third octet, so that networks differ.
                [
                    first,
                    octet(8),
                    (octet(16) & 0xf0) | u64::from(session & 0xf),
                    octet(24),
                ]
            }
            _ => [52, 16 + (octet(8) & 0x7f), octet(16), octet(24)],
        };
        for (place, octet) in octets.into_iter().enumerate() {
            if place > 0 {
                out.push(b'.');
            }
            if padded && octet < 100 {
                out.push(b'0');
            }
            put_number(out, octet);
        }
    }

    fn write_agent(&mut self, out: &mut Vec<u8>) {
        put(out, &["\",\"userAgent\":"]);
        let listed = self.call.quirk == Quirk::Odd(Odd::AgentList);
        if listed {
            out.push(b'[');
        }
        out.push(b'"');
        match self.call.quirk.invoked_by() {
            Some(service) => put(out, &[service]),
            None if self.actor.kind == Kind::Service => {
                put(out, &[&self.actor.name, ".amazonaws.com"])
            }
            None => put(out, &[self.agent()]),
        }
        out.push(b'"');
        if listed {
            out.push(b']');
        }
    }

    fn agent(&self) -> &'static str {
        let habit = (self.actor.unique >> 32) as usize;
        match self.actor.kind {
            Kind::SingleSignOn | Kind::Root => AGENTS_HUMAN[habit % AGENTS_HUMAN.len()],
            Kind::Deployment => AGENTS_PIPELINE[habit % AGENTS_PIPELINE.len()],
            _ => AGENTS_PROGRAM[habit % AGENTS_PROGRAM.len()],
        }
    }

    fn at_console(&self) -> bool {
        self.actor.kind == Kind::SingleSignOn && self.agent().starts_with("Mozilla")
    }

    fn write_outcome(&mut self, operation: &Operation, out: &mut Vec<u8>) {
        let (service, name) = (operation.service, operation.name);
        match self.call.outcome {
            Outcome::Success => {
                if self.call.quirk == Quirk::Odd(Odd::CodeOnSuccess) {
                    put(out, &[",\"errorCode\":\"200\""]);
                }
            }
            Outcome::Throttled => {
                put(
                    out,
                    &[",\"errorCode\":\"ThrottlingException\",\"errorMessage\":\"Rate exceeded\""],
                );
            }
            Outcome::Denied => {
                let code = if service == "ec2" {
                    "Client.UnauthorizedOperation"
                } else {
                    "AccessDenied"
                };
                put(
                    out,
                    &[
                        ",\"errorCode\":\"",
                        code,
                        "\",\"errorMessage\":\"User: arn:",
                    ],
                );
                put(
                    out,
                    &[
                        self.account.partition(),
                        ":sts::",
                        &self.account.id,
                        ":assumed-role/",
                    ],
                );
                put(
                    out,
                    &[
                        &self.actor.name,
                        " is not authorized to perform: ",
                        service,
                        ":",
                        name,
                    ],
                );
                put(
                    out,
                    &[
                        " because no identity-based policy allows the ",
                        service,
                        ":",
                        name,
                    ],
                );
                put(out, &[" action\""]);
            }
            Outcome::NotFound => {
                put(
                    out,
                    &[
                        ",\"errorCode\":\"ResourceNotFoundException\",\"errorMessage\":\"Requested resource not found\"",
                    ],
                );
            }
            Outcome::LimitExceeded => {
                put(
                    out,
                    &[
                        ",\"errorCode\":\"ResourceLimitExceeded\",\"errorMessage\":\"The account-level service limit '",
                    ],
                );
                put(
                    out,
                    &[
                        MACHINES[usize::from(self.call.machine)],
                        " for training job usage' is 0 Instances, with current utilization of 0 Instances and a request delta of ",
                    ],
                );
                put_number(out, u64::from(self.call.count));
                put(
                    out,
                    &[
                        " Instances. Please use AWS Service Quotas to request an increase for this quota.\"",
                    ],
                );
            }
        }
    }

    fn write_parameters(&mut self, operation: &Operation, out: &mut Vec<u8>) {
        let hidden = match self.call.outcome {
            Outcome::Denied => self.random.chance(3, 5),
            Outcome::Throttled => true,
            Outcome::Success | Outcome::NotFound | Outcome::LimitExceeded => false,
        };
        put(out, &[",\"requestParameters\":"]);
        match self.call.quirk {
            Quirk::Odd(Odd::TextParameters) => {
                put(out, &["\"{filter=[], maxResults=100, requestId=\\\""]);
                self.put_uuid(out);
                put(out, &["\\\"}\""]);
            }
            _ if hidden => put(out, &["null"]),
            _ => self.fill(&operation.request, out),
        }
        put(out, &[",\"responseElements\":"]);
        match (self.call.quirk, self.call.outcome) {
            (Quirk::Odd(Odd::NarrowSpace), _) => {
                put(
                    out,
                    &["{\"createdAt\":\"Nov 25, 2026, 9:00:00\u{202f}AM\"}"],
                );
            }
            (Quirk::Odd(Odd::EmptyResponse), _) => put(out, &["{}"]),
            (_, Outcome::Success) => self.fill(&operation.response, out),
            _ => put(out, &["null"]),
        }
    }

    /// The session that names and key come from: with [`Quirk::Roaming`] it stays the first.
    fn session(&self) -> u16 {
        if self.call.quirk == Quirk::Roaming {
            0
        } else {
            self.call.session
        }
    }

    /// Walks a template.
    fn fill(&mut self, template: &Template, out: &mut Vec<u8>) {
        for piece in &template.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Hole(hole) => self.fill_hole(*hole, out),
            }
        }
    }

    fn fill_hole(&mut self, hole: Hole, out: &mut Vec<u8>) {
        match hole {
            Hole::Account => put(out, &[&self.account.id]),
            Hole::Partition => put(out, &[self.account.partition()]),
            Hole::Region => put(out, &[self.region()]),
            Hole::Actor => put(out, &[&self.actor.name]),
            Hole::Resource => put_resource(out, self.call.resource),
            Hole::Machine => put(out, &[MACHINES[usize::from(self.call.machine)]]),
            Hole::Count => put_number(out, u64::from(self.call.count)),
            Hole::Tenth => put_number(out, u64::from(self.call.count / 10).max(1)),
            Hole::Domain => put(out, &[&self.account.domain]),
            Hole::Time => put_time(out, self.call.time),
            Hole::Bucket => {
                put(
                    out,
                    &[
                        "example-",
                        WORDS[(self.call.resource % 16) as usize],
                        "-",
                        &self.account.id,
                    ],
                );
            }
            Hole::Key => {
                put(
                    out,
                    &[WORDS[(self.call.id % 16) as usize], "/2026/11/25/part-"],
                );
                self.put_uuid(out);
                put(out, &[".parquet"]);
            }
            Hole::Address => self.put_address(out, false),
            Hole::Uuid => self.put_uuid(out),
            Hole::Hex(digits) => self.repeat(digits, 16, out, put_hex),
            Hole::Base(letters) => self.repeat(letters, 12, out, put_base),
            Hole::Blob(letters) => self.repeat(letters, 10, out, put_blob),
            Hole::Number(below) => {
                let number = self.random.below(u64::from(below));
                put_number(out, number);
            }
            Hole::Policy => self.put_policy(out),
            Hole::Items => self.put_items(out),
        }
    }

    /// Appends `length` characters, a number's worth of at most `most` at a time.
    fn repeat(
        &mut self,
        length: u16,
        most: u16,
        out: &mut Vec<u8>,
        put: fn(&mut Vec<u8>, u64, u16),
    ) {
        let mut left = length;
        while left > 0 {
            put(out, self.random.next(), left.min(most));
            left = left.saturating_sub(most);
        }
    }

    fn put_uuid(&mut self, out: &mut Vec<u8>) {
        let (high, low) = (self.random.next(), self.random.next());
        put_hex(out, high, 8);
        out.push(b'-');
        put_hex(out, high >> 32, 4);
        put(out, &["-4"]);
        put_hex(out, high >> 48, 3);
        put(out, &["-", ["8", "9", "a", "b"][(low >> 62) as usize]]);
        put_hex(out, low >> 48, 3);
        out.push(b'-');
        put_hex(out, low, 12);
    }

    fn put_policy(&mut self, out: &mut Vec<u8>) {
        let end = out.len() + quantile(&POLICY_BYTES, &mut self.random) as usize;
        put(
            out,
            &["{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":["],
        );
        loop {
            put(
                out,
                &[
                    "{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":[\\\"s3:GetObject\\\",\\\"s3:PutObject\\\"],\\\"Resource\\\":\\\"arn:aws:s3:::example-",
                ],
            );
            put_hex(out, self.random.next(), 16);
            put(out, &["/*\\\"}"]);
            if out.len() >= end {
                break;
            }
            out.push(b',');
        }
        put(out, &["]}"]);
    }

    fn put_items(&mut self, out: &mut Vec<u8>) {
        let items = quantile(&ITEMS, &mut self.random);
        for item in 0..items {
            put(
                out,
                &[if item == 0 { "[" } else { "," }, "{\"resourceId\":\"i-0"],
            );
            put_hex(out, self.random.next(), 16);
            put(out, &["\",\"state\":\"running\",\"subnetId\":\"subnet-0"]);
            put_hex(out, self.random.next(), 16);
            put(out, &["\",\"complianceType\":\"COMPLIANT\"}"]);
        }
        out.push(b']');
    }
}

impl Quirk {
    /// The service that called in the actor's name.
    fn invoked_by(self) -> Option<&'static str> {
        match self {
            Quirk::Forwarded => Some("cloudformation.amazonaws.com"),
            Quirk::Scaling => Some("application-autoscaling.amazonaws.com"),
            Quirk::None | Quirk::Roaming | Quirk::Odd(_) => None,
        }
    }
}

fn boolean(value: bool, as_text: bool) -> &'static str {
    match (value, as_text) {
        (true, false) => "true",
        (false, false) => "false",
        (true, true) => "\"True\"",
        (false, true) => "\"false\"",
    }
}

/// Appends texts.
pub(super) fn put(out: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Appends a decimal number.
pub(super) fn put_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let (mut at, mut left) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends the low digits of a number in hexadecimal.
pub(super) fn put_hex(out: &mut Vec<u8>, number: u64, digits: u16) {
    put_letters(out, number, digits, b"0123456789abcdef", 4);
}

/// Appends capitals and digits, as in AWS's ids, at most 24.
pub(super) fn put_base(out: &mut Vec<u8>, number: u64, letters: u16) {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    put_letters(out, number, letters.min(12), LETTERS, 5);
    put_letters(out, mix(number, 0), letters.saturating_sub(12), LETTERS, 5);
}

/// Appends what looks like base64, at most 10 characters.
fn put_blob(out: &mut Vec<u8>, number: u64, letters: u16) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    put_letters(out, number, letters, LETTERS, 6);
}

fn put_letters<const N: usize>(
    out: &mut Vec<u8>,
    number: u64,
    count: u16,
    letters: &[u8; N],
    bits: u32,
) {
    let letter = |place: u32| letters[(number >> (place * bits)) as usize % N];
    out.extend((0..u32::from(count)).map(letter));
}

/// Appends a time as CloudTrail writes it.
pub(super) fn put_time(out: &mut Vec<u8>, time: EventTime) {
    write!(out, "{time}").expect("a vector takes every byte");
}

/// Appends the name of a thing, made from its number, so that two numbers are two names.
fn put_resource(out: &mut Vec<u8>, number: u32) {
    let (word, step) = (number % 16, number / 16 % 8);
    put(out, &[WORDS[word as usize], "-", STEPS[step as usize], "-"]);
    put_number(out, 1_000 + u64::from(number));
}

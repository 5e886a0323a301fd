//! A call, rendered as CloudTrail writes it.

use super::odd::{Odd, Odds};
use super::operation::Operation;
use super::organisation::{Account, Actor, Kind, Organisation, REGIONS};
use super::random::{Concern, Random};
use super::template::Template;
use super::text::{put, put_number, put_time};
use super::{Call, Outcome, Quirk, agent, identity};

/// Instance types by place.
pub(super) const MACHINES: [&str; 11] = [
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

/// First octets of addresses that people and their networks come from.
const PEOPLE_NETWORKS: [u64; 12] = [24, 62, 73, 77, 81, 86, 91, 109, 151, 178, 188, 212];

/// Renders calls.
pub(super) struct Renderer {
    pub(super) organisation: Organisation,
    odds: Odds,
}

/// What the holes of one record are filled from.
pub(super) struct Scope<'a> {
    pub(super) call: &'a Call,
    pub(super) actor: &'a Actor,
    pub(super) account: &'a Account,
    pub(super) random: Random,
}

impl Renderer {
    pub(super) fn new(organisation: Organisation) -> Renderer {
        Renderer { organisation, odds: Odds::new() }
    }

    /// Appends the record of a call: the same bytes for the same call, always.
    pub(super) fn render(&self, call: &Call, out: &mut Vec<u8>) {
        let organisation = &self.organisation;
        let actor = organisation.actor(call);
        let account = organisation.account(actor);
        let random = Random::of(organisation.seed, Concern::Record, call.id);
        let mut scope = Scope { call, actor, account, random };
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
        put(out, &["\"eventSource\":\"", operation.service, ".amazonaws.com\",\"eventName\":\""]);
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
        put(out, &["\",\"readOnly\":", boolean(operation.access.is_read(), texts)]);
        self.fill(&operation.extra, out);
        let event_type =
            if operation.service == "signin" { "AwsConsoleSignIn" } else { "AwsApiCall" };
        put(out, &[",\"eventType\":\"", event_type, "\",\"managementEvent\":"]);
        put(out, &[boolean(operation.access.is_management(), texts)]);
        put(out, &[",\"recipientAccountId\":\"", &account.id]);
        if actor.kind == Kind::Service {
            put(out, &["\",\"sharedEventID\":\""]);
            self.put_uuid(out);
        }
        let category = if operation.access.is_management() { "Management" } else { "Data" };
        put(out, &["\",\"eventCategory\":\"", category, "\""]);
        let forwarded = call.quirk.invoked_by().is_some() || actor.kind == Kind::Service;
        if !forwarded {
            put(
                out,
                &[
                    ",\"tlsDetails\":{\"tlsVersion\":\"TLSv1.3\",\"cipherSuite\":\"TLS_AES_128_GCM_SHA256\",\"clientProvidedHostHeader\":\"",
                ],
            );
            put(out, &[operation.service, ".", self.region(), ".amazonaws.com\"}"]);
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

    pub(super) fn region(&self) -> &'static str {
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
    pub(super) fn put_address(&mut self, out: &mut Vec<u8>, padded: bool) {
        let roaming = self.call.quirk == Quirk::Roaming;
        let session = if roaming { self.call.session } else { self.session() };
        let unique = self.actor.session(session);
        let octet = |shift: u32| unique >> shift & 0xff;
        let octets = match self.actor.kind {
            Kind::Instance | Kind::Task | Kind::Pod if octet(0) < 100 => {
                [10, octet(8), octet(16), octet(24)]
            }
            // Notebooks and jobs of this organisation reach AWS through endpoints of their VPC.
            Kind::Execution => [10, octet(8), octet(16), octet(24)],
            Kind::SingleSignOn | Kind::User | Kind::Root => {
                let first = PEOPLE_NETWORKS[(unique % 12) as usize];
                // Neighbouring sessions differ in the third octet, so that networks differ.
                [first, octet(8), (octet(16) & 0xf0) | u64::from(session & 0xf), octet(24)]
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
            None => put(out, &[agent::of(self.actor)]),
        }
        out.push(b'"');
        if listed {
            out.push(b']');
        }
    }

    fn at_console(&self) -> bool {
        self.actor.kind == Kind::SingleSignOn && agent::of(self.actor).starts_with("Mozilla")
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
                let code =
                    if service == "ec2" { "Client.UnauthorizedOperation" } else { "AccessDenied" };
                put(out, &[",\"errorCode\":\"", code, "\",\"errorMessage\":\"User: arn:"]);
                put(out, &[self.account.partition(), ":sts::", &self.account.id, ":assumed-role/"]);
                put(
                    out,
                    &[&self.actor.name, " is not authorized to perform: ", service, ":", name],
                );
                put(out, &[" because no identity-based policy allows the ", service, ":", name]);
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
                put(out, &["{\"createdAt\":\"Nov 25, 2026, 9:00:00\u{202f}AM\"}"]);
            }
            (Quirk::Odd(Odd::EmptyResponse), _) => put(out, &["{}"]),
            (_, Outcome::Success) => self.fill(&operation.response, out),
            _ => put(out, &["null"]),
        }
    }

    /// The session that names and key come from: with [`Quirk::Roaming`] it stays the first.
    fn session(&self) -> u16 {
        if self.call.quirk == Quirk::Roaming { 0 } else { self.call.session }
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

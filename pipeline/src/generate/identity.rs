//! `userIdentity`: who CloudTrail says it was.

use floodmark_detectors::time::EventTime;

use super::organisation::{Account, Actor, Kind};
use super::random::mix;
use super::text::{put, put_base, put_hex, put_number, put_time};

/// Sessions are renewed this often, seconds.
const SESSION_SECS: i64 = 3_600;

/// Appends the field, with its comma.
pub(super) fn write(
    out: &mut Vec<u8>,
    actor: &Actor,
    account: &Account,
    session: u16,
    time: EventTime,
    invoked_by: Option<&str>,
) {
    match actor.kind {
        Kind::Service => {
            let name = &actor.name;
            put(out, &["\"userIdentity\":{\"type\":\"AWSService\",\"invokedBy\":\"", name]);
            put(out, &[".amazonaws.com\"},"]);
        }
        Kind::User => user(out, actor, account),
        Kind::Root => root(out, actor, account, time),
        _ => role(out, actor, account, session, time, invoked_by),
    }
}

fn user(out: &mut Vec<u8>, actor: &Actor, account: &Account) {
    let (partition, id, name) = (account.partition(), account.id.as_str(), actor.name.as_str());
    put(out, &["\"userIdentity\":{\"type\":\"IAMUser\",\"principalId\":\"AIDA"]);
    put_base(out, actor.unique, 17);
    put(out, &["\",\"arn\":\"arn:", partition, ":iam::", id, ":user/", name]);
    put(out, &["\",\"accountId\":\"", id, "\",\"accessKeyId\":\"AKIA"]);
    put_base(out, mix(actor.unique, 1), 16);
    put(out, &["\",\"userName\":\"", name, "\"},"]);
}

fn root(out: &mut Vec<u8>, actor: &Actor, account: &Account, time: EventTime) {
    let (partition, id) = (account.partition(), account.id.as_str());
    put(out, &["\"userIdentity\":{\"type\":\"Root\",\"principalId\":\"", id]);
    put(out, &["\",\"arn\":\"arn:", partition, ":iam::", id, ":root\",\"accountId\":\"", id]);
    put(out, &["\",\"accessKeyId\":\"ASIA"]);
    let begun = begun(actor, 0, time);
    put_base(out, mix(actor.unique, begun.0 as u64), 16);
    put(out, &["\",\"sessionContext\":{\"attributes\":{\"creationDate\":\""]);
    put_time(out, begun);
    put(out, &["\",\"mfaAuthenticated\":\"true\"}}},"]);
}

fn role(
    out: &mut Vec<u8>,
    actor: &Actor,
    account: &Account,
    session: u16,
    time: EventTime,
    invoked_by: Option<&str>,
) {
    let (partition, id, name) = (account.partition(), account.id.as_str(), actor.name.as_str());
    put(out, &["\"userIdentity\":{\"type\":\"AssumedRole\",\"principalId\":\"AROA"]);
    put_base(out, actor.unique, 17);
    put(out, &[":"]);
    session_name(out, actor, session);
    put(out, &["\",\"arn\":\"arn:", partition, ":sts::", id, ":assumed-role/", name, "/"]);
    session_name(out, actor, session);
    put(out, &["\",\"accountId\":\"", id, "\",\"accessKeyId\":\"ASIA"]);
    let begun = begun(actor, session, time);
    put_base(out, mix(actor.session(session), begun.0 as u64), 16);
    put(
        out,
        &["\",\"sessionContext\":{\"sessionIssuer\":{\"type\":\"Role\",\"principalId\":\"AROA"],
    );
    put_base(out, actor.unique, 17);
    put(out, &["\",\"arn\":\"arn:", partition, ":iam::", id, ":role/", actor.path(), name]);
    put(out, &["\",\"accountId\":\"", id, "\",\"userName\":\"", name, "\"},"]);
    if actor.kind == Kind::Pod {
        let provider = "oidc.eks.eu-west-1.amazonaws.com/id/";
        put(out, &["\"webIdFederationData\":{\"federatedProvider\":\"arn:", partition]);
        put(out, &[":iam::", id, ":oidc-provider/", provider]);
        let cluster = mix(u64::from(actor.account), actor.account.into());
        put_base(out, cluster, 16);
        put_base(out, mix(cluster, 1), 16);
        put(out, &["\",\"attributes\":{}},"]);
    }
    put(out, &["\"attributes\":{\"creationDate\":\""]);
    put_time(out, begun);
    let with_mfa = actor.kind == Kind::SingleSignOn && actor.unique.is_multiple_of(8);
    put(out, &["\",\"mfaAuthenticated\":\"", if with_mfa { "true" } else { "false" }, "\"}"]);
    match actor.kind {
        Kind::Instance => put(out, &[",\"ec2RoleDelivery\":\"2.0\"}"]),
        _ => put(out, &["}"]),
    }
    if let Some(service) = invoked_by {
        put(out, &[",\"invokedBy\":\"", service, "\""]);
    }
    put(out, &["},"]);
}

/// When the session began: sessions of one hour, each actor's at its own minute.
fn begun(actor: &Actor, session: u16, time: EventTime) -> EventTime {
    let minute = (actor.session(session) % SESSION_SECS as u64) as i64;
    EventTime((time.0 - minute).div_euclid(SESSION_SECS) * SESSION_SECS + minute)
}

/// What the session is called.
fn session_name(out: &mut Vec<u8>, actor: &Actor, session: u16) {
    let unique = actor.session(session);
    match actor.kind {
        Kind::SingleSignOn => {
            let (given, family) = Actor::person(unique);
            put(out, &[given, ".", family, "@example.com"]);
        }
        Kind::Instance => {
            put(out, &["i-0"]);
            put_hex(out, unique, 16);
        }
        Kind::Task => {
            put_hex(out, unique, 16);
            put_hex(out, actor.unique, 16);
        }
        Kind::Pod => {
            put(out, &["botocore-session-1"]);
            put_digits(out, unique);
        }
        Kind::Function => {
            let (before, _) = actor.name.rsplit_once("-ServiceRole").unwrap_or((&actor.name, ""));
            put(out, &[before]);
        }
        Kind::Deployment => put(out, &["GitHubActions"]),
        Kind::ServiceLinked => put(out, &["AutoScaling-ManageTargets"]),
        _ => put(out, &["SageMaker"]),
    }
}

fn put_digits(out: &mut Vec<u8>, unique: u64) {
    put_number(out, 700_000_000 + unique % 99_999_999);
}

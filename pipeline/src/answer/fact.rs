//! What the evidence of an alert says, in the order of the evidence: who, from where, what, on what.

use std::net::IpAddr;
use std::ops::ControlFlow;

use floodmark_detectors::alert::{Alert, Evidence};
use floodmark_detectors::field::{Fields, Path};
use floodmark_detectors::record::Record;
use floodmark_detectors::time::EventTime;
use serde_json::Value;

use crate::encode::redact::{self, Redacted};

/// Derived fields that answers need, without `floodmark.`.
const DERIVED: [&str; 13] = [
    "principal",
    "actor",
    "resource",
    "source_network",
    "source_class",
    "instances",
    "accelerators",
    "hourly_cost",
    "output_buckets",
    "model_buckets",
    "image_accounts",
    "passed_role_names",
    "policy_accounts",
];

/// Values of one derived field of one record.
const VALUES_MAX: usize = 16;

/// One record of the evidence, read and redacted.
pub(crate) struct Fact {
    /// The record without its secrets.
    pub(crate) redacted: Redacted,
    /// Its length as it came, bytes.
    pub(crate) bytes: usize,
    /// Event time.
    pub(crate) time: EventTime,
    /// Values by the place of their field in [`DERIVED`], redacted.
    derived: Vec<Vec<String>>,
}

/// The evidence in order of event time, the order that the engine gives it.
pub(crate) fn facts(alert: &Alert) -> Vec<Fact> {
    alert.evidence.iter().map(Fact::of).collect()
}

impl Fact {
    /// Reads one record.
    pub(crate) fn of(evidence: &Evidence) -> Fact {
        Fact {
            redacted: redact::record(&evidence.record),
            bytes: evidence.record.len(),
            time: evidence.time,
            derived: derived(&evidence.record),
        }
    }

    /// A member by its path, `/userIdentity/arn`.
    pub(crate) fn at(&self, path: &str) -> Option<&Value> {
        if self.redacted.is_excerpt {
            return None;
        }
        self.redacted.data.pointer(path)
    }

    /// A text that is not empty.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.at(path)?.as_str().filter(|text| !text.is_empty())
    }

    /// Yes or no, also where it is written as a text.
    pub(crate) fn flag(&self, path: &str) -> Option<bool> {
        let value = self.at(path)?;
        match value.as_str() {
            Some(text) => text.parse().ok(),
            None => value.as_bool(),
        }
    }

    /// The values of a derived field, named without `floodmark.`.
    pub(crate) fn derived(&self, name: &str) -> &[String] {
        let place = DERIVED.iter().position(|known| *known == name);
        place.and_then(|place| self.derived.get(place)).map_or(&[], Vec::as_slice)
    }

    /// A derived number.
    pub(crate) fn number(&self, name: &str) -> f64 {
        self.derived(name).first().and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// The account the record is about.
    pub(crate) fn account(&self) -> Option<&str> {
        self.text("/recipientAccountId").or_else(|| self.text("/userIdentity/accountId"))
    }

    /// What a person would call whoever acted: the user, the role, the service.
    pub(crate) fn actor(&self) -> Option<&str> {
        self.text("/userIdentity/userName")
            .or_else(|| self.text("/userIdentity/sessionContext/sessionIssuer/userName"))
            .or_else(|| {
                let arn = self.text("/userIdentity/arn")?;
                arn.rsplit(['/', ':']).next()
            })
            .or_else(|| self.text("/userIdentity/invokedBy"))
            .or_else(|| self.text("/userIdentity/principalId"))
    }

    /// The name of the session, where who acted is one.
    pub(crate) fn session(&self) -> Option<&str> {
        let arn = self.text("/userIdentity/arn").unwrap_or_default();
        let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
        let in_arn = resource.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').nth(1));
        let in_id =
            || self.text("/userIdentity/principalId")?.split_once(':').map(|(_, name)| name);
        in_arn.or_else(in_id).filter(|name| !name.is_empty())
    }

    /// The first address of `sourceIPAddress`, which may be a list.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.text("/sourceIPAddress")?.split(',').find_map(|part| part.trim().parse().ok())
    }

    /// The call was refused or failed.
    pub(crate) fn failed(&self) -> bool {
        self.text("/errorCode").is_some()
    }
}

fn derived(record: &[u8]) -> Vec<Vec<String>> {
    let Ok(record) = Record::decode(record) else {
        return Vec::new();
    };
    let fields = Fields::of(&record);
    let values = |name: &&str| {
        let path = Path::parse(&format!("floodmark.{name}")).expect("a derived field");
        let mut values = Vec::new();
        let seen = fields.visit(&path, &mut |value| {
            values.extend(value.into_text().map(|text| redact::text(&text)));
            if values.len() < VALUES_MAX {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        debug_assert!(seen.is_continue() || values.len() == VALUES_MAX);
        values
    };
    DERIVED.iter().map(values).collect()
}

/// The one value that all give who give any; `None` when they differ or none gives one.
pub(crate) fn unanimous<'f>(
    facts: &'f [Fact],
    of: impl Fn(&'f Fact) -> Option<&'f str>,
) -> Option<&'f str> {
    let mut found = facts.iter().filter_map(of);
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

/// Different values in order of first appearance.
pub(crate) fn distinct<'f>(
    facts: &'f [Fact],
    of: impl Fn(&'f Fact) -> Option<&'f str>,
) -> Vec<&'f str> {
    let mut found: Vec<&str> = Vec::new();
    for value in facts.iter().filter_map(of) {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

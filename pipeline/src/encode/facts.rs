//! What the evidence of an alert says, in the order of the evidence: who, from where, what, on what.

use std::net::IpAddr;

use floodmark_detectors::alert::{Alert, Evidence};
use serde_json::Value;

use super::redact::{self, Redacted};

/// One record of the evidence, read and redacted.
pub(crate) struct Fact {
    /// The record without its secrets.
    pub(crate) redacted: Redacted,
    /// Its length as it came, bytes.
    pub(crate) bytes: usize,
}

/// The evidence in order of event time, the order that the engine gives it.
pub(crate) fn facts(alert: &Alert) -> Vec<Fact> {
    alert.evidence.iter().map(Fact::of).collect()
}

impl Fact {
    fn of(evidence: &Evidence) -> Fact {
        Fact { redacted: redact::record(&evidence.record), bytes: evidence.record.len() }
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

    /// The first address of `sourceIPAddress`, which may be a list.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.text("/sourceIPAddress")?.split(',').find_map(|part| part.trim().parse().ok())
    }
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

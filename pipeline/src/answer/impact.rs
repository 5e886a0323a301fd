//! What it may have done to confidentiality, integrity and availability, and what it may cost.

use serde::Serialize;

use super::Fact;

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Harm {
    None,
    Low,
    Medium,
    High,
}

/// What the scenario does where it succeeds, and what the evidence adds to it.
#[derive(Debug, Serialize)]
pub(crate) struct Impact {
    pub(crate) confidentiality: Harm,
    pub(crate) integrity: Harm,
    pub(crate) availability: Harm,
    /// Every call of the evidence failed: it was tried.
    pub(crate) is_attempt: bool,
    pub(crate) calls_granted: u64,
    pub(crate) calls_failed: u64,
    /// Of the evidence, failed calls left out: instances asked for; a floor.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) instances: f64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) accelerators: f64,
    /// US dollars an hour by the price table, an estimate.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) hourly_cost: f64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// What each scenario does to the three, where it succeeds: our judgement, after the playbook's
/// description of each.
const BY_SCENARIO: [(&str, [Harm; 3]); 11] = [
    ("exfiltration", [Harm::High, Harm::None, Harm::None]),
    ("poisoning", [Harm::None, Harm::High, Harm::Medium]),
    ("resource_abuse", [Harm::Low, Harm::None, Harm::Medium]),
    ("cryptojacking", [Harm::Low, Harm::None, Harm::Medium]),
    ("dos", [Harm::None, Harm::Low, Harm::High]),
    ("config_change", [Harm::Medium, Harm::High, Harm::Low]),
    ("log_tampering", [Harm::Low, Harm::High, Harm::Low]),
    ("malware", [Harm::High, Harm::High, Harm::Medium]),
    ("credential_theft", [Harm::High, Harm::Medium, Harm::Low]),
    ("config_rule", [Harm::Low, Harm::Low, Harm::Low]),
    ("scp", [Harm::Low, Harm::Low, Harm::Low]),
];

impl Impact {
    pub(crate) fn of(scenario: Option<&str>, facts: &[Fact]) -> Impact {
        let known = BY_SCENARIO.iter().find(|(name, _)| Some(*name) == scenario);
        let [confidentiality, integrity, availability] =
            known.map_or([Harm::None; 3], |(_, harms)| *harms);
        let failed = facts.iter().filter(|fact| fact.failed()).count();
        let calls = facts.iter().filter(|fact| fact.text("/eventName").is_some()).count();
        let sum = |name: &str| {
            let granted = facts.iter().filter(|fact| !fact.failed());
            let sum: f64 = granted.map(|fact| fact.number(name)).sum();
            (sum * 100.0).round() / 100.0
        };
        Impact {
            confidentiality,
            integrity,
            availability,
            is_attempt: failed > 0 && failed == facts.len(),
            calls_granted: calls.saturating_sub(failed) as u64,
            calls_failed: failed as u64,
            instances: sum("instances"),
            accelerators: sum("accelerators"),
            hourly_cost: sum("hourly_cost"),
        }
    }

    /// The worst of the three.
    pub(crate) fn worst(&self) -> Harm {
        self.confidentiality.max(self.integrity).max(self.availability)
    }
}

#[cfg(test)]
mod tests {
    use floodmark_detectors::rule::SCENARIOS;

    use super::*;

    #[test]
    fn every_scenario_has_its_impact() {
        for scenario in SCENARIOS {
            assert!(Impact::of(Some(scenario), &[]).worst() > Harm::None, "{scenario}");
        }
        assert_eq!(Impact::of(None, &[]).worst(), Harm::None);
    }
}

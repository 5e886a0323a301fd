//! Which words.

use floodmark_detectors::alert::Alert;

use super::asff::asff;
use super::cef::cef;
use super::ecs::ecs;
use super::ocsf::{View, ocsf};

/// The form in which an alert is written for a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// OCSF 1.8 Detection Finding, the native form: all that an alert knows.
    #[default]
    Ocsf,
    /// Elastic Common Schema 9.
    Ecs,
    /// AWS Security Finding Format.
    Asff,
    /// ArcSight Common Event Format, version 0.
    Cef,
}

impl Format {
    /// All of them, with their names in a configuration.
    pub const ALL: [(&str, Format); 4] = [
        ("ocsf", Format::Ocsf),
        ("ecs", Format::Ecs),
        ("asff", Format::Asff),
        ("cef", Format::Cef),
    ];

    /// The alert in one line, its end not in it.
    #[must_use]
    pub fn encode(self, alert: &Alert, view: View) -> String {
        match self {
            Format::Ocsf => ocsf(alert, view).to_string(),
            Format::Ecs => ecs(alert, view).to_string(),
            Format::Asff => asff(alert, view, None).to_string(),
            Format::Cef => cef(alert, view),
        }
    }
}

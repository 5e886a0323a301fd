//! `[http]`: where metrics and health are to be had.

use std::net::SocketAddr;

use super::reader::{Report, Section};
use super::secret::{self, Property};

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What whoever asks for metrics must show; there is one unless `listen` is on the loopback.
    pub token: Option<Property>,
}

pub(super) fn read(mut section: Section<'_, '_>, report: &mut Report<'_>) -> Option<Http> {
    let listen = listen(&mut section, report);
    let token = section.get("token").map(|value| {
        let path = section.path("token");
        secret::property(&path, value, true, "", report, |_| None)
    });
    if let (Some(listen), None) = (listen, &token)
        && !listen.ip().is_loopback()
    {
        let fix = "since others can reach it: token = { env = \"NAME\" } or { file = \"/path\" }";
        section.missing("token", fix, report);
    }
    section.end(report);
    Some(Http { listen: listen?, token: token.flatten() })
}

fn listen(section: &mut Section<'_, '_>, report: &mut Report<'_>) -> Option<SocketAddr> {
    let fix = "an address and a port, as in \"127.0.0.1:9464\"";
    let text = section.required_text("listen", fix, report)?;
    let address = text.parse().ok();
    if let (None, Some(value)) = (address, section.get("listen")) {
        report.wrong(&section.path("listen"), value.span(), "is no address to listen on", fix);
    }
    address
}

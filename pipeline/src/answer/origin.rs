//! From where: addresses, and who is behind them.

use serde::Serialize;

use super::{Counted, Fact, counted, owned};

/// One source of calls.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct Origin {
    /// `sourceIPAddress`: an address, or a service's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// `service`, `private`, `own`, `aws` or `public`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) class: Option<String>,
    /// The /24 or /48 around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vpc_endpoint: Option<String>,
    /// The host name that the client asked for (`tlsDetails`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
}

/// Different sources.
pub(crate) fn origins(facts: &[Fact]) -> Vec<Counted<Origin>> {
    counted(facts.iter().map(Origin::of).filter(|origin| *origin != Origin::default()))
}

impl Origin {
    fn of(fact: &Fact) -> Origin {
        Origin {
            address: owned(fact.text("/sourceIPAddress")),
            class: fact.derived("source_class").first().cloned(),
            network: fact.derived("source_network").first().cloned(),
            vpc_endpoint: owned(fact.text("/vpcEndpointId")),
            host: owned(fact.text("/tlsDetails/clientProvidedHostHeader")),
        }
    }
}

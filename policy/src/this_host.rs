//! What of the host's own loopback may be reached? The ports that rules name, under one name, and nothing else of the host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Name;
use crate::rules::{DomainRule, Ports};

/// The name inside a bottle for the host's loopback. It is never looked up outside.
pub const NAME: &str = "host.bottle.internal";

/// What it stands for, in the order to try.
pub const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Why a rule about [`NAME`] is none.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ThisHostError {
    /// It would open every service of the host's loopback.
    #[error("`host.bottle.internal` is the host's own loopback: a rule for it names its ports")]
    Ports,
    /// It says something about addresses, and they are fixed.
    #[error(
        "`allow_private` says nothing about `host.bottle.internal`, which is the host's loopback and no other address"
    )]
    Private,
}

impl ThisHostError {
    /// What to write instead.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Ports => "write the ports of the services that are meant, as in `ports: [5432]`",
            Self::Private => "leave `allow_private` out",
        }
    }
}

/// Whether it is `bottle.internal` or a name below: what bottle keeps for names of its own.
pub(crate) fn is_within(name: &Name) -> bool {
    name.labels().rev().take(2).eq(["internal", "bottle"])
}

/// Whether a rule, if it is about [`NAME`] at all, says enough and no more.
pub(crate) fn check(rule: &DomainRule) -> Result<(), ThisHostError> {
    match rule {
        rule if !rule.pattern.name().is_this_host() => Ok(()),
        DomainRule { ports: Ports::All, .. } => Err(ThisHostError::Ports),
        DomainRule { allow_private: true, .. } => Err(ThisHostError::Private),
        _ => Ok(()),
    }
}

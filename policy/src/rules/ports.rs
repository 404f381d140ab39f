//! Which ports does a rule mean?

use std::collections::BTreeSet;

/// The ports of a rule, from 1 to 65535.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Option<BTreeSet<u16>>", into = "Option<BTreeSet<u16>>")]
pub enum Ports {
    /// Every port: the key was left out.
    All,
    /// These, at least one.
    Only(BTreeSet<u16>),
}

/// An empty list, or port 0.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("a list of ports holds at least one, each from 1 to 65535")]
pub struct PortsError;

impl Ports {
    /// One port.
    pub fn one(port: u16) -> Self {
        Self::Only(BTreeSet::from([port]))
    }

    /// Whether `port` is meant.
    pub fn contains(&self, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Only(ports) => ports.contains(&port),
        }
    }
}

impl TryFrom<Option<BTreeSet<u16>>> for Ports {
    type Error = PortsError;
    fn try_from(ports: Option<BTreeSet<u16>>) -> Result<Self, PortsError> {
        match ports {
            None => Ok(Self::All),
            Some(ports) if ports.is_empty() || ports.contains(&0) => Err(PortsError),
            Some(ports) => Ok(Self::Only(ports)),
        }
    }
}

impl From<Ports> for Option<BTreeSet<u16>> {
    fn from(ports: Ports) -> Self {
        match ports {
            Ports::All => None,
            Ports::Only(ports) => Some(ports),
        }
    }
}

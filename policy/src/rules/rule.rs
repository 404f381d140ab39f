//! What does one entry of a policy mean, and where was it written?

use std::{fmt, sync::Arc};

use ipnet::IpNet;

use super::Ports;
use crate::Pattern;

/// What the client has to speak for a rule to allow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TLS whose server name agrees.
    #[default]
    Auto,
    /// The same, said outright.
    Tls,
    /// Plain HTTP, judged request by request.
    Http,
    /// Anything, dialled at once; a name that the first bytes show must still agree.
    Tcp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Tcp => "tcp",
        })
    }
}

/// The list of a document that a rule stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// `domains`
    Domains,
    /// `ip_ranges`
    IpRanges,
}

/// Where a rule was written. Shown as `domains[2] at agent.yaml:7:5` or `--allow tcp://db.example.com:5432`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// In a document.
    Document {
        /// The column in characters, from 1.
        column: u32,
        /// The index in the list, from 0.
        index: usize,
        /// The line, from 1.
        line: u32,
        /// The list.
        list: List,
        /// What the document is called.
        source: Arc<str>,
    },
    /// On the command line: the value of `--allow`.
    Flag(Arc<str>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document { source, list, index, line, column } => {
                let list = match list {
                    List::Domains => "domains",
                    List::IpRanges => "ip_ranges",
                };
                write!(f, "{list}[{index}] at {source}:{line}:{column}")
            }
            Self::Flag(flag) => write!(f, "--allow {flag}"),
        }
    }
}

/// One entry of `domains`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainRule {
    /// Whether private addresses of the name may be dialled.
    pub allow_private: bool,
    /// Where it was written.
    pub origin: Origin,
    /// The names.
    pub pattern: Pattern,
    /// The ports.
    pub ports: Ports,
    /// What the client has to speak.
    pub protocol: Protocol,
    /// What the author gave as the reason.
    pub reason: Option<String>,
}

/// One entry of `ip_ranges`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeRule {
    /// The addresses.
    pub cidr: IpNet,
    /// Where it was written.
    pub origin: Origin,
    /// The ports.
    pub ports: Ports,
    /// What the author gave as the reason.
    pub reason: Option<String>,
}

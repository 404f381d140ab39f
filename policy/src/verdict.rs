//! What `decide` answers.

use crate::Reason;

/// The answer to one [`Request`](crate::Request).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Go on, under this grant.
    Allow(Grant),
    /// Not before the client's first bytes are known: read, classify, ask again. Never leads to a dial.
    Peek,
    /// No.
    Deny(Reason),
    /// Ask the operator; a denial while approvals are off.
    Escalate(Reason),
}

/// What an allow is based on, and how far it reaches.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The rule as `domains[2] at agent.yaml:7:5`, as `--allow NAME`, or `mode: observe`.
    pub rule: String,
    /// Whether resolved private addresses are covered (`allow_private`).
    pub private: bool,
    /// Whether it is recorded as observed, not allowed.
    pub observed: bool,
}

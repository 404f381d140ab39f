//! What do dialler, gate and supervisor say to each other about connections? Fixed schemas, bounded by the channel.

use bottle_policy::{Reason, Verdict};
use bottle_proxy::{Attempt, Outcome, Refusal, UpstreamProxy};
use serde::{Deserialize, Serialize};

/// Supervisor to dialler, once; beside it the dialler's end of the gate's channel and the canonical rules in memory.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiallerSetup {
    /// The id to become, as root.
    pub become_id: Option<u32>,
    /// What everything is dialled through. No other process but the supervisor has its credentials.
    pub upstream_proxy: Option<UpstreamProxy>,
}

/// Dialler to supervisor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FromDialler {
    /// Confined, about to serve.
    Ready,
    /// It could not begin: the chain of errors, outermost first.
    Failed(Vec<String>),
    /// Still alive.
    Beat,
    /// It ends, since the gate is gone or says what it must not.
    GateEnded(String),
    /// To be written and sealed before anything else happens for this attempt.
    Decided(DecisionRecord),
    /// What became of it.
    Ended(Outcome),
}

/// Supervisor to dialler.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ToDialler {
    /// These decisions are durable; an allow may go on.
    Recorded(Vec<u64>),
    /// These are not, and never will be: deny.
    NotRecorded(Vec<u64>),
}

/// Gate to dialler.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FromGate {
    /// Decide, and dial if allowed.
    Open(Attempt),
    /// What became of it.
    Ended(Outcome),
    /// All that was sent before [`ToGate::Claim`] is taken.
    Claimed,
}

/// Dialler to gate.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ToGate {
    /// Connected; the socket is beside this message.
    Opened(u64),
    /// Not connected.
    Refused(u64, Refusal),
    /// To be answered with [`FromGate::Claimed`].
    Claim,
}

/// One decision as the dialler made it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRecord {
    /// What was asked; its id is the dialler's own and never repeats.
    pub attempt: Attempt,
    /// What was answered.
    pub decision: Decision,
}

/// A verdict as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Decision {
    /// Allowed by this rule.
    Allow(String),
    /// Allowed because nothing is refused in this mode.
    Observe(String),
    /// Denied.
    Deny(Reason),
    /// Would need approval, which is off: denied.
    Escalate(Reason),
}

impl From<&Verdict> for Decision {
    fn from(verdict: &Verdict) -> Decision {
        match verdict {
            Verdict::Allow(grant) if grant.observed => Decision::Observe(grant.rule.clone()),
            Verdict::Allow(grant) => Decision::Allow(grant.rule.clone()),
            Verdict::Deny(reason) => Decision::Deny(*reason),
            Verdict::Escalate(reason) => Decision::Escalate(*reason),
            // A complete attempt is never left at Peek; if one is, its bytes were never shown.
            Verdict::Peek => Decision::Deny(Reason::Unparsable),
        }
    }
}

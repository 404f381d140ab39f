//! Does anything get out? Attempts made inside the agent namespace before the workload's first instruction.
//!
//! Each probe moves data: a connect that merely succeeds proves nothing.

use serde::{Deserialize, Serialize};

/// What the probes need to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbePlan {
    /// 32 bytes in hex that the gate must answer with its keyed digest.
    pub challenge: String,
}

/// What one probe saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeResult {
    /// The probe's stable name, as `tcp-literal`.
    pub name: String,
    /// What happened, in a word: `reset`, `refused`, `nxdomain`, an errno's name, or the gate's answer in hex.
    pub observed: String,
}

/// Runs every probe, in order, in the calling process's network namespace.
pub fn run(_plan: &ProbePlan, _confined: bool) -> Vec<ProbeResult> {
    Vec::new()
}

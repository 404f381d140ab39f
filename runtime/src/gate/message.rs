//! What do supervisor and gate say to each other? Fixed schemas, bounded by the channel.

use bottle_policy::Reason;
use serde::{Deserialize, Serialize};

/// Supervisor to gate, once; beside it the gate's end of the dialler's channel, the canonical rules in memory, then the listeners.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateSetup {
    /// The id to become, as root; an ordinary user's gate makes a user namespace of its own instead.
    pub become_id: Option<u32>,
    /// Which descriptor is which listener.
    pub listeners: bottle_netns::ListenerIndex,
    /// 32 bytes in hex: the key of the names' addresses.
    pub lease_key: String,
    /// 32 bytes in hex: the key of the answer to a challenge.
    pub challenge_key: String,
}

/// Gate to supervisor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FromGate {
    /// From the executed process: the gate's id in the supervisor's pid namespace; a pidfd is beside it.
    Forked {
        /// The id.
        pid: i32,
    },
    /// From the gate: confined, listening. The digest is of its seccomp program.
    Ready {
        /// SHA-256 in hex.
        seccomp: String,
    },
    /// Still alive.
    Beat,
    /// The sinkhole denied a name.
    NameDenied {
        /// As asked, at most 255 bytes of it.
        name: String,
        /// The query's type.
        kind: String,
        /// Why.
        reason: Reason,
        /// How often since the last such message.
        times: u64,
    },
    /// The packet filter refused something and described it (rate-limited; the counters are exact).
    PacketRefused {
        /// The refusal class, as the counter is named.
        class: String,
        /// Where it wanted to go, as text.
        to: String,
    },
}

/// Supervisor to gate, after the setup.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ToGate {
    /// Still alive.
    Beat,
}

//! What do supervisor and gate say to each other? Fixed schemas, bounded by the channel.

use std::net::IpAddr;

use bottle_netns::class::Class;
use bottle_policy::Reason;
use bottle_proxy::Ended;
use serde::{Deserialize, Serialize};

/// Supervisor to gate, once; beside it the gate's end of the dialler's channel, the canonical rules in memory, then the listeners.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateSetup {
    /// The id to become, as root; an ordinary user's gate lives in a user namespace of its own instead.
    pub become_id: Option<u32>,
    /// How many DNS sockets of each transport there are among the listeners, which come in the order of
    /// [`bottle_netns::Listeners`]: two transparent ones, two explicit ones, DNS over UDP, over TCP, two NFLOG sockets.
    pub dns: usize,
    /// How many connections from outside there may be at once; none where no port is published.
    pub inbound: usize,
    /// 32 bytes in hex: the key of the names' addresses.
    pub lease_key: String,
    /// 32 bytes in hex: the key of the answer to a challenge.
    pub challenge_key: String,
}

/// Gate to supervisor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FromGate {
    /// Confined, listening.
    Ready,
    /// It could not begin, or go on: the chain of errors, outermost first.
    Failed(Vec<String>),
    /// It ends, since the dialler is gone.
    DiallerEnded(String),
    /// What follows belongs to the run.
    Begun,
    /// Still alive.
    Beat,
    /// How many TCP connections it has answered since it began of which nobody decides; the last word of this kind counts.
    Answered {
        /// Those to its resolver, and those that asked for the gate itself.
        connections: u64,
    },
    /// The sinkhole denied a name.
    NameDenied {
        /// As asked, at most 255 bytes of it.
        name: String,
        /// The query's type.
        kind: String,
        /// Why.
        reason: Reason,
        /// How many queries this stands for.
        count: u64,
    },
    /// A connection from outside is over.
    InboundEnded {
        /// Its number.
        connection: u64,
        /// How it ended.
        ended: Ended,
        /// Bytes that went in.
        inward: u64,
        /// Bytes that came out.
        outward: u64,
        /// How long it lasted, in milliseconds.
        millis: u64,
    },
    /// The packet filter refused something and described it (rate-limited; the counters are exact).
    PacketRefused {
        /// The refusal class.
        class: Class,
        /// The IP protocol's number, if it is IP.
        protocol: Option<u8>,
        /// From which port.
        source_port: Option<u16>,
        /// To whom.
        destination: Option<IpAddr>,
        /// To which port.
        port: Option<u16>,
    },
}

/// Supervisor to gate, after the setup.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ToGate {
    /// Still alive.
    Beat,
    /// The probes are through: forget what they provoked, and say [`FromGate::Begun`].
    Begin,
    /// Somebody came in by a published port, which is recorded: relay between the two sockets beside this, the client's and the
    /// one inside, then say [`FromGate::InboundEnded`].
    Inbound {
        /// Its number.
        connection: u64,
    },
    /// The workload is gone: take nothing more, finish what is under way, then end.
    Finish,
}

//! Which facts and probes must an attestation hold before a verifier accepts it?

use super::Basis;
use crate::hex;

/// A fact that must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequiredFact {
    /// Its name.
    pub name: &'static str,
    /// The weakest basis that is accepted.
    pub basis: Basis,
}

/// A probe that must be there: at the start made twice, before the final confinement and inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequiredProbe {
    /// Its name.
    pub name: &'static str,
    /// What it must have seen; `None`: the gate's answer to a challenge, 64 hexadecimal digits.
    pub expected: Option<&'static str>,
}

impl RequiredProbe {
    /// Whether this is what the probe must expect.
    pub fn expects(&self, expected: &str) -> bool {
        match self.expected {
            Some(word) => expected == word,
            None => hex::decode::<32>(expected).is_some(),
        }
    }
}

/// The gate answers with a key of the run.
const CHALLENGE: RequiredProbe = RequiredProbe { name: "gate-challenge", expected: None };

const fn measured(name: &'static str) -> RequiredFact {
    RequiredFact { name, basis: Basis::Measured }
}

const fn asserted(name: &'static str) -> RequiredFact {
    RequiredFact { name, basis: Basis::Asserted }
}

const fn probe(name: &'static str, expected: &'static str) -> RequiredProbe {
    RequiredProbe { name, expected: Some(expected) }
}

/// The fact whose value is the boot's id, as the kernel spells it.
pub const BOOT_ID: &str = "host.boot-id";

/// The fact whose value is the agent's network namespace: `{"cookie":…,"inode":…,"owner":…}`.
pub const AGENT_NAMESPACE: &str = "agent.namespace";

/// The fact whose value is the workload's `{"pid":…,"start":…}`, which `run.start` repeats.
pub const WORKLOAD_IDENTITY: &str = "workload.identity";

/// The fact that is there where everything was dialled through a proxy: `{"scheme":…,"host":…,"port":…,"credentials":…}`.
pub const UPSTREAM_PROXY: &str = "dialler.upstream-proxy";

/// The fact that is there where ports are published: a list of `{"address":…,"port":…,"inside":…}`, one for each listening
/// socket on the host's loopback.
pub const PUBLISHED: &str = "supervisor.published";

/// What every attestation must say.
pub const REQUIRED_FACTS: &[RequiredFact] = &[
    measured(BOOT_ID),
    measured("host.kernel"),
    // Cookie, inode and owning user namespace.
    measured(AGENT_NAMESPACE),
    measured("agent.links"),
    measured("agent.addresses"),
    measured("agent.routes"),
    measured("agent.rules"),
    measured("agent.neighbours"),
    measured("agent.sysctls"),
    // Digest of the whole read-back, with its generation.
    measured("agent.ruleset"),
    measured("agent.listeners"),
    measured("agent.processes"),
    measured("gate.namespace"),
    measured("gate.links"),
    measured("gate.addresses"),
    measured("gate.routes"),
    measured("gate.rules"),
    measured("gate.neighbours"),
    measured("gate.sysctls"),
    measured("gate.ruleset"),
    measured("gate.listeners"),
    measured("gate.processes"),
    // Process id and start time.
    measured(WORKLOAD_IDENTITY),
    // Credentials, seccomp, mounts, uid map, descriptors and namespaces.
    measured("workload.process"),
    measured("workload.executable"),
    measured("init.process"),
    measured("init.executable"),
    measured("gate.process"),
    measured("gate.executable"),
    measured("dialler.process"),
    measured("dialler.executable"),
    // The kernel does not give these programs back to an ordinary user.
    asserted("workload.seccomp-program"),
    asserted("gate.seccomp-program"),
    asserted("bottle.version"),
];

/// What every attestation of a start must have tried.
pub const REQUIRED_PROBES: &[RequiredProbe] = &[
    probe("tcp-v4", "reset"),
    probe("tcp-v6", "reset"),
    probe("udp-v4", "refused"),
    probe("udp-v6", "refused"),
    probe("icmp", "refused"),
    probe("raw-ip", "refused"),
    probe("packet", "refused"),
    probe("dns-udp", "nxdomain"),
    probe("dns-udp-foreign", "nxdomain"),
    probe("dns-udp-loopback", "nxdomain"),
    probe("dns-tcp-foreign", "nxdomain"),
    probe("connect-denied", "403"),
    CHALLENGE,
];

/// What an attestation of a bottle that runs must have tried, once: the others would be attempts of the workload's in its log.
pub const REQUIRED_WHILE_RUNNING: &[RequiredProbe] = &[CHALLENGE];

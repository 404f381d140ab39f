//! Does anything get out? Attempts made inside the agent namespace before the workload's first instruction.
//!
//! Each probe moves data: a connect that merely succeeds proves nothing. The targets are ones that every mode
//! denies: a pool address that is never leased, and a name under `.invalid`.

mod datagram;
mod dns;
mod gate;
mod raw;
mod stream;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::time::Duration;

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
    /// The probe's stable name, as `tcp-v4`.
    pub name: String,
    /// What happened, in a word: `reset`, `refused`, `nxdomain`, `403`, the gate's answer in hex, or what went wrong.
    pub observed: String,
}

/// An address of the pool that no name is ever given.
pub(crate) const UNLEASED_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(28, 0, 255, 254));
/// Its like on the IPv6 side of the pair, where nothing is leased at all.
pub(crate) const UNLEASED_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd28, 0, 0, 0, 0, 0, 0, 0xfffe));
/// A name that no policy can allow (RFC 6761, section 6.4).
pub(crate) const FORBIDDEN_NAME: &str = "probe.bottle.invalid";

/// How long a probe waits for the answer that it must get.
const PATIENCE: Duration = Duration::from_secs(5);

/// One probe: its name, what must be observed (`None`: the gate's answer to the challenge), how it is begun.
struct Probe {
    name: &'static str,
    expected: Option<&'static str>,
    begin: fn(&ProbePlan) -> Rest,
}

const fn probe(name: &'static str, expected: &'static str, begin: fn(&ProbePlan) -> Rest) -> Probe {
    Probe { name, expected: Some(expected), begin }
}

/// What is left of a probe whose data is sent: it waits for what comes of that, and says it in a word.
type Rest = Box<dyn FnOnce() -> String>;

/// The rest of a probe that has begun, or could not.
fn rest<T: 'static>(begun: io::Result<T>, wait: fn(T) -> io::Result<String>) -> Rest {
    Box::new(move || begun.and_then(wait).unwrap_or_else(|error| word(&error)))
}

/// Nothing is left: this was observed.
fn observed(what: String) -> Rest {
    Box::new(|| what)
}

const ALWAYS: &[Probe] = &[
    probe("tcp-v4", "reset", |_| stream::send(UNLEASED_V4)),
    probe("tcp-v6", "reset", |_| stream::send(UNLEASED_V6)),
    probe("udp-v4", "refused", |_| datagram::send(UNLEASED_V4)),
    probe("udp-v6", "refused", |_| datagram::send(UNLEASED_V6)),
    probe("icmp", "refused", |_| observed(raw::echo())),
    probe("raw-ip", "refused", |_| observed(raw::ip())),
    probe(PACKET, "refused", |_| observed(raw::packet().0)),
    probe("dns-udp", "nxdomain", |_| dns::over_udp(crate::probe::gate::address())),
    probe("dns-udp-foreign", "nxdomain", |_| dns::over_udp(UNLEASED_V4)),
    probe("dns-udp-loopback", "nxdomain", |_| dns::over_udp(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)))),
    probe("dns-tcp-foreign", "nxdomain", |_| dns::over_tcp(UNLEASED_V4)),
    probe("connect-denied", "403", |_| gate::connect_denied()),
    Probe { name: CHALLENGE, expected: None, begin: gate::challenge },
];

/// Which of the probes a process makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All.
    All,
    /// All but the one through a packet socket, which the builder makes.
    Others,
}

/// The probe that has a share of its own.
const PACKET: &str = "packet";

/// Runs a share of the probes in the calling process's network namespace. All are begun, in order, before the first is waited
/// for: whoever answers then has all of them before it.
pub fn run(plan: &ProbePlan, share: Share) -> Vec<ProbeResult> {
    let chosen = ALWAYS.iter().filter(|probe| match share {
        Share::All => true,
        Share::Others => probe.name != PACKET,
    });
    let begun: Vec<(&Probe, Rest)> = chosen.map(|probe| (probe, (probe.begin)(plan))).collect();
    begun.into_iter().map(|(probe, rest)| ProbeResult { name: probe.name.to_owned(), observed: rest() }).collect()
}

/// Asks the gate to prove that it is the one that the supervisor started; says what came back.
pub(crate) fn ask_gate(plan: &ProbePlan) -> String {
    gate::challenge(plan)()
}

/// The challenge's name among the probes.
pub(crate) const CHALLENGE: &str = "gate-challenge";

/// The probe through a packet socket, in the calling process's network namespace, and that socket if there was one: the
/// kernel takes some ten milliseconds to close it. It needs nothing but the packet rules.
pub fn packet() -> (ProbeResult, Option<OwnedFd>) {
    let (observed, socket) = raw::packet();
    (ProbeResult { name: PACKET.to_owned(), observed }, socket)
}

/// What was seen by processes that had a share each, in the order of the probes.
pub fn united(shares: impl IntoIterator<Item = Vec<ProbeResult>>) -> Vec<ProbeResult> {
    let mut all: Vec<ProbeResult> = shares.into_iter().flatten().collect();
    all.sort_by_key(|result| ALWAYS.iter().position(|probe| probe.name == result.name));
    all
}

/// What each probe must observe, in order; `answer` is what the gate must say to the challenge.
pub fn expected(answer: &str) -> Vec<ProbeResult> {
    ALWAYS
        .iter()
        .map(|probe| ProbeResult { name: probe.name.to_owned(), observed: probe.expected.unwrap_or(answer).to_owned() })
        .collect()
}

/// The word for an error that a probe met.
fn word(error: &io::Error) -> String {
    use rustix::io::Errno;
    let Some(errno) = Errno::from_io_error(error) else { return error.kind().to_string() };
    match errno {
        Errno::CONNRESET | Errno::PIPE => "reset".into(),
        Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::ACCESS | Errno::PERM | Errno::CONNREFUSED => "refused".into(),
        Errno::AGAIN | Errno::TIMEDOUT => "silence".into(),
        other => format!("errno {}", other.raw_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use bottle_evidence::predicate::REQUIRED_PROBES;

    #[test]
    fn shares_of_the_probes_are_united_in_their_order() {
        use super::{PACKET, expected, united};
        let all = expected("answer");
        let (packet, others) = all.iter().cloned().partition(|result| result.name == PACKET);
        assert_eq!(united([packet, others]), all);
        assert!(all.iter().any(|result| result.name == PACKET));
    }

    #[test]
    fn every_probe_that_a_verifier_requires_is_made_and_expects_the_same() {
        let required: Vec<_> = REQUIRED_PROBES.iter().map(|probe| (probe.name, probe.expected)).collect();
        let made: Vec<_> = super::ALWAYS.iter().map(|probe| (probe.name, probe.expected)).collect();
        assert_eq!(made, required);
    }
}

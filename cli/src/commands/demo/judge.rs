//! Did an attempt end as bottle promises? Judged by what the client saw, what the world saw, and what the log says. Pure.

use std::net::IpAddr;

use bottle_evidence::audit::{Choice, Decision, Entry};
use bottle_lab::addresses::{ATTACKER, ATTACKER_V6, FOREIGN_DNS};
use bottle_lab::{DnsQuery, Packet, Received};

use crate::amount::{counted, times};

use super::attempt::{ALLOWED, ATTACKERS, Attempt, Observation};

/// Everything that the demo's internet saw.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Connections and datagrams that arrived.
    pub received: Vec<Received>,
    /// Packets on every link outside the bottle.
    pub packets: Vec<Packet>,
    /// Questions that any resolver got.
    pub queries: Vec<DnsQuery>,
}

/// One thing that must be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What was found.
    pub found: String,
    /// Whether it is as it must be.
    pub holds: bool,
}

/// The claims about one attempt.
pub fn judge(seen: &Observation, world: &World, log: &[Entry], secret: &str) -> Vec<Claim> {
    if seen.attempt == Attempt::Allowed {
        return vec![
            Claim { found: seen.said.clone(), holds: seen.worked },
            Claim { found: format!("{} arrived", counted(requests(world), "request")), holds: requests(world) == 1 },
            recorded(seen.attempt, log),
        ];
    }
    let (bytes, packets) = (stolen(world, secret), escaped(world));
    vec![
        Claim { found: seen.said.clone(), holds: !seen.worked && (seen.reset || !must_be_reset(seen.attempt)) },
        Claim { found: format!("{} arrived", counted(bytes, "byte")), holds: bytes == 0 },
        Claim { found: format!("{} left", counted(packets, "packet")), holds: packets == 0 },
        recorded(seen.attempt, log),
    ]
}

/// A connection is taken before it is judged, so that it can only be reset; a name is refused before.
fn must_be_reset(attempt: Attempt) -> bool {
    matches!(attempt, Attempt::ByAddress | Attempt::Fronted)
}

/// HTTP requests for the allowed name, over TLS that names it.
fn requests(world: &World) -> u64 {
    let for_it = world.received.iter().filter(|received| received.server_name.as_deref() == Some(ALLOWED));
    for_it.map(|received| received.requests.len() as u64).sum()
}

/// Bytes of everything that holds the secret or was meant for the attacker.
pub fn stolen(world: &World, secret: &str) -> u64 {
    let meant = |received: &&Received| {
        let mut bodies = received.requests.iter().map(|request| &request.body_head);
        is_attackers(received.to.ip())
            || received.server_name.as_deref() == Some(ATTACKERS)
            || holds(&received.head, secret)
            || bodies.any(|body| holds(body, secret))
    };
    world.received.iter().filter(meant).map(|received| received.bytes).sum()
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    !secret.is_empty() && bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// Packets for the attacker or the foreign resolver, and questions that name the attacker.
fn escaped(world: &World) -> u64 {
    let to_them = world.packets.iter().filter_map(Packet::destination).filter(|to| is_attackers(to.ip()));
    let about_them = world.queries.iter().filter(|query| query.name.ends_with(ATTACKERS));
    (to_them.count() + about_them.count()) as u64
}

fn is_attackers(address: IpAddr) -> bool {
    [IpAddr::V4(ATTACKER), IpAddr::V6(ATTACKER_V6), IpAddr::V4(FOREIGN_DNS)].contains(&address)
}

/// The entry of the audit log that tells of this attempt.
fn recorded(attempt: Attempt, log: &[Entry]) -> Claim {
    let found = log.iter().find_map(|entry| told(attempt, entry));
    Claim { holds: found.is_some(), found: found.unwrap_or_else(|| "not recorded".into()) }
}

fn told(attempt: Attempt, entry: &Entry) -> Option<String> {
    let secret_name = |name: &str| name.ends_with(&format!(".{ATTACKERS}"));
    match (attempt, entry) {
        (Attempt::Allowed, Entry::Decision(decision)) => {
            let named = decision.name.as_ref().is_some_and(|name| name.as_str() == ALLOWED);
            (named && decision.decision == Choice::Allow).then(|| "recorded: allowed".into())
        }
        (Attempt::ByName, Entry::DnsDenied(denied)) if denied.name.as_str() == ATTACKERS => {
            Some(format!("recorded: {}", denied.reason))
        }
        (Attempt::Resolver, Entry::DnsDenied(denied)) if secret_name(denied.name.as_str()) => {
            Some(format!("recorded: {}", denied.reason))
        }
        (Attempt::ByAddress, Entry::Decision(decision)) if decision.address == IpAddr::V4(ATTACKER) => {
            refusal(decision)
        }
        (Attempt::Fronted, Entry::Decision(decision)) if decision.name.is_some() => refusal(decision),
        (Attempt::Datagram, Entry::Refused(refused)) if refused.address == Some(IpAddr::V4(ATTACKER)) => {
            Some(format!("recorded: {} refused", refused.class))
        }
        // Entries of packets are samples; the counts at the end are exact.
        (Attempt::Datagram, Entry::RunEnd(end)) => end
            .refused
            .iter()
            .find(|(class, count)| class.as_str() == "udp4" && **count > 0)
            .map(|(class, count)| format!("recorded: {class} refused {}", times(*count))),
        _ => None,
    }
}

fn refusal(decision: &Decision) -> Option<String> {
    let denied = decision.decision == Choice::Deny;
    denied.then(|| format!("recorded: {}", decision.reason.as_ref().map_or("denied", |reason| reason.as_str())))
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;

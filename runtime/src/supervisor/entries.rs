//! How does a record that another process sends read as an entry of the log? Pure: one value becomes another.

use bottle_evidence::audit::{self, Choice, Process};
use bottle_evidence::canonical::MAX_INTEGER;
use bottle_evidence::{Digest, Text};
use bottle_policy::request::HttpHost;
use bottle_policy::{Reason, Seen, Target};
use bottle_proxy::{Ended, Outcome};

use crate::dialler::message::{Decision, DecisionRecord};

/// The entry of a decision.
pub(super) fn decision(record: &DecisionRecord, process: Process, policy: Digest) -> audit::Decision {
    let request = &record.attempt.request;
    let (decision, reason, rule) = match &record.decision {
        Decision::Allow(rule) => (Choice::Allow, None, Some(Text::new(rule))),
        Decision::Observe(rule) => (Choice::Observe, None, Some(Text::new(rule))),
        Decision::Deny(reason) => (Choice::Deny, Some(Text::new(reason.code())), None),
        // Approvals are off, so an attempt that would need one is denied.
        Decision::Escalate(_) => (Choice::Deny, Some(Text::new(Reason::Escalation.code())), None),
    };
    audit::Decision {
        attempt: record.attempt.id,
        process,
        name: name(&request.target),
        // What the explicit proxy was asked for: the connection itself went to the proxy.
        address: match request.target {
            Target::Literal(address) => address,
            Target::Lease(_) | Target::Named(_) => record.attempt.original.ip(),
        },
        port: request.port,
        seen: seen(&request.seen),
        decision,
        reason,
        rule,
        policy,
    }
}

fn name(target: &Target) -> Option<Text> {
    match target {
        Target::Lease(name) | Target::Named(name) => Some(Text::new(name.as_str())),
        Target::Literal(_) => None,
    }
}

fn seen(seen: &Seen) -> audit::Seen {
    match seen {
        Seen::Nothing | Seen::Silent => audit::Seen::Nothing,
        Seen::Tls { sni, ech } => {
            audit::Seen::Tls { sni: sni.as_ref().map(|name| Text::new(name.as_str())), ech: *ech }
        }
        Seen::Http { host, port } => audit::Seen::Http { host: http_host(host), port: *port },
        Seen::Opaque => audit::Seen::Opaque,
        Seen::Unparsable(why) => audit::Seen::Unparsable { why: Text::new(why) },
    }
}

fn http_host(host: &HttpHost) -> Option<Text> {
    match host {
        HttpHost::Name(name) => Some(Text::new(name.as_str())),
        HttpHost::Address(address) => Some(Text::new(&address.to_string())),
        HttpHost::Absent => None,
    }
}

/// The entry of an outcome.
pub(super) fn ended(outcome: &Outcome) -> audit::Outcome {
    let detail = outcome.detail.as_str();
    let reason = match outcome.reason {
        Some(reason) if detail.is_empty() => Some(Text::new(reason.code())),
        Some(reason) => Some(Text::new(&format!("{}: {detail}", reason.code()))),
        None if detail.is_empty() => None,
        None => Some(Text::new(detail)),
    };
    audit::Outcome {
        attempt: outcome.attempt,
        result: result(outcome.ended),
        reason,
        upstream: outcome.upstream.map(|address| address.ip()),
        bytes_up: Some(kept(outcome.bytes_up)),
        bytes_down: Some(kept(outcome.bytes_down)),
        millis: Some(kept(outcome.millis)),
    }
}

/// The entry of the outcome of a connection from outside: bytes in, bytes out and milliseconds, where somebody can say them.
pub(super) fn inbound_ended(connection: u64, ended: Ended, amounts: Option<[u64; 3]>) -> audit::InboundOutcome {
    let [bytes_in, bytes_out, millis] = amounts.map_or([None; 3], |amounts| amounts.map(|amount| Some(kept(amount))));
    audit::InboundOutcome { connection, result: result(ended), bytes_in, bytes_out, millis }
}

fn result(ended: Ended) -> audit::Ended {
    match ended {
        Ended::Closed => audit::Ended::Closed,
        Ended::Refused => audit::Ended::Refused,
        Ended::Unreachable => audit::Ended::Unreachable,
        Ended::Cut => audit::Ended::Cut,
        Ended::Reset => audit::Ended::Reset,
    }
}

/// A gate that says more than the log can keep does not thereby go without an outcome.
fn kept(number: u64) -> u64 {
    number.min(MAX_INTEGER)
}

/// A protocol by the name that /etc/protocols gives it, or by its number.
pub(super) fn protocol_name(number: u8) -> String {
    let name = match number {
        1 => "icmp",
        2 => "igmp",
        17 => "udp",
        33 => "dccp",
        47 => "gre",
        58 => "ipv6-icmp",
        132 => "sctp",
        136 => "udplite",
        _ => return number.to_string(),
    };
    name.to_owned()
}

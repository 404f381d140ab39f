//! How does one entry of the log look to a person?

use std::net::SocketAddr;

use bottle_evidence::audit::{Choice, Decision, Ended, Entry, Inbound, InboundOutcome, Line, Outcome, Process};

use crate::amount::{bytes, millis, times};
use crate::report::escape;

/// `   12 2026-01-02T03:04:05.000006Z  decision    #1 allow api.example:443 …`
pub fn render(line: &Line) -> String {
    let (kind, text) = words(&line.entry);
    escape(&format!("{:>6} {}  {kind:<10}  {text}", line.seq, line.time)).trim_end().to_owned()
}

fn words(entry: &Entry) -> (&'static str, String) {
    match entry {
        Entry::RunStart(start) => {
            let command: Vec<_> = start.command.iter().map(ToString::to_string).collect();
            ("run.start", format!("{} ({}, run {})", command.join(" "), mode(start.mode), start.run))
        }
        Entry::Decision(decision) => ("decision", decided(decision)),
        Entry::Outcome(outcome) => ("outcome", ended(outcome)),
        Entry::Inbound(begun) => ("inbound", entered(begun)),
        Entry::InboundOutcome(outcome) => ("inbound.outcome", left(outcome)),
        Entry::DnsDenied(denied) => {
            let (name, qtype, reason, count) = (&denied.name, &denied.qtype, &denied.reason, times(denied.count));
            match qtype.to_string().as_str() {
                // What comes after the first query of a name, or all that was left out, is a sum.
                "several" => ("dns.denied", format!("{name} ({reason}), {count} more, of any type")),
                qtype => ("dns.denied", format!("{name} {qtype} ({reason}), {count}")),
            }
        }
        Entry::Refused(refused) => {
            let address = refused.address.map_or("?".into(), |address| address.to_string());
            let port = refused.port.map_or(String::new(), |port| format!(" port {port}"));
            ("refused", format!("{} to {address}{port} (protocol {})", refused.class, refused.protocol))
        }
        Entry::RunExec(exec) => {
            let command: Vec<_> = exec.command.iter().map(ToString::to_string).collect();
            ("run.exec", format!("{} (user {})", command.join(" "), exec.user))
        }
        Entry::RunRenew(renewed) => {
            let (attestation, nonce) = (renewed.attestation.to_string(), renewed.nonce.to_string());
            ("run.renew", format!("attested again as {}, for nonce {}", short(&attestation), short(&nonce)))
        }
        Entry::Drift(drift) => ("drift", format!("{}: {}", drift.what, drift.detail)),
        Entry::Torn(torn) => (
            "torn",
            format!("{} bytes of an unfinished line were cut, {} lines before are unsealed", torn.bytes, torn.unsealed),
        ),
        Entry::Segment(segment) => ("segment", format!("file {} of the log begins", segment.number)),
        Entry::Seal(seal) => ("seal", format!("by key {}", short(&seal.key.to_string()))),
        Entry::RunEnd(end) => {
            let reason = end.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
            ("run.end", format!("exit {}{reason}, after {}", end.exit, millis(end.millis)))
        }
    }
}

/// The mode in a word.
pub fn mode(mode: bottle_evidence::predicate::Mode) -> &'static str {
    match mode {
        bottle_evidence::predicate::Mode::Enforce => "enforce",
        bottle_evidence::predicate::Mode::Observe => "observe",
    }
}

/// The decision in a word.
pub fn choice(choice: Choice) -> &'static str {
    match choice {
        Choice::Allow => "allow",
        Choice::Observe => "observe",
        Choice::Escalate => "escalate",
        Choice::Deny => "deny",
    }
}

fn decided(decision: &Decision) -> String {
    let host = decision.name.as_ref().map_or(decision.address.to_string(), |name| name.to_string());
    let why = match (&decision.reason, &decision.rule) {
        (Some(reason), _) => format!(" ({reason})"),
        (None, Some(rule)) => format!(" by {rule}"),
        (None, None) => String::new(),
    };
    let by = process(&decision.process);
    format!("#{} {} {host} port {}{why}{by}", decision.attempt, choice(decision.decision), decision.port)
}

/// Who tried. Nothing where nobody is named.
fn process(process: &Process) -> String {
    match process {
        Process::Known(known) => format!(", {} (pid {})", known.exe, known.pid),
        Process::Unknown(_) => String::new(),
    }
}

fn ended(outcome: &Outcome) -> String {
    let reason = outcome.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
    let passed = passed(["up", "down"], [outcome.bytes_up, outcome.bytes_down, outcome.millis]);
    format!("#{} {}{reason}, {passed}", outcome.attempt, result(outcome.result))
}

fn entered(begun: &Inbound) -> String {
    let (peer, at) = (SocketAddr::new(begun.peer, begun.peer_port), SocketAddr::new(begun.address, begun.port));
    format!("#{} {peer} to port {}, published at {at}", begun.connection, begun.inside)
}

fn left(outcome: &InboundOutcome) -> String {
    let passed = passed(["in", "out"], [outcome.bytes_in, outcome.bytes_out, outcome.millis]);
    format!("#{} {}, {passed}", outcome.connection, result(outcome.result))
}

fn result(ended: Ended) -> &'static str {
    match ended {
        Ended::Closed => "closed",
        Ended::Refused => "refused",
        Ended::Unreachable => "unreachable",
        Ended::Cut => "cut",
        Ended::Reset => "reset",
    }
}

/// What went one way and the other, and how long it took.
fn passed([one, other]: [&str; 2], amounts: [Option<u64>; 3]) -> String {
    match amounts {
        [Some(here), Some(there), Some(time)] => {
            format!("{} {one}, {} {other}, {}", bytes(here), bytes(there), millis(time))
        }
        _ => "nobody was left to say what passed".to_owned(),
    }
}

/// The beginning of a digest.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use bottle_evidence::audit::DnsDenied;
    use bottle_evidence::{Digest, Time};

    use super::*;

    #[test]
    fn a_hostile_name_is_shown_escaped() {
        let denied = DnsDenied { name: "\x1b[2Jx".into(), qtype: "A".into(), reason: "no-rule".into(), count: 2 };
        let line = Line { seq: 3, prev: Digest::ZERO, time: Time::from_micros(0), entry: Entry::DnsDenied(denied) };
        assert_eq!(render(&line), r"     3 1970-01-01T00:00:00.000000Z  dns.denied  \u{1b}[2Jx A (no-rule), 2 times");
    }

    #[test]
    fn a_sum_of_queries_says_that_they_are_further_ones() {
        let denied = DnsDenied { name: "x".into(), qtype: "several".into(), reason: "no-rule".into(), count: 1 };
        assert_eq!(words(&Entry::DnsDenied(denied)).1, "x (no-rule), once more, of any type");
    }
}

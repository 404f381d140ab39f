//! Does the demo notice when something is not as claimed?

use bottle_evidence::Digest;
use bottle_evidence::audit::{DnsDenied, Process, Refused, RunEnd, Seen};

use super::*;

const SECRET: &str = "5ec7e7";

fn observed(attempt: Attempt, worked: bool, reset: bool) -> Observation {
    Observation { attempt, shown: "a command".into(), worked, reset, said: "words".into() }
}

fn received(to: &str, server_name: Option<&str>, head: &[u8]) -> Received {
    Received {
        service: "web".into(),
        from: "11.0.0.2:4000".parse().expect("an address"),
        to: to.parse().expect("an address"),
        server_name: server_name.map(str::to_owned),
        requests: Vec::new(),
        bytes: 99,
        head: head.to_vec(),
        closed: true,
    }
}

fn decision(name: Option<&str>, address: &str, decision: Choice) -> Entry {
    Entry::Decision(Decision {
        attempt: 1,
        process: Process::UNKNOWN,
        name: name.map(Into::into),
        address: address.parse().expect("an address"),
        port: 443,
        seen: Seen::Nothing,
        decision,
        reason: (decision == Choice::Deny).then(|| "name-mismatch".into()),
        rule: None,
        policy: Digest::ZERO,
    })
}

fn log() -> Vec<Entry> {
    let denied = |name: &str| DnsDenied { name: name.into(), qtype: "A".into(), reason: "no-rule".into(), count: 1 };
    let refused = Refused {
        class: "udp4".into(),
        protocol: "udp".into(),
        source_port: None,
        address: Some(IpAddr::V4(ATTACKER)),
        port: Some(443),
    };
    vec![
        decision(Some(ALLOWED), "28.1.2.3", Choice::Allow),
        Entry::DnsDenied(denied(ATTACKERS)),
        decision(None, "11.6.6.6", Choice::Deny),
        decision(Some(ALLOWED), "28.1.2.3", Choice::Deny),
        Entry::DnsDenied(denied(&Attempt::question(SECRET))),
        Entry::Refused(refused),
    ]
}

fn all_hold(seen: &Observation, world: &World, log: &[Entry]) -> bool {
    judge(seen, world, log, SECRET).iter().all(|claim| claim.holds)
}

const DENIED: [Attempt; 5] =
    [Attempt::ByName, Attempt::ByAddress, Attempt::Fronted, Attempt::Resolver, Attempt::Datagram];

#[test]
fn a_refusal_that_nobody_saw_and_the_log_tells_of_holds() {
    for attempt in DENIED {
        assert!(all_hold(&observed(attempt, false, true), &World::default(), &log()), "{attempt:?}");
    }
}

#[test]
fn an_attempt_that_worked_does_not_hold() {
    for attempt in DENIED {
        assert!(!all_hold(&observed(attempt, true, false), &World::default(), &log()), "{attempt:?}");
    }
}

#[test]
fn a_connection_that_ended_without_a_reset_does_not_hold() {
    for attempt in [Attempt::ByAddress, Attempt::Fronted] {
        assert!(!all_hold(&observed(attempt, false, false), &World::default(), &log()), "{attempt:?}");
    }
}

#[test]
fn a_packet_that_was_counted_and_not_sampled_is_recorded_too() {
    let end = |count| {
        Entry::RunEnd(RunEnd {
            count: 1,
            head: Digest::ZERO,
            command: Vec::new(),
            exit: 0,
            reason: None,
            millis: 1,
            refused: [("udp4".into(), count)].into(),
            hosts: Vec::new(),
        })
    };
    let seen = observed(Attempt::Datagram, false, false);
    assert!(all_hold(&seen, &World::default(), &[end(1)]));
    assert!(!all_hold(&seen, &World::default(), &[end(0)]));
}

#[test]
fn a_refusal_that_is_not_in_the_log_does_not_hold() {
    for attempt in DENIED {
        assert!(!all_hold(&observed(attempt, false, true), &World::default(), &[]), "{attempt:?}");
    }
}

#[test]
fn whatever_arrived_at_the_attacker_is_noticed() {
    let arrivals = [
        received("11.6.6.6:80", None, b""),
        received("11.1.0.1:443", Some(ATTACKERS), b""),
        received("11.1.0.1:80", None, b"POST\r\nTOKEN=5ec7e7"),
    ];
    for arrival in arrivals {
        let world = World { received: vec![arrival], ..World::default() };
        assert_eq!(stolen(&world, SECRET), 99);
        assert!(!all_hold(&observed(Attempt::ByName, false, true), &world, &log()));
    }
}

#[test]
fn a_question_that_left_is_noticed() {
    let from = "11.0.0.2:4000".parse().expect("an address");
    let query = DnsQuery { from, to: from, tcp: false, name: Attempt::question(SECRET), kind: "A".into() };
    let world = World { queries: vec![query], ..World::default() };
    assert!(!all_hold(&observed(Attempt::Resolver, false, false), &world, &log()));
}

#[test]
fn the_allowed_request_must_have_arrived_under_its_name() {
    let seen = observed(Attempt::Allowed, true, false);
    assert!(!all_hold(&seen, &World::default(), &log()));
    let mut arrival = received("11.1.0.1:443", Some(ALLOWED), b"");
    arrival.requests.push(Default::default());
    let world = World { received: vec![arrival], ..World::default() };
    assert!(all_hold(&seen, &world, &log()));
}

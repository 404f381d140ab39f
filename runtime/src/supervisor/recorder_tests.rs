//! Is every record written as it should be, in its phase and within its bounds?

use std::sync::mpsc::{Receiver, channel};

use bottle_evidence::key::SigningKey;
use bottle_policy::{Reason, Seen, Target};
use bottle_proxy::{Attempt, Way};

use super::*;
use crate::supervisor::run_start::run_start;

struct Bench {
    recorder: Recorder,
    events: Receiver<Event>,
    directory: tempfile::TempDir,
}

fn bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let key = Arc::new(SigningKey::from_seed([7; 32]));
    let ledger = Ledger::open(&directory.path().join("audit.jsonl"), key).unwrap();
    let (sender, events) = channel();
    let rules = Arc::new(Rules::deny_all());
    let recorder = Recorder::new(ledger, rules, Box::new(move |event| sender.send(event).unwrap()));
    Bench { recorder, events, directory }
}

impl Bench {
    fn running(self) -> Bench {
        self.recorder.record(&run_start());
        self.recorder.begin();
        self
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("audit.jsonl")).unwrap()
    }
}

fn record(id: u64, decision: Decision) -> DecisionRecord {
    let request = Request {
        target: Target::Lease(bottle_policy::Name::parse("api.example.com").unwrap()),
        port: 443,
        seen: Seen::Nothing,
    };
    let attempt = Attempt {
        id,
        source: "28.0.0.2:4000".parse().unwrap(),
        original: "28.1.2.3:443".parse().unwrap(),
        way: Way::Transparent,
        request,
        denied: None,
    };
    DecisionRecord { attempt, decision }
}

#[test]
fn while_probes_run_nothing_is_written_and_nothing_can_be_allowed() {
    let bench = bench();
    assert_eq!(bench.recorder.decided(&record(1, Decision::Deny(Reason::NoRule)), Process::UNKNOWN), Ok(()));
    assert_eq!(bench.recorder.decided(&record(2, Decision::Allow("rule".into())), Process::UNKNOWN), Err(NotRecorded));
    bench.recorder.commit().unwrap();
    assert_eq!(bench.log(), "");
    assert_eq!(bench.events.try_iter().count(), 0);
}

#[test]
fn an_attempt_is_recorded_once() {
    let bench = bench().running();
    assert_eq!(bench.recorder.decided(&record(1, Decision::Allow("rule".into())), Process::UNKNOWN), Ok(()));
    assert_eq!(bench.recorder.decided(&record(1, Decision::Allow("rule".into())), Process::UNKNOWN), Err(NotRecorded));
}

#[test]
fn a_decision_is_on_the_disk_when_commit_returns() {
    let bench = bench().running();
    bench.recorder.decided(&record(1, Decision::Allow("rule".into())), Process::UNKNOWN).unwrap();
    bench.recorder.commit().unwrap();
    let kinds: Vec<_> = bench.log().lines().map(|line| line.contains("\"kind\":\"seal\"")).collect();
    assert_eq!(kinds, [false, false, true]);
}

#[test]
fn a_destination_is_told_once_with_the_option_that_would_allow_it() {
    let bench = bench().running();
    for id in 1..4 {
        bench.recorder.decided(&record(id, Decision::Deny(Reason::NoRule)), Process::UNKNOWN).unwrap();
    }
    let told: Vec<_> = bench.events.try_iter().collect();
    let [Event::Blocked { host, port, allow, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((host.as_str(), *port), ("api.example.com", Some(443)));
    assert_eq!(allow.as_deref(), Some("--allow api.example.com"));
}

#[test]
fn a_flood_of_reports_is_bounded_and_counted_to_the_last() {
    const REPORTS: u64 = 100_000;
    let bench = bench().running();
    for number in 0..REPORTS {
        let name = format!("{number}.example.com");
        let denied = FromGate::NameDenied { name, kind: "A".into(), reason: Reason::NoRule, count: 2 };
        bench.recorder.refused(denied);
    }
    bench.recorder.cut();
    bench.recorder.commit().unwrap();
    let log = bench.log();
    let entries = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let counts: Vec<u64> =
        entries.filter(|entry| entry["kind"] == "dns.denied").map(|entry| entry["count"].as_u64().unwrap()).collect();
    assert!((counts.len() as u64) < REPORTS / 2, "{} entries", counts.len());
    assert_eq!(counts.iter().sum::<u64>(), 2 * REPORTS);
}

#[test]
fn what_is_left_out_has_the_reason_that_its_queries_share() {
    for (other, expected) in [(Reason::DohEndpoint, "doh-endpoint"), (Reason::Limit, "several")] {
        let mut state = State::new();
        for reason in [Reason::DohEndpoint, other] {
            Tally { count: 2, reason }.add(&mut state.left_out);
        }
        let Some(Entry::DnsDenied(others)) = state.others() else { panic!("nothing was left out") };
        assert_eq!((others.reason.as_str(), others.count), (expected, 4));
    }
}

#[test]
fn after_the_cut_nothing_is_decided_any_more() {
    let bench = bench().running();
    bench.recorder.cut();
    assert_eq!(bench.recorder.decided(&record(1, Decision::Allow("rule".into())), Process::UNKNOWN), Err(NotRecorded));
    assert_eq!(bench.recorder.decided(&record(2, Decision::Deny(Reason::NoRule)), Process::UNKNOWN), Err(NotRecorded));
    bench.recorder.commit().unwrap();
    assert!(!bench.log().contains("\"kind\":\"decision\""));
}

#[test]
fn an_outcome_with_numbers_beyond_json_is_recorded_all_the_same() {
    let bench = bench().running();
    bench.recorder.decided(&record(1, Decision::Allow("rule".into())), Process::UNKNOWN).unwrap();
    let refusal = bottle_proxy::Refusal::unreachable("gone");
    let most = u64::MAX;
    let outcome = Outcome { bytes_up: most, bytes_down: most, ..Outcome::refused(1, &refusal, most) };
    bench.recorder.ended(&outcome);
    bench.recorder.commit().unwrap();
    assert!(bench.log().contains(&format!("\"bytes_up\":{MAX_INTEGER},\"kind\":\"outcome\"")), "{}", bench.log());
    assert!(!bench.events.try_iter().any(|event| matches!(event, Event::LedgerFailed(_))));
}

#[test]
fn what_is_cut_has_an_outcome() {
    let bench = bench().running();
    bench.recorder.decided(&record(1, Decision::Allow("rule".into())), Process::UNKNOWN).unwrap();
    bench.recorder.cut();
    bench.recorder.commit().unwrap();
    assert!(bench.log().contains("\"result\":\"cut\""));
    assert!(bench.log().contains("\"bytes_down\":null,\"bytes_up\":null"), "nobody is left to say what passed");
    // Whatever would still be open would be cut once more.
    bench.recorder.cut();
    bench.recorder.commit().unwrap();
    assert_eq!(bench.log().matches("\"result\":\"cut\"").count(), 1);
}

#[test]
fn an_address_that_the_explicit_proxy_is_asked_for_is_the_one_that_is_recorded() {
    let bench = bench().running();
    let mut record = record(7, Decision::Deny(Reason::MetadataAddress));
    record.attempt.way = Way::Connect;
    record.attempt.original = "28.0.0.1:3128".parse().unwrap();
    record.attempt.request.target = Target::Literal("169.254.169.254".parse().unwrap());
    assert_eq!(bench.recorder.decided(&record, Process::UNKNOWN), Ok(()));
    bench.recorder.commit().unwrap();
    assert!(
        bench.log().contains(r#""address":"169.254.169.254""#) && !bench.log().contains("28.0.0.1"),
        "{}",
        bench.log()
    );
}

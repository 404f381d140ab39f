//! Do the rows per host say what a run did?

mod recorded;

use bottle_evidence::audit::{Choice, Ended, Entry, InboundRow, MAX_HOSTS, OTHERS, Summary};
use bottle_evidence::canonical::MAX_INTEGER;
use bottle_evidence::verify::{Completeness, verify_log};
use recorded::{Recorder, denied, ended, judged, keys};

#[test]
fn one_denial_makes_the_row_a_denial() {
    let mut summary = Summary::default();
    for (attempt, choice) in [(1, Choice::Allow), (2, Choice::Deny), (3, Choice::Allow)] {
        summary.decided(&judged(attempt, "api.example.com", choice));
    }
    let rows = summary.rows();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].decision, rows[0].connections, rows[0].denied), (Choice::Deny, 3, 1));
    assert_eq!(summary.unanswered(), 3);
}

#[test]
fn an_attempt_that_is_refused_after_it_was_allowed_is_a_denial() {
    let mut summary = Summary::default();
    summary.decided(&judged(1, "rebind.example.com", Choice::Allow));
    summary.ended(&ended(1, Ended::Refused));
    summary.decided(&judged(2, "evil.example.com", Choice::Deny));
    summary.ended(&ended(2, Ended::Refused));
    for row in summary.rows() {
        assert_eq!((row.decision, row.denied), (Choice::Deny, 1), "{}", row.name);
    }
}

#[test]
fn an_unreachable_host_is_no_denial() {
    let mut summary = Summary::default();
    summary.decided(&judged(1, "api.example.com", Choice::Allow));
    summary.ended(&ended(1, Ended::Unreachable));
    assert_eq!(summary.rows()[0].decision, Choice::Allow);
}

#[test]
fn a_denied_query_makes_a_row_without_connections() {
    let mut summary = Summary::default();
    summary.dns_denied(&denied("leak.example.org"));
    summary.dns_denied(&denied("leak.example.org"));
    let row = &summary.rows()[0];
    assert_eq!((row.decision, row.connections, row.denied, row.port), (Choice::Deny, 0, 6, None));
}

#[test]
fn the_port_is_shown_while_there_is_only_one() {
    let mut summary = Summary::default();
    let mut decision = judged(1, "api.example.com", Choice::Allow);
    summary.decided(&decision);
    assert_eq!(summary.rows()[0].port, Some(443));
    (decision.attempt, decision.port) = (2, 8443);
    summary.decided(&decision);
    assert_eq!(summary.rows()[0].port, None);
}

#[test]
fn a_host_without_a_name_is_its_address() {
    let mut summary = Summary::default();
    let mut decision = judged(1, "", Choice::Deny);
    decision.name = None;
    summary.decided(&decision);
    assert_eq!(summary.rows()[0].name.as_str(), "28.7.1.2");
}

#[test]
fn bytes_and_times_add_up_and_stop_at_the_greatest_number() {
    let mut summary = Summary::default();
    for attempt in [1, 2, 3] {
        summary.decided(&judged(attempt, "api.example.com", Choice::Allow));
        let mut outcome = ended(attempt, Ended::Closed);
        outcome.bytes_down = Some(MAX_INTEGER / 2);
        summary.ended(&outcome);
    }
    let row = &summary.rows()[0];
    assert_eq!((row.bytes_up, row.bytes_down, row.millis), (3 * 517, MAX_INTEGER, 3 * 34));
    assert_eq!(summary.unanswered(), 0);
}

#[test]
fn what_is_not_known_of_a_cut_connection_adds_nothing() {
    let mut summary = Summary::default();
    for (attempt, result) in [(1, Ended::Closed), (2, Ended::Cut)] {
        summary.decided(&judged(attempt, "api.example.com", Choice::Allow));
        let mut outcome = ended(attempt, result);
        if result == Ended::Cut {
            (outcome.bytes_up, outcome.bytes_down, outcome.millis) = (None, None, None);
        }
        summary.ended(&outcome);
    }
    let row = &summary.rows()[0];
    assert_eq!((row.connections, row.bytes_up, row.bytes_down), (2, 517, 4096));
}

#[test]
fn hosts_beyond_the_limit_share_one_row() {
    let mut summary = Summary::default();
    for attempt in 0..3 * MAX_HOSTS as u64 {
        summary.decided(&judged(attempt, &format!("h{attempt}.example.com"), Choice::Allow));
    }
    let rows = summary.rows();
    assert_eq!(rows.len(), MAX_HOSTS + 1);
    let others = &rows[MAX_HOSTS];
    assert_eq!((others.name.as_str(), others.connections), (OTHERS, 2 * MAX_HOSTS as u64));
}

#[test]
fn the_verifier_finds_the_rows_that_the_run_wrote() {
    let mut recorder = Recorder::new();
    recorder.run("run-1");
    let report = verify_log(&recorder.bytes[..], &keys(), None).unwrap();
    let [run] = &report.runs[..] else { panic!("{} runs", report.runs.len()) };
    let Completeness::Complete { end, .. } = &run.completeness else { panic!("incomplete") };
    assert_eq!(run.hosts, end.hosts);
    assert_eq!(run.hosts.len(), 3);
    let row = InboundRow { inside: 80, connections: 1, bytes_in: 78, bytes_out: 1234, millis: 9 };
    assert_eq!(run.inbound, [row]);
    assert_eq!((run.first, run.entries, end.count), (1, 15, 14));
    assert_eq!((run.unanswered, run.drifts.clone()), (0, vec![14]));
    assert_eq!((report.lines, report.head.seq), (16, 16));
}

#[test]
fn a_run_end_with_the_most_hosts_fits_a_line() {
    let mut recorder = Recorder::new();
    recorder.add(recorded::start("run-1"));
    for attempt in 0..=MAX_HOSTS as u64 {
        let mut decision = judged(attempt, "", Choice::Deny);
        decision.name = Some(format!("{attempt:04}{}", "\u{1}".repeat(250)).into());
        recorder.add(Entry::Decision(decision));
    }
    recorder.end();
    recorder.seal();
    assert_eq!(verify_log(&recorder.bytes[..], &keys(), None).unwrap().runs[0].hosts.len(), MAX_HOSTS + 1);
}

/// A count that a taken-over gate may claim, and more of the same: the end of the run can be written and read all the same.
#[test]
fn counts_stop_at_the_greatest_integer_that_a_line_can_carry() {
    let mut recorder = Recorder::new();
    recorder.add(recorded::start("run-1"));
    let mut claimed = denied("evil.example.net");
    claimed.count = MAX_INTEGER;
    recorder.add(Entry::DnsDenied(claimed));
    for attempt in 1..=2 {
        recorder.add(recorded::decision(attempt, "evil.example.net", Choice::Deny));
    }
    recorder.end();
    recorder.seal();
    let report = verify_log(recorder.bytes.as_slice(), &keys(), None).unwrap();
    assert_eq!((report.runs[0].hosts[0].denied, report.runs[0].hosts[0].connections), (MAX_INTEGER, 2));
}

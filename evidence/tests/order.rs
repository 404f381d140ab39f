//! Which sequences of entries does the verifier refuse, even from a writer who has the key?

mod recorded;

use bottle_evidence::audit::{
    AppendError, Chain, Choice, Ended, Ending, Entry, InboundOutcome, Line, LogProblem, OrderError, RunEnd, Torn,
};
use bottle_evidence::canonical::{MAX_INTEGER, ReadError};
use bottle_evidence::verify::{LogError, examine_log};
use bottle_evidence::{Digest, Text, sha256};
use recorded::{Recorder, decision, keys, lines, outcome, start, time};

/// A log whose last line no chain would have written.
fn log_ending_with(before: &[Entry], last: Entry) -> Vec<u8> {
    let mut recorder = Recorder::new();
    before.iter().for_each(|entry| recorder.add(entry.clone()));
    let (seq, prev) = (recorder.chain.seq() + 1, recorder.chain.head());
    let line = Line { seq, prev, time: time(1_800_000_060), entry: last };
    recorder.bytes.extend(line.to_bytes().unwrap());
    recorder.bytes.push(b'\n');
    recorder.bytes
}

/// Both the writer and the verifier refuse the last entry, and for the same reason.
fn refused(before: &[Entry], last: Entry, why: OrderError) {
    let log = log_ending_with(before, last.clone());
    let error = examine_log(&log[..], &keys(), None).unwrap_err();
    let place = before.len() as u64 + 1;
    assert_eq!(error, LogError { segment: 1, line: place, seq: Some(place), what: LogProblem::Order(why.clone()) });

    let mut recorder = Recorder::new();
    before.iter().for_each(|entry| recorder.add(entry.clone()));
    let head = recorder.chain.head();
    match recorder.chain.append(time(1_800_000_060), &last) {
        Err(AppendError::Order(same)) => assert_eq!(same, why),
        other => panic!("the chain said {other:?}"),
    }
    assert_eq!(recorder.chain.head(), head, "a refused entry leaves the chain as it was");
}

fn allowed(attempt: u64) -> Entry {
    decision(attempt, "api.example.com", Choice::Allow)
}

/// A `run.end` that is right after `run.start` and one allowed attempt, changed by the test.
fn end_after_one_attempt(change: impl FnOnce(&mut RunEnd)) -> Entry {
    let mut recorder = Recorder::new();
    [start("run-1"), allowed(1)].into_iter().for_each(|entry| recorder.add(entry));
    let ending = Ending { exit: 0, reason: None, millis: 1, refused: Default::default() };
    let (mut end, _) = recorder.chain.end(time(1_800_000_050), ending).unwrap();
    change(&mut end);
    Entry::RunEnd(end)
}

#[test]
fn nothing_of_a_run_stands_outside_of_it() {
    for entry in [
        allowed(1),
        outcome(1, Ended::Closed),
        Entry::DnsDenied(recorded::denied("x.example.org")),
        Entry::Refused(recorded::refused()),
        end_after_one_attempt(|_| {}),
        Entry::Inbound(recorded::inbound(1)),
        Entry::InboundOutcome(recorded::inbound_ended(1, Ended::Closed)),
    ] {
        refused(&[], entry, OrderError::OutsideRun);
    }
}

#[test]
fn no_run_begins_within_another() {
    refused(&[start("run-1")], start("run-2"), OrderError::RunInsideRun);
}

#[test]
fn no_two_runs_have_one_id() {
    let mut recorder = Recorder::new();
    recorder.run("run-1");
    match recorder.chain.append(time(1_800_000_060), &start("run-1")) {
        Err(AppendError::Order(why)) => assert_eq!(why, OrderError::RunRepeated),
        other => panic!("the chain said {other:?}"),
    }
}

#[test]
fn no_attempt_is_judged_twice() {
    refused(&[start("run-1"), allowed(7)], allowed(7), OrderError::DecisionRepeated(7));
    let whole = [start("run-1"), allowed(7), outcome(7, Ended::Closed)];
    refused(&whole, allowed(7), OrderError::DecisionRepeated(7));
}

#[test]
fn no_outcome_comes_without_its_decision() {
    refused(&[start("run-1"), allowed(7)], outcome(8, Ended::Closed), OrderError::OutcomeWithoutDecision(8));
}

#[test]
fn no_attempt_has_two_outcomes() {
    let whole = [start("run-1"), allowed(7), outcome(7, Ended::Closed)];
    refused(&whole, outcome(7, Ended::Cut), OrderError::OutcomeRepeated(7));
}

#[test]
fn only_a_cut_connection_may_leave_out_what_passed_and_only_as_a_whole() {
    let before = [start("run-1"), allowed(7)];
    let without = |result, up: Option<u64>| {
        let unknown = recorded::ended(7, result);
        Entry::Outcome(bottle_evidence::audit::Outcome { bytes_up: up, bytes_down: None, millis: None, ..unknown })
    };
    refused(&before, without(Ended::Closed, None), OrderError::Uncounted(7));
    refused(&before, without(Ended::Cut, Some(1)), OrderError::Uncounted(7));
    let mut recorder = recorded::Recorder::new();
    before.into_iter().chain([without(Ended::Cut, None)]).for_each(|entry| recorder.add(entry));
}

#[test]
fn each_connection_from_outside_begins_once_and_has_one_outcome() {
    let begun = |number| Entry::Inbound(recorded::inbound(number));
    let ended = |number| Entry::InboundOutcome(recorded::inbound_ended(number, Ended::Closed));
    refused(&[start("run-1"), begun(7)], begun(7), OrderError::InboundRepeated(7));
    refused(&[start("run-1"), begun(7)], ended(8), OrderError::InboundOutcomeAlone(8));
    refused(&[start("run-1"), allowed(8), begun(7)], ended(8), OrderError::InboundOutcomeAlone(8));
    let whole = [start("run-1"), begun(7), ended(7)];
    refused(&whole, ended(7), OrderError::InboundOutcomeRepeated(7));
    refused(&whole, begun(7), OrderError::InboundRepeated(7));
}

#[test]
fn only_a_cut_connection_from_outside_may_leave_out_what_passed() {
    let before = [start("run-1"), Entry::Inbound(recorded::inbound(7))];
    let without = |result, bytes_in: Option<u64>| {
        let known = recorded::inbound_ended(7, result);
        Entry::InboundOutcome(InboundOutcome { bytes_in, bytes_out: None, millis: None, ..known })
    };
    refused(&before, without(Ended::Closed, None), OrderError::InboundUncounted(7));
    refused(&before, without(Ended::Cut, Some(1)), OrderError::InboundUncounted(7));
    let mut recorder = recorded::Recorder::new();
    before.into_iter().chain([without(Ended::Cut, None)]).for_each(|entry| recorder.add(entry));
}

#[test]
fn no_other_policy_decides_within_a_run() {
    let mut other = recorded::judged(3, "api.example.com", Choice::Allow);
    other.policy = sha256(b"another policy");
    refused(&[start("run-1")], Entry::Decision(other), OrderError::OtherPolicy(3));
}

#[test]
fn the_end_of_a_run_must_count_its_lines() {
    let end = end_after_one_attempt(|end| end.count = 3);
    refused(&[start("run-1"), allowed(1)], end, OrderError::WrongCount { said: 3, counted: 2 });
}

#[test]
fn the_end_of_a_run_must_name_its_head() {
    let end = end_after_one_attempt(|end| end.head = Digest::ZERO);
    refused(&[start("run-1"), allowed(1)], end, OrderError::WrongHead);
}

#[test]
fn the_end_of_a_run_must_name_its_command() {
    let end = end_after_one_attempt(|end| end.command.push("--more".into()));
    refused(&[start("run-1"), allowed(1)], end, OrderError::OtherCommand);
}

#[test]
fn the_rows_of_a_run_must_be_what_its_entries_add_up_to() {
    let end = end_after_one_attempt(|end| end.hosts[0].denied = 1);
    refused(&[start("run-1"), allowed(1)], end, OrderError::WrongHosts(Some(0)));
    let end = end_after_one_attempt(|end| end.hosts.clear());
    refused(&[start("run-1"), allowed(1)], end, OrderError::WrongHosts(None));
}

#[test]
fn what_a_run_says_of_opened_connections_must_add_up_with_its_decisions() {
    let end = |rows: &[(&str, u64)]| {
        end_after_one_attempt(|end| end.refused = rows.iter().map(|(name, count)| ((*name).into(), *count)).collect())
    };
    let forged = end(&[("answered", 3), ("opened", 6), ("undecided", 1)]);
    let why = OrderError::WrongUndecided { said: 1, counted: 2 };
    refused(&[start("run-1"), allowed(1)], forged, why);
    let part = end(&[("answered", 3), ("undecided", 2)]);
    refused(&[start("run-1"), allowed(1)], part, OrderError::OpenedInPart);
    let good = log_ending_with(&[start("run-1"), allowed(1)], end(&[("answered", 3), ("opened", 6), ("undecided", 2)]));
    examine_log(&good[..], &keys(), None).unwrap();
}

#[test]
fn a_tear_must_count_the_lines_that_no_seal_signed_for() {
    let torn = Torn { bytes: 0, sha256: sha256(b""), unsealed: 1 };
    let why = OrderError::WrongUnsealed { said: 1, counted: 2 };
    refused(&[start("run-1"), allowed(1)], Entry::Torn(torn), why);
}

#[test]
fn there_is_no_seal_without_lines_and_none_by_hand() {
    let mut chain = Chain::new();
    let seal = chain.seal(time(0), &recorded::key());
    assert!(matches!(seal, Err(AppendError::Order(OrderError::NothingToSeal))));
    let mut recorder = Recorder::new();
    recorder.run("run-1");
    let last = lines(&recorder.bytes).pop().unwrap();
    let line = Line::from_bytes(last.trim_ascii_end()).unwrap();
    let by_hand = recorder.chain.append(time(0), &line.entry);
    assert!(matches!(by_hand, Err(AppendError::ForeignSeal)));
}

#[test]
fn a_number_that_json_would_round_is_not_written() {
    let mut recorder = Recorder::new();
    recorder.add(start("run-1"));
    let head = recorder.chain.head();
    let appended = recorder.chain.append(time(0), &allowed(MAX_INTEGER + 2));
    assert!(matches!(appended, Err(AppendError::NoCanonicalForm(_))), "{appended:?}");
    assert_eq!(recorder.chain.head(), head);
    recorder.chain.append(time(0), &allowed(MAX_INTEGER)).unwrap();
}

/// The first line of a log, its JSON changed and made canonical again.
fn first_line_with(change: impl FnOnce(&mut serde_json::Value)) -> LogProblem {
    let log = recorded::log();
    let lines = lines(&log);
    let mut value: serde_json::Value = serde_json::from_slice(&lines[0]).unwrap();
    change(&mut value);
    let bytes = [bottle_evidence::canonical::to_bytes(&value).unwrap(), b"\n".to_vec()].concat();
    let error = examine_log(&bytes[..], &keys(), None).unwrap_err();
    assert_eq!(error.line, 1);
    error.what
}

#[test]
fn a_field_that_is_not_known_is_named() {
    for pointer in ["", "/workload"] {
        let what = first_line_with(|value| {
            let object = value.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
            object.insert("sneaky".into(), true.into());
        });
        let LogProblem::Line(ReadError::Form(message)) = what else { panic!("{what}") };
        assert!(message.contains("unknown field `sneaky`"), "{message}");
    }
}

#[test]
fn a_field_that_is_missing_is_named() {
    for field in ["seq", "prev", "time", "kind", "policy", "command"] {
        let what = first_line_with(|value| drop(value.as_object_mut().unwrap().remove(field)));
        let LogProblem::Line(ReadError::Form(message)) = what else { panic!("{what}") };
        assert!(message.contains(&format!("missing field `{field}`")), "{field}: {message}");
    }
}

#[test]
fn optional_fields_are_always_written() {
    let mut recorder = Recorder::new();
    recorder.add(start("run-1"));
    recorder.add(allowed(1));
    let mut lines = lines(&recorder.bytes);
    let text = String::from_utf8(lines.pop().unwrap()).unwrap();
    assert!(text.contains(r#""reason":null"#));
    let without = text.replace(r#""reason":null,"#, "");
    assert!(matches!(Line::from_bytes(without.trim_end().as_bytes()), Err(ReadError::Form(_))));
}

#[test]
fn a_field_that_is_there_twice_is_named() {
    let log = String::from_utf8(recorded::log()).unwrap();
    let doubled = log.replacen(r#""mode":"enforce","#, r#""mode":"enforce","mode":"enforce","#, 1);
    let error = examine_log(doubled.as_bytes(), &keys(), None).unwrap_err();
    let what = LogProblem::Line(ReadError::DuplicateField("mode".into()));
    assert_eq!(error, LogError { segment: 1, line: 1, seq: None, what });
}

#[test]
fn white_space_and_other_spellings_are_refused() {
    let log = String::from_utf8(recorded::log()).unwrap();
    let spellings = [
        log.replacen("\"seq\":1,", "\"seq\": 1,", 1),
        log.replacen("\"seq\":1,", "\"seq\":1.0,", 1),
        log.replacen("curl", "\\u0063url", 1),
        log.replacen('\n', "\r\n", 1),
    ];
    for other in spellings {
        assert_ne!(other, log);
        let error = examine_log(other.as_bytes(), &keys(), None).unwrap_err();
        assert_eq!(error.line, 1);
        assert!(matches!(error.what, LogProblem::Line(ReadError::NotCanonical(_))), "{error}");
    }
}

#[test]
fn what_the_workload_says_cannot_break_a_line_or_a_terminal() {
    let mut recorder = Recorder::new();
    recorder.add(start("run-1"));
    let mut nasty = recorded::judged(1, "x", Choice::Deny);
    nasty.name = Some(Text::new("a\n{\"kind\":\"seal\"}\r\u{1b}[31m\0\"\\"));
    recorder.add(Entry::Decision(nasty));
    assert_eq!(lines(&recorder.bytes).len(), 2);
    assert!(recorder.bytes.iter().all(|byte| *byte == b'\n' || !byte.is_ascii_control()));
    let report = examine_log(&recorder.bytes[..], &keys(), None).unwrap();
    assert_eq!(report.runs[0].entries, 2);
}

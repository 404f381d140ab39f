//! Does `bottle audit` print what was asked for, and what comes, until the run is over?

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use bottle_evidence::Digest;
use bottle_evidence::audit::{
    Chain, Choice, Decision, DnsDenied, Ended, Ending, Entry, Outcome, Process, Refused, Seen,
};
use bottle_evidence::key::SigningKey;

use crate::audit::{moment, run_start};
use crate::place::Place;

fn decision(attempt: u64, name: Option<&str>, decision: Choice) -> Entry {
    Entry::Decision(Decision {
        attempt,
        process: Process::UNKNOWN,
        name: name.map(Into::into),
        address: [28, 4, 5, attempt as u8].into(),
        port: 443,
        seen: Seen::Nothing,
        decision,
        reason: (decision == Choice::Deny).then(|| "no-rule".into()),
        rule: None,
        policy: Digest([5; 32]),
    })
}

fn closed(attempt: u64) -> Entry {
    let (bytes_up, bytes_down, millis) = (Some(1), Some(2), Some(3));
    Entry::Outcome(Outcome {
        attempt,
        result: Ended::Closed,
        reason: None,
        upstream: None,
        bytes_up,
        bytes_down,
        millis,
    })
}

/// A log as it is written: line by line, the last of which is a seal.
struct Written(Chain);

impl Written {
    fn entries(&mut self, entries: &[Entry]) -> Vec<u8> {
        let each = entries.iter().flat_map(|entry| self.0.append(moment(1), entry).expect("it may come"));
        let mut bytes: Vec<u8> = each.collect();
        bytes.extend(self.0.seal(moment(1), &SigningKey::from_seed([3; 32])).expect("a seal"));
        bytes
    }

    fn end(&mut self) -> Vec<u8> {
        let ending = Ending { exit: 0, reason: None, millis: 1, refused: [("udp4".into(), 1)].into() };
        let mut bytes = self.0.end(moment(2), ending).expect("an end").1;
        bytes.extend(self.0.seal(moment(2), &SigningKey::from_seed([3; 32])).expect("a seal"));
        bytes
    }
}

/// A place with a log of one run with all sorts of entries, without its end.
fn begun() -> (Place, Written) {
    let (place, mut log) = (Place::new(), Written(Chain::new()));
    let denied = DnsDenied { name: "evil.example".into(), qtype: "A".into(), reason: "no-rule".into(), count: 1 };
    let (class, protocol) = ("udp4".into(), "udp".into());
    let refused = Refused { class, protocol, source_port: None, address: Some([9, 9, 9, 9].into()), port: Some(443) };
    let entries = [
        run_start(Digest::ZERO),
        decision(1, Some("api.good.example"), Choice::Allow),
        decision(2, Some("evil.example"), Choice::Deny),
        closed(1),
        Entry::DnsDenied(denied),
        Entry::Refused(refused),
        decision(3, None, Choice::Observe),
        closed(3),
    ];
    place.write("a.jsonl", log.entries(&entries));
    (place, log)
}

/// The sequence numbers of the entries that are shown.
fn shown(place: &Place, options: &[&str]) -> Vec<u64> {
    let said = place.bottle(&[&["audit", "show", "a.jsonl"], options].concat());
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    said.out.lines().map(|line| line.split_whitespace().next().expect("a number").parse().expect("a number")).collect()
}

#[test]
fn entries_are_shown_by_decision_and_host_with_what_became_of_them() {
    let (place, _) = begun();
    assert_eq!(shown(&place, &[]), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(shown(&place, &["--decision", "allow"]), [2, 4]);
    assert_eq!(shown(&place, &["--decision", "deny"]), [3, 5, 6]);
    assert_eq!(shown(&place, &["--decision", "deny", "--decision", "observe"]), [3, 5, 6, 7, 8]);
    assert_eq!(shown(&place, &["--host", "EVIL.example."]), [3, 5]);
    assert_eq!(shown(&place, &["--host", "*.good.example"]), [2, 4]);
    assert_eq!(shown(&place, &["--host", "good.example"]), [0; 0]);
    assert_eq!(shown(&place, &["--host", "28.4.5.3"]), [7, 8]);
    assert_eq!(shown(&place, &["--host", "9.9.9.9", "--decision", "deny"]), [6]);
    assert_eq!(shown(&place, &["--host", "evil.example", "--decision", "allow"]), [0; 0]);
}

#[test]
fn nothing_that_a_terminal_obeys_is_shown() {
    let (place, _) = begun();
    place.append("a.jsonl", "\u{1b}[2J{\"x\":\"\u{9b}\"}\n".as_bytes());
    for options in [&[][..], &["--json"]] {
        let said = place.bottle(&[&["audit", "show", "a.jsonl"], options].concat());
        assert!(said.code == 0 && !said.out.contains(['\u{1b}', '\u{9b}']), "{said:?}");
    }
}

#[test]
fn of_a_log_that_is_over_the_last_entries_are_printed() {
    let (place, mut log) = begun();
    place.append("a.jsonl", &log.end());
    let said = place.bottle(&["audit", "tail", "-n", "3", "a.jsonl"]);
    let kinds: Vec<&str> = said.out.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!((said.code, kinds), (0, vec!["seal", "run.end", "seal"]), "{said:?}");
    let all = place.bottle(&["audit", "tail", "-n", "all", "--json", "--decision", "deny", "a.jsonl"]);
    assert_eq!((all.code, all.out.lines().count()), (0, 3), "{all:?}");
}

/// `bottle audit tail` of the place's log, and its lines.
fn tail(place: &Place, options: &[&str]) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut command = place.command(&[&["audit", "tail", "a.jsonl", "--json"], options].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    (child, lines.map(|line| line.expect("a line")))
}

#[test]
fn what_comes_is_printed_as_it_comes_until_the_run_is_over() {
    let (place, mut log) = begun();
    let mut file = File::options().append(true).open(place.path("a.jsonl")).expect("the log");
    let (mut child, mut lines) = tail(&place, &["-n", "1", "--decision", "deny"]);
    assert!(lines.next().expect("the last").contains("9.9.9.9"));
    let bytes =
        log.entries(&[decision(4, Some("b.example"), Choice::Allow), decision(5, Some("c.example"), Choice::Deny)]);
    // In two pieces: half of a line is none.
    file.write_all(&bytes[..bytes.len() / 2]).expect("it is written");
    file.write_all(&bytes[bytes.len() / 2..]).expect("it is written");
    assert!(lines.next().expect("the new one").contains("c.example"));
    file.write_all(&log.end()).expect("it is written");
    assert_eq!(lines.next(), None);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_run_whose_writer_is_gone_is_waited_for_no_longer() {
    let (place, _) = begun();
    let file = File::options().append(true).open(place.path("a.jsonl")).expect("the log");
    let (mut child, mut lines) = tail(&place, &["-n", "1"]);
    assert!(lines.next().is_some());
    drop(file);
    assert_eq!(lines.next(), None);
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

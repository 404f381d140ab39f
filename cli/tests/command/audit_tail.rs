//! Does `bottle audit` print what was asked for, and what comes, until the run is over?

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};

use bottle_evidence::Digest;
use bottle_evidence::audit::{
    Chain, Choice, Decision, DnsDenied, Ended, Ending, Entry, Known, Outcome, Process, Refused, Seen,
};
use bottle_evidence::key::SigningKey;

use crate::audit::{moment, run_start};
use crate::place::{Place, terminal};

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

/// The log's first process, and what became of what it asked for; not another one, and not one that is unknown.
#[test]
fn entries_are_shown_and_followed_by_process() {
    let (place, mut log) = begun();
    let by = |attempt, pid| {
        let Entry::Decision(unknown) = decision(attempt, None, Choice::Allow) else { unreachable!() };
        let known = Known { pid, start: 5, exe: "/usr/bin/curl".into(), uid: 1000 };
        Entry::Decision(Decision { process: Process::Known(known), ..unknown })
    };
    place.append("a.jsonl", &log.entries(&[by(4, 77), by(5, 78), closed(5), closed(4)]));
    place.append("a.jsonl", &log.end());
    assert_eq!(shown(&place, &["--pid", "77"]), [10, 13]);
    assert_eq!(shown(&place, &["--pid", "78", "--decision", "allow"]), [11, 12]);
    assert_eq!(shown(&place, &["--pid", "7"]), [0; 0]);
    let followed = place.bottle(&["audit", "tail", "-n", "all", "--json", "--pid", "77", "a.jsonl"]);
    assert_eq!((followed.code, followed.out.lines().count()), (0, 2), "{followed:?}");
}

/// What it prints on a terminal, with this in its environment.
fn on_a_terminal(place: &Place, words: &[&str], environment: &[(&str, &str)]) -> String {
    let (mut seen, other) = terminal();
    let mut command = place.command(words);
    let mut child = command.envs(environment.iter().copied()).stdout(other).spawn().expect("it starts");
    drop(command);
    let mut shown = Vec::new();
    // The last one at the other side leaves: that is an error here, and the end.
    let _ = seen.read_to_end(&mut shown);
    assert!(child.wait().expect("it ended").success(), "{words:?}");
    String::from_utf8(shown).expect("text")
}

#[test]
fn colours_tell_decisions_apart_on_a_terminal_and_nowhere_else() {
    let (place, mut log) = begun();
    place.append("a.jsonl", &log.end());
    for words in [&["audit", "show", "a.jsonl"][..], &["audit", "tail", "-n", "all", "a.jsonl"]] {
        let shown = on_a_terminal(&place, words, &[]);
        for (number, colour) in [("2", "32"), ("3", "31"), ("5", "31"), ("6", "31"), ("7", "33")] {
            let coloured = |line: &&str| {
                let text = line.strip_prefix(&format!("\x1b[{colour}m"));
                text.is_some_and(|text| {
                    text.trim_start().starts_with(&format!("{number} ")) && text.contains("\x1b[0m")
                })
            };
            assert_eq!(shown.lines().filter(coloured).count(), 1, "{words:?}, line {number}: {shown}");
        }
        assert!(!on_a_terminal(&place, words, &[("NO_COLOR", "1")]).contains('\x1b'), "{words:?}");
        assert!(!on_a_terminal(&place, &[words, &["--json"]].concat(), &[]).contains('\x1b'), "{words:?}");
        let piped = place.bottle(words);
        assert!(piped.code == 0 && !piped.out.contains('\x1b') && piped.out.contains("evil.example"), "{piped:?}");
    }
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

#[test]
fn what_comes_in_the_logs_next_file_is_printed_too() {
    let (place, mut log) = begun();
    let mut first = File::options().append(true).open(place.path("a.jsonl")).expect("the log");
    let (mut child, mut lines) = tail(&place, &["-n", "1", "--decision", "deny"]);
    assert!(lines.next().expect("the last").contains("9.9.9.9"));
    first.write_all(&log.entries(&[decision(4, Some("b.example"), Choice::Deny)])).expect("it is written");
    assert!(lines.next().expect("the new one").contains("b.example"));
    // As it is written: the file is there before its first line. The first is open as long as the log is written.
    let mut next = File::create_new(place.path("a.jsonl.2")).expect("a file");
    let begun = log.0.segment(moment(2)).expect("all is sealed");
    next.write_all(&[begun, log.entries(&[decision(5, Some("c.example"), Choice::Deny)])].concat()).expect("written");
    assert!(lines.next().expect("in the next file").contains("c.example"));
    let mut third = File::create_new(place.path("a.jsonl.3")).expect("a file");
    drop(next);
    third.write_all(&[log.0.segment(moment(2)).expect("all is sealed"), log.end()].concat()).expect("it is written");
    assert_eq!(lines.next(), None);
    assert!(child.wait().expect("it ends").success());
    place.write("bottle.pub", SigningKey::from_seed([3; 32]).public().to_pem());
    let verify = || place.bottle(&["audit", "verify", "a.jsonl", "--key", "bottle.pub"]);
    assert!(verify().out.starts_with("a.jsonl: ok, 17 lines in 3 files, 1 run, head 17:"), "{:?}", verify());
    assert_eq!(shown(&place, &[]), (1..=17).collect::<Vec<_>>());
    std::fs::rename(place.path("a.jsonl.3"), place.path("a.jsonl.4")).expect("renamed");
    let (said, showed) = (verify(), place.bottle(&["audit", "show", "a.jsonl"]));
    assert!(said.code == 1 && said.err.starts_with("bottle: a.jsonl.3: file 3 of the log, line 1: "), "{said:?}");
    assert!(showed.code == 2 && showed.err.contains("file 3 of the audit log is missing"), "{showed:?}");
    std::fs::rename(place.path("a.jsonl.4"), place.path("a.jsonl.2")).expect("renamed");
    assert!(
        verify().err.contains("a.jsonl.2: file 2 of the log, line 12 (seq 15): this is file 3 of a log"),
        "{:?}",
        verify()
    );
}

#[test]
fn where_nothing_more_can_be_watched_there_is_a_hint() {
    let (place, _) = begun();
    for setting in ["max_inotify_instances", "max_inotify_watches"] {
        let tail = place.command(&["audit", "tail", "a.jsonl"]);
        let limited = format!("echo 0 >/proc/sys/user/{setting} && exec \"$0\" audit tail a.jsonl");
        // The limit of a user namespace of its own.
        let mut command = std::process::Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", &limited]).arg(tail.get_program());
        let output =
            command.current_dir(place.path("")).env("BOTTLE_ROOT", place.path("state")).output().expect("unshare");
        let said = crate::place::Said::from(output);
        let hint = format!("fs.inotify.{}", setting.replace("inotify", "user"));
        assert!(said.code == 2 && said.err.contains("cannot watch the audit log a.jsonl"), "{said:?}");
        assert!(said.err.contains("hint: ") && said.err.contains(&hint), "{said:?}");
    }
}

//! Does `bottle audit` accept what was written and name the first line of what was changed?

use std::time::Duration;

use bottle_evidence::audit::{Chain, Choice, Decision, Ending, Entry, Process, RunStart, Seen, Workload};
use bottle_evidence::key::SigningKey;
use bottle_evidence::predicate::Mode;
use bottle_evidence::{Digest, Time};

use crate::place::{Place, Said};

pub fn key() -> SigningKey {
    SigningKey::from_seed([3; 32])
}

/// The moment of the line with this number.
pub fn moment(second: u64) -> Time {
    Time::from_micros(1_700_000_000_000_000) + Duration::from_secs(second)
}

pub fn run_start(attestation: Digest) -> Entry {
    Entry::RunStart(RunStart {
        run: "feed".into(),
        attestation,
        workload: Workload { pid: 7, start: 99 },
        command: vec!["npm".into(), "install".into()],
        mode: Mode::Enforce,
        policy: Digest([5; 32]),
    })
}

#[test]
fn a_command_that_looks_like_rows_of_the_report_is_one_line_of_it() {
    let mut chain = Chain::new();
    let Entry::RunStart(start) = run_start(Digest::ZERO) else { unreachable!() };
    let forged = "x\n  allow     good.example:443\r\n     9 1970  decision";
    let start = RunStart { command: vec!["sh".into(), "-c".into(), forged.into()], ..start };
    let mut bytes = chain.append(moment(1), &Entry::RunStart(start)).expect("a start");
    bytes.extend(chain.seal(moment(4), &key()).expect("a seal"));
    let place = Place::new();
    place.write("a.jsonl", &bytes);
    place.write("bottle.pub", key().public().to_pem());
    for command in [&["audit", "verify", "a.jsonl", "--key", "bottle.pub"][..], &["audit", "show", "a.jsonl"]] {
        let said = place.bottle(command);
        let line = said.out.lines().find(|line| line.contains("sh -c")).unwrap_or_else(|| panic!("{}", said.out));
        assert!(line.contains(r"x\n  allow     good.example:443\r\n"), "{}", said.out);
    }
}

fn decision() -> Entry {
    Entry::Decision(Decision {
        attempt: 1,
        process: Process::UNKNOWN,
        name: Some("evil.example".into()),
        address: [28, 4, 5, 6].into(),
        port: 443,
        seen: Seen::Nothing,
        decision: Choice::Deny,
        reason: Some("no-rule".into()),
        rule: None,
        policy: Digest([5; 32]),
    })
}

/// A whole log of one run, or one without its end.
pub fn log(attestation: Digest, ended: bool) -> Vec<u8> {
    let mut chain = Chain::new();
    let mut bytes = chain.append(moment(1), &run_start(attestation)).expect("a start");
    bytes.extend(chain.append(moment(2), &decision()).expect("a decision"));
    if ended {
        let ending = Ending { exit: 1, reason: None, millis: 1500, refused: [("udp4".into(), 3)].into() };
        bytes.extend(chain.end(moment(3), ending).expect("an end").1);
    }
    bytes.extend(chain.seal(moment(4), &key()).expect("a seal"));
    bytes
}

fn verify(bytes: &[u8], more: &[&str]) -> Said {
    let place = Place::new();
    place.write("a.jsonl", bytes);
    place.write("bottle.pub", key().public().to_pem());
    place.bottle(&[&["audit", "verify", "a.jsonl", "--key", "bottle.pub"], more].concat())
}

#[test]
fn a_whole_log_is_ok_and_its_runs_are_summed_up() {
    let said = verify(&log(Digest::ZERO, true), &[]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.starts_with("a.jsonl: ok, 4 lines, 1 run, head 4:"), "{}", said.out);
    assert!(said.out.contains("run feed enforce: npm install: exit 1 after 1.5 s"), "{}", said.out);
    assert!(said.out.contains("deny      evil.example:443  1 connection, 1 denied"), "{}", said.out);
    assert!(said.out.contains("refused   udp4: 3 packets"), "{}", said.out);
}

#[test]
fn the_first_changed_line_is_named() {
    let text = String::from_utf8(log(Digest::ZERO, true)).expect("JSON");
    let said = verify(text.replace("evil.example", "good.example").as_bytes(), &[]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.starts_with("bottle: a.jsonl: line 3 (seq 3): "), "{}", said.err);
}

#[test]
fn a_run_without_its_end_is_never_ok() {
    let said = verify(&log(Digest::ZERO, false), &[]);
    assert_eq!(said.code, 1);
    assert!(!said.out.contains("ok") && said.out.contains("INCOMPLETE"), "{}", said.out);
    assert!(said.err.contains("incomplete") && said.err.contains("hint: "), "{}", said.err);
}

#[test]
fn a_key_that_is_not_given_is_not_trusted() {
    let place = Place::new();
    place.write("a.jsonl", log(Digest::ZERO, true));
    place.write("other.pub", SigningKey::from_seed([4; 32]).public().to_pem());
    let said = place.bottle(&["audit", "verify", "a.jsonl", "--key", "other.pub"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("not trusted") && said.err.contains("hint: give the public key"), "{}", said.err);
}

#[test]
fn json_tells_a_program_the_same() {
    let answer = verify(&log(Digest::ZERO, true), &["--json"]).json();
    assert_eq!(answer["ok"], true);
    assert_eq!(answer["log"]["runs"][0]["hosts"][0]["decision"], "deny");
    let said = verify(&log(Digest::ZERO, false), &["--json"]);
    assert_eq!((said.code, &said.json()["ok"], &said.json()["problem"]["line"]), (1, &false.into(), &1.into()));
}

#[test]
fn a_head_that_someone_has_seen_must_still_be_there() {
    let whole = log(Digest::ZERO, true);
    let answer = verify(&whole, &["--json"]).json();
    let head = format!("4:{}", answer["log"]["head"]["hash"].as_str().expect("a hash"));
    assert_eq!(verify(&whole, &["--head", &head]).code, 0);
    assert_eq!(verify(&whole, &["--head", &head.replacen("4:", "9:", 1)]).code, 1);
    assert_eq!(verify(&whole, &["--head", "4:beef"]).code, 2);
}

#[test]
fn an_attestation_that_no_run_names_is_refused() {
    let place = Place::new();
    place.write("a.jsonl", log(Digest::ZERO, true));
    place.write("att.json", "{}");
    place.write("bottle.pub", key().public().to_pem());
    let said = place.bottle(&["audit", "verify", "a.jsonl", "--key", "bottle.pub", "--attestation", "att.json"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("no run of this log names this attestation"), "{}", said.err);
}

#[test]
fn what_cannot_be_read_is_an_error_of_io() {
    let place = Place::new();
    place.write("bottle.pub", key().public().to_pem());
    for file in ["nowhere", "."] {
        let said = place.bottle(&["audit", "verify", file, "--key", "bottle.pub"]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{said:?}");
        assert!(said.err.contains("cannot read the audit log"), "{}", said.err);
    }
    let said = place.bottle(&["audit", "verify", "bottle.pub"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("cannot read the key") && said.err.contains("hint: "), "{}", said.err);
}

#[test]
fn what_is_no_log_is_told_so() {
    for bytes in [&b"# Notes\n"[..], b"{\"payload\": 1}\n", b"{}", b"", b"\x7fELF\n\xff"] {
        let said = verify(bytes, &[]);
        assert_eq!((said.code, said.out.as_str()), (1, ""));
        assert!(said.err.contains("hint: this is no audit log"), "{}", said.err);
    }
}

#[test]
fn an_empty_log_is_told_so() {
    let place = Place::new();
    place.write("a.jsonl", "");
    let said = place.bottle(&["audit", "show", "a.jsonl"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.starts_with("bottle: a.jsonl: the log is empty\nhint: "), "{}", said.err);
}

#[test]
fn show_prints_a_line_for_each_entry_and_json_the_entries_themselves() {
    let place = Place::new();
    let bytes = log(Digest::ZERO, true);
    place.write("a.jsonl", &bytes);
    let said = place.bottle(&["audit", "show", "a.jsonl"]);
    assert_eq!((said.code, said.out.lines().count()), (0, 4));
    assert!(said.out.contains("#1 deny evil.example port 443 (no-rule)"), "{}", said.out);
    let said = place.bottle(&["audit", "show", "--json", "a.jsonl"]);
    assert_eq!(said.out.as_bytes(), bytes);
}

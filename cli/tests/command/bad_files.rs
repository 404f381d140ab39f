//! What do the commands that read evidence say of files that are none? A named error, soon, within bounded memory.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use bottle_evidence::{Digest, dsse, incident};

use crate::audit::{key, log};
use crate::place::{Place, Said};

const HUGE: u64 = 10 << 30;

/// A log may have lines of 4 MiB; the program itself is some twenty.
const MEBIBYTES: u64 = 160;

/// What begins like an export may be as long as one.
const EXPORT: u64 = 256;

/// Each name with the beginning of the file, and how long it is beyond that: zeros, which take no room on the disk.
fn files() -> Vec<(&'static str, Vec<u8>, u64)> {
    let whole = log(Digest::ZERO, true);
    let mut flipped = whole.clone();
    flipped[20] ^= 1;
    let mut statement = dsse::sign(&key(), dsse::IN_TOTO, b"{\"predicate\":{}}").to_bytes();
    let mut export = dsse::sign(&key(), incident::INCIDENT, b"{\"entries\":[]}").to_bytes();
    for envelope in [&mut statement, &mut export] {
        let at = envelope.len() / 2;
        envelope[at] = b'!';
    }
    let noise = (0..300_000_u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    vec![
        ("empty", Vec::new(), 0),
        ("binary", noise, 0),
        ("corrupted", flipped, 0),
        ("corrupted-statement", statement, 0),
        ("corrupted-export", export, 0),
        ("deep", b"[".repeat(3 << 20), 0),
        ("not-text", b"\xff\xfe\n".repeat(1000), 0),
        ("zeros", Vec::new(), HUGE),
        ("empty-lines", b"\n".repeat(1000), HUGE),
        ("log-and-zeros", whole, HUGE),
        ("endless-line", br#"{"attestation":""#.to_vec(), HUGE),
        ("endless-envelope", br#"{"payload":""#.to_vec(), HUGE),
    ]
}

const PROGRAM: &str = "import resource, subprocess, sys
ended = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL, timeout=120)
open(sys.argv[1], 'w').write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(ended.returncode if ended.returncode >= 0 else 99)";

/// Runs it, and looks at how much memory it had at most.
fn bounded(place: &Place, words: &[&str]) -> Said {
    let memory = place.path("memory");
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", PROGRAM]).arg(&memory).arg(assert_cmd::cargo::cargo_bin!("bottle")).args(words);
    python.current_dir(place.path("")).env_clear().env("BOTTLE_ROOT", place.path("state"));
    let said = Said::from(python.output().unwrap());
    let most: u64 = std::fs::read_to_string(memory).unwrap().parse().unwrap();
    let limit = if words.contains(&"endless-envelope") { MEBIBYTES + EXPORT } else { MEBIBYTES };
    assert!(most / 1024 < limit, "{words:?} took {most} KiB");
    said
}

fn make(path: &Path, beginning: &[u8], zeros: u64) {
    let mut file = File::create(path).unwrap();
    file.write_all(beginning).unwrap();
    file.set_len(beginning.len() as u64 + zeros).unwrap();
}

#[test]
fn what_is_no_evidence_is_a_named_error_within_bounded_memory() {
    let place = Place::new();
    place.bottle(&["attest", "keygen"]);
    trusted(&place);
    place.write("whole", log(Digest::ZERO, true));
    for (name, beginning, zeros) in files() {
        make(&place.path(name), &beginning, zeros);
        let commands: [&[&str]; 9] = [
            &["audit", "verify", name],
            &["audit", "show", name],
            &["audit", "tail", name],
            &["audit", "export", name, "--output", "export"],
            &["audit", "export", "whole", "--attestation", name, "--output", "export"],
            &["audit", "verify", "whole", "--key", "trusted", "--attestation", name],
            &["audit", "verify", "whole", "--key", name],
            &["attest", "verify", name],
            &["attest", "show", name],
        ];
        for words in commands {
            // What has no whole line yet may still be written; and what a log says that was changed is shown, since that
            // checks nothing.
            let is_shown = matches!((words[1], name), ("tail", "empty") | ("show", "corrupted"))
                || words[1] == "tail" && name.starts_with("corrupted");
            if is_shown && words[0] == "audit" {
                continue;
            }
            let said = bounded(&place, words);
            assert!(said.code != 0 && said.code < 99, "{words:?}: {} {}", said.code, said.err);
            // An attestation is held against a log by the digest of its bytes, whatever they are.
            let is_named = said.err.contains(name) || said.err.contains("no run of this log names this attestation");
            // What is a log says where in it, for which its name is not needed.
            let is_named = is_named || name.starts_with("corrupted") && !words.contains(&"--attestation");
            assert!(said.err.starts_with("bottle: ") && is_named, "{words:?}: {}", said.err);
            assert!(!said.err.contains("panicked"), "{words:?}: {}", said.err);
        }
    }
}

fn fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// A directory of keys with the one that the log is signed by.
fn trusted(place: &Place) {
    std::fs::create_dir(place.path("trusted")).unwrap();
    place.write("trusted/one.pub", key().public().to_pem());
}

#[test]
fn a_log_that_comes_through_a_pipe_is_judged_as_the_same_log_in_a_file_is() {
    let place = Place::new();
    trusted(&place);
    let whole = log(Digest::ZERO, true);
    fifo(&place.path("pipe"));
    for (log, code) in [(whole.clone(), 0), (whole[1..].to_vec(), 1)] {
        let said = std::thread::scope(|scope| {
            // Who judges it may hang up before its end.
            scope.spawn(|| std::fs::write(place.path("pipe"), &log));
            bounded(&place, &["audit", "verify", "pipe", "--key", "trusted"])
        });
        assert_eq!(said.code, code, "{}", said.err);
    }
}

#[test]
fn what_is_no_regular_file_among_those_of_a_log_is_an_error_and_not_waited_for() {
    let place = Place::new();
    trusted(&place);
    place.write("a.jsonl", log(Digest::ZERO, true));
    fifo(&place.path("a.jsonl.2"));
    let commands: [&[&str]; 4] = [
        &["audit", "verify", "a.jsonl", "--key", "trusted"],
        &["audit", "show", "a.jsonl"],
        &["audit", "tail", "a.jsonl"],
        &["audit", "export", "a.jsonl", "--output", "export"],
    ];
    for words in commands {
        let said = bounded(&place, words);
        assert!(matches!(said.code, 1 | 2) && said.err.contains("it is no regular file"), "{words:?}: {}", said.err);
    }
}

#[test]
fn whom_others_could_have_had_trusted_is_not_and_a_fifo_among_keys_is_not_waited_for() {
    let place = Place::new();
    trusted(&place);
    place.write("a.jsonl", log(Digest::ZERO, true));
    let verify = || bounded(&place, &["audit", "verify", "a.jsonl", "--key", "trusted"]);
    assert_eq!(verify().code, 0);
    for (path, closed) in [("trusted", 0o755), ("trusted/one.pub", 0o644)] {
        let set = |mode| std::fs::set_permissions(place.path(path), PermissionsExt::from_mode(mode)).unwrap();
        set(closed | 0o002);
        let said = verify();
        assert!(said.code == 2 && said.err.contains("others can write"), "{}", said.err);
        set(closed);
    }
    fifo(&place.path("trusted/two.pub"));
    let said = verify();
    assert!(said.code == 2 && said.err.contains("two.pub") && said.err.contains("no regular file"), "{}", said.err);
}

/// In the place of a run's log: it is not closed, so it stays, and so do the others that are.
#[test]
fn a_log_that_is_none_is_not_pruned_and_takes_no_memory() {
    let place = Place::new();
    place.bottle(&["attest", "keygen"]);
    for (name, beginning, zeros) in files() {
        let directory = place.path("state/data/runs").join(name);
        std::fs::create_dir_all(&directory).unwrap();
        make(&directory.join("audit.jsonl"), &beginning, zeros);
    }
    let said = bounded(&place, &["audit", "prune", "--keep", "0", "--json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    // A log is closed by its last two lines; that one of them was changed is for the verifier to say.
    assert_eq!(
        (&report["runs"], &report["unclosed"]),
        (&serde_json::json!(["corrupted"]), &serde_json::json!(11)),
        "{report}"
    );
}

//! Does the log verify, with an outcome for each decision, whatever gate and dialler report?

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use bottle_evidence::audit::{Ending, Entry, Line, Process, RunStart, Workload};
use bottle_evidence::predicate::Mode;
use bottle_evidence::{sha256, verify};
use bottle_policy::Rules;
use bottle_runtime::dialler::message::FromDialler;
use bottle_runtime::gate::message::FromGate;
use bottle_runtime::supervisor::ledger::Ledger;
use bottle_runtime::supervisor::recorder::Recorder;
use tempfile::TempDir;

use super::Reading;
use crate::pieces;
use crate::targets::keys::{pair, trusted};

static PLACE: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));

/// One message of JSON a line, as the dialler or the gate would send it.
pub(super) fn read(bytes: &[u8]) -> Reading {
    let path = PLACE.path().join(format!("{:?}", std::thread::current().id()));
    let (count, decided) = record(bytes, &path);
    let log = fs::read(&path).expect("the log");
    fs::remove_file(&path).expect("removed");
    if let Err(error) = verify::verify_log(&log[..], &trusted(&pair()), None) {
        panic!("after {count} messages: {error}");
    }
    let lines: Vec<Line> =
        pieces::lines(&log, usize::MAX).map(|line| Line::from_bytes(line).expect("it verified")).collect();
    let of = |is: fn(&Entry) -> bool| lines.iter().filter(|line| is(&line.entry)).count();
    assert_eq!(of(|entry| matches!(entry, Entry::Decision(_))), decided, "a decision that was acknowledged is missing");
    assert_eq!(of(|entry| matches!(entry, Entry::Outcome(_))), decided, "not one outcome for each decision");
    (count > 0).into()
}

/// Writes a run with these messages; says how many were understood, and how many decisions acknowledged.
fn record(bytes: &[u8], path: &Path) -> (usize, usize) {
    let rules = Arc::new(Rules::deny_all());
    let ledger = Ledger::open(path, Arc::new(pair())).expect("a log");
    let recorder = Recorder::new(ledger, rules, Box::new(drop));
    recorder.ledger().append(&start()).expect("a run begins");
    recorder.begin();
    let (mut count, mut decided) = (0, 0);
    for line in pieces::lines(bytes, 24) {
        if let Ok(message) = serde_json::from_slice::<FromDialler>(line) {
            count += 1;
            match message {
                FromDialler::Decided(record) => {
                    decided += usize::from(recorder.decided(&record, Process::UNKNOWN).is_ok())
                }
                FromDialler::Ended(outcome) => recorder.ended(&outcome),
                _ => {}
            }
        } else if let Ok(message) = serde_json::from_slice::<FromGate>(line) {
            count += 1;
            recorder.refused(message);
        }
    }
    recorder.cut();
    let ending = Ending { exit: 0, reason: None, millis: 1, refused: Default::default() };
    recorder.ledger().end(ending).expect("a run ends");
    recorder.ledger().commit().expect("a log that can be written");
    (count, decided)
}

fn start() -> Entry {
    Entry::RunStart(RunStart {
        run: "run-1".into(),
        attestation: sha256(b"attestation"),
        workload: Workload { pid: 4242, start: 987_654 },
        command: vec!["true".into()],
        mode: Mode::Enforce,
        policy: sha256(b"policy"),
    })
}

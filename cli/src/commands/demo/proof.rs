//! What do the demo's attestation and audit log prove? Judged with nothing but the public key.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::SystemTime;

use bottle_evidence::audit::{Entry, Line};
use bottle_evidence::key::PublicKey;
use bottle_evidence::predicate::{Basis, Mode};
use bottle_evidence::verify::{Expect, LogReport, Verified, bind, verify_attestation, verify_segments};
use bottle_evidence::{Digest, Time};
use bottle_policy::Rules;
use bottle_runtime::segments;

use super::judge::Claim;
use super::stage::{self, Stage};
use crate::commands::audit::entry;

/// The log's first file.
const LOG: &str = "audit.jsonl";

/// The attestation as it lies there now.
pub fn attestation(stage: &Stage) -> Vec<Claim> {
    match verified(stage) {
        Ok(verified) => said(&verified),
        Err(why) => vec![Claim { found: why, holds: false }],
    }
}

fn verified(stage: &Stage) -> Result<Verified, String> {
    let bytes = fs::read(stage.path("attestation.json")).map_err(|error| error.to_string())?;
    let rules = Rules::from_text(&stage::policy(), "agent.yaml").map_err(|error| error.to_string())?;
    let mut expect = Expect::at(Time::from(SystemTime::now()));
    expect.mode = Some(Mode::Enforce);
    expect.policy = Some(Digest(rules.digest()));
    verify_attestation(&bytes, std::slice::from_ref(&stage.key), &expect).map_err(|error| error.to_string())
}

fn said(verified: &Verified) -> Vec<Claim> {
    let predicate = verified.predicate();
    let count = |basis| predicate.facts.values().filter(|fact| fact.basis == basis).count();
    let key: String = verified.keys().iter().map(|key| key.to_string()[..12].to_owned()).collect();
    let held = predicate.probes.iter().filter(|probe| probe.held).count();
    vec![
        Claim { found: format!("signed by key {key}…"), holds: true },
        Claim { found: format!("{} facts measured", count(Basis::Measured)), holds: true },
        Claim { found: format!("{} only asserted", count(Basis::Asserted)), holds: true },
        Claim {
            found: format!("{held} of {} probes held", predicate.probes.len()),
            holds: held == predicate.probes.len(),
        },
    ]
}

/// Every entry of the log.
pub fn entries(stage: &Stage) -> Vec<Entry> {
    lines(&stage.path(LOG)).into_iter().map(|line| line.entry).collect()
}

/// The log for a person; seals are left out.
pub fn log_text(stage: &Stage) -> String {
    let shown = lines(&stage.path(LOG)).into_iter().filter(|line| !matches!(line.entry, Entry::Seal(_)));
    shown.map(|line| entry::render(&line)).collect::<Vec<_>>().join("\n")
}

/// Those of all the log's files; none where it can't be read, which is no proof of anything.
fn lines(log: &Path) -> Vec<Line> {
    let files = segments::of(log).ok().and_then(|files| segments::Reader::new(files).ok());
    let lines = files.into_iter().flat_map(|files| BufReader::new(files).split(b'\n'));
    lines.map_while(Result::ok).filter_map(|line| Line::from_bytes(&line).ok()).collect()
}

/// The log as a whole, and that one of its runs started behind the attestation.
pub fn log(stage: &Stage) -> Vec<Claim> {
    match bound(stage) {
        Ok(found) => vec![Claim { found, holds: true }],
        Err(why) => vec![Claim { found: why, holds: false }],
    }
}

fn bound(stage: &Stage) -> Result<String, String> {
    let report = whole(&stage.path(LOG), &stage.key)?;
    let attestation = verified(stage)?;
    let run = bind(&attestation, &report).map_err(|error| error.to_string())?;
    Ok(format!("{} lines, {} of this run, head {}…", report.lines, run.entries, &report.head.hash.to_string()[..12]))
}

fn whole(log: &Path, key: &PublicKey) -> Result<LogReport, String> {
    let files = segments::of(log).map_err(|error| error.to_string())?;
    let report = verify_segments(segments::readers(&files), std::slice::from_ref(key), None);
    report.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bottle_evidence::audit::{Drift, Ending, RunStart, Workload};
    use bottle_evidence::key::SigningKey;
    use bottle_runtime::supervisor::ledger::Ledger;

    use super::*;

    #[test]
    fn a_log_of_several_files_is_shown_and_judged_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join(LOG);
        let key = Arc::new(SigningKey::from_seed([7; 32]));
        let ledger = Ledger::open(&log, Arc::clone(&key)).unwrap().with_files_of(1);
        let (workload, command) = (Workload { pid: 1, start: 1 }, vec!["true".into()]);
        let (attestation, policy) = (Digest::ZERO, Digest::ZERO);
        let start = RunStart { run: "one".into(), attestation, workload, command, mode: Mode::Enforce, policy };
        ledger.append(&Entry::RunStart(start)).unwrap();
        ledger.commit().unwrap();
        ledger.append(&Entry::Drift(Drift { what: "a".into(), detail: "b".into() })).unwrap();
        ledger.commit().unwrap();
        ledger.end(Ending { exit: 0, reason: None, millis: 1, refused: [].into() }).unwrap();
        ledger.commit().unwrap();
        let report = whole(&log, key.public()).unwrap();
        assert_eq!((report.segments, report.lines), (3, 8));
        assert_eq!(lines(&log).len(), 8);
        std::fs::remove_file(segments::path(&log, 2)).unwrap();
        assert!(whole(&log, key.public()).unwrap_err().contains("file 2 of the audit log is missing"));
        assert!(lines(&log).is_empty());
    }
}

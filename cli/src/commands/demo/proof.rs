//! What do the demo's attestation and audit log prove? Judged with nothing but the public key.

use std::fs;
use std::time::SystemTime;

use bottle_evidence::audit::{Entry, Line};
use bottle_evidence::predicate::{Basis, Mode};
use bottle_evidence::verify::{Expect, Verified, bind, verify_attestation, verify_log};
use bottle_evidence::{Digest, Time};
use bottle_policy::Rules;

use super::judge::Claim;
use super::stage::{self, Stage};
use crate::commands::audit::entry;

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
    lines(stage).into_iter().map(|line| line.entry).collect()
}

/// The log for a person; seals are left out.
pub fn log_text(stage: &Stage) -> String {
    let shown = lines(stage).into_iter().filter(|line| !matches!(line.entry, Entry::Seal(_)));
    shown.map(|line| entry::render(&line)).collect::<Vec<_>>().join("\n")
}

fn lines(stage: &Stage) -> Vec<Line> {
    let bytes = fs::read(stage.path("audit.jsonl")).unwrap_or_default();
    bytes.split(|byte| *byte == b'\n').filter_map(|line| Line::from_bytes(line).ok()).collect()
}

/// The log as a whole, and that one of its runs started behind the attestation.
pub fn log(stage: &Stage) -> Vec<Claim> {
    match bound(stage) {
        Ok(found) => vec![Claim { found, holds: true }],
        Err(why) => vec![Claim { found: why, holds: false }],
    }
}

fn bound(stage: &Stage) -> Result<String, String> {
    let bytes = fs::read(stage.path("audit.jsonl")).map_err(|error| error.to_string())?;
    let report = verify_log(&bytes[..], std::slice::from_ref(&stage.key), None).map_err(|error| error.to_string())?;
    let attestation = verified(stage)?;
    let run = bind(&attestation, &report).map_err(|error| error.to_string())?;
    Ok(format!("{} lines, {} of this run, head {}…", report.lines, run.entries, &report.head.hash.to_string()[..12]))
}

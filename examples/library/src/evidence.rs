//! Runs a command, keeps what it writes, and judges the evidence in the same program: `evidence-of COMMAND [ARG...]`.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;

use bottle_evidence::audit::{Entry, Line};
use bottle_evidence::predicate::Mode;
use bottle_evidence::verify::{Expect, bind, verify_attestation, verify_segments};
use bottle_evidence::{Digest, Text};
use bottle_policy::Rules;
use bottle_runtime::{Bottle, Outcome, dispatch, segments};

const POLICY: &str = "
version: 1
domains:
  - pattern: api.allowed.example
    ports: [443]
    reason: what this program needs
";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    dispatch();
    let ran = Bottle::host().policy(POLICY).output(std::env::args().skip(1))?;
    println!("it wrote {:?} and {:?}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    verify(&ran.outcome)?;
    tell(&ran.outcome)?;
    Ok(ExitCode::from(ran.outcome.status.code()))
}

/// Whether the log is whole, the attestation holds, it is for this policy, and the run of the log started behind it. Whoever can't
/// trust this program does the same elsewhere, with a public key that they have had before.
fn verify(outcome: &Outcome) -> Result<(), Box<dyn Error>> {
    let keys = [outcome.key.clone()];
    // A log that grows goes on in further files.
    let files = segments::of(&outcome.audit)?;
    let report = verify_segments(segments::readers(&files), &keys, None)?;
    let run = report.runs.last().ok_or("the log has no run")?;
    let expect = Expect {
        mode: Some(Mode::Enforce),
        policy: Some(Digest(Rules::from_text(POLICY, "policy")?.digest())),
        ..Expect::at(run.started)
    };
    let attested = verify_attestation(&fs::read(&outcome.attestation)?, &keys, &expect)?;
    bind(&attested, &report)?;
    println!("run {} started behind attestation {}, {} lines", outcome.run, attested.digest(), report.lines);
    Ok(())
}

/// Each connection attempt, and each name that was denied before there could be one.
fn tell(outcome: &Outcome) -> Result<(), Box<dyn Error>> {
    let log = BufReader::new(segments::Reader::new(segments::of(&outcome.audit)?)?);
    for line in log.split(b'\n') {
        match Line::from_bytes(&line?)?.entry {
            Entry::Decision(decision) => {
                let name = decision.name.as_ref().map_or_else(|| decision.address.to_string(), Text::to_string);
                println!("{:?} {name}:{}", decision.decision, decision.port);
            }
            Entry::DnsDenied(denied) => println!("no address for {}", denied.name),
            _ => {}
        }
    }
    Ok(())
}

//! `bottle audit export`: one run's evidence in one signed file, and whether such a file holds.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use bottle_evidence::Time;
use bottle_evidence::audit::{Entry, Line};
use bottle_evidence::dsse::Envelope;
use bottle_evidence::incident::{self, Examined, Incident, IncidentError, examine_incident, lines_of};
use bottle_runtime::caller::Caller;
use bottle_runtime::state::{POLICY, RENEWED};
use bottle_runtime::{bounded, keys};
use serde_json::json;

use super::{Problem, ReadError, open, refuse, summary};
use crate::args::{AuditExportArgs, AuditVerifyArgs};
use crate::commands::{attest, bottles};
use crate::report::{Failure, Reporter};
use crate::{keys as trusted, state, stdout, tpm};

/// More bytes than this are no policy.
const RULES: u64 = 64 << 20;

/// What every incident begins with, and no log.
const BEGINNING: &[u8] = br#"{"payload":""#;

/// Evidence that does not hold together.
#[derive(Debug, thiserror::Error)]
#[error("the evidence in {} does not hold together", path.display())]
struct NotExported {
    path: PathBuf,
    source: IncidentError,
}

/// A part that is not there.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the policy that was in force, {}", path.display())]
struct NoRules {
    path: PathBuf,
    source: io::Error,
}

/// The file can't be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make {}", path.display())]
struct NotWritten {
    path: PathBuf,
    source: io::Error,
}

/// Puts a run's evidence together, and writes it if it holds.
pub fn export(args: &AuditExportArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let log = bottles::evidence(&args.log, caller, |record| &record.audit)?;
    let not_exported = |source| Failure::new(NotExported { path: log.clone(), source }).with_code(1);
    // A log may hold several runs: a bottle's name means its own.
    let named = args.log.to_str().filter(|_| log != args.log);
    let of_bottle = named.map(|name| bottles::find(&bottles::shelf(caller)?, name)).transpose()?;
    let run = args.run.as_ref().or(of_bottle.as_ref().map(|known| &known.record.id));
    let lines = lines_of(open(&log)?, run.map(String::as_str)).map_err(not_exported)?;
    let state = state::open(caller)?;
    let directory = state.run_directory(&run_of(&lines));
    let known = of_bottle.map(|known| PathBuf::from(known.record.attestation));
    let path = args.attestation.clone().or(known).unwrap_or_else(|| directory.join("attestation.json"));
    let attestation = envelope(&path)?;
    let path = directory.join(RENEWED);
    let renewed = path.exists().then(|| envelope(&path)).transpose()?;
    let path = args.rules.clone().unwrap_or_else(|| directory.join(POLICY));
    let policy = bounded::read_text(&path, RULES).map_err(|source| {
        Failure::new(NoRules { path, source }).with_hint("--rules FILE, as `bottle policy show --json` prints it")
    })?;
    let policy = policy.trim_end().to_owned();
    let file = args.key.clone().map_or_else(|| state::default_key(caller), Ok)?;
    let tpm = tpm::used(None, caller)?;
    let read = keys::read(&file, tpm.as_ref().map(|used| used.tpm.as_ref()));
    let read = read.and_then(|key| Ok((key, keys::own(&file)?.all())));
    let (key, keys) = read.map_err(|error| {
        let hint = error.hint().map(str::to_owned);
        Failure { hint, ..Failure::new(error) }
    })?;
    let incident = Incident { exported: Time::from(SystemTime::now()), attestation, renewed, policy, log: lines };
    let bytes = incident.sign(&key).map_err(|error| not_exported(error.into()))?.to_bytes();
    let examined = examine_incident(&bytes, &keys).map_err(not_exported)?;
    write(&args.output, &bytes).map_err(|source| {
        let hint =
            (source.kind() == io::ErrorKind::AlreadyExists).then(|| "nothing is overwritten: name another".into());
        Failure { hint, ..Failure::new(NotWritten { path: args.output.clone(), source }) }
    })?;
    if let Err(error) = examined.log.whole() {
        reporter.say(&format!("what was exported does not verify as whole: {error}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// An attestation of the run's, which is judged with all else.
fn envelope(path: &Path) -> Result<Envelope, Failure> {
    attest::envelope(path, &attest::read(path)?).map_err(|error| Failure::from(error).with_code(1))
}

/// The id of the run that the first line begins; nothing is called so where it begins none.
fn run_of(lines: &[String]) -> String {
    match lines.first().map(|line| Line::from_bytes(line.as_bytes())) {
        Some(Ok(Line { entry: Entry::RunStart(start), .. })) => start.run.to_string(),
        _ => "none".to_owned(),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half of it would be worth nothing; the error that led here is the one that matters.
        let _ = std::fs::remove_file(path);
    }
    written
}

/// Whether a file is an incident rather than a log.
pub fn is_one(path: &Path) -> bool {
    // A pipe gives each byte once, and whoever reads it then needs the first ones too: what comes through one is a log.
    let mut beginning = [0; BEGINNING.len()];
    path.metadata().is_ok_and(|file| file.is_file())
        && File::open(path).and_then(|mut file| file.read_exact(&mut beginning)).is_ok()
        && beginning == BEGINNING
}

/// Verifies an incident.
pub fn verify(file: &Path, args: &AuditVerifyArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    if args.attestation.is_some() || args.head.is_some() {
        let why = "an export holds an attestation of its own, and one run: --attestation and --head are for logs";
        return Err(Failure::new(why.to_owned()));
    }
    let keys = trusted::trusted(&args.key, caller)?;
    let bytes = bounded::read(file, incident::MAX_BYTES as u64);
    let bytes = bytes.map_err(|source| Failure::new(ReadError { path: file.to_owned(), source }))?;
    let examined = examine_incident(&bytes, &keys);
    let whole = examined.as_ref().map(|examined| examined.log.whole().err());
    let report = examined.as_ref().ok();
    if args.json {
        let (problem, said) =
            (whole.as_ref().map(|problem| problem.as_ref().map(ToString::to_string)), report.map(as_json));
        let problem = problem.unwrap_or_else(|error| Some(error.to_string()));
        stdout::json(&json!({ "ok": problem.is_none(), "problem": problem, "export": said }))?;
    } else if let Some(report) = report {
        tell(file, report, matches!(whole, Ok(None)))?;
    }
    let problem = match whole {
        Ok(None) => return Ok(ExitCode::SUCCESS),
        Ok(Some(error)) => Problem::Log(error),
        Err(_) => Problem::Incident(examined.expect_err("it was not accepted")),
    };
    refuse(file, problem, reporter)
}

fn tell(file: &Path, examined: &Examined, is_whole: bool) -> Result<(), Failure> {
    for run in &examined.log.runs {
        if is_whole {
            let keys: Vec<_> = examined.attestation.keys().iter().map(ToString::to_string).collect();
            stdout::line(&format!(
                "{}: ok, exported {}, begun behind an attestation by {}",
                file.display(),
                examined.exported,
                keys.join(" and ")
            ))?;
        }
        stdout::line(&summary::run(run))?;
        if let Some(renewed) = &examined.renewed {
            stdout::line(&format!("  renewed   attested again while it ran, at {}", renewed.predicate().issued))?;
        }
        stdout::line(&format!("  policy    {}", run.start.policy))?;
    }
    Ok(())
}

fn as_json(examined: &Examined) -> serde_json::Value {
    json!({
        "exported": examined.exported,
        "attestation": attest::as_json(&examined.attestation),
        "renewed": examined.renewed.as_ref().map(attest::as_json),
        "policy": examined.policy,
        "log": summary::as_json(&examined.log),
    })
}

//! `bottle audit`: is this log whole and untouched, and what does it say?

pub mod entry;
mod summary;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bottle_evidence::audit::{Line, LogError, LogProblem};
use bottle_evidence::key::PublicKey;
use bottle_evidence::verify::{
    BindingError, Expect, Head, LogReport, VerifyError, bind, examine_log, verify_attestation,
};
use bottle_runtime::caller::Caller;
use serde_json::{Value, json};

use crate::args::{AuditVerb, AuditVerifyArgs};
use crate::report::{Failure, Reporter};
use crate::{commands::attest, keys, stdout};

/// A log that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the audit log {}", path.display())]
struct ReadError {
    path: PathBuf,
    source: std::io::Error,
}

/// Something else than a log.
#[derive(Debug, thiserror::Error)]
#[error("{} does not begin with an entry of an audit log", .0.display())]
struct NoLog(PathBuf);

/// A file without an entry.
#[derive(Debug, thiserror::Error)]
#[error("{}: the log is empty", .0.display())]
struct EmptyLog(PathBuf);

const NO_LOG: &str = "this is no audit log, or not from its beginning: `bottle run --audit FILE` writes one";

/// A log that was not accepted.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
struct NotWhole {
    path: PathBuf,
    problem: Problem,
}

/// Why a log was not accepted.
#[derive(Debug, thiserror::Error)]
enum Problem {
    /// It was changed, or its end is missing.
    #[error(transparent)]
    Log(LogError),
    /// The attestation does not hold.
    #[error("the attestation does not hold: {0}")]
    Attestation(#[from] VerifyError),
    /// The attestation belongs to another log.
    #[error(transparent)]
    Binding(#[from] BindingError),
}

impl Problem {
    fn hint(&self) -> Option<String> {
        let Problem::Log(error) = self else {
            return None;
        };
        let text = match &error.what {
            LogProblem::UnknownKey(_) => "give the public key of whoever ran it: --key FILE",
            LogProblem::Incomplete(_) | LogProblem::Unsealed => {
                "it may still be running; if not, bottle was killed or the log was cut"
            }
            LogProblem::Line(_) | LogProblem::TooLong | LogProblem::Torn | LogProblem::Empty | LogProblem::Other
                if error.line == 1 =>
            {
                NO_LOG
            }
            LogProblem::Torn => "the next run that appends to this log cuts the torn line and records that it did",
            _ => return None,
        };
        Some(text.into())
    }

    fn as_json(&self) -> Value {
        match self {
            Problem::Log(error) => {
                json!({ "line": error.line, "seq": error.seq, "what": error.what.to_string() })
            }
            other => json!({ "what": other.to_string() }),
        }
    }
}

/// Runs the verb.
pub fn run(verb: &AuditVerb, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    match verb {
        AuditVerb::Verify(args) => verify(args, caller, reporter),
        AuditVerb::Show { file, json } => show(file, *json),
    }
}

fn verify(args: &AuditVerifyArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let keys = keys::trusted(&args.key, caller)?;
    let attestation = args.attestation.as_deref().map(attest::read).transpose()?;
    let seen = args.head.map(|(seq, hash)| Head { seq, hash });
    let examined = examine_log(open(&args.file)?, &keys, seen);
    let problem = match &examined {
        Ok(report) => report.whole().err().map(Problem::Log),
        Err(LogError { what: LogProblem::Unreadable(why), .. }) => {
            return Err(Failure::new(format!("cannot read the audit log {}: {why}", args.file.display())));
        }
        Err(problem) => Some(Problem::Log(problem.clone())),
    };
    let report = examined.ok();
    let bound = report.as_ref().zip(attestation).map(|(report, bytes)| behind(&bytes, report, &keys));
    let problem = problem.or_else(|| bound.and_then(Result::err));
    tell(args, report.as_ref(), problem.as_ref())?;
    let Some(problem) = problem else {
        return Ok(ExitCode::SUCCESS);
    };
    let hint = problem.hint();
    let failure = Failure::new(NotWhole { path: args.file.clone(), problem });
    reporter.failure(&Failure { hint, ..failure });
    Ok(ExitCode::from(1))
}

/// Whether a run of this log started behind this attestation, judged as of that run's start.
fn behind(attestation: &[u8], report: &LogReport, keys: &[PublicKey]) -> Result<(), Problem> {
    let digest = bottle_evidence::sha256(attestation);
    let run = report.runs.iter().find(|run| run.start.attestation == digest);
    let started = run.map(|run| run.started).ok_or(BindingError::NoRun)?;
    let verified = verify_attestation(attestation, keys, &Expect::at(started))?;
    bind(&verified, report)?;
    Ok(())
}

/// What the log holds, as far as it is untouched.
fn tell(args: &AuditVerifyArgs, report: Option<&LogReport>, problem: Option<&Problem>) -> Result<(), Failure> {
    if args.json {
        let (wrong, log) = (problem.map(Problem::as_json), report.map(summary::as_json));
        return stdout::json(&json!({ "ok": problem.is_none(), "problem": wrong, "log": log }));
    }
    let Some(report) = report else { return Ok(()) };
    if problem.is_none() {
        stdout::line(&summary::headline(&args.file, report))?;
    }
    if let (Some(attestation), None) = (&args.attestation, problem) {
        stdout::line(&format!("a run of it began behind {}, which holds", attestation.display()))?;
    }
    for run in &report.runs {
        stdout::line(&summary::run(run))?;
    }
    Ok(())
}

fn show(file: &Path, as_json: bool) -> Result<ExitCode, Failure> {
    if open(file)?.fill_buf().is_ok_and(<[u8]>::is_empty) {
        return Err(Failure::new(EmptyLog(file.to_owned())).with_hint(NO_LOG).with_code(1));
    }
    if !begins_as_a_log(file)? {
        return Err(Failure::new(NoLog(file.to_owned())).with_hint(NO_LOG));
    }
    for line in open(file)?.split(b'\n') {
        let line = line.map_err(|source| Failure::new(ReadError { path: file.to_owned(), source }))?;
        match (as_json, Line::from_bytes(&line)) {
            (true, _) => stdout::line(&String::from_utf8_lossy(&line))?,
            (false, Ok(line)) => stdout::line(&entry::render(&line))?,
            (false, Err(error)) => stdout::line(&format!("     ?  not an entry: {error}"))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether its first line is an entry. What comes after it is shown whatever it is.
fn begins_as_a_log(file: &Path) -> Result<bool, Failure> {
    let first = open(file)?.split(b'\n').next().transpose();
    let first = first.map_err(|source| Failure::new(ReadError { path: file.to_owned(), source }))?;
    Ok(first.is_none_or(|line| Line::from_bytes(&line).is_ok()))
}

fn open(path: &Path) -> Result<impl BufRead + use<>, Failure> {
    let opened = File::open(path).map(BufReader::new);
    opened.map_err(|source| Failure::new(ReadError { path: path.to_owned(), source }))
}

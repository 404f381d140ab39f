//! `bottle audit`: is this log whole and untouched, and what does it say?

pub mod entry;
mod filter;
mod incident;
mod show;
mod summary;

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use bottle_evidence::audit::{LogError, LogProblem};
use bottle_evidence::dsse::EnvelopeError;
use bottle_evidence::incident::IncidentError;
use bottle_evidence::key::PublicKey;
use bottle_evidence::verify::{
    BindingError, Expect, Head, LogReport, VerifyError, bind, examine_segments, verify_attestation,
};
use bottle_runtime::caller::Caller;
use bottle_runtime::prune::{self, Stays};
use bottle_runtime::segments::{self, SegmentsError};
use serde_json::{Value, json};

use crate::amount::{bytes, counted};
use crate::args::{AuditPruneArgs, AuditVerb, AuditVerifyArgs};
use crate::commands::{attest, bottles};
use crate::report::{Failure, Reporter};
use crate::{keys, state, stdout};

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

const NEWER_KEY: &str = "whoever ran it has a newer key, which `bottle attest keygen` prints there: --key FILE";

const OTHER_KEY: &str = "give the public key of whoever ran it: --key FILE";

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
    /// An export does not hold.
    #[error(transparent)]
    Incident(IncidentError),
}

impl Problem {
    fn hint(&self) -> Option<String> {
        let error = match self {
            Problem::Log(error) | Problem::Incident(IncidentError::Log(error)) => error,
            Problem::Incident(IncidentError::Envelope(EnvelopeError::UnknownKey(_))) => return Some(OTHER_KEY.into()),
            _ => return None,
        };
        let text = match &error.what {
            LogProblem::UnknownKey(_) => OTHER_KEY,
            LogProblem::RetiredKey { .. } => NEWER_KEY,
            LogProblem::Incomplete(_) | LogProblem::Unsealed => {
                "it may still be running; if not, bottle was killed or the log was cut"
            }
            LogProblem::Line(_) | LogProblem::TooLong | LogProblem::Torn | LogProblem::Empty | LogProblem::Other
                if error.line == 1 =>
            {
                NO_LOG
            }
            LogProblem::SegmentInside(_) if error.line == 1 => {
                "name the log's first file: the others are found beside it"
            }
            LogProblem::SegmentMissing(_) => "it must lie beside the log's first file, under its own name",
            LogProblem::Torn => "the next run that appends to this log cuts the torn line and records that it did",
            _ => return None,
        };
        Some(text.into())
    }

    fn as_json(&self) -> Value {
        match self {
            Problem::Log(error) => {
                json!({ "file": error.segment, "line": error.line, "seq": error.seq, "what": error.what.to_string() })
            }
            other => json!({ "what": other.to_string() }),
        }
    }
}

/// Runs the verb.
pub fn run(verb: &AuditVerb, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    match verb {
        AuditVerb::Verify(args) => {
            verify(&bottles::evidence(&args.log, caller, |record| &record.audit)?, args, caller, reporter)
        }
        AuditVerb::Show(args) => show::show(&bottles::evidence(&args.log, caller, |record| &record.audit)?, args),
        AuditVerb::Export(args) => incident::export(args, caller, reporter),
        AuditVerb::Prune(args) => prune(args, caller, reporter),
        AuditVerb::Tail { show, lines } => {
            show::tail(&bottles::evidence(&show.log, caller, |record| &record.audit)?, show, *lines)
        }
    }
}

fn verify(file: &Path, args: &AuditVerifyArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    if incident::is_one(file) {
        return incident::verify(file, args, caller, reporter);
    }
    let keys = keys::trusted(&args.key, caller)?;
    let attestation = args.attestation.as_deref().map(attest::read).transpose()?;
    let seen = args.head.map(|(seq, hash)| Head { seq, hash });
    let files = match segments::of(file) {
        Ok(files) => files,
        Err(error @ SegmentsError::Io { .. }) => return Err(Failure::new(error)),
        Err(SegmentsError::Missing { number, .. }) => {
            let problem = Problem::Log(LogError::missing(number));
            tell(file, args, None, Some(&problem))?;
            return refuse(file, problem, reporter);
        }
    };
    let examined = examine_segments(segments::readers(&files), &keys, seen);
    let problem = match &examined {
        Ok(report) => report.whole().err().map(Problem::Log),
        Err(LogError { what: LogProblem::Unreadable(why), segment, .. }) => {
            let file = segments::path(file, *segment);
            return Err(Failure::new(format!("cannot read the audit log {}: {why}", file.display())));
        }
        Err(problem) => Some(Problem::Log(problem.clone())),
    };
    let report = examined.ok();
    let bound = report.as_ref().zip(attestation).map(|(report, bytes)| behind(&bytes, report, &keys));
    let problem = problem.or_else(|| bound.and_then(Result::err));
    tell(file, args, report.as_ref(), problem.as_ref())?;
    match problem {
        Some(problem) => refuse(file, problem, reporter),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Says why it was not accepted.
fn refuse(file: &Path, problem: Problem, reporter: Reporter) -> Result<ExitCode, Failure> {
    let hint = problem.hint();
    let path = match &problem {
        Problem::Log(error) => segments::path(file, error.segment),
        _ => file.to_owned(),
    };
    let failure = Failure::new(NotWhole { path, problem });
    reporter.failure(&Failure { hint, ..failure });
    Ok(ExitCode::from(1))
}

/// Whether a line of this log names this attestation, judged as of that line, and the two agree.
fn behind(attestation: &[u8], report: &LogReport, keys: &[PublicKey]) -> Result<(), Problem> {
    let named = report.naming(bottle_evidence::sha256(attestation)).next().ok_or(BindingError::NoRun)?;
    let verified = verify_attestation(attestation, keys, &Expect::at(named.time))?;
    bind(&verified, report)?;
    Ok(())
}

/// What the log holds, as far as it is untouched.
fn tell(
    file: &Path,
    args: &AuditVerifyArgs,
    report: Option<&LogReport>,
    problem: Option<&Problem>,
) -> Result<(), Failure> {
    if args.json {
        let (wrong, log) = (problem.map(Problem::as_json), report.map(summary::as_json));
        return stdout::json(&json!({ "ok": problem.is_none(), "problem": wrong, "log": log }));
    }
    let Some(report) = report else { return Ok(()) };
    if problem.is_none() {
        stdout::line(&summary::headline(file, report))?;
    }
    if let (Some(attestation), None) = (&args.attestation, problem) {
        stdout::line(&format!("a run of it is attested by {}, which holds", attestation.display()))?;
    }
    for run in &report.runs {
        stdout::line(&summary::run(run))?;
    }
    Ok(())
}

/// Removes what is over and says what that was.
fn prune(args: &AuditPruneArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let stays = Stays { younger_than: args.older_than, within: args.keep };
    let (state, shelf) = (state::open(caller)?, bottles::shelf(caller)?);
    let pruned =
        prune::prune(&state, &shelf, stays, bottle_evidence::Time::from(SystemTime::now())).map_err(Failure::new)?;
    if args.json {
        stdout::json(&json!({ "runs": pruned.runs, "bytes": pruned.bytes, "unclosed": pruned.unclosed }))?;
        return Ok(ExitCode::SUCCESS);
    }
    pruned.runs.iter().try_for_each(|run| stdout::line(run))?;
    if pruned.unclosed > 0 {
        let runs = counted(pruned.unclosed as u64, "run");
        reporter.say(&format!("{runs} not closed: they go on, or their end is in no log here; they stay"));
    }
    reporter.say(&format!("{} are free now", bytes(pruned.bytes)));
    Ok(ExitCode::SUCCESS)
}

/// A log's files, one after the other.
fn open(path: &Path) -> Result<BufReader<segments::Reader>, Failure> {
    let all = segments::Reader::new(segments::of(path).map_err(Failure::new)?);
    Ok(BufReader::new(all.map_err(|source| Failure::new(ReadError { path: path.to_owned(), source }))?))
}

//! How is a command run in a bottle, from beginning to end? All five stages, and every error with its exit code.

use std::path::Path;
use std::sync::Arc;

use crate::airlock::RealizeError;
use crate::attest::AttestError;
use crate::caller::Caller;
use crate::descriptors;
use crate::event::{Event, Teller};
use crate::head_start::HeadStart;
use crate::log::Stream;
use crate::options::RunOptions;
use crate::outcome::Outcome;
use crate::patience::Patience;
use crate::plan::{Plan, PlanError};
use crate::records::Own;
use crate::remembered::remember;
use crate::secrets::Secrets;
use crate::started::Started;
use crate::state::POLICY;
use crate::supervisor::recorder::Events;
use crate::supervisor::redacted;
use crate::supervisor::signals::Signals;
use crate::supervisor::taken::Taken;
use crate::whose::Whose;
use crate::workload::WorkloadError;

/// Why a run has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The airlock could not be built.
    #[error(transparent)]
    Realize(#[from] RealizeError),
    /// It is not what it must be.
    #[error(transparent)]
    Attest(#[from] AttestError),
    /// The workload could not be started or brought to its end.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// No event loop.
    #[error("cannot start the event loop")]
    EventLoop(#[source] std::io::Error),
}

impl RunError {
    /// 127 where the command was not found, 126 where it can't be executed, 125 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            RunError::Workload(error) => error.exit_code(),
            RunError::Realize(RealizeError::Init(failure)) | RunError::Attest(AttestError::Init(failure)) => {
                failure.code
            }
            _ => 125,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            error if descriptors::lacks(error) => Some(descriptors::HINT.to_owned()),
            RunError::Plan(error) => error.hint(),
            RunError::Realize(error) => error.hint(),
            RunError::Attest(error) => error.hint(),
            RunError::Workload(WorkloadError::Init(failure)) => failure.hint.clone(),
            RunError::Workload(_) | RunError::EventLoop(_) => None,
        }
    }
}

/// Runs a command in a bottle and waits for its end. `events` hears what happens meanwhile, on a thread of its own.
///
/// The calling thread starts the bottle's processes and must live as long as they do: it does, since this returns at the end.
/// Meanwhile the signals that end a program go to the command instead; afterwards they do what they did before: whoever has
/// handlers of their own sets them up before the first run, since those that are set up during one are lost with its end.
pub fn run(
    options: RunOptions,
    caller: &Caller,
    events: impl FnMut(Event) + Send + 'static,
) -> Result<Outcome, RunError> {
    run_ahead(HeadStart::begin(caller)?, options, caller, events)
}

/// The same where a part of it was begun before the options were known.
pub fn run_ahead(
    ahead: HeadStart,
    options: RunOptions,
    caller: &Caller,
    events: impl FnMut(Event) + Send + 'static,
) -> Result<Outcome, RunError> {
    let whose = Whose::decide(&options, caller)?;
    let begun = ahead.go_on(&whose)?;
    through(begun, || Plan::new(options, caller, whose), events)
}

/// All stages, if there is a plan.
pub(crate) fn through(
    (started, _taken): (Started, Taken),
    plan: impl FnOnce() -> Result<Plan, PlanError>,
    events: impl FnMut(Event) + Send + 'static,
) -> Result<Outcome, RunError> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::EventLoop)?;
    let plan = plan()?;
    let teller = Teller::new(told_in_log(&plan, events)).map_err(RunError::EventLoop)?;
    let mut tell = teller.events();
    plan.warnings().for_each(|warning| tell(Event::Warning(warning)));
    if !plan.chosen.is_empty() {
        tell(Event::Published(plan.chosen.clone()));
    }
    let (changes, audit) = (plan.changes.clone(), plan.audit.clone());
    let result = tokio.block_on(async {
        let secrets = Arc::clone(&plan.secrets);
        let (result, patience, record) = to_its_end(plan, started, Box::new(tell)).await;
        let result = result.map_err(|error| without(&secrets, error));
        // Where this ends first, nobody reads what is left unsaid.
        patience.wait_for_last_words(teller.heard()).await;
        // Last: who waits for the end of a bottle then finds all that it said.
        record.into_iter().for_each(|record| remember(record, &result));
        result
    });
    if result.is_err() {
        remove_unused(changes.parent().unwrap_or(&changes), &audit);
    }
    // All that counts is over: the end of its idle threads is not waited for.
    tokio.shutdown_background();
    result
}

/// The error without secrets: what could not be executed is said in the words of the command.
fn without(secrets: &Secrets, mut error: RunError) -> RunError {
    if let RunError::Workload(WorkloadError::Init(failure))
    | RunError::Realize(RealizeError::Init(failure))
    | RunError::Attest(AttestError::Init(failure)) = &mut error
    {
        failure.what = secrets.redact(&failure.what).into_owned();
    }
    error
}

/// Removes the directory of a run that did not come so far that there is evidence of it.
fn remove_unused(directory: &Path, audit: &Path) {
    let is_empty = audit.symlink_metadata().is_ok_and(|file| file.is_file() && file.len() == 0);
    // What can't be removed is in nobody's way.
    if is_empty && audit.parent() == Some(directory) {
        let _ = std::fs::remove_file(audit);
    }
    // The policy alone is evidence of nothing.
    let is_policy = |entry: std::fs::DirEntry| entry.file_name() == POLICY;
    if std::fs::read_dir(directory).is_ok_and(|mut all| all.all(|entry| entry.is_ok_and(is_policy))) {
        let _ = std::fs::remove_file(directory.join(POLICY));
    }
    // One in which there is something else stays.
    let _ = std::fs::remove_dir(directory);
}

/// What is told is told without secrets, and in the log too, where the run has one.
fn told_in_log(plan: &Plan, mut events: impl FnMut(Event) + Send + 'static) -> impl FnMut(Event) + Send + 'static {
    let (log, secrets) = (plan.log.clone(), Arc::clone(&plan.secrets));
    move |event| {
        let event = redacted::event(&secrets, event);
        if let Some((log, words)) = &log {
            words(&event).iter().for_each(|line| log.write(Stream::Bottle, format!("{line}\n").as_bytes()));
        }
        events(event);
    }
}

/// The stages after the plan, and how long those who listen may take afterwards.
async fn to_its_end(
    plan: Plan,
    started: Started,
    events: Events,
) -> (Result<Outcome, RunError>, Patience, Option<Own>) {
    let workload = async {
        let airlock = plan.realize(started, events).await?;
        Ok::<_, RunError>(airlock.attest().await?.start().await?)
    };
    match workload.await {
        Ok(workload) => {
            let (result, patience, record) = workload.wait().await;
            (result.map_err(RunError::from), patience, Some(record))
        }
        Err(error) => (Err(error), Patience::until_asked(Signals::listen().ok(), None), None),
    }
}

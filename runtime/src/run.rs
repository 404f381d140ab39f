//! How is a command run in a bottle, from beginning to end? All five stages, and every error with its exit code.

use crate::airlock::{RealizeError, Started};
use crate::attest::AttestError;
use crate::caller::Caller;
use crate::descriptors;
use crate::event::{Event, Teller};
use crate::init::message::Failure;
use crate::options::RunOptions;
use crate::outcome::Outcome;
use crate::patience::Patience;
use crate::plan::{Plan, PlanError};
use crate::supervisor::recorder::Events;
use crate::supervisor::signals::Signals;
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
        self.failure().map_or(125, |failure| failure.code)
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

    fn failure(&self) -> Option<&Failure> {
        match self {
            RunError::Realize(RealizeError::Init(failure))
            | RunError::Attest(AttestError::Init(failure))
            | RunError::Workload(WorkloadError::Init(failure)) => Some(failure),
            _ => None,
        }
    }
}

/// Runs a command in a bottle and waits for its end. `events` hears what happens meanwhile, on a thread of its own.
///
/// The calling thread starts the bottle's processes and must live as long as they do: it does, since this returns at the end.
pub fn run(
    options: RunOptions,
    caller: &Caller,
    events: impl FnMut(Event) + Send + 'static,
) -> Result<Outcome, RunError> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::EventLoop)?;
    let started = Started::new(caller.uid != 0)?;
    let plan = match Plan::new(options, caller) {
        Ok(plan) => plan,
        Err(error) => {
            started.end();
            return Err(error.into());
        }
    };
    let teller = Teller::new(events);
    let mut tell = teller.events();
    plan.warnings().iter().for_each(|warning| tell(Event::Warning(warning.clone())));
    let result = tokio.block_on(async {
        let (result, patience) = to_its_end(plan, started, Box::new(tell)).await;
        // Where this ends first, nobody reads what is left unsaid.
        patience.wait_for_last_words(teller.heard()).await;
        result
    });
    // All that counts is over: the end of its idle threads is not waited for.
    tokio.shutdown_background();
    result
}

/// The stages after the plan, and how long those who listen may take afterwards.
async fn to_its_end(plan: Plan, started: Started, events: Events) -> (Result<Outcome, RunError>, Patience) {
    let workload = async {
        let airlock = plan.realize(started, events).await?;
        Ok::<_, RunError>(airlock.attest().await?.start().await?)
    };
    match workload.await {
        Ok(workload) => {
            let (result, patience) = workload.wait().await;
            (result.map_err(RunError::from), patience)
        }
        Err(error) => (Err(error), Patience::until_asked(Signals::listen().ok(), None)),
    }
}

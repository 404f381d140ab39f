//! Who supervises a container's bottle? This program, executed again: it outlives the hook, and ends with the container.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bottle_runtime::adopt::{Adoption, adopt};
use bottle_runtime::caller::Caller;
use bottle_runtime::descriptors;
use bottle_runtime::hook::{Claim, Judged, State, prepare};
use bottle_runtime::state;
use serde::{Deserialize, Serialize};

use super::create::judged;
use crate::commands::apart::{self, Starter};
use crate::commands::run::detached::words_in_log;
use crate::commands::run::{fail_on_panic, failure};
use crate::report::Failure;
use crate::sys;

/// The name under which this program is executed for it.
const NAME: &str = "bottle-adopting";

/// How long the supervisor may be silent: longer than any step of its own, and less than `bottle hook install` has engines wait.
const PATIENCE: Duration = Duration::from_secs(150);

/// What the hook was told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// By the engine.
    pub state: State,
    /// By its arguments.
    pub settings: Option<PathBuf>,
}

/// From the hook.
#[derive(Serialize, Deserialize)]
pub struct Begin {
    /// What to do.
    pub order: Order,
}

/// Starts the supervisor, and waits until the container may go on.
pub fn start(begin: &Begin, said: impl FnMut(&str)) -> Result<(), Failure> {
    apart::start(NAME, Vec::new(), begin, Some(PATIENCE), said).map(drop)
}

/// Supervises a container's bottle if this process was executed for that, and then gives its exit code.
pub fn dispatch() -> Option<ExitCode> {
    let is_ours = std::env::args_os().next().is_some_and(|name| name == NAME);
    // Without its channel there is nobody to tell.
    is_ours.then(|| be().unwrap_or(ExitCode::FAILURE))
}

fn be() -> io::Result<ExitCode> {
    let (Begin { order }, starter) = apart::begin::<Begin>()?;
    sys::share_one_arena();
    fail_on_panic();
    descriptors::raise();
    // The bundle, where the engine has started the hook, is the engine's to remove.
    std::env::set_current_dir("/")?;
    let caller = Caller::of_hook()?;
    Ok(supervise(&order, &caller, starter).unwrap_or_else(|(starter, failure)| starter.fail(&failure)))
}

fn supervise(order: &Order, caller: &Caller, starter: Starter) -> Result<ExitCode, (Arc<Starter>, Failure)> {
    let starter = Arc::new(starter);
    let failed = |failure| (Arc::clone(&starter), failure);
    let state = state::State::open(&caller.places, caller.uid).map_err(|error| failed(Failure::new(error)))?;
    // Held to the end.
    let _claim = Claim::take(&state.run, caller.uid, &order.state).map_err(|error| failed(Failure::new(error)))?;
    let adoption = adoption(order, caller).map_err(failed)?;
    let hearing = Arc::clone(&starter);
    let outcome = adopt(adoption, caller, move |event| hearing.hear(&event));
    outcome.map(|outcome| ExitCode::from(outcome.status.code())).map_err(|error| failed(failure(error)))
}

fn adoption(order: &Order, caller: &Caller) -> Result<Adoption, Failure> {
    let (configuration, becomes, settings) = judged(order, caller)?;
    let Judged::Bottled { rules, file, name } = becomes else {
        return Err(Failure::new("the container's configuration has changed while it was looked at"));
    };
    prepare(&order.state, &configuration, &settings, (*rules, file, name), caller, words_in_log).map_err(|error| {
        let hint = error.hint();
        Failure { hint, ..Failure::new(error) }
    })
}

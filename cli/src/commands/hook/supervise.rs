//! Who supervises a container's bottle? The hook, forked: it outlives the hook, and ends with the container.
//!
//! What the hook has read and judged is what the supervisor goes on with: nothing is read twice. The processes that others
//! talk to are executed anew, so that they have nothing of it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bottle_policy::Rules;
use bottle_runtime::adopt::{Adoption, adopt};
use bottle_runtime::caller::Caller;
use bottle_runtime::hook::{Claim, Configuration, Settings, State, prepare};
use bottle_runtime::records::Name;
use bottle_runtime::state;
use bottle_runtime::{Expecting, descriptors};

use crate::commands::apart::{self, Side, Starter};
use crate::commands::run::detached::words_in_log;
use crate::commands::run::{fail_on_panic, failure};
use crate::report::Failure;
use crate::sys;

/// The name by which the supervisor is listed.
const NAME: &str = "bottle-adopting";

/// How long the supervisor may be silent: longer than any step of its own, and less than `bottle hook install` has engines wait.
const PATIENCE: Duration = Duration::from_secs(150);

/// A container that is to be a bottle.
pub struct Order {
    /// What the engine says of it.
    pub state: State,
    /// What its runtime was told.
    pub configuration: Configuration,
    /// What the administrator wants.
    pub settings: Settings,
    /// What it may reach, the file that says so, and what it is called.
    pub rules: (Rules, Option<PathBuf>, Option<Name>),
}

/// Starts the supervisor, and waits until the container may go on. Returns twice: the supervisor's exit code when the container has ended.
pub fn start(order: Order, caller: &Caller, said: impl FnMut(&str)) -> Result<ExitCode, Failure> {
    match apart::fork(NAME)? {
        Side::Caller(supervisor) => supervisor.hear(Some(PATIENCE), said).map(|_| ExitCode::SUCCESS),
        Side::Supervisor(starter) => {
            let starter = Arc::new(starter);
            Ok(supervise(order, caller, &starter).unwrap_or_else(|failure| starter.fail(&failure)))
        }
    }
}

fn supervise(order: Order, caller: &Caller, starter: &Arc<Starter>) -> Result<ExitCode, Failure> {
    sys::share_one_arena();
    fail_on_panic();
    descriptors::raise();
    // The bundle, where the engine has started the hook, is the engine's to remove.
    std::env::set_current_dir("/").map_err(Failure::new)?;
    // It is executed while the rest is looked at.
    let ahead = Expecting::begin().map_err(failure)?;
    let state = state::State::open(&caller.places, caller.uid).map_err(Failure::new)?;
    // Held to the end.
    let _claim = Claim::take(&state.run, caller.uid, &order.state).map_err(Failure::new)?;
    let adoption = adoption(order, caller)?;
    let hearing = Arc::clone(starter);
    let outcome = adopt(ahead, adoption, caller, move |event| hearing.hear(&event)).map_err(failure)?;
    Ok(ExitCode::from(outcome.status.code()))
}

fn adoption(order: Order, caller: &Caller) -> Result<Adoption, Failure> {
    let Order { state, configuration, settings, rules } = order;
    prepare(&state, &configuration, &settings, rules, caller, words_in_log).map_err(|error| {
        let hint = error.hint();
        Failure { hint, ..Failure::new(error) }
    })
}

//! `bottle hook stop`: is nothing left of a container that has ended? Asked again, or of one that never was, the answer is yes.

use std::process::ExitCode;

use bottle_runtime::caller::Caller;
use bottle_runtime::hook::{Claim, Ending, State, Status};

use crate::commands::bottles::shelf;
use crate::report::{Failure, Reporter};
use crate::state;

/// Runs the verb.
pub fn run(reporter: Reporter) -> Result<ExitCode, Failure> {
    let engine = State::read(std::io::stdin().lock()).map_err(Failure::new)?;
    if engine.status != Status::Stopped {
        let error =
            format!("the container {} is {:?}: a hook that stops comes after its end", engine.id, engine.status);
        return Err(Failure::new(error));
    }
    let caller = Caller::of_hook().map_err(Failure::new)?;
    let state = state::open(&caller)?;
    match Claim::end(&state.run, &engine).map_err(Failure::new)? {
        Ending::Gone | Ending::Ended => {}
        Ending::Killed => reporter.say("warning: its supervisor did not end with the container, and was killed"),
    }
    // What a killed supervisor had on record goes with the looking.
    shelf(&caller)?.all().map_err(Failure::new)?;
    Ok(ExitCode::SUCCESS)
}

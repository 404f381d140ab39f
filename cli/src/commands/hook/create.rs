//! `bottle hook create`: is the container to be a bottle, and if so, may it go on?
//!
//! Whatever goes wrong is a failure, and an engine starts no container whose hook has failed.

use std::path::Path;
use std::process::ExitCode;

use bottle_runtime::adopt::{Made, follow};
use bottle_runtime::caller::Caller;
use bottle_runtime::hook::{
    Configuration, Joined, JoinedError, Judged, JudgedError, Settings, State, admit, admit_files, admit_handed, judge,
};

use super::supervise::{self, Order};
use crate::commands::bottles::shelf;
use crate::report::{Failure, Reporter};
use crate::state;

/// What it was to join has ended, or is another network by now.
#[derive(Debug, thiserror::Error)]
#[error("the container is not in the network of the bottle that it was to join")]
struct Left;

/// Runs the verb.
pub fn run(settings: Option<&Path>, joins: bool, reporter: Reporter) -> Result<ExitCode, Failure> {
    let state = State::read(std::io::stdin().lock()).map_err(Failure::new)?;
    let caller = Caller::of_hook().map_err(Failure::new)?;
    let settings = Settings::read(settings).map_err(Failure::new)?;
    let configuration = Configuration::read(&state.bundle).map_err(|error| {
        let hint = error.hint();
        Failure { hint, ..Failure::new(error) }
    })?;
    // Before anything of it is looked at.
    let made = configuration.joins().then(|| Made::hold(state.pid)).transpose().map_err(Failure::new)?;
    let becomes = judged(made.as_ref(), &configuration, &settings, &caller)?;
    let left = || Failure::new(Left).with_hint("create it again, or create the bottle first");
    if joins && !matches!(becomes, Judged::Joins(_)) {
        return Err(left());
    }
    match becomes {
        Judged::LeftAlone => Ok(ExitCode::SUCCESS),
        // It has its airlock already.
        Judged::Joins(joined) => {
            let nested = caller.nested.as_ref();
            admit(&configuration, &settings, nested, Some(&joined), Path::new("/proc/self/exe")).map_err(refused)?;
            admit_handed(&configuration, &settings, nested, state.pid).map_err(refused)?;
            admit_files(&configuration, &settings, &state::open(&caller)?, state.pid).map_err(refused)?;
            // It ends with the bottle that it joins.
            follow(&joined, made.ok_or_else(left)?).map_err(Failure::new)?;
            Ok(ExitCode::SUCCESS)
        }
        Judged::Bottled { rules, file, name } => {
            let order = Order { state, configuration, settings, rules: (*rules, file, name) };
            supervise::start(order, &caller, |line| reporter.say(line))
        }
    }
}

/// What becomes of the container.
fn judged(
    made: Option<&Made>,
    configuration: &Configuration,
    settings: &Settings,
    caller: &Caller,
) -> Result<Judged, Failure> {
    let joined = match made {
        Some(made) => {
            let bottles = shelf(caller)?.all().map_err(Failure::new)?;
            Joined::by_process(made, configuration, &bottles).map_err(near)?
        }
        None => None,
    };
    judge(configuration, settings, joined).map_err(refused)
}

/// The same of one that is near a bottle.
pub fn near(error: JoinedError) -> Failure {
    let hint = error.hint();
    Failure { hint, ..Failure::new(error) }
}

/// With what to do about it.
pub fn refused(error: JudgedError) -> Failure {
    let hint = error.hint();
    Failure { hint, ..Failure::new(error) }
}

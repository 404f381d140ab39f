//! `bottle hook create`: is the container to be a bottle, and if so, may it go on?
//!
//! Whatever goes wrong is a failure, and an engine starts no container whose hook has failed.

use std::path::Path;
use std::process::ExitCode;

use bottle_runtime::adopt::follow;
use bottle_runtime::caller::Caller;
use bottle_runtime::hook::{
    Configuration, Joined, JoinedError, Judged, JudgedError, Settings, State, admit, admit_files, admit_handed, judge,
};

use super::supervise::{self, Order};
use crate::commands::bottles::{find, shelf};
use crate::report::{Failure, Reporter};
use crate::state;

/// What it was to join has ended meanwhile, or is another network by now.
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
    let becomes = judged(&state, &configuration, &settings, &caller)?;
    if joins && !matches!(becomes, Judged::Joins(_)) {
        return Err(Failure::new(Left).with_hint("create it again, or create the bottle first"));
    }
    match becomes {
        Judged::LeftAlone => Ok(ExitCode::SUCCESS),
        // It has its airlock already.
        Judged::Joins(joined) => {
            let nested = caller.nested.as_ref();
            admit(&configuration, &settings, nested, Some(&joined), Path::new("/proc/self/exe")).map_err(refused)?;
            admit_handed(&configuration, &settings, state.pid).map_err(refused)?;
            admit_files(&configuration, &settings, &state::open(&caller)?).map_err(refused)?;
            bind(&joined, &configuration, state.pid, &caller)?;
            Ok(ExitCode::SUCCESS)
        }
        Judged::Bottled { rules, file, name } => {
            let order = Order { state, configuration, settings, rules: (*rules, file, name) };
            supervise::start(order, &caller, |line| reporter.say(line))
        }
    }
}

/// It ends with the bottle that it joins.
fn bind(joined: &Joined, configuration: &Configuration, pid: u32, caller: &Caller) -> Result<(), Failure> {
    let known = find(&shelf(caller)?, joined.name.as_str())?;
    // Another bottle may have the name by now.
    if Joined::by_process(pid, configuration, std::slice::from_ref(&known)).map_err(near)?.is_none() {
        return Err(Failure::new(Left));
    }
    follow(&known, pid).map_err(Failure::new)
}

/// What becomes of the container.
fn judged(
    state: &State,
    configuration: &Configuration,
    settings: &Settings,
    caller: &Caller,
) -> Result<Judged, Failure> {
    let joined = match configuration.joins() {
        true => {
            let bottles = shelf(caller)?.all().map_err(Failure::new)?;
            Joined::by_process(state.pid, configuration, &bottles).map_err(near)?
        }
        false => None,
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

//! `bottle rm`: which bottles are to be forgotten?

use std::process::ExitCode;
use std::time::Duration;

use bottle_runtime::caller::Caller;
use bottle_runtime::control::Line;
use bottle_runtime::records::{Known, RemoveError, Shelf};

use super::{each, find, shelf, tell_changes};
use crate::args::RmArgs;
use crate::report::{Failure, Reporter, escape};
use crate::stdout;

/// How long a killed bottle may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Nobody knows when it is gone.
#[derive(Debug, thiserror::Error)]
#[error("cannot wait for the bottle's end")]
struct WaitError(#[source] std::io::Error);

/// It can't be killed.
#[derive(Debug, thiserror::Error)]
#[error("cannot kill the bottle's supervisor")]
struct KillError(#[source] std::io::Error);

/// Runs the verb.
pub fn run(args: &RmArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let shelf = shelf(caller)?;
    Ok(each(&args.names, reporter, |name| remove(&shelf, name, args.force, reporter)))
}

fn remove(shelf: &Shelf, name: &str, force: bool, reporter: Reporter) -> Result<(), Failure> {
    let known = find(shelf, name)?;
    if force && known.is_alive() {
        end(&known)?;
    }
    shelf.remove(&known).map_err(|error| match error {
        RemoveError::Alive(_) => {
            let hint = format!("end it first: bottle stop {name}; or both at once: bottle rm -f {name}");
            Failure::new(error).with_hint(hint).with_code(1)
        }
        RemoveError::Shelf(_) => Failure::new(error),
    })?;
    tell_changes(&known, reporter);
    stdout::line(&escape(name))
}

/// By its supervisor if that hears, which closes its log, and else with it.
fn end(known: &Known) -> Result<(), Failure> {
    let asked = Line::to(known).and_then(|line| line.stop(Duration::ZERO));
    let ended = |limit| known.wait_for(limit).map_err(|source| Failure::new(WaitError(source)));
    if asked.is_err() || !ended(PATIENCE)? {
        known.kill_supervisor().map_err(|source| Failure::new(KillError(source)))?;
        ended(PATIENCE)?;
    }
    Ok(())
}

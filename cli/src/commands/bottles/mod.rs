//! Which bottles are there, and what is done with them?

pub mod exec;
pub mod inspect;
pub mod kill;
pub mod logs;
pub mod ps;
pub mod rm;
pub mod stop;

mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bottle_runtime::caller::Caller;
use bottle_runtime::control::LineError;
use bottle_runtime::records::{FindError, Known, Record, Shelf};

use crate::report::{Failure, Reporter};
use crate::state;

/// The records of this user's bottles.
pub fn shelf(caller: &Caller) -> Result<Shelf, Failure> {
    Shelf::open(&state::open(caller)?, caller.uid).map_err(Failure::new)
}

/// The bottle that a name means.
pub fn find(shelf: &Shelf, name: &str) -> Result<Known, Failure> {
    shelf.find(name).map_err(|error| match error {
        FindError::Unknown(_) => Failure::new(error).with_hint("bottle ps -a").with_code(1),
        FindError::Ambiguous(_) => Failure::new(error).with_hint("write more of it").with_code(1),
        FindError::Shelf(_) => Failure::new(error),
    })
}

/// Evidence by its file, or by the bottle that it is of.
pub fn evidence(named: &Path, caller: &Caller, of: impl Fn(&Record) -> &String) -> Result<PathBuf, Failure> {
    let name = named.to_str().filter(|name| !name.contains('/') && !named.exists());
    let Some(name) = name else { return Ok(named.to_owned()) };
    match shelf(caller)?.find(name) {
        Ok(known) => Ok(of(&known.record).into()),
        // Then it was meant as a file, and whoever reads it says what is wrong.
        Err(FindError::Unknown(_)) => Ok(named.to_owned()),
        Err(error) => Err(Failure::new(error)),
    }
}

/// What a bottle that ran apart from its caller changed: whoever ends it or forgets it may be the first who hears of it.
fn tell_changes(known: &Known, reporter: Reporter) {
    let Record { name, changes, detached, .. } = &known.record;
    if *detached && Path::new(changes).exists() {
        reporter.say(&format!("{name} changed files that this machine may execute later: all are in {changes}"));
    }
}

/// What a bottle said no to.
fn refused(error: LineError) -> Failure {
    let hint = error.hint();
    Failure { hint, ..Failure::new(error).with_code(1) }
}

/// Does it for each; those for which it fails are told, and the rest is done all the same.
fn each(names: &[String], reporter: Reporter, mut act: impl FnMut(&str) -> Result<(), Failure>) -> ExitCode {
    let mut worst = 0;
    for name in names {
        if let Err(failure) = act(name) {
            reporter.failure(&failure);
            worst = worst.max(failure.code);
        }
    }
    ExitCode::from(worst)
}

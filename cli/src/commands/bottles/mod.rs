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

/// What could be a bottle or a file.
#[derive(Debug, thiserror::Error)]
#[error("{0} is a bottle, and a file here is called so too")]
struct Both(String);

/// Evidence by its file, or by the bottle that it is of. A file that has a bottle's name is neither: a command knows its bottle's, and
/// writes where its caller is.
pub fn evidence(named: &Path, caller: &Caller, of: impl Fn(&Record) -> &String) -> Result<PathBuf, Failure> {
    let Some(name) = named.to_str().filter(|name| !name.contains('/')) else { return Ok(named.to_owned()) };
    let is_file = named.symlink_metadata().is_ok();
    match shelf(caller).map(|shelf| shelf.find(name)) {
        Ok(Ok(_) | Err(FindError::Ambiguous(_))) if is_file => {
            let hint = format!("the file is ./{name}; the bottle has an id too: bottle ps -a");
            Err(Failure::new(Both(name.to_owned())).with_hint(hint))
        }
        Ok(Ok(known)) => Ok(of(&known.record).into()),
        Ok(Err(FindError::Unknown(_))) => Ok(named.to_owned()),
        // Who only verifies needs no directories of bottle's.
        Err(_) if is_file => Ok(named.to_owned()),
        Ok(Err(error)) => Err(Failure::new(error)),
        Err(error) => Err(error),
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
pub fn refused(error: LineError) -> Failure {
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

//! `bottle image`: which images are here, and how do they come and go?

mod fetch;
mod list;
mod progress;

use std::process::ExitCode;

use bottle_images::{Image, Store, look_up};
use bottle_runtime::caller::Caller;

use crate::args::ImageVerb;
use crate::report::{Failure, Reporter};
use crate::state;

pub use fetch::ensure;

/// Runs the verb.
pub fn run(verb: &ImageVerb, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let store = store(caller)?;
    match verb {
        ImageVerb::Pull { names, packed } => fetch::pull(&store, names, *packed, caller, reporter),
        ImageVerb::Load { sources, tag, packed } => {
            fetch::load(&store, sources, tag.as_deref(), *packed, caller, reporter)
        }
        ImageVerb::Ls { json } => list::ls(&store, *json),
        ImageVerb::Rm { names } => list::rm(&store, names, caller, reporter),
        ImageVerb::Inspect { name } => list::inspect(&store, name, caller, reporter),
        ImageVerb::Prune { json } => list::prune(&store, *json, caller, reporter),
    }
}

/// The store in this user's state directory, which is made if it is missing.
fn store(caller: &Caller) -> Result<Store, Failure> {
    let directory = state::open(caller)?.data.join("images");
    Store::open(&directory).map_err(|error| failure(error.hint(), error))
}

fn failure(hint: Option<String>, error: impl std::error::Error + 'static) -> Failure {
    Failure { hint, ..Failure::new(error) }
}

/// What a name that a person writes is called in the store.
fn stored(store: &Store, written: &str, caller: &Caller) -> Result<Option<(String, Image)>, Failure> {
    look_up(store, written, &caller.containers(), &caller.cwd).map_err(|error| failure(error.hint(), error))
}

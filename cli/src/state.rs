//! Where is this machine's own state?

use std::path::PathBuf;

use bottle_runtime::caller::Caller;
use bottle_runtime::state::State;

use crate::report::Failure;

/// The state directories, which are made if they are missing.
pub fn open(caller: &Caller) -> Result<State, Failure> {
    State::open(&caller.places, caller.uid)
        .map_err(|error| Failure::new(error).with_hint("set BOTTLE_ROOT to a directory of your own"))
}

/// The private key that `run` uses by default.
pub fn default_key(caller: &Caller) -> Result<PathBuf, Failure> {
    Ok(open(caller)?.default_key())
}

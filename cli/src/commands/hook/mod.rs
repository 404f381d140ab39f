//! `bottle hook`: what engines call, and what has them do so.

mod create;
mod install;
mod stop;
pub mod supervise;

use std::process::ExitCode;

use bottle_runtime::caller::Caller;

use crate::args::HookVerb;
use crate::report::{Failure, Reporter};

/// Runs the verb.
pub fn run(verb: &HookVerb, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    match verb {
        HookVerb::Install(args) => install::run(args, reporter),
        HookVerb::Create { settings } => create::run(settings.as_deref(), reporter),
        HookVerb::Stop => stop::run(caller, reporter),
    }
}

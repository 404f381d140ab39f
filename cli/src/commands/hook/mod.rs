//! `bottle hook`: what engines call, and what has them do so.

pub mod create;
mod install;
mod seccomp;
mod stop;
pub mod supervise;

use std::process::ExitCode;

use bottle_runtime::report::chain;

use crate::args::HookVerb;
use crate::report::{Failure, Reporter};

/// Runs the verb.
pub fn run(verb: &HookVerb, reporter: Reporter) -> Result<ExitCode, Failure> {
    match verb {
        HookVerb::Install(args) => install::run(args, reporter),
        HookVerb::Create { settings, joins } => create::run(settings.as_deref(), *joins, reporter).map_err(in_one_line),
        HookVerb::Seccomp { file } => seccomp::run(file.as_deref()),
        HookVerb::Stop => stop::run(reporter).map_err(in_one_line),
    }
}

/// podman shows one line of what a hook says, and guesses which.
fn in_one_line(failure: Failure) -> Failure {
    let why = chain(failure.error.as_ref()).join(": ");
    let hint = failure.hint.map_or(String::new(), |hint| format!("; hint: {hint}"));
    Failure { code: failure.code, error: format!("{why}{hint}").replace('\n', " ").into(), hint: None }
}

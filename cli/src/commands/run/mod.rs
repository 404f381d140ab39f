//! `bottle run`: what was typed becomes a run; what the run tells becomes lines.

mod news;
mod options;

use std::process::ExitCode;

use bottle_runtime::caller::Caller;
use bottle_runtime::{RunError, descriptors};

use crate::args::RunArgs;
use crate::report::{Failure, Reporter};
use crate::sys;

/// The exit code of bottle's own failures.
const FAILED: u8 = 125;

/// Runs the verb; the exit code is the command's.
pub fn run(args: &RunArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    sys::share_one_arena();
    let mut options = options::read(args, caller).map_err(|failure| failure.with_code(FAILED))?;
    // For bottle's own part; the command has what the caller had.
    options.descriptors = descriptors::raise();
    // The terminal is raw while the command has it: a line feed alone does not go back to the margin.
    let reporter = if args.tty { reporter.for_raw_terminal() } else { reporter };
    let outcome = bottle_runtime::run(options, caller, move |event| news::tell(&event, reporter));
    sys::end_when_asked();
    Ok(ExitCode::from(outcome.map_err(failure)?.status.code()))
}

fn failure(error: RunError) -> Failure {
    let (code, hint) = (error.exit_code(), error.hint());
    Failure { code, hint, ..Failure::new(error) }
}

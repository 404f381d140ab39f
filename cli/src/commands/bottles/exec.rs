//! `bottle exec`: what else is to run in a bottle?

use std::process::ExitCode;

use bottle_runtime::caller::Caller;
use bottle_runtime::exec::{ExecError, ExecOptions, exec};

use super::{find, shelf};
use crate::args::ExecArgs;
use crate::commands::run::options::{stdio, variables};
use crate::report::{Failure, Reporter};
use crate::sys;

/// The exit code of bottle's own failures.
const FAILED: u8 = 125;

/// Runs the verb; the exit code is the command's.
pub fn run(args: &ExecArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    sys::share_one_arena();
    let (name, command) = args.split();
    let coded = |failure: Failure| failure.with_code(FAILED);
    if command.is_empty() {
        let hint = format!("say what to run after the bottle's name: bottle exec -it {name} sh");
        return Err(Failure::new("no command was given").with_hint(hint).with_code(FAILED));
    }
    let known = find(&shelf(caller).map_err(coded)?, name).map_err(coded)?;
    let options = ExecOptions {
        command: command.to_vec(),
        env: variables(&args.env, caller).map_err(coded)?,
        workdir: args.workdir.clone(),
        user: args.user.clone(),
        stdio: stdio(args.interactive, args.tty),
    };
    let status = exec(&known, options);
    sys::end_when_asked();
    let status = status.map_err(failure);
    if args.tty && status.is_ok() {
        reporter.recover();
    }
    Ok(ExitCode::from(status?.code()))
}

fn failure(error: ExecError) -> Failure {
    let (code, hint) = (error.exit_code(), error.hint());
    Failure { code, hint, ..Failure::new(error) }
}

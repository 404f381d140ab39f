//! The command: parsing and reporting.

#![allow(unreachable_pub, reason = "a binary exports nothing; pub means visible in the whole command")]

mod amount;
mod args;
mod commands;
mod keys;
mod presets;
mod report;
mod rules;
mod state;
mod stdout;
mod sys;
mod tpm;

use std::io::Write;
use std::process::ExitCode;

use bottle_runtime::caller::Caller;

use args::{Cli, Verb};
use report::{Failure, Reporter};

fn main() -> ExitCode {
    bottle_runtime::dispatch();
    if let Some(code) = commands::wrapper::dispatch() {
        return code;
    }
    commands::doctor::attempt::dispatch();
    commands::demo::inside::dispatch();
    if let Some(code) = commands::demo::stage::dispatch() {
        return code;
    }
    if let Some(code) = commands::run::detached::dispatch() {
        return code;
    }
    let reporter = Reporter::for_stderr();
    let cli = match Cli::of(&std::env::args_os().collect::<Vec<_>>()) {
        Ok(cli) => cli,
        Err(error) => return misused(error),
    };
    match act(&cli.verb, reporter) {
        Ok(code) => code,
        Err(failure) => {
            reporter.failure(&failure);
            ExitCode::from(failure.code)
        }
    }
}

fn act(verb: &Verb, reporter: Reporter) -> Result<ExitCode, Failure> {
    let caller = Caller::current().map_err(|source| Failure::new(Nowhere(source)).with_code(misuse(verb)))?;
    match verb {
        Verb::Run(args) => commands::run::run(args, &caller, reporter),
        Verb::Ps(args) => commands::bottles::ps::run(args, &caller),
        Verb::Exec(args) => commands::bottles::exec::run(args, &caller, reporter),
        Verb::Logs(args) => commands::bottles::logs::run(args, &caller, reporter),
        Verb::Stop(args) => commands::bottles::stop::run(args, &caller, reporter),
        Verb::Kill(args) => commands::bottles::kill::run(args, &caller, reporter),
        Verb::Inspect(args) => commands::bottles::inspect::run(args, &caller, reporter),
        Verb::Rm(args) => commands::bottles::rm::run(args, &caller, reporter),
        Verb::Why(args) => commands::why::run(args, &caller, reporter),
        Verb::Policy(verb) => commands::policy::run(verb, &caller, reporter),
        Verb::Audit(verb) => commands::audit::run(verb, &caller, reporter),
        Verb::Attest(verb) => commands::attest::run(verb, &caller, reporter),
        Verb::Image(verb) => commands::image::run(verb, &caller, reporter),
        Verb::Keep(verb) => commands::keep::run(verb, &caller, reporter),
        Verb::Doctor(args) => commands::doctor::run(args, &caller, reporter),
        Verb::Hook(verb) => commands::hook::run(verb, reporter),
        Verb::Demo => commands::demo::run(),
    }
}

/// The working directory is gone.
#[derive(Debug, thiserror::Error)]
#[error("cannot tell the working directory")]
struct Nowhere(#[source] std::io::Error);

/// 125 for `run` and `exec`, whose other codes are the command's, else 2.
fn misuse(verb: &Verb) -> u8 {
    if matches!(verb, Verb::Run(_) | Verb::Exec(_)) { 125 } else { 2 }
}

/// Prints help, or what is wrong with the arguments; the verb may be all that is known of them.
fn misused(mut error: clap::Error) -> ExitCode {
    let verb = std::env::args_os().nth(1).unwrap_or_default();
    let is_run = verb == "run" || verb == "exec";
    args::habits::advise(&mut error, &verb.to_string_lossy());
    let printed = error.print().and_then(|()| std::io::stdout().flush()).map_err(stdout::unwritten);
    let misuse = ExitCode::from(if is_run { 125 } else { 2 });
    match printed {
        // Nothing can be said if standard error is gone.
        _ if error.use_stderr() => misuse,
        Err(failure) if !stdout::is_unread(&failure) => {
            Reporter::for_stderr().failure(&failure);
            misuse
        }
        _ => ExitCode::SUCCESS,
    }
}

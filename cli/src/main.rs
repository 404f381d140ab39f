//! The command: parsing and reporting.

#![allow(unreachable_pub, reason = "a binary exports nothing; pub means visible in the whole command")]

mod amount;
mod args;
mod commands;
mod keys;
mod report;
mod rules;
mod state;
mod stdout;
mod sys;

use std::process::ExitCode;

use bottle_runtime::caller::Caller;
use clap::Parser;

use args::{Cli, Verb};
use report::{Failure, Reporter};

fn main() -> ExitCode {
    bottle_runtime::dispatch();
    commands::doctor::attempt::dispatch();
    commands::demo::inside::dispatch();
    if let Some(code) = commands::demo::stage::dispatch() {
        return code;
    }
    let reporter = Reporter::for_stderr();
    let cli = match Cli::try_parse() {
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
        Verb::Why(args) => commands::why::run(args),
        Verb::Policy(verb) => commands::policy::run(verb, reporter),
        Verb::Audit(verb) => commands::audit::run(verb, &caller, reporter),
        Verb::Attest(verb) => commands::attest::run(verb, &caller, reporter),
        Verb::Doctor(args) => commands::doctor::run(args, &caller, reporter),
        Verb::Demo => commands::demo::run(),
    }
}

/// The working directory is gone.
#[derive(Debug, thiserror::Error)]
#[error("cannot tell the working directory")]
struct Nowhere(#[source] std::io::Error);

/// 125 for `run`, whose other codes are the command's, else 2.
fn misuse(verb: &Verb) -> u8 {
    if matches!(verb, Verb::Run(_)) { 125 } else { 2 }
}

/// Prints help, or what is wrong with the arguments; the verb may be all that is known of them.
fn misused(mut error: clap::Error) -> ExitCode {
    let is_run = std::env::args_os().nth(1).is_some_and(|verb| verb == "run");
    if is_run {
        args::habits::advise(&mut error);
    }
    // Nothing can be said if standard error is gone.
    let _ = error.print();
    match (error.use_stderr(), is_run) {
        (false, _) => ExitCode::SUCCESS,
        (true, true) => ExitCode::from(125),
        (true, false) => ExitCode::from(2),
    }
}

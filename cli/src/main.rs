//! The command: parsing and reporting.

#![allow(unreachable_pub, reason = "a binary exports nothing; pub means visible in the whole command")]

mod args;
mod commands;
mod keys;
mod report;
mod rules;
mod stdout;
mod surroundings;
mod sys;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Verb};
use report::{Failure, Reporter};
use surroundings::Surroundings;

fn main() -> ExitCode {
    commands::doctor::attempt::dispatch();
    let reporter = Reporter::for_stderr();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    match act(&cli.verb, &Surroundings::read(), reporter) {
        Ok(code) => code,
        Err(failure) => {
            reporter.failure(&failure);
            ExitCode::from(failure.code)
        }
    }
}

fn act(verb: &Verb, surroundings: &Surroundings, reporter: Reporter) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Why(args) => commands::why::run(args),
        Verb::Policy(verb) => commands::policy::run(verb, reporter),
        Verb::Audit(verb) => commands::audit::run(verb, surroundings, reporter),
        Verb::Attest(verb) => commands::attest::run(verb, surroundings, reporter),
        Verb::Doctor(args) => commands::doctor::run(args, surroundings, reporter),
    }
}

/// Prints help, or what is wrong with the arguments: 125 for `run`, whose other codes are the command's, else 2.
fn misused(error: &clap::Error) -> ExitCode {
    // Nothing can be said if standard error is gone.
    let _ = error.print();
    let is_run = std::env::args_os().nth(1).is_some_and(|verb| verb == "run");
    match (error.use_stderr(), is_run) {
        (false, _) => ExitCode::SUCCESS,
        (true, true) => ExitCode::from(125),
        (true, false) => ExitCode::from(2),
    }
}

//! `bottle kill`: which bottles get a signal?

use std::process::ExitCode;

use bottle_runtime::caller::Caller;
use bottle_runtime::control::Line;

use super::{each, find, refused, shelf};
use crate::args::KillArgs;
use crate::report::{Failure, Reporter, escape};
use crate::stdout;

/// Runs the verb.
pub fn run(args: &KillArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let shelf = shelf(caller)?;
    Ok(each(&args.names, reporter, |name| {
        let known = find(&shelf, name)?;
        Line::to(&known).and_then(|line| line.signal(args.signal)).map_err(refused)?;
        stdout::line(&escape(name))
    }))
}

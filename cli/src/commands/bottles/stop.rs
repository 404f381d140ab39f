//! `bottle stop`: which bottles are asked to end?

use std::process::ExitCode;
use std::time::Duration;

use bottle_runtime::caller::Caller;
use bottle_runtime::control::{Line, LineError};
use bottle_runtime::records::Known;

use super::{each, find, refused, shelf, tell_changes};
use crate::args::StopArgs;
use crate::report::{Failure, Reporter, escape};
use crate::stdout;

/// How long the end of a bottle takes beyond that of its command: its log is closed, its output written out.
const CLOSING: Duration = Duration::from_secs(20);

/// It was asked, and its time is over.
#[derive(Debug, thiserror::Error)]
#[error("the bottle {0} was stopped and has not ended")]
struct Unended(String);

/// Runs the verb.
pub fn run(args: &StopArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let shelf = shelf(caller)?;
    // All are asked before any is waited for.
    let mut asked: Vec<(&String, Result<Known, Failure>)> = Vec::new();
    for name in &args.names {
        asked.push((name, find(&shelf, name).and_then(|known| ask(known, args.time))));
    }
    let mut asked = asked.into_iter();
    Ok(each(&args.names, reporter, |_| match asked.next() {
        Some((name, known)) => {
            let known = known?;
            wait(name, &known, args.time)?;
            tell_changes(&known, reporter);
            Ok(())
        }
        None => Ok(()),
    }))
}

/// One that has ended is as it should be.
fn ask(known: Known, grace: Duration) -> Result<Known, Failure> {
    match Line::to(&known).and_then(|line| line.stop(grace)) {
        Ok(()) | Err(LineError::Ended { .. }) => Ok(known),
        Err(error) => Err(refused(error)),
    }
}

fn wait(name: &str, known: &Known, grace: Duration) -> Result<(), Failure> {
    match known.wait_for(grace + CLOSING) {
        Ok(true) => stdout::line(&escape(name)),
        Ok(false) => {
            let hint = format!("perhaps nobody reads what it wrote; `bottle rm -f {name}` kills it");
            Err(Failure::new(Unended(name.to_owned())).with_hint(hint).with_code(1))
        }
        Err(error) => Err(Failure::new(error)),
    }
}

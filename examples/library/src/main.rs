//! Runs a command in a bottle from a program of one's own: `in-a-bottle POLICY COMMAND [ARG...]`.

use std::error::Error;
use std::process::ExitCode;

use bottle_runtime::{Bottle, dispatch};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // Every process of a bottle is this program, executed again in a role.
    dispatch();
    let mut arguments = std::env::args().skip(1);
    let policy = arguments.next().ok_or("usage: in-a-bottle POLICY COMMAND [ARG...]")?;

    let outcome = Bottle::host().policy_file(policy).status(arguments)?;
    Ok(ExitCode::from(outcome.status.code()))
}

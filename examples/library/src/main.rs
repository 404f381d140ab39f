//! Runs a command in a bottle from a program of one's own: `in-a-bottle POLICY COMMAND [ARG...]`.

use bottle_images::ImageRef;
use bottle_policy::Rules;
use bottle_runtime::{Caller, RunOptions, dispatch, run};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Every process of a bottle is this program, executed again in a role.
    dispatch();
    let mut arguments = std::env::args().skip(1);
    let policy = arguments.next().ok_or("usage: in-a-bottle POLICY COMMAND [ARG...]")?;

    let rules = Rules::from_text(&std::fs::read_to_string(&policy)?, &policy)?;
    let options = RunOptions { rules, ..RunOptions::new(ImageRef::Host, arguments.collect()) };
    let outcome = run(options, &Caller::current()?, |event| eprintln!("{event:?}"))?;

    eprintln!("the log is {}", outcome.audit.display());
    std::process::exit(outcome.status.code().into());
}

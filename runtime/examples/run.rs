//! Runs a command in a bottle from a program of one's own: `cargo run --example run -- COMMAND...`.

use bottle_images::ImageRef;
use bottle_runtime::{Caller, RunOptions, dispatch, run};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    dispatch();
    let options = RunOptions::new(ImageRef::Host, std::env::args().skip(1).collect());
    let outcome = run(options, &Caller::current()?, |event| eprintln!("{event:?}"))?;
    std::process::exit(outcome.status.code().into());
}

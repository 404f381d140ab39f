//! The re-executing program of the lab: makes namespaces and puts programs into them.

use std::process::ExitCode;

fn main() -> ExitCode {
    bottle_lab::helper::run(std::env::args_os().skip(1))
}

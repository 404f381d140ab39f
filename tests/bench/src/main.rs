//! How fast is bottle beside its peers? Each figure is a ratio, measured in one run, by turns, of which the median counts.

mod arguments;
mod figure;
mod measure;

mod connections;
mod decisions;
mod drift;
mod hooks;
mod images;
mod memory;
mod names;
mod start;
mod throughput;

mod client;
mod haproxy;
mod path;
mod podman;
mod processes;
mod serve;
mod tls;
mod world;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Role};

/// What went wrong, in words that name the step.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.role {
        Some(Role::Lab { arguments }) => return bottle_lab::helper::run(arguments),
        Some(Role::Serve { certificate, key }) => serve::run(&certificate, &key),
        Some(Role::Client { task, host, certificate, at }) => client::run(task, &host, at, certificate.as_deref()),
        None => measure::run(&arguments.measure),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bottle-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

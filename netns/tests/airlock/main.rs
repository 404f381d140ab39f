//! Does the airlock hold, built by root and built by an ordinary user?
//!
//! A harness with threads cannot enter a user namespace, so each test is a process: this binary runs itself,
//! once as root and once as an ordinary user. Nothing outside of the namespaces that a test makes is touched.

mod harness;
mod lab;
mod raw;
mod tools;

mod build;
mod deviate;
mod floor;
mod handover;
mod reach;
mod refuse;
mod rules;

fn main() -> std::process::ExitCode {
    harness::main(&[
        build::TESTS,
        reach::TESTS,
        refuse::TESTS,
        floor::TESTS,
        rules::TESTS,
        deviate::TESTS,
        handover::TESTS,
    ])
}

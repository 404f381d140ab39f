//! What do the lab's own tests share? Starting one, and running a program to its end.

use std::process::Command;

use bottle_lab::{Lab, Options};

pub(crate) fn start() -> Lab {
    bottle_lab::require();
    Lab::start(Options::default()).unwrap()
}

/// What a program that must succeed wrote to its output.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {} {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t0")
}

//! Which calls of a hostile program does the kernel refuse? The same table for whoever runs the bottle.

use std::fs;
use std::process::Command;

use crate::victim::Victim;

/// Compiles the attacks outside and runs them inside. Each prints a line only where it came through.
#[test]
fn no_call_leads_out() {
    let victim = Victim::new();
    let source = victim.project().join("calls.c");
    fs::write(&source, include_str!("calls.c")).unwrap();
    let program = victim.project().join("calls");
    let compiled = Command::new("cc").args(["-w", "-o"]).args([&program, &source]).status();
    assert!(compiled.expect("cc: the package gcc").success());
    let run = victim.shell("./calls");
    assert_eq!(run.out, "done\n", "{run:?}");
    let set = Command::new("find").arg(victim.project()).args(["-perm", "/6000"]).output().unwrap();
    assert!(set.stdout.is_empty(), "{set:?}");
}

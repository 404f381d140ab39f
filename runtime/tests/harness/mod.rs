//! How are claims tried in processes of one thread each? The standard harness has threads, and a threaded process can
//! neither unshare a user namespace nor fork safely.

use bottle_runtime::sys;
use rustix::process::{Pid, WaitOptions};

/// A claim and the function that panics if it does not hold.
pub(crate) type Claim = (&'static str, fn());

/// Tries each claim in a child of its own and ends the process. Understands a filter and `--list`.
pub(crate) fn main(claims: &[Claim]) -> ! {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let exact = arguments.iter().any(|argument| argument == "--exact");
    let chosen =
        |name: &str| filter.is_none_or(|filter| if exact { name == filter } else { name.contains(filter.as_str()) });
    let claims: Vec<&Claim> = claims.iter().filter(|(name, _)| chosen(name)).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        if !arguments.iter().any(|argument| argument == "--ignored") {
            claims.iter().for_each(|(name, _)| println!("{name}: test"));
        }
        std::process::exit(0);
    }
    // nextest asks once more for ignored tests only: there are none.
    let ignored_only = arguments.iter().any(|argument| argument == "--ignored");
    let claims = if ignored_only { Vec::new() } else { claims };
    println!("running {} tests", claims.len());
    let failed = claims.iter().filter(|claim| !holds(claim)).count();
    println!("test result: {} passed; {failed} failed", claims.len() - failed);
    println!("{} passed, {failed} failed", claims.len() - failed);
    std::process::exit(i32::from(failed > 0));
}

fn holds(claim: &Claim) -> bool {
    let (name, try_it) = claim;
    let held = in_child(try_it) == 0;
    println!("test {name} ... {}", if held { "ok" } else { "FAILED" });
    held
}

/// Runs a function in a child, and returns what it exits with: 0, 101 after a panic, 128+n on a signal.
pub(crate) fn in_child(act: &dyn Fn()) -> i32 {
    let Some(child) = sys::fork_child().unwrap() else {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        sys::exit_now(if done.is_ok() { 0 } else { 101 });
    };
    let (_, status) = rustix::process::waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap().unwrap();
    status.exit_status().unwrap_or_else(|| 128 + status.terminating_signal().unwrap_or(127))
}

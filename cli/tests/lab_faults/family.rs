//! Which processes are this test's? Its descendants, orphans included: they come back to it.

use std::collections::BTreeSet;
use std::fs;

use rustix::process::{Pid, WaitOptions};

use crate::host;

/// Makes this process the one to which orphans below it are given.
pub fn adopt_orphans() {
    rustix::process::set_child_subreaper(Pid::from_raw(1)).unwrap();
}

/// The children of all threads of a process, straight from the kernel.
pub fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Everything below a process.
pub fn descendants(pid: u32) -> BTreeSet<u32> {
    let mut all = BTreeSet::new();
    let mut open = vec![pid];
    while let Some(pid) = open.pop() {
        open.extend(children(pid).into_iter().filter(|child| all.insert(*child)));
    }
    all
}

/// The descendants of this process that live. Orphans that have ended are buried.
pub fn living() -> BTreeSet<u32> {
    let own = std::process::id();
    let mut all = descendants(own);
    all.retain(|pid| {
        let ended = host::status(*pid, "State").is_none_or(|state| state.starts_with(['Z', 'X']));
        if ended && children(own).contains(pid) {
            bury(*pid);
        }
        !ended
    });
    all
}

/// A child that someone else waits for is gone already, or will be theirs.
fn bury(pid: u32) {
    let orphan = Pid::from_raw(pid.cast_signed());
    let _ = rustix::process::waitpid(orphan, WaitOptions::NOHANG);
}

/// The newest child of `bottle run` that has this role and lives: gate and init leave their first process behind.
pub fn in_role(supervisor: u32, role: &str) -> Option<u32> {
    let mut children = children(supervisor);
    children.sort_unstable();
    // One that has ended has no arguments any more.
    children.into_iter().rev().find(|pid| host::first_argument(*pid) == role)
}

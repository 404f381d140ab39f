//! Does uid 0 of a new user namespace write what the host has?

use std::fs;
use std::io::Write;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::machine;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "root-of-new-users",
    class: "settings",
    severity: Severity::Critical,
    about: "Makes a user namespace, becomes its root, and writes a setting and an account file.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (user, group) = (own("/proc/self/status", "Uid:"), own("/proc/self/status", "Gid:"));
    tried.call("unshare", sys::call(libc::SYS_unshare, &mut [Arg::Number(libc::CLONE_NEWUSER as u64)]));
    tried.call("setgroups", fs::write("/proc/self/setgroups", "deny"));
    tried.call("uid_map", fs::write("/proc/self/uid_map", format!("0 {user} 1")));
    tried.call("gid_map", fs::write("/proc/self/gid_map", format!("0 {group} 1")));
    for path in [machine::CORE_PATTERN, machine::ACCOUNTS[0]] {
        let file = fs::OpenOptions::new().append(true).open(path);
        tried.call(path, file.and_then(|mut file| file.write_all(token.bytes())));
    }
    Ok(())
}

/// The first number of a line of a file of /proc.
fn own(file: &str, line: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|text| text.strip_prefix(line));
    line.and_then(|line| line.split_whitespace().next()).unwrap_or("0").to_owned()
}

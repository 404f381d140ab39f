//! Is what the sandbox hides only covered?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "uncovered",
    class: "mounts",
    severity: Severity::Critical,
    about: "Unmounts all that lies over a hidden file, deepest first, and reads what is below.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let secret = field.host.covered.as_ref().ok_or(NotApplicable::field("host.covered"))?;
    // A copy of the mounts, if it may have one: others are at work in these.
    tried.call("unshare", sys::call(libc::SYS_unshare, &mut [Arg::Number(libc::CLONE_NEWNS as u64)]));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mounts = mounts.lines().rev().filter_map(|line| line.split(' ').nth(4));
    for mount in mounts.filter(|mount| secret.starts_with(mount) && *mount != "/") {
        let path = format!("{mount}\0");
        let arguments = [Arg::In(path.as_bytes()), Arg::Number(libc::MNT_DETACH as u64)];
        tried.call(&format!("unmount {mount}"), sys::call(libc::SYS_umount2, &mut { arguments }));
        if let Some(bytes) = tried.call("read", fs::read(secret)) {
            tried.output(&bytes);
        }
    }
    Ok(())
}

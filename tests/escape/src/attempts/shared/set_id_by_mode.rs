//! Does a file in the shared directory become set-user-id?

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "set-id-by-mode",
    class: "shared",
    severity: Severity::Critical,
    about: "Makes a file in the shared directory, and sets its set-user-id and set-group-id bits in three ways.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let path = field.host.directory()?.join(token.text());
    tried.call("write", fs::write(&path, "#!/bin/sh\n"));
    let name = format!("{}\0", path.display());
    let [here, mode, flags] = [libc::AT_FDCWD as u64, 0o6755, 0].map(Arg::Number);
    tried.call("chmod", fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)));
    tried.call("fchmodat2", sys::call(FCHMODAT2, &mut [here, Arg::In(name.as_bytes()), mode, flags]));
    if let Some(file) = tried.call("open", fs::File::open(&path)) {
        tried.call("fchmod", file.set_permissions(fs::Permissions::from_mode(0o2755)));
    }
    Ok(())
}

/// fchmodat2(2), of kernel 6.6.
const FCHMODAT2: i64 = 452;

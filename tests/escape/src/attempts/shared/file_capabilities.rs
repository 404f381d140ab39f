//! Does a file in the shared directory get capabilities, which whoever executes it outside then has?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "file-capabilities",
    class: "shared",
    severity: Severity::Critical,
    about: "Makes a file in the shared directory, and gives it a capability for all and one for its own user namespace.",
    make,
    ..Attempt::USUAL
};

/// CAP_NET_RAW, permitted and in effect from the start.
const WORDS: [u32; 4] = [1 << 13, 0, 0, 0];
const EFFECTIVE: u32 = 1;

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let path = field.host.directory()?.join(token.text());
    tried.call("write", fs::write(&path, "#!/bin/sh\n"));
    let owner = sys::call(libc::SYS_geteuid, &mut []).unwrap_or(0) as u32;
    for (what, version, root) in [("for all", 2, None), ("for its own", 3, Some(owner))] {
        let words = [version << 24 | EFFECTIVE].into_iter().chain(WORDS).chain(root);
        let value: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        let name = format!("{}\0", path.display());
        let [length, flags] = [value.len() as u64, 0].map(Arg::Number);
        let arguments = [Arg::In(name.as_bytes()), Arg::In(sys::CAPABILITIES), Arg::In(&value), length, flags];
        tried.call(what, sys::call(libc::SYS_setxattr, &mut { arguments }));
    }
    Ok(())
}

//! Are hooks exchanged for others in one step?

use std::fs;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "git-exchanged",
    class: "shared",
    severity: Severity::Critical,
    about: "Exchanges the directory of hooks for another one with renameat2.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let git = field.host.directory()?.join("exchanged/.git");
    tried.call("make a directory", fs::create_dir_all(git.join("others")));
    tried.call("write", fs::write(git.join("others/pre-commit"), format!("#!/bin/sh\n# {}\n", token.text())));
    let [old, new] = ["others", "hooks"].map(|name| format!("{}\0", git.join(name).display()));
    let [here, there, flags] =
        [libc::AT_FDCWD as u64, libc::AT_FDCWD as u64, u64::from(libc::RENAME_EXCHANGE)].map(Arg::Number);
    let arguments = [here, Arg::In(old.as_bytes()), there, Arg::In(new.as_bytes()), flags];
    tried.call("exchange", sys::call(libc::SYS_renameat2, &mut { arguments }));
    Ok(())
}

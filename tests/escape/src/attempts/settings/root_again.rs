//! Does becoming uid 0 again give back what was given up?

use std::fs;
use std::io::Write;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::machine;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "root-again",
    class: "settings",
    severity: Severity::Critical,
    about: "Asks for uid 0 and its groups, and writes a setting and an account file.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let groups = [0_u8; 4];
    tried.call("setgroups", sys::call(libc::SYS_setgroups, &mut [Arg::Number(1), Arg::In(&groups)]));
    tried.call("setresgid", sys::call(libc::SYS_setresgid, &mut [0, 0, 0].map(Arg::Number)));
    tried.call("setresuid", sys::call(libc::SYS_setresuid, &mut [0, 0, 0].map(Arg::Number)));
    for path in [machine::CORE_PATTERN, machine::ACCOUNTS[0]] {
        let file = fs::OpenOptions::new().append(true).open(path);
        tried.call(path, file.and_then(|mut file| file.write_all(token.bytes())));
    }
    Ok(())
}

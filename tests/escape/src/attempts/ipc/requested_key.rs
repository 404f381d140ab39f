//! Does the kernel start a program of the host for a key?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "requested-key",
    class: "ipc",
    severity: Severity::Critical,
    about: "Asks for a key that nobody has, for which the kernel starts a program as root of the machine, with a text of the asker.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let name = format!("{}\0", token.text());
    let arguments =
        [Arg::In(b"user\0"), Arg::In(name.as_bytes()), Arg::In(name.as_bytes()), Arg::Number(USERS_RING as u64)];
    tried.call("request_key", sys::call(libc::SYS_request_key, &mut { arguments }));
    Ok(())
}

/// KEY_SPEC_USER_KEYRING, where an answer would be seen by all processes of the user.
const USERS_RING: i64 = -4;

//! Is a key that is added seen by all processes of the user?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "key-of-the-user",
    class: "ipc",
    severity: Severity::Critical,
    about: "Adds a key to the ring that all processes of a user share, outside of any namespace.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let name = format!("{}\0", token.text());
    let data = [Arg::In(token.bytes()), Arg::Number(token.bytes().len() as u64)];
    let [bytes, length] = data;
    let ring = Arg::Number(USERS_RING as u64);
    let added = sys::call(libc::SYS_add_key, &mut [Arg::In(b"user\0"), Arg::In(name.as_bytes()), bytes, length, ring]);
    if let Some(key) = tried.call("add_key", added) {
        let (set_timeout, seconds) = (15, 60);
        tried.call("timeout", sys::call(libc::SYS_keyctl, &mut [set_timeout, key, seconds].map(Arg::Number)));
    }
    Ok(())
}

/// KEY_SPEC_USER_KEYRING.
const USERS_RING: i64 = -4;

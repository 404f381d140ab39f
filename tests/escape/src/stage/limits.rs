//! How many descriptors may a process have? A number has no room for a token, but it can depend on one.

use std::io;

use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;

/// Whether a process may have just as few now as the attempt would leave it, by place.
pub(super) fn changed(process: u32, field: &Field) -> Option<(String, Vec<u8>)> {
    let token = Token::of(field, "foreign-limits", 0);
    let text = std::fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let mut words = text.lines().find(|line| line.starts_with("Max open files"))?.split_whitespace();
    let found = words.any(|word| word == few(&token).to_string());
    found.then(|| ("the limits of a process".to_owned(), token.bytes().to_vec()))
}

/// As few as no other run's attempt would leave, which may see the same processes.
pub(crate) fn few(token: &Token) -> u64 {
    256 + token.bytes().iter().fold(0, |sum: u64, byte| (sum * 31 + u64::from(*byte)) % 3571)
}

/// Lets a process have only so many, for good.
pub(crate) fn lower(process: u64, to: u64) -> io::Result<u64> {
    let both = [to, to].map(u64::to_ne_bytes).concat();
    let [process, which, nothing] = [process, u64::from(libc::RLIMIT_NOFILE), 0].map(Arg::Number);
    sys::call(libc::SYS_prlimit64, &mut [process, which, Arg::In(&both), nothing])
}

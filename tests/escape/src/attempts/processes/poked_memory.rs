//! Can a program trace another process and write its memory?

use std::path::PathBuf;

use crate::attempt::{Attempt, Severity};
use crate::family;
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "poked-memory",
    class: "processes",
    severity: Severity::Critical,
    about: "Attaches to a process of the host, and writes its environment word by word.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for id in family::victims() {
        let Some((start, _)) = family::environment(&PathBuf::from(format!("/proc/{id}"))) else { continue };
        let (attach, poke, detach) = (16, 5, 17);
        let mut trace = |what, request, place, data| {
            let arguments = [request, id, place, data];
            tried.call(what, sys::call(libc::SYS_ptrace, &mut arguments.map(Arg::Number)))
        };
        if trace("attach", attach, 0, 0).is_none() {
            continue;
        }
        let waited = sys::call(libc::SYS_wait4, &mut [id, 0, 0x4000_0000, 0].map(Arg::Number));
        for (at, word) in token.bytes().chunks(8).enumerate() {
            let mut bytes = [b'='; 8];
            bytes[..word.len()].copy_from_slice(word);
            trace("poke", poke, start + 64 + 8 * at as u64, u64::from_ne_bytes(bytes));
        }
        trace("detach", detach, 0, 0);
        tried.call("wait", waited);
    }
    Ok(())
}

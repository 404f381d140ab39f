//! Does a process read whose FIFO lies in the shared directory?

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "fifo-in-directory",
    class: "shared",
    severity: Severity::Critical,
    about: "Writes to a FIFO of the host that lay in the shared directory at the start.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for path in field.host.some(&field.host.fifos, "host.fifos")? {
        let fifo = fs::OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path);
        let Some(mut fifo) = tried.call("open", fifo) else { continue };
        tried.call("write", fifo.write_all(token.bytes()));
    }
    Ok(())
}

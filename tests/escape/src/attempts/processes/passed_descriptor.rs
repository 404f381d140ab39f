//! Can a program hand a descriptor to a daemon of the host's?

use std::fs;
use std::os::fd::AsRawFd;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "passed-descriptor",
    class: "processes",
    severity: Severity::Critical,
    about: "Connects to each daemon's socket, and passes it a descriptor with data.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let gift = fs::File::open("/proc/self/exe").map(|file| file.as_raw_fd());
    let Some(gift) = tried.call("open", gift) else { return Ok(()) };
    for path in field.host.some(&field.host.sockets, "host.sockets")? {
        let Some(socket) = tried.call("socket", sys::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)) else { continue };
        let address = sys::unix(path.as_os_str().as_encoded_bytes());
        if tried.call(&format!("connect {}", path.display()), sys::connect(&socket, &address)).is_some() {
            let rights = (libc::SOL_SOCKET, libc::SCM_RIGHTS, &gift.to_ne_bytes()[..]);
            tried.call("send", sys::send_with(&socket, token.bytes(), &[], rights));
        }
    }
    Ok(())
}

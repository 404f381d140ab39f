//! Does a daemon answer whose socket lies in the shared directory?

use std::io::Write;
use std::os::unix::net::UnixStream;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "socket-in-directory",
    class: "shared",
    severity: Severity::Critical,
    about: "Connects to a socket of the host that lay in the shared directory at the start.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let sockets =
        field.host.sockets.iter().filter(|path| path.starts_with(field.host.directory().unwrap_or("/".as_ref())));
    for path in sockets {
        if let Some(mut stream) = tried.call(&format!("connect {}", path.display()), UnixStream::connect(path)) {
            tried.call("write", stream.write_all(token.bytes()));
        }
    }
    Ok(())
}

//! Does a daemon's socket of the host's answer inside?

use std::io::Write;
use std::os::unix::net::UnixStream;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "unix-socket",
    class: "host",
    severity: Severity::Critical,
    about: "Connects to the sockets of daemons that would run anything: docker, podman, containerd, systemd.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for path in field.host.some(&field.host.sockets, "host.sockets")? {
        let shown = path.display();
        if let Some(mut stream) = tried.call(&format!("connect {shown}"), UnixStream::connect(path)) {
            tried.call(&format!("write {shown}"), stream.write_all(token.bytes()));
        }
    }
    Ok(())
}

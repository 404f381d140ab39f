//! Does a display answer whose socket lies in the machine's directory for temporary files?

use std::io::Write;
use std::os::unix::net::UnixStream;

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

/// What X11 calls its directory.
const DIRECTORY: &str = ".X11-unix";

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "display-socket-by-path",
    class: "host",
    severity: Severity::Critical,
    about: "Greets the display on a path socket below the directory for temporary files; who speaks to it types into every window.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let is_display = |path: &&std::path::PathBuf| path.parent().is_some_and(|parent| parent.ends_with(DIRECTORY));
    let display = field.host.sockets.iter().find(is_display).ok_or(NotApplicable::field("display socket"))?;
    if let Some(mut stream) = tried.call("connect", UnixStream::connect(display)) {
        tried.call("greet", stream.write_all(&[b"l\0\x0b\0\0\0\0\0\0\0\0\0", token.bytes()].concat()));
    }
    Ok(())
}

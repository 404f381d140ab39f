//! Does a daemon answer whose socket is reached by another path?

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;

use crate::attempt::{Attempt, Company, Severity};
use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "moved-socket",
    class: "shared",
    severity: Severity::Critical,
    company: Company::Alone,
    about: "Moves and links a socket of the host within the shared directory, and connects there.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let directory = field.host.directory()?;
    for path in field.host.sockets.iter().filter(|path| path.starts_with(directory)) {
        let (linked, above) = (directory.join("linked.sock"), directory.join("elsewhere"));
        tried.call("link", fs::hard_link(path, &linked));
        tried.call("move the directory", fs::rename(path.parent().unwrap_or(directory), &above));
        for place in [linked, above.join(path.file_name().unwrap_or_default())] {
            if let Some(mut stream) = tried.call(&format!("connect {}", place.display()), UnixStream::connect(&place)) {
                tried.call("write", stream.write_all(token.bytes()));
            }
        }
    }
    Ok(())
}

//! How does a line get out whole, on a stream that a sandbox may have made one that does not wait?

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

use crate::sys;

/// Says a line to its end on standard output. Where the stream does not wait, it is waited for here.
///
/// # Errors
/// What the stream says.
pub fn say(line: &str) -> io::Result<()> {
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut rest = format!("{line}\n").into_bytes();
    while !rest.is_empty() {
        match out.write(&rest) {
            Ok(length) => drop(rest.drain(..length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => sys::await_writable(out.as_fd())?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

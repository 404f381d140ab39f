//! How does the caller's terminal lead to the bottle's pty? Raw, copied both ways, and put back as it was.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::process::getpgrp;
use rustix::termios::{
    OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use super::end_of_input;
use super::stdio::{Copying, copy, copy_in_thread, log_in_thread};
use crate::log::{Log, Stream};
use crate::thread;

/// The caller's terminal in raw mode, until dropped.
#[derive(Debug)]
pub struct Terminal {
    before: Option<Termios>,
    output: Copying,
}

impl Terminal {
    /// Connects the caller's streams with the pty's master.
    pub fn connect(master: &OwnedFd) -> io::Result<Terminal> {
        let before = make_raw()?;
        // Not joined: it may wait for ever in read(2) and holds nothing that must be finished.
        type_in_thread(io::stdin().as_fd().try_clone_to_owned()?.into(), master.try_clone()?.into())?;
        let output = copy_in_thread(master.try_clone()?, io::stdout().as_fd().try_clone_to_owned()?)?;
        Ok(Terminal { before, output })
    }

    /// Has what the workload shows on the pty written into a log; nothing is typed.
    pub(crate) fn logged(master: &OwnedFd, log: &Arc<Log>) -> io::Result<Terminal> {
        Ok(Terminal { before: None, output: log_in_thread(master.try_clone()?, log, Stream::Output)? })
    }

    /// Waits until all that the workload wrote is on the terminal. Every process of the workload must be dead.
    pub async fn finished(&mut self) -> io::Result<()> {
        self.output.over().await
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // Not when all is shown: someone may have stopped it, and what was written was written raw.
            let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, before);
        }
    }
}

/// What comes from the caller is typed, and so is its end. Over when the workload's side is closed.
fn type_in_thread(from: File, master: File) -> io::Result<()> {
    thread::begin(move || {
        // An error on either side leaves nobody to type for.
        let _ = copy(&from, &master).and_then(|()| end_of_input::type_in(&master));
    })?;
    Ok(())
}

/// Rows and columns of the caller's terminal, if it is one.
pub fn size() -> Option<(u16, u16)> {
    let Winsize { ws_row, ws_col, .. } = tcgetwinsize(io::stdout()).ok()?;
    Some((ws_row, ws_col))
}

/// Tells the pty its new size. A pty whose bottle has just ended needs none.
pub fn resize(master: &OwnedFd, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let _ = tcsetwinsize(master, size);
}

fn make_raw() -> io::Result<Option<Termios>> {
    let stdin = io::stdin();
    if !isatty(&stdin) {
        return Ok(None);
    }
    // Who changes a terminal from the background is stopped, and nobody would watch the bottle.
    if tcgetpgrp(&stdin).is_ok_and(|foreground| foreground != getpgrp()) {
        return Err(io::Error::other("bottle runs in the background, and its terminal is somebody else's"));
    }
    let before = tcgetattr(&stdin)?;
    let mut raw = before.clone();
    raw.make_raw();
    tcsetattr(&stdin, OptionalActions::Drain, &raw)?;
    Ok(Some(before))
}

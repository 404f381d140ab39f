//! How does a role end with its supervisor? The kernel kills it when the supervisor dies.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;

/// Asks for SIGKILL when the parent dies, then makes sure that it had not died before.
///
/// Called from the main thread after the last change of credentials: a change clears the request, and it fires when
/// the *thread* that asked for the fork ends. The parent's end of the channel tells whether it still lives, since
/// getppid(2) says 0 across pid namespaces.
///
/// # Errors
/// `BrokenPipe` when the supervisor is gone already.
pub(crate) fn tie_to_supervisor(channel: &impl AsFd) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut fds = [PollFd::new(channel, PollFlags::HUP)];
    rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    if fds[0].revents().contains(PollFlags::HUP) { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
}

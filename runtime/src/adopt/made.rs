//! Which process has an engine made for a container? It is held by its pidfd from before anything of it is looked at, so that what was read by its
//! number was its own if it is still there afterwards.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use super::HoldError;

/// A process that an engine has made for a container, wherever that is.
#[derive(Debug)]
pub struct Made {
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
}

impl Made {
    /// The process with this id.
    ///
    /// # Errors
    /// [`HoldError::Gone`]
    pub fn hold(pid: u32) -> Result<Made, HoldError> {
        let gone = |source| HoldError::Gone { pid, source };
        let id =
            i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| gone(io::ErrorKind::InvalidInput.into()))?;
        let pidfd = rustix::process::pidfd_open(id, PidfdFlags::empty()).map_err(|errno| gone(errno.into()))?;
        Ok(Made { pid, pidfd })
    }

    /// Its id in our pid namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Demands that it has not ended: what was read by its number was its own then.
    ///
    /// # Errors
    /// [`HoldError::Gone`]
    pub fn is_there(&self) -> Result<(), HoldError> {
        let gone = |source| HoldError::Gone { pid: self.pid, source };
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        match rustix::event::poll(&mut fds, Some(&now)).map_err(|errno| gone(errno.into()))? {
            0 => Ok(()),
            _ => Err(gone(io::ErrorKind::NotFound.into())),
        }
    }

    /// As if a process had ended, and another one had its number by now.
    #[cfg(test)]
    pub(crate) fn succeeded(self, by: u32) -> Made {
        Made { pid: by, ..self }
    }
}

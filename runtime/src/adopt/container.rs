//! How is a container held that somebody else has started and will wait for? By its first process's pidfd.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use rustix::process::Signal;

use super::Made;
use crate::ended::Ended;
use crate::init::message::End;
use crate::nested;
use crate::process;
use crate::sys;

/// A container's first process, and the namespaces that it is in.
#[derive(Debug)]
pub struct Container {
    pid: u32,
    pidfd: OwnedFd,
    network: OwnedFd,
    user: OwnedFd,
}

/// Why a process can't be held as a container's first one.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// There is no such process, or it may not be looked at.
    #[error("the container's process {pid} is not there, or not ours to look at")]
    Gone {
        /// Its id, as the engine says it.
        pid: u32,
        /// What the kernel said.
        source: io::Error,
    },
    /// Killing it would not end what else runs inside.
    #[error("the process {0} is not the first of a process id namespace of its own")]
    NotFirst(u32),
    /// It is where this program is.
    #[error("the container has no {0} namespace of its own: it is the host's")]
    Shared(&'static str),
}

impl Container {
    /// The process with this id, where it is pid 1 of a pid namespace, and in other namespaces than this program of each of
    /// these kinds (`net`, `pid`, …).
    ///
    /// # Errors
    /// [`HoldError`]
    pub fn hold(pid: u32, apart: &[&'static str]) -> Result<Container, HoldError> {
        Container::of(Made::hold(pid)?, apart)
    }

    /// The same of a process that is held already.
    ///
    /// # Errors
    /// [`HoldError`]
    pub fn of(made: Made, apart: &[&'static str]) -> Result<Container, HoldError> {
        let pid = made.pid;
        let gone = |source| HoldError::Gone { pid, source };
        let [network, user] =
            ["net", "user"].map(|kind| File::open(format!("/proc/{pid}/ns/{kind}")).map(OwnedFd::from));
        if !is_first(pid).map_err(gone)? {
            return Err(HoldError::NotFirst(pid));
        }
        for kind in apart {
            if namespace(pid, kind).map_err(gone)? == namespace(std::process::id(), kind).map_err(gone)? {
                return Err(HoldError::Shared(kind));
            }
        }
        let (network, user) = (network.map_err(gone)?, user.map_err(gone)?);
        made.is_there()?;
        Ok(Container { pid, pidfd: made.pidfd, network, user })
    }

    /// Its id in our pid namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its network namespace.
    pub(crate) fn network(&self) -> BorrowedFd<'_> {
        self.network.as_fd()
    }

    /// The user namespace that it lives in.
    pub(crate) fn user(&self) -> BorrowedFd<'_> {
        self.user.as_fd()
    }

    /// Who this uid and gid of ours are in there; nobody where it has no such ids.
    pub fn inside(&self, (uid, gid): (u32, u32)) -> Option<(u32, u32)> {
        let map = |file: &str, id| inside(&std::fs::read_to_string(format!("/proc/{}/{file}", self.pid)).ok()?, id);
        Some((map("uid_map", uid)?, map("gid_map", gid)?))
    }

    /// Ends it with all that runs inside. One that is gone is no error.
    pub(crate) fn kill(&self) {
        // ESRCH is the one that can come: who may look at its namespaces may signal it.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Sends its first process a signal. One that is gone needs none.
    pub(crate) fn signal(&self, number: i32) {
        let _ = sys::signal_process(self.pidfd.as_fd(), number);
    }

    /// How it ended. Its engine waits for it, so that this may be known to the engine alone.
    pub(crate) fn ended(&self) -> Ended {
        let status = unreaped(self.pid).or_else(|| sys::exit_status(self.pidfd.as_fd()));
        status.map_or(Ended::Unseen, |status| Ended::Itself(end(status)))
    }
}

impl AsFd for Container {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// What an id outside is inside.
fn inside(map: &str, outside: u32) -> Option<u32> {
    nested::lines(map)?.into_iter().find_map(|(first, from, count)| {
        let offset = outside.checked_sub(from).filter(|offset| *offset < count)?;
        first.checked_add(offset)
    })
}

/// Whether it is pid 1 where it lives.
fn is_first(pid: u32) -> io::Result<bool> {
    let status = process::text(format!("/proc/{pid}/status"))?;
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let ids: Vec<&str> = ids.split_ascii_whitespace().collect();
    Ok(ids.len() > 1 && ids.last() == Some(&"1"))
}

fn namespace(pid: u32, kind: &str) -> io::Result<(u64, u64)> {
    let file = std::fs::metadata(format!("/proc/{pid}/ns/{kind}"))?;
    Ok((file.dev(), file.ino()))
}

/// The exit status of a process that nobody has waited for yet (proc_pid_stat(5), fields 3 and 52).
fn unreaped(pid: u32) -> Option<i32> {
    let line = process::text(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = line.rsplit_once(") ")?.1.split_ascii_whitespace().collect();
    if fields.first() == Some(&"Z") { fields.get(49)?.parse().ok() } else { None }
}

/// What a wait status says (wait(2)).
fn end(status: i32) -> End {
    match status & 0x7f {
        0 => End::Code((status >> 8) & 0xff),
        signal => End::Signal(signal),
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags};
    use rustix::process::{Pid, PidfdFlags};

    use super::*;

    #[test]
    fn a_process_that_shares_our_namespaces_is_no_container() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let refused = Container::hold(child.id(), &["net"]).unwrap_err();
        assert!(matches!(refused, HoldError::NotFirst(_)), "{refused}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(Container::hold(child.id(), &[]), Err(HoldError::Gone { .. })));
        assert!(matches!(Container::hold(0, &[]), Err(HoldError::Gone { .. })));
    }

    #[test]
    fn the_end_of_a_process_is_read_before_and_after_somebody_waits_for_it() {
        let mut child = std::process::Command::new("sh").args(["-c", "exit 7"]).spawn().unwrap();
        let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        let pidfd = rustix::process::pidfd_open(id, PidfdFlags::empty()).unwrap();
        rustix::event::poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None).unwrap();
        assert_eq!(unreaped(child.id()).map(end), Some(End::Code(7)));
        child.wait().unwrap();
        assert_eq!(unreaped(child.id()), None);
        // Kernels before 6.15 do not tell afterwards.
        assert!(matches!(sys::exit_status(pidfd.as_fd()).map(end), None | Some(End::Code(7))));
    }

    #[test]
    fn an_id_is_looked_up_in_a_map() {
        let map = "         0       1000          1\n         1     100000      65536\n";
        assert_eq!([1000, 100_005, 0, 1001].map(|id| inside(map, id)), [Some(0), Some(6), None, None]);
    }

    #[test]
    fn a_wait_status_is_a_code_or_a_signal() {
        assert_eq!(end(0x0300), End::Code(3));
        assert_eq!(end(9), End::Signal(9));
        assert_eq!(end(0x80 | 11), End::Signal(11));
    }
}

//! How is another process held? By its pidfd, so that its id can't come to mean another one, and until this is dropped.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus};

/// A child of ours. Dropping it kills and reaps it.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    pidfd: OwnedFd,
}

impl Process {
    /// A child that was just started and not waited for.
    pub fn of_child(pid: u32) -> io::Result<Process> {
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Process { pid, pidfd: rustix::process::pidfd_open(raw, PidfdFlags::empty())? })
    }

    /// A child whose descriptor someone else opened.
    pub fn new(pid: u32, pidfd: OwnedFd) -> Process {
        Process { pid, pidfd }
    }

    /// Its id in our pid namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends SIGKILL. A process that is gone already is no error.
    pub fn kill(&self) {
        // ESRCH is the only failure for a child of ours.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Whether it was stopped since the last time that this was asked. SIGCHLD tells when to ask.
    pub fn was_stopped(&self) -> bool {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        // An error means that it is gone, which the end of its channel tells.
        matches!(rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), options), Ok(Some(_)))
    }

    /// Whether it is past its last instruction, though the kernel may still be closing what it held.
    pub fn is_ending(&self) -> bool {
        // It can't be another process of this number: ours is reaped only when this is dropped.
        Stat::read(self.pid).is_some_and(|stat| stat.exiting)
    }

    /// Waits until it has ended, and reaps it. `None` where someone reaped it before.
    pub fn wait(&self) -> Option<WaitIdStatus> {
        loop {
            match rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED) {
                Ok(status) => return status,
                Err(rustix::io::Errno::INTR) => {}
                Err(_already_reaped) => return None,
            }
        }
    }
}

/// What /proc/PID/stat says of a process (proc_pid_stat(5)).
pub(crate) struct Stat {
    pub(crate) parent: u32,
    /// Its first thread is past its last instruction.
    pub(crate) exiting: bool,
    pub(crate) threads: u32,
    /// Clock ticks since boot: no other process of this id has the same.
    pub(crate) start: u64,
}

impl Stat {
    /// Nothing of a process that is gone.
    pub(crate) fn read(pid: u32) -> Option<Stat> {
        Stat::read_at(Path::new(&format!("/proc/{pid}")))
    }

    /// The same of a process or thread by its directory in /proc.
    pub(crate) fn read_at(base: &Path) -> Option<Stat> {
        // Of include/linux/sched.h.
        const PF_EXITING: u32 = 4;
        let line = std::fs::read_to_string(base.join("stat")).ok()?;
        // The command's name may hold anything, parentheses too; the state follows it.
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
        let (parent, flags, threads) = (number(1)?, number(6)?, number(17)?);
        let start = fields.get(19)?.parse().ok()?;
        Some(Stat { parent, exiting: flags & PF_EXITING != 0, threads, start })
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ending_once_it_was_killed_and_not_before() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of_child(child.id()).unwrap();
        assert!(!process.is_ending());
        process.kill();
        // Ended, and not reaped.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        rustix::process::waitid(WaitId::PidFd(process.as_fd()), options).unwrap();
        assert!(process.is_ending());
        child.wait().unwrap();
    }
}

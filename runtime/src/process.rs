//! How is another process held? By its pidfd, so that its id can't come to mean another one, and until this is dropped.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

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
        Stat::read(self.pid).is_ok_and(|stat| stat.is_some_and(|stat| stat.is_over()))
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

/// What the kernel says in a file of /proc. Names in it are as their owners like: what is no UTF-8 is replaced, since who can't be read about
/// would not be seen.
pub(crate) fn text(path: impl AsRef<Path>) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())
}

/// Whether /proc says by this that the process is no longer there. Any other error says nothing of it.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
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
    pub(crate) fn read(pid: u32) -> io::Result<Option<Stat>> {
        Stat::read_at(Path::new(&format!("/proc/{pid}")))
    }

    /// The same of a process or thread by its directory in /proc.
    pub(crate) fn read_at(base: &Path) -> io::Result<Option<Stat>> {
        match text(base.join("stat")) {
            Err(error) if is_gone(&error) => Ok(None),
            line => Stat::parse(&line?).map(Some).ok_or(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Whether its last thread exits, or has: no instruction of its own will be executed.
    pub(crate) fn is_over(&self) -> bool {
        self.exiting && self.threads <= 1
    }

    fn parse(line: &str) -> Option<Stat> {
        // Of include/linux/sched.h.
        const PF_EXITING: u32 = 4;
        // The command's name may hold anything, parentheses too; the state follows it.
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
        let (parent, flags, threads) = (number(1)?, number(6)?, number(17)?);
        let start = fields.get(19)?.parse().ok()?;
        Some(Stat { parent, exiting: flags & PF_EXITING != 0, threads, start })
    }
}

/// A process that is not over, and where in /proc it is to be looked at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Alive {
    /// Its directory, or where its first thread has ended and others go on, one of theirs: of those alone the kernel tells namespaces, mounts
    /// and what they execute.
    pub(crate) base: PathBuf,
    /// Clock ticks since boot.
    pub(crate) start: u64,
}

impl Alive {
    /// Nothing of a process that is gone, or past its last instruction.
    pub(crate) fn of(pid: u32) -> io::Result<Option<Alive>> {
        let base = PathBuf::from(format!("/proc/{pid}"));
        let Some(Stat { exiting, start, .. }) = Stat::read_at(&base)?.filter(|stat| !stat.is_over()) else {
            return Ok(None);
        };
        if !exiting {
            return Ok(Some(Alive { base, start }));
        }
        let threads = match std::fs::read_dir(base.join("task")) {
            Err(error) if is_gone(&error) => return Ok(None),
            threads => threads?,
        };
        for thread in threads {
            let base = thread?.path();
            if Stat::read_at(&base)?.is_some_and(|stat| !stat.exiting) {
                return Ok(Some(Alive { base, start }));
            }
        }
        Ok(None)
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

    #[test]
    fn a_process_is_seen_whatever_it_calls_itself() {
        for name in [&b"\xff\xfe"[..], b"a) Z 1 (", b"\n) \n", b""] {
            let (ready, tell) = std::sync::mpsc::channel();
            let (end, ended) = std::sync::mpsc::channel::<()>();
            let name = std::ffi::CString::new(name).unwrap();
            let thread = std::thread::spawn(move || {
                rustix::thread::set_name(&name).unwrap();
                ready.send(rustix::thread::gettid().as_raw_nonzero()).unwrap();
                ended.recv().unwrap_err();
            });
            let base = format!("/proc/self/task/{}", tell.recv().unwrap());
            let stat = Stat::read_at(Path::new(&base)).unwrap().unwrap();
            assert!(!stat.exiting && stat.threads > 1 && stat.start > 0);
            drop(end);
            thread.join().unwrap();
        }
        assert!(Stat::read_at(Path::new("/proc/self/task/0")).unwrap().is_none());
        assert!(Stat::read_at(Path::new("/proc/self/fd/0")).is_err(), "unknown is not gone");
    }

    /// Its first thread ends, and another goes on until its standard input ends.
    const WITHOUT_ITS_FIRST: &str = "
import ctypes, os, sys, threading
def go_on():
    print(flush=True)
    os.read(0, 1)
    os._exit(0)
threading.Thread(target=go_on).start()
ctypes.CDLL(None).syscall(60, 0)
";

    #[test]
    fn a_process_whose_first_thread_has_ended_is_alive_and_looked_at_in_another() {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
        let mut python = Command::new("python3");
        python.args(["-c", WITHOUT_ITS_FIRST]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut python = python.spawn().unwrap();
        BufReader::new(python.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        while !Stat::read(python.id()).unwrap().unwrap().exiting {
            std::thread::yield_now();
        }
        let alive = Alive::of(python.id()).unwrap().unwrap();
        assert_ne!(alive.base, PathBuf::from(format!("/proc/{}", python.id())));
        assert!(std::fs::read_link(alive.base.join("ns/net")).is_ok());
        drop(python.stdin.take());
        python.wait().unwrap();
        assert_eq!(Alive::of(python.id()).unwrap(), None);
        assert_eq!(
            Alive::of(std::process::id()).unwrap().unwrap().base,
            PathBuf::from(format!("/proc/{}", std::process::id()))
        );
    }
}

//! How is a process held that entered a bottle? By its pidfd, between two pipes: what it reports, and what releases it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::init::failure::at;
use crate::init::launch::Report;
use crate::init::message::{End, Failure, pid_of};
use crate::process::Process;

/// The longest report, in bytes.
const LONGEST: usize = 64 * 1024;

/// A process before its execve(2), or after it. Dropped, it is killed.
pub(super) struct Held {
    process: Process,
    report: File,
    release: OwnedFd,
    heard: Vec<u8>,
}

impl Held {
    /// Takes over what the entering process handed over.
    pub(super) fn new(pidfd: OwnedFd, report: OwnedFd, release: OwnedFd) -> io::Result<Held> {
        let process = Process::new(pid_of(&pidfd)?, pidfd);
        Ok(Held { process, report: report.into(), release, heard: Vec::new() })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(super) fn pidfd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    /// Waits until it stands before its execve(2).
    pub(super) fn ready(&mut self, limit: Duration) -> Result<(), Failure> {
        match self.next(limit)? {
            Some(Report::Ready { .. }) => Ok(()),
            Some(Report::Failed(failure)) => Err(failure),
            None => Err(at("hear from the process that entered")(io::Error::from(io::ErrorKind::UnexpectedEof))),
        }
    }

    /// Lets it execute. Returns when it has.
    pub(super) fn release(&mut self, limit: Duration) -> Result<(), Failure> {
        rustix::io::write(&self.release, &[1]).map_err(at("release the process that entered"))?;
        match self.next(limit)? {
            None => Ok(()),
            Some(Report::Failed(failure)) => Err(failure),
            Some(Report::Ready { .. }) => Err(at("release the process")(io::Error::from(io::ErrorKind::InvalidData))),
        }
    }

    /// How it ended, which it has.
    pub(super) fn end(&self) -> End {
        match self.process.wait() {
            Some(status) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => End::Code(code),
                (None, Some(number)) => End::Signal(number),
                (None, None) => End::Code(125),
            },
            None => End::Signal(libc::SIGKILL),
        }
    }

    /// What comes from inside is a report of bounded length, in bounded time, or the end.
    fn next(&mut self, limit: Duration) -> Result<Option<Report>, Failure> {
        let until = Instant::now() + limit;
        let failed = || at("hear from the process that entered");
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return serde_json::from_slice(&line).map(Some).map_err(io::Error::from).map_err(failed());
            }
            if self.heard.len() > LONGEST {
                return Err(failed()(io::Error::from(io::ErrorKind::InvalidData)));
            }
            if !readable(self.report.as_fd(), until).map_err(failed())? {
                return Err(failed()(io::Error::from(io::ErrorKind::TimedOut)));
            }
            let mut buffer = [0; 4096];
            match self.report.read(&mut buffer).map_err(failed())? {
                0 => return Ok(None),
                count => self.heard.extend(&buffer[..count]),
            }
        }
    }
}

fn readable(from: BorrowedFd<'_>, until: Instant) -> io::Result<bool> {
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: i64::from(left.subsec_nanos()) };
    let mut ready = [PollFd::new(&from, PollFlags::IN)];
    Ok(rustix::io::retry_on_intr(|| poll(&mut ready, Some(&left)))? > 0)
}

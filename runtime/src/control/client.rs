//! How is a bottle asked? Through its supervisor's descriptor, and only if the one at the other end is that supervisor.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use bottle_evidence::Digest;
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::message::{Answer, Refusal, Request};
use crate::channel::Channel;
use crate::exec::ExecRequest;
use crate::memory;
use crate::records::{Condition, End, Known, Name};
use crate::signal::Signal;

/// How long a supervisor may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may take to measure a bottle: it hashes what is executed, and waits for who enters.
const MEASURING: Duration = Duration::from_secs(120);

/// Why a bottle did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Its first process has not been released yet.
    #[error("the bottle {0} is still starting")]
    Starting(Name),
    /// It has ended.
    #[error("the bottle {name} has ended: {how}")]
    Ended {
        /// Which one.
        name: Name,
        /// In a few words.
        how: String,
        /// Whether what it wrote can be read.
        logged: bool,
    },
    /// It can't be asked.
    #[error("the bottle {name} can't be asked")]
    Deaf {
        /// Which one.
        name: Name,
        /// Why not.
        source: io::Error,
    },
    /// It hung up, and goes on.
    #[error("the bottle {0} hung up: too many ask it at once, or it is ending")]
    Busy(Name),
    /// It said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl LineError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            LineError::Deaf { name, .. } => {
                Some(format!("`bottle rm -f {name}` kills its supervisor, and so all of it"))
            }
            LineError::Refused(refusal) => refusal.hint.clone(),
            LineError::Starting(_) | LineError::Busy(_) => Some("try again in a moment".into()),
            LineError::Ended { name, logged, .. } => logged.then(|| format!("bottle logs {name}")),
        }
    }

    fn ended(known: &Known) -> LineError {
        let how = match &known.condition {
            Condition::Ended(End { code, reason: Some(reason), .. }) => format!("exited ({code}): {reason}"),
            Condition::Ended(End { code, .. }) => format!("exited ({code})"),
            // Also where the record went with it.
            _ => "its supervisor is gone".to_owned(),
        };
        LineError::Ended { name: known.record.name.clone(), how, logged: known.log().is_some_and(|log| log.exists()) }
    }
}

/// A line to a running bottle, for one request.
#[derive(Debug)]
pub struct Line {
    known: Known,
    channel: Channel,
}

impl Line {
    /// Connects.
    pub fn to(known: &Known) -> Result<Line, LineError> {
        let name = known.record.name.clone();
        let control = match (&known.condition, &known.record.running) {
            (Condition::Running, Some(running)) => running.control,
            (Condition::Starting, _) => return Err(LineError::Starting(name)),
            _ => return Err(LineError::ended(known)),
        };
        let connected = control.ok_or_else(|| io::ErrorKind::NotFound.into());
        match connected.and_then(|control| open(known.record.supervisor, control)) {
            Ok(channel) => Ok(Line { known: known.clone(), channel }),
            // It ended since it was looked at, or just does: then it listens no more.
            Err(_) if !known.again().is_some_and(|now| now.is_alive()) => {
                Err(LineError::ended(&known.again().unwrap_or_else(|| known.clone())))
            }
            Err(error) if is_closed(&error) => Err(Refusal::ending().into()),
            Err(source) => Err(LineError::Deaf { name, source }),
        }
    }

    /// Has the first process sent a signal.
    pub fn signal(self, signal: Signal) -> Result<(), LineError> {
        self.ask(&Request::Signal { signal }, &[])
    }

    /// Has the first process asked to end by the signal that its image wants, and killed when it has not in time.
    pub fn stop(self, grace: Duration) -> Result<(), LineError> {
        self.ask(&Request::Stop { grace_seconds: grace.as_secs() }, &[])
    }

    /// Has it end a container with itself, by the pidfd of its first process.
    pub(crate) fn join(self, first: BorrowedFd<'_>) -> Result<(), LineError> {
        self.ask(&Request::Join, &[first])
    }

    /// Has it measured and attested again: the attestation's bytes. A verifier's nonce is in it.
    pub fn renew(self, nonce: Digest) -> Result<Vec<u8>, LineError> {
        let deaf = |source| self.deaf(source);
        self.channel.send(&Request::Renew { nonce }, &[]).map_err(deaf)?;
        match self.hear(MEASURING).map_err(deaf)? {
            (Answer::Attested, descriptors) => {
                let memory = descriptors.into_iter().next().ok_or(io::ErrorKind::InvalidData.into());
                memory.and_then(memory::read).map(String::into_bytes).map_err(deaf)
            }
            (Answer::Done, _) => Err(deaf(io::ErrorKind::InvalidData.into())),
            (Answer::Refused(refusal), _) => Err(refusal.into()),
        }
    }

    /// Asks for another process. What the bottle says to that comes on the channel.
    pub(crate) fn enter(self, request: ExecRequest, streams: &[BorrowedFd<'_>]) -> Result<Channel, LineError> {
        let sent = self.channel.send(&Request::Exec(request), streams);
        sent.map_err(|source| match source.kind() {
            io::ErrorKind::InvalidInput => {
                let what = "the command and its variables are longer than 64 KiB".to_owned();
                LineError::Refused(Refusal { code: 125, what, hint: None })
            }
            _ => self.deaf(source),
        })?;
        Ok(self.channel)
    }

    fn ask(self, request: &Request, descriptors: &[BorrowedFd<'_>]) -> Result<(), LineError> {
        let deaf = |source| self.deaf(source);
        self.channel.send(request, descriptors).map_err(deaf)?;
        match self.hear(PATIENCE).map_err(deaf)?.0 {
            Answer::Done => Ok(()),
            Answer::Attested => Err(deaf(io::ErrorKind::InvalidData.into())),
            Answer::Refused(refusal) => Err(refusal.into()),
        }
    }

    fn hear(&self, patience: Duration) -> io::Result<(Answer, Vec<OwnedFd>)> {
        if !self.channel.wait_readable(patience)? {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "its supervisor does not answer"));
        }
        self.channel.recv::<Answer>()
    }

    /// What it means that the conversation broke.
    fn deaf(&self, source: io::Error) -> LineError {
        let name = self.known.record.name.clone();
        if !is_hung_up(&source) {
            return LineError::Deaf { name, source };
        }
        let is_alive = self.known.again().is_some_and(|now| now.is_alive());
        if is_alive { LineError::Busy(name) } else { Refusal::ending().into() }
    }
}

fn open(supervisor: u32, control: i32) -> io::Result<Channel> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    // A queue that is full is waited for no longer than an answer.
    set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
    connect(&socket, &SocketAddrUnix::new(format!("/proc/{supervisor}/fd/{control}"))?)?;
    let peer = socket_peercred(&socket)?;
    let is_supervisor = u32::try_from(peer.pid.as_raw_nonzero().get()) == Ok(supervisor);
    if !is_supervisor || peer.uid != rustix::process::geteuid() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "somebody else listens there"));
    }
    Ok(Channel::from_owned_fd(socket))
}

/// The other end was closed without an answer: before the question was sent, before it was read, or after that.
fn is_hung_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof)
}

/// Nobody listens, or the descriptor is closed.
fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

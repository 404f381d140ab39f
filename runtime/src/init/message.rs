//! What do the supervisor and the workload's init say to each other?

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::confine::Standing;
use crate::probe::ProbeResult;

/// From the supervisor to init.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ToInit {
    /// Build everything, and wait. With it, in this order: the plan
    /// ([`super::plan::InitPlan::seal`]), and the workload's standard input, output and error where `streams` (else it
    /// gets a pty).
    Start {
        /// Whether three streams come along.
        streams: bool,
    },
    /// Run the probes: what they open would be in the way of the survey.
    Probe,
    /// Let the held workload execute its program.
    Release,
    /// Begin to connect to whoever listens there in the agent's network namespace, and hand over the socket.
    Connect {
        /// What the answer names.
        connection: u64,
        /// An address inside.
        to: SocketAddr,
    },
    /// Send the workload's first process a signal; one that a terminal sends, its whole process group.
    Signal {
        /// The signal's number.
        number: i32,
    },
}

/// From init to the supervisor, in this order; `Failed` may come instead of any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FromInit {
    /// The root is built. Nothing depends on this but when the program is hashed: [`FromInit::Held`] says what it is.
    Expects {
        /// What the workload will execute, by the look of it: an absolute path inside.
        executable: Option<PathBuf>,
    },
    /// The workload stands before its execve(2), and the probes are under way. The workload's pidfd comes along
    /// ([`pid_of`] tells its id), then the master of its pty if it has one.
    Held {
        /// The program that it will execute, as an absolute path inside.
        executable: String,
        /// Whether its second wall stands; a container's is its engine's affair.
        wall: Option<Standing>,
    },
    /// The probes are through, and init itself is confined: first the unconfined ones, without that of the builder's, then the
    /// confined ones.
    Probed {
        /// Whether they ran under the workload's confinement.
        confined: bool,
        /// What they saw.
        results: Vec<ProbeResult>,
    },
    /// The program was executed.
    Started,
    /// What was asked for by [`ToInit::Connect`]: the socket, or nothing where it could not be had.
    Connecting {
        /// Which connection it is for.
        connection: u64,
    },
    /// The workload's first process has ended; what else it started ends now.
    Exited(End),
    /// Nothing more will come.
    Failed(Failure),
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum End {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl End {
    /// What `bottle run` exits with.
    pub fn exit_code(self) -> i32 {
        match self {
            End::Code(code) => code,
            End::Signal(number) => 128 + number,
        }
    }
}

/// Why the workload does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}")]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// 125: bottle failed; 126: the program can't be executed; 127: it was not found.
    pub code: u8,
    /// What failed, and what the kernel said.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The id of a pidfd's process in the caller's pid namespace.
///
/// # Errors
/// `NotFound` when the process is gone or not visible from here.
pub fn pid_of(pidfd: &impl AsFd) -> io::Result<u32> {
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_fd().as_raw_fd());
    let text = std::fs::read_to_string(path)?;
    let number = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    number.and_then(|number| number.trim().parse().ok()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

//! What can go wrong when a lab is made or asked?

use std::io;

/// Why the lab could not be made or did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The helper program that makes the namespaces is not where it was looked for.
    #[error("the lab's helper program was not found beside {beside}")]
    NoHelper {
        /// The executable beside which it was looked for.
        beside: String,
    },
    /// The helper program could not be started.
    #[error("cannot start the lab's helper {program}")]
    Spawn {
        /// The program.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A step of building the world failed inside the helper.
    #[error("the lab could not be built: {0}")]
    Build(String),
    /// The world went away or answered something else than was asked.
    #[error("the lab does not answer")]
    Lost(#[source] io::Error),
    /// What was waited for did not happen in time.
    #[error("nothing that was waited for happened within {0:?}")]
    TimedOut(std::time::Duration),
    /// The capture could not keep up, so that it proves nothing.
    #[error("the capture on {namespace} lost {packets} packets")]
    CaptureLost {
        /// Whose capture: `host` or `internet`.
        namespace: String,
        /// How many packets the kernel dropped.
        packets: u64,
    },
    /// The capture file is not what this library writes.
    #[error("the capture is damaged: {0}")]
    Capture(&'static str),
}

impl LabError {
    /// What to do about it, if that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoHelper { .. } => Some("build it first: cargo build -p bottle-lab"),
            Self::Build(why) if why.contains("user namespace") => {
                Some("allow unprivileged user namespaces, or start as root; `bottle doctor` shows the exact command")
            }
            Self::CaptureLost { .. } => Some("send less, or start the lab with Options::without_capture"),
            _ => None,
        }
    }
}

//! How did a run end?

use std::path::PathBuf;
use std::time::Duration;

use bottle_evidence::audit::HostRow;
use bottle_evidence::key::PublicKey;

/// The last stage: what is left when the workload is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The run's id.
    pub run: String,
    /// How the command ended.
    pub status: Status,
    /// Why bottle ended it, if bottle did.
    pub reason: Option<String>,
    /// What the command ran short of within its limits, a sentence each.
    pub shortages: Vec<String>,
    /// How long the workload ran.
    pub duration: Duration,
    /// One row per host that was tried.
    pub hosts: Vec<HostRow>,
    /// The audit log.
    pub audit: PathBuf,
    /// The attestation.
    pub attestation: PathBuf,
    /// Whose signatures both carry.
    pub key: PublicKey,
}

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Exited(u8),
    /// A signal ended it.
    Signalled(i32),
}

impl Status {
    /// Whether the command ended by itself, with code 0.
    pub fn success(self) -> bool {
        self == Status::Exited(0)
    }

    /// The code that `bottle run` itself exits with: the command's, or 128 and the signal's number.
    pub fn code(self) -> u8 {
        match self {
            Status::Exited(code) => code,
            Status::Signalled(signal) => 128u8.wrapping_add(signal as u8),
        }
    }
}

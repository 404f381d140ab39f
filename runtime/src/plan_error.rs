//! Why is there no plan, and what to do about it?

use std::path::PathBuf;

use bottle_evidence::canonical;
use bottle_images::ResolveError;
use bottle_images::contains::ContainsError;

use crate::adopt::FindError;
use crate::ids::IdsError;
use crate::kept::KeptError;
use crate::keys::KeyFileError;
use crate::publish::BindError;
use crate::records::ShelfError;
use crate::segments::{LEAST, SegmentsError};
use crate::signal::NoSignal;
use crate::state::StateError;
use crate::subordinate::StewardError;

/// What to do where a crash inside would start a program of the host's.
pub const CORE_DUMPS: &str =
    "raise the hard limit (`prlimit --core=1:1`), or as root `sysctl kernel.core_pattern=core`";

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The state directories are unusable.
    #[error(transparent)]
    State(#[from] StateError),
    /// The image can't be had.
    #[error(transparent)]
    Image(#[from] ResolveError),
    /// The image wants to be ended by what is no signal.
    #[error("the image's StopSignal is unusable")]
    StopSignal(#[source] NoSignal),
    /// A detached run's output has no place.
    #[error("cannot begin the log of what the command writes")]
    Log(#[source] std::io::Error),
    /// There can be no record of the run.
    #[error(transparent)]
    Record(#[from] ShelfError),
    /// The layer that is kept can't be had.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// A port can't be published.
    #[error(transparent)]
    Publish(#[from] BindError),
    /// What a container will execute can't be hashed.
    #[error(transparent)]
    Program(#[from] FindError),
    /// No ids for a bottle of root's.
    #[error(transparent)]
    Ids(#[from] IdsError),
    /// The ids that an ordinary user is granted can't be had.
    #[error(transparent)]
    Steward(#[from] StewardError),
    /// No signing key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// Whether a path lies inside could not be found out.
    #[error("cannot tell whether {what} {} can be changed from inside", path.display())]
    Contains {
        /// What it is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// Why not.
        source: ContainsError,
    },
    /// The workload could change what it is judged by.
    #[error("{what} {} lies in {}, which the workload can write", path.display(), tree.display())]
    Writable {
        /// What it is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// In which shared tree.
        tree: PathBuf,
    },
    /// The workload could read the key, and sign with it.
    #[error("the key {} lies in {}, which the workload can read", path.display(), tree.display())]
    Readable {
        /// Where it is.
        path: PathBuf,
        /// In which tree that is shown inside.
        tree: PathBuf,
    },
    /// What would be replaced is something else.
    #[error("the attestation {} is there already, and is none", .0.display())]
    NoAttestation(PathBuf),
    /// One would be written over the other.
    #[error("the attestation and the audit log are one file, {}", .0.display())]
    OneFile(PathBuf),
    /// A file of the log could not hold what is written at once.
    #[error("files of the audit log of {0} bytes are too small")]
    AuditSize(u64),
    /// The files of the log can't be told.
    #[error(transparent)]
    Segments(#[from] SegmentsError),
    /// A crash would start a helper of the host's.
    #[error(
        "core dumps can't be turned off: the hard limit of their size is 0, and this host pipes them to a program even then"
    )]
    CoreDumps,
    /// No randomness.
    #[error("no random numbers")]
    Random(#[source] std::io::Error),
    /// The plan has no canonical form.
    #[error("the image's plan can't be hashed")]
    Canonical(#[from] canonical::NoCanonicalForm),
    /// The executable can't be found.
    #[error("cannot tell where bottle's own executable lies")]
    Executable(#[source] std::io::Error),
}

impl PlanError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            PlanError::State(_) => Some("set BOTTLE_ROOT to a directory of your own".into()),
            PlanError::Image(error) => error.hint(),
            PlanError::Record(ShelfError::Taken { name, .. }) => {
                Some(format!("remove that one: bottle rm {name}; or choose another name"))
            }
            PlanError::Ids(error) => error.hint().map(str::to_owned),
            PlanError::Kept(error) => error.hint(),
            PlanError::Publish(error) => error.hint(),
            PlanError::Steward(error) => error.hint(),
            PlanError::Key(error) => error.hint().map(str::to_owned),
            PlanError::Writable { what: "bottle's own executable", .. } => {
                Some("install bottle elsewhere, or run it from another working directory".into())
            }
            PlanError::Readable { .. } => Some("show another directory, or keep the key elsewhere with --key".into()),
            PlanError::NoAttestation(_) => {
                Some("only an empty file or an older attestation is replaced: give another path".into())
            }
            PlanError::OneFile(_) => Some("give each a path of its own".into()),
            PlanError::AuditSize(_) => Some(format!("give at least {LEAST} to --audit-max-size")),
            PlanError::CoreDumps => Some(CORE_DUMPS.into()),
            PlanError::Writable { .. } => Some("put it outside of every directory that is shared read-write".into()),
            _ => None,
        }
    }
}

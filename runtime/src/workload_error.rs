//! Why did a workload not start, or come to no good end, and what is the exit code then?

use std::io;

use crate::closing::CloseError;
use crate::init::message::Failure;
use crate::outcome::Status;
use crate::supervisor::watch::Drift;

/// Why a workload did not start, although it was bound, or could not be brought to its end.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// The command could not be executed.
    #[error(transparent)]
    Init(#[from] Failure),
    /// The workload's init broke.
    #[error("the workload's init did not answer as it should")]
    Silent(#[source] io::Error),
    /// The shared trees could not be looked through before the start.
    #[error("cannot look through the shared directories")]
    Snapshot,
    /// Somebody wanted the run to end before the workload was released.
    #[error("the run was ended by signal {0} before the command was started")]
    Forestalled(i32),
    /// Something of our own failed.
    #[error("cannot {step}")]
    Step {
        /// Which step.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The binding held no more when the workload was to be released.
    #[error("the airlock changed after it was measured: {}: {}", .0.what, .0.detail)]
    Drift(Drift),
    /// The caller's file, pipe or terminal did not take what the command wrote.
    #[error("the command ran and ended with {code}, but what it wrote is lost in part")]
    Unwritten {
        /// The command's own exit code.
        code: u8,
        /// What the kernel said.
        source: io::Error,
    },
    /// The run could not be closed in the log.
    #[error("the command ran and ended with {code}, but its run could not be closed")]
    Unclosed {
        /// The command's own exit code.
        code: u8,
        /// Why not.
        source: CloseError,
    },
}

impl WorkloadError {
    /// 126 and 127 as init says, 128 and the number of a signal, 125 for what failed of bottle's own.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            WorkloadError::Init(failure) => failure.code,
            WorkloadError::Forestalled(number) => Status::Signalled(*number).code(),
            _ => 125,
        }
    }
}

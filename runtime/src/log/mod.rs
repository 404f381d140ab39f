//! Where does a detached bottle's output go? Into a log beside its record, in the format of the container runtime interface.
//!
//! It is no evidence: what can't be written is lost, and the workload goes on.

mod follow;
mod line;
mod write;

use std::path::{Path, PathBuf};

pub use follow::{Follow, LogError};
pub use line::{Line, Stream};
pub(crate) use write::Log;
pub use write::MOST;

/// The log's name in the record's directory, and that of the one before it.
const NAME: &str = "log";
const BEFORE: &str = "log.1";

/// The log beside a record in this directory.
pub(crate) fn file_in(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

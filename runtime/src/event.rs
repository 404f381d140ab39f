//! What does a run tell its caller while it runs? The library prints nothing; whoever called decides how it looks.

use std::path::PathBuf;

/// Something worth a line to the person who started the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A destination was denied for the first time in this run.
    Blocked {
        /// A name, or an address where there was none.
        host: String,
        /// TCP port; `None` for a name that was only looked up.
        port: Option<u16>,
        /// The reason's stable code.
        reason: String,
        /// The option that would allow it, if one would.
        allow: Option<String>,
    },
    /// Something that is not as one may expect, though nothing failed.
    Warning(String),
    /// The audit log can't be written any more; everything is denied from now on.
    LedgerFailed(String),
    /// The binding no longer holds; the workload is being killed.
    Drift(String),
    /// Files in shared directories that the host would execute later and that the workload changed.
    Changed(Vec<PathBuf>),
}

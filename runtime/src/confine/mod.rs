//! What does a process give up before it does what it is for? One sequence for each: workload, gate, dialler.
//!
//! The order is the same everywhere: capabilities and ids, no_new_privs, Landlock, seccomp; each step would lack a
//! right if it came after the next.

mod landlock;
mod privileges;
mod resources;
pub mod seccomp;

use std::io;

pub use privileges::Ids;
pub use seccomp::{Filters, SeccompError};

/// The step at which a process could not be confined. It must not go on.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// A system call failed.
    #[error("cannot {step}")]
    Step {
        /// Which step, as an imperative.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The system call filter failed.
    #[error(transparent)]
    Seccomp(#[from] SeccompError),
}

fn at<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> ConfineError {
    move |error| ConfineError::Step { step, source: error.into() }
}

/// Confines the calling process as the workload; afterwards it may only execute. `filters` come from
/// [`seccomp::workload`], compiled before, since compiling needs memory and this may run in a forked child.
pub fn workload(filters: &Filters, ids: Ids) -> Result<(), ConfineError> {
    resources::limit()?;
    privileges::give_up(ids)?;
    Ok(filters.apply()?)
}

/// Confines the calling process as the gate. Returns the filters' digest.
pub fn gate(ids: Ids) -> Result<String, ConfineError> {
    let filters = seccomp::gate()?;
    privileges::give_up(ids)?;
    filters.apply()?;
    Ok(filters.digest())
}

/// Confines the calling process as the dialler. Returns the filters' digest.
pub fn dialler(ids: Ids) -> Result<String, ConfineError> {
    let filters = seccomp::dialler()?;
    privileges::give_up(ids)?;
    landlock::resolver_files_only()?;
    filters.apply()?;
    Ok(filters.digest())
}

//! Can this limit be set here? Tried, with a group that is removed at once.

use std::path::PathBuf;

use super::asked::{Cpus, Limits, Memory, Processes};
use super::parts::{LimitError, Parts, planned};
use super::place::Seen;
use super::tree::Kernel;
use super::{Controller, group};

/// Makes a group with a limit, reads it back and removes it. Returns where.
///
/// # Errors
/// What `bottle run` with such a limit would end with.
pub fn attempt(what: Controller) -> Result<PathBuf, LimitError> {
    let limits = harmless(what);
    let seen = Seen::now().map_err(LimitError::Unknown)?;
    let planned = planned(&limits, &seen, &group::name(&format!("doctor-{}", std::process::id())))?;
    let parent = planned.first().and_then(|part| part.path.parent()).map(PathBuf::from);
    let parts = Parts::make(Kernel, limits, planned)?;
    parts.bound_the_rest()?;
    parts.read_back()?;
    parent.ok_or(LimitError::Nowhere { what })
}

fn harmless(what: Controller) -> Limits {
    match what {
        Controller::Memory => Limits { memory: Some(Memory::LEAST), ..Limits::default() },
        Controller::Cpu => Limits { cpus: Some(Cpus::LEAST), ..Limits::default() },
        Controller::Pids => Limits { processes: Processes::most(1), ..Limits::default() },
    }
}

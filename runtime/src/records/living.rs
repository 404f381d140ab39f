//! What are a running bottle's first process and its network namespace? By the kernel's word, and not by the supervisor's.

use std::io;
use std::os::unix::fs::MetadataExt;

use bottle_evidence::BootId;
use bottle_evidence::audit::Workload;
use bottle_evidence::verify::Living;

use super::{Condition, Known};
use crate::process::Alive;

/// Why it is not known which bottle that is.
#[derive(Debug, thiserror::Error)]
pub enum LivingError {
    /// It does not run.
    #[error("the bottle {0} does not run")]
    NotRunning(super::Name),
    /// The kernel could not be asked.
    #[error("cannot look at the bottle {name}")]
    Io {
        /// Which one.
        name: super::Name,
        /// What the kernel said.
        source: io::Error,
    },
}

/// This boot of this machine.
pub fn boot() -> io::Result<BootId> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    text.trim_end().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

impl Known {
    /// Looks at the first process of a bottle that runs.
    ///
    /// # Errors
    /// [`LivingError`].
    pub fn living(&self) -> Result<Living, LivingError> {
        let name = self.record.name.clone();
        let running = self.record.running.as_ref().filter(|_| matches!(self.condition, Condition::Running));
        let Some((pid, recorded)) = running.map(|running| (running.workload, running.start)) else {
            return Err(LivingError::NotRunning(name));
        };
        let is_it = |start: &u64| recorded.is_none_or(|recorded| recorded == *start);
        let failed = |source| LivingError::Io { name: name.clone(), source };
        let alive = || Ok(Alive::of(pid).map_err(failed)?.filter(|alive| is_it(&alive.start)));
        let ended = || LivingError::NotRunning(name.clone());
        let before = alive()?.ok_or_else(ended)?;
        let network = std::fs::metadata(before.base.join("ns/net")).map(|link| link.ino());
        // Between the two it was one process, and the supervisor, which lives, has not seen it end.
        let same = alive()?.is_some_and(|after| after.start == before.start);
        if !same || !self.again().is_some_and(|now| now.is_alive()) {
            return Err(ended());
        }
        Ok(Living { workload: Workload { pid, start: before.start }, network: network.map_err(failed)? })
    }
}

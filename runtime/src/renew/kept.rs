//! Is a keeper still what it was found to be, though nobody can look into it any more?

use super::recheck::{Unsound, remeasured};
use crate::adopt::KeeperError;
use crate::adopt::keeper::Keeper;
use crate::attest::AttestError;
use crate::attest::process::{ProcessFacts, public};

/// A keeper, and what it was while it could be looked into.
pub(crate) struct Kept {
    pid: u32,
    start: ProcessFacts,
}

impl Kept {
    /// It was found to be this when it was looked into for the last time: from now on nobody can.
    pub(crate) fn hidden(keeper: &Keeper, start: ProcessFacts) -> Result<Kept, KeeperError> {
        keeper.hide()?;
        Ok(Kept { pid: keeper.process().pid(), start })
    }

    /// What it is by what everybody may read. Its namespaces and descriptors are as they were: its filter lets it change none of them.
    pub(crate) fn again(&self) -> Result<ProcessFacts, Unsound> {
        let now = public(self.pid).map_err(|source| AttestError::Measure { who: "keeper", source })?;
        let now = ProcessFacts {
            namespaces: self.start.namespaces.clone(),
            descriptors: self.start.descriptors.clone(),
            mounts: self.start.mounts.clone(),
            ..now
        };
        let same = now == self.start;
        same.then_some(now).ok_or_else(|| Unsound::Drift(remeasured("keeper: is not as it was at the start")))
    }
}

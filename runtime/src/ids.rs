//! Whose ids do the processes of a bottle have, when root runs it? A private range that no other bottle has.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::FlockOperation;

/// The first id of all ranges: above what login.defs and systemd hand out, below what 32 bits hold.
const FIRST: u32 = 0x7000_0000;
/// Ids in one range: 65,536 for the workload, the next ones for the helpers.
const STRIDE: u32 = 0x2_0000;
pub(crate) const RANGES: u32 = 4096;

/// A range of ids that belongs to one bottle for as long as this lives: the lock file's lock is the claim, so the
/// kernel gives it back whatever happens.
#[derive(Debug)]
pub struct PrivateIds {
    base: u32,
    _claim: File,
}

/// Why no range could be had.
#[derive(Debug, thiserror::Error)]
pub enum IdsError {
    /// The lock files can't be used.
    #[error("cannot claim a range of user ids in the state directory")]
    Io(#[from] io::Error),
    /// All are taken.
    #[error("{RANGES} bottles run already")]
    Exhausted,
}

impl PrivateIds {
    /// Claims the first free range. `directory` is private to root and exists.
    pub fn claim(directory: &Path) -> Result<PrivateIds, IdsError> {
        for range in 0..RANGES {
            if let Some(ids) = PrivateIds::claim_one(directory, range)? {
                return Ok(ids);
            }
        }
        Err(IdsError::Exhausted)
    }

    /// Claims the range that a kept layer's files have.
    pub(crate) fn claim_again(directory: &Path, range: u32) -> Result<PrivateIds, IdsError> {
        PrivateIds::claim_one(directory, range)?.ok_or(IdsError::Exhausted)
    }

    fn claim_one(directory: &Path, range: u32) -> Result<Option<PrivateIds>, IdsError> {
        let path = directory.join(format!("ids.{range}"));
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) if range < RANGES => Ok(Some(PrivateIds { base: FIRST + range * STRIDE, _claim: file })),
            Ok(()) | Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(IdsError::Io(errno.into())),
        }
    }

    /// The first of the workload's 65,536 ids.
    pub fn workload(&self) -> u32 {
        self.base
    }

    /// The gate's one id.
    pub fn gate(&self) -> u32 {
        self.base + 0x1_0000
    }

    /// The dialler's one id.
    pub fn dialler(&self) -> u32 {
        self.base + 0x1_0001
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bottles_never_share_an_id() {
        let directory = tempfile::tempdir().unwrap();
        let one = PrivateIds::claim(directory.path()).unwrap();
        let other = PrivateIds::claim(directory.path()).unwrap();
        assert!(one.dialler() < other.workload() || other.dialler() < one.workload());
    }

    #[test]
    fn a_range_is_free_again_when_its_bottle_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let first = PrivateIds::claim(directory.path()).unwrap().workload();
        assert_eq!(PrivateIds::claim(directory.path()).unwrap().workload(), first);
    }

    #[test]
    fn no_range_reaches_the_reserved_last_id() {
        assert!(u64::from(FIRST) + u64::from(RANGES) * u64::from(STRIDE) < u64::from(u32::MAX));
    }
}

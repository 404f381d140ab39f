//! Whose ids do the processes of a bottle have, when root runs it? Private ones that no other bottle has.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::init::plan::Ids;
use crate::nested::Nested;

/// The first id of all ranges: above what login.defs and systemd hand out, below what 32 bits hold.
const FIRST: u32 = 0x7000_0000;
/// Ids in one range: 65,536 for the workload, the next ones for the helpers.
const STRIDE: u32 = 0x2_0000;
pub(crate) const RANGES: u32 = 4096;
/// Ids of one bottle where there are few: the gate's, the dialler's, and one for whoever else is bottle's.
const FEW: u32 = 3;

/// Ids that belong to one bottle for as long as this lives: the lock file's lock is the claim, so the kernel gives it back
/// whatever happens.
#[derive(Debug)]
pub struct PrivateIds {
    others: Ids,
    gate: u32,
    dialler: u32,
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
    /// The engine's user namespace has none to spare.
    #[error(
        "the engine calls the hook in a user namespace that has {0} ids besides its root's, and all that bottle's processes could have are taken: each container needs {FEW}"
    )]
    Few(usize),
}

impl IdsError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            IdsError::Few(_) => {
                Some("give the user a range of 65536 ids in /etc/subuid and /etc/subgid, then `podman system migrate`")
            }
            IdsError::Io(_) | IdsError::Exhausted => None,
        }
    }
}

impl PrivateIds {
    /// Claims the first free range. `directory` is private to root and exists.
    ///
    /// # Errors
    /// [`IdsError`]
    pub fn claim(directory: &Path) -> Result<PrivateIds, IdsError> {
        (0..RANGES)
            .find_map(|range| PrivateIds::claim_one(directory, range).transpose())
            .unwrap_or(Err(IdsError::Exhausted))
    }

    /// Claims the range that a kept layer's files have.
    pub(crate) fn claim_again(directory: &Path, range: u32) -> Result<PrivateIds, IdsError> {
        PrivateIds::claim_one(directory, range)?.ok_or(IdsError::Exhausted)
    }

    /// Claims some of the ids that the root of a user namespace has, from the highest down: its containers have the low ones.
    /// `directory` is private to the user whose namespace it is.
    pub(crate) fn claim_within(directory: &Path, nested: &Nested) -> Result<PrivateIds, IdsError> {
        let ends = nested.ids.clone().rev().step_by(FEW as usize).take(RANGES as usize);
        let firsts = ends.filter_map(|last| (last + 1).checked_sub(FEW)).filter(|first| nested.ids.contains(first));
        for (range, first) in (0..).zip(firsts) {
            if let Some(claim) = lock(directory, range)? {
                let others = Ids::One { id: first };
                return Ok(PrivateIds { others, gate: first + 1, dialler: first + 2, _claim: claim });
            }
        }
        Err(IdsError::Few(nested.ids.len()))
    }

    fn claim_one(directory: &Path, range: u32) -> Result<Option<PrivateIds>, IdsError> {
        let base = FIRST + range.min(RANGES) * STRIDE;
        let others = Ids::Private { base };
        let claim = if range < RANGES { lock(directory, range)? } else { None };
        Ok(claim.map(|claim| PrivateIds { others, gate: base + 0x1_0000, dialler: base + 0x1_0001, _claim: claim }))
    }

    /// Those of the workload and of init, or of who stands where init does.
    pub(crate) fn others(&self) -> Ids {
        self.others
    }

    /// The gate's one id.
    pub fn gate(&self) -> u32 {
        self.gate
    }

    /// The dialler's one id.
    pub fn dialler(&self) -> u32 {
        self.dialler
    }
}

/// Whether one of so many ids from the first one on may be a bottle's of root's.
pub(crate) fn are_bottles(first: u32, count: u32) -> bool {
    let (first, end) = (u64::from(first), u64::from(first) + u64::from(count));
    let all = u64::from(FIRST)..u64::from(FIRST) + u64::from(RANGES) * u64::from(STRIDE);
    count > 0 && first < all.end && end > all.start
}

/// Nothing where somebody else has it.
fn lock(directory: &Path, range: u32) -> io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(directory.join(format!("ids.{range}")))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(errno.into()),
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
        assert!(one.dialler() < base(&other) || other.dialler() < base(&one));
    }

    fn base(ids: &PrivateIds) -> u32 {
        let Ids::Private { base } = ids.others() else { panic!("{ids:?}") };
        base
    }

    #[test]
    fn within_a_user_namespace_no_two_bottles_share_an_id_and_the_lowest_ones_are_left() {
        let directory = tempfile::tempdir().unwrap();
        let nested = Nested { user: 1001, ids: 1..9 };
        let claim = || PrivateIds::claim_within(directory.path(), &nested);
        let all = |ids: &PrivateIds| {
            let Ids::One { id } = ids.others() else { panic!("{ids:?}") };
            [id, ids.gate(), ids.dialler()]
        };
        let (one, other) = (claim().unwrap(), claim().unwrap());
        assert_eq!((all(&one), all(&other)), ([6, 7, 8], [3, 4, 5]));
        assert!(matches!(claim(), Err(IdsError::Few(8))));
        drop(one);
        assert_eq!(all(&claim().unwrap()), [6, 7, 8]);
    }

    #[test]
    fn a_user_namespace_without_enough_ids_has_none_for_bottle() {
        let directory = tempfile::tempdir().unwrap();
        for ids in [0..0, 1..1, 1..3] {
            let refused = PrivateIds::claim_within(directory.path(), &Nested { user: 1001, ids }).unwrap_err();
            assert!(refused.hint().unwrap().contains("/etc/subuid"));
        }
    }

    #[test]
    fn a_range_is_free_again_when_its_bottle_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let first = base(&PrivateIds::claim(directory.path()).unwrap());
        assert_eq!(base(&PrivateIds::claim(directory.path()).unwrap()), first);
    }

    #[test]
    fn every_id_that_a_bottle_may_have_is_known_for_it_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let ids = PrivateIds::claim_again(directory.path(), RANGES - 1).unwrap();
        for one in [FIRST, base(&ids), ids.gate(), ids.dialler()] {
            assert!(are_bottles(one, 1) && are_bottles(one - 5, 6) && !are_bottles(one, 0), "{one}");
        }
        for (first, count) in [(1, u32::MAX), (0, FIRST + 1), (FIRST - 1, 2), (base(&ids) + STRIDE - 1, 9)] {
            assert!(are_bottles(first, count), "{first} {count}");
        }
        for (first, count) in [(0, FIRST), (100_000, 65536), (1_500_000_000, 65536), (base(&ids) + STRIDE, u32::MAX)] {
            assert!(!are_bottles(first, count), "{first} {count}");
        }
    }

    #[test]
    fn no_range_reaches_the_reserved_last_id() {
        assert!(u64::from(FIRST) + u64::from(RANGES) * u64::from(STRIDE) < u64::from(u32::MAX));
    }
}

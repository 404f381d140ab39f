//! Which files may a helper still read? Those named to Landlock; it may write none.

use std::io;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus,
};

use super::{ConfineError, at};

/// Forbids every use of the file system but reading the files named, and the files below the directories named.
///
/// A name that does not exist is passed over. A kernel without Landlock is an error: the helper has nothing else
/// that keeps it from the caller's files.
pub(super) fn only(readable: &[PathBuf]) -> Result<(), ConfineError> {
    match restrict(readable).map_err(io::Error::other).map_err(at("restrict the file system"))? {
        RulesetStatus::NotEnforced => Err(at("restrict the file system")(io::Error::new(
            io::ErrorKind::Unsupported,
            "the kernel has no Landlock",
        ))),
        _ => Ok(()),
    }
}

fn restrict(readable: &[PathBuf]) -> Result<RulesetStatus, RulesetError> {
    let everything = AccessFs::from_all(ABI::V5);
    let mut rules =
        Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(everything)?.create()?;
    for path in readable {
        let Ok(open) = PathFd::new(path) else {
            continue;
        };
        let access = if path.is_dir() { AccessFs::ReadFile | AccessFs::ReadDir } else { AccessFs::ReadFile.into() };
        rules = rules.add_rule(PathBeneath::new(open, access))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

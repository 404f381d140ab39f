//! Which files may a helper still use? Those named to Landlock: to read them, or all that is below one directory.

use std::io;
use std::path::{Path, PathBuf};

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

/// Forbids every use of the file system outside of a directory.
///
/// Kernels before 5.19 know no Landlock that lets a file be renamed to another directory, and there this changes nothing:
/// it is a second wall, behind the ids that the caller has.
pub(super) fn only_below(directory: &Path) -> Result<(), ConfineError> {
    let everything = AccessFs::from_all(ABI::V5);
    let open = PathFd::new(directory).map_err(io::Error::other).map_err(at("open the directory that is left"))?;
    let within = || -> Result<(), RulesetError> {
        let needed = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::Refer);
        let Ok(rules) = needed else { return Ok(()) };
        let rules = rules.set_compatibility(CompatLevel::BestEffort).handle_access(everything)?.create()?;
        rules.add_rule(PathBeneath::new(open, everything))?.restrict_self()?;
        Ok(())
    };
    within().map_err(io::Error::other).map_err(at("restrict the file system"))
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

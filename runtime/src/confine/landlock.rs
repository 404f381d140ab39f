//! Which files may the dialler see? Those that say how names are resolved, for reading.

use std::io;

use landlock::{ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr};

use super::{ConfineError, at};

const RESOLVER_FILES: &[&str] = &["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf"];

/// Where the kernel has no Landlock this does nothing: ids and the missing right to write are then the only wall.
pub(super) fn resolver_files_only() -> Result<(), ConfineError> {
    restrict().map_err(|error| at("restrict the file system")(io::Error::other(error)))
}

fn restrict() -> Result<(), landlock::RulesetError> {
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(ABI::V5))?.create()?;
    for path in RESOLVER_FILES {
        // A file that is not there can't be read either.
        if let Ok(file) = PathFd::new(path) {
            ruleset = ruleset.add_rule(PathBeneath::new(file, AccessFs::ReadFile))?;
        }
    }
    ruleset.restrict_self().map(|_status| ())
}

//! What does `--read-only` leave writable? What is shared, and directories that programs expect to be so, each a tmpfs.

use std::path::Path;

use crate::plan::{Kind, MountPlan};

/// Fresh in any case: what is kept there vanishes with the bottle.
const SCRATCH: [&str; 3] = ["/tmp", "/var/tmp", "/run"];

/// Makes the root read-only, and the home and scratch directories a tmpfs each.
pub(crate) fn close(plan: &mut MountPlan) {
    plan.read_only = true;
    for mount in &mut plan.mounts {
        let scratch = SCRATCH.iter().any(|path| mount.target == Path::new(path)) || mount.target == plan.user.home;
        if let Kind::Directory { mode, owner } = mount.kind
            && scratch
        {
            mount.kind = Kind::Tmpfs { mode, owner, size: None, exec: true };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::reference::ImageRef;

    #[test]
    fn home_and_scratch_stay_writable_and_nothing_else_of_the_root() {
        let top = tempfile::tempdir().unwrap();
        let mut context = Context::new(1000, 1000, "dev", Path::new("/home/dev"), top.path());
        context.read_only = true;
        let plan = crate::resolve(&ImageRef::Directory(top.path().into()), &context).unwrap().plan;
        assert!(plan.read_only);
        let fresh = plan.mounts.iter().filter(|mount| matches!(mount.kind, Kind::Tmpfs { .. }));
        let fresh: Vec<&Path> = fresh.map(|mount| mount.target.as_path()).collect();
        assert_eq!(fresh, ["/tmp", "/run", "/home/user"].map(Path::new));
        assert!(!plan.mounts.iter().any(|mount| matches!(mount.kind, Kind::Directory { .. })));
    }
}

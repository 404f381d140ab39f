//! How do the caller's volumes join a plan? As shared trees, after everything else.

use std::path::{Path, PathBuf};

use crate::contains::Trees;
use crate::context::Context;
use crate::mountinfo::MountPoint;
use crate::plan::{Access, MountPlan};
use crate::resolve::{ResolveError, canonical};
use crate::{route, share};

/// Adds what `-v` names. A relative source starts from the caller's working directory.
pub(crate) fn add(plan: &mut MountPlan, context: &Context, host: &[MountPoint]) -> Result<(), ResolveError> {
    for volume in &context.volumes {
        let source = canonical("volume", &context.cwd.join(&volume.source))?;
        let shared = share::mounts(&source, &volume.target, volume.access, host, &context.home, &mut plan.warnings)?;
        plan.mounts.extend(shared);
        if volume.access == Access::ReadWrite {
            plan.writable.push(source);
        }
    }
    for volume in &context.volumes {
        not_led_there("volume", &context.cwd.join(&volume.source), &plan.writable)?;
    }
    Ok(())
}

/// Refuses a path that leads where it does by what lies in a writable tree: the workload of an earlier run may have laid it
/// there, and would choose what this one is shown.
pub(crate) fn not_led_there(what: &'static str, path: &Path, writable: &[PathBuf]) -> Result<(), ResolveError> {
    let failed = |source| ResolveError::Path { what, path: path.to_owned(), source };
    let writable = Trees::of(writable)?;
    for directory in route::follow(path).map_err(failed)?.by {
        if let Some(tree) = writable.holding(&directory)? {
            return Err(ResolveError::Led { what, path: path.to_owned(), tree: tree.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_path_through_a_link_in_a_writable_tree_is_refused_and_a_plain_one_or_another_link_not() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        for name in ["tree/sub/real", "home/secret"] {
            std::fs::create_dir_all(top.join(name)).unwrap();
        }
        symlink("../home", top.join("tree/cache")).unwrap();
        symlink("tree/cache", top.join("through")).unwrap();
        symlink("home", top.join("mine")).unwrap();
        let writable = [top.join("tree")];
        for (path, allowed) in [
            ("tree", true),
            ("tree/sub/real", true),
            ("mine/secret", true),
            ("tree/cache", false),
            ("tree/cache/secret", false),
            ("through", false),
        ] {
            assert_eq!(not_led_there("volume", &top.join(path), &writable).is_ok(), allowed, "{path}");
        }
    }
}

//! How do the caller's volumes join a plan? As shared trees, after everything else; what is mounted fresh comes before them.

use crate::context::Context;
use crate::mountinfo::MountPoint;
use crate::origin::Origin;
use crate::plan::{Access, Mount, MountPlan};
use crate::resolve::ResolveError;
use crate::share;

/// Adds what `-v` names. A relative source starts from the caller's working directory.
pub(crate) fn add(plan: &mut MountPlan, context: &Context, host: &[MountPoint]) -> Result<(), ResolveError> {
    for tmpfs in &context.tmpfs {
        plan.mounts.push(Mount::new(&tmpfs.target, tmpfs.kind()));
    }
    let mut origins = Vec::new();
    for volume in &context.volumes {
        let origin = Origin::from(&context.cwd, "volume", &volume.source)?;
        let (source, target) = (origin.end(), &volume.target);
        let shared = share::mounts(source, target, volume.access, host, &context.home, &mut plan.warnings)?;
        plan.mounts.extend(shared);
        if volume.access == Access::ReadWrite {
            plan.writable.push(source.to_owned());
        }
        origins.push(origin);
    }
    origins.iter().try_for_each(|origin| origin.not_led_by(&plan.writable))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    /// What a workload of another bottle may do meanwhile.
    fn exchanging<T>(one: &Path, other: &Path, act: impl FnOnce() -> T) -> T {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        let done = std::sync::atomic::AtomicBool::new(false);
        let is_done = || done.load(std::sync::atomic::Ordering::Relaxed);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done() {
                    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
                }
            });
            let acted = act();
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            acted
        })
    }

    /// How many of many plans share what a link leads to that is exchanged meanwhile with `name` in a tree, for a caller in `cwd`;
    /// and how many there are.
    fn led(name: &str, cwd: &str, volume: Option<&str>, shared: &str) -> (usize, usize) {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        for directory in ["tree/cwd/cache", "tree/cache", "home/cache"] {
            std::fs::create_dir_all(top.join(directory)).unwrap();
        }
        symlink("../home", top.join("tree/link")).unwrap();
        let mut context = Context::new(1000, 1000, "u", &top.join("h"), &top.join(cwd));
        context.volumes = volume.into_iter().map(|volume| crate::Volume::parse(volume).unwrap()).collect();
        let image = crate::ImageRef::parse("host").unwrap();
        assert!(crate::resolve(&image, &context).is_ok());
        let plans = exchanging(&top.join(name), &top.join("tree/link"), || {
            (0..1000).filter_map(|_| crate::resolve(&image, &context).ok()).collect::<Vec<_>>()
        });
        (plans.iter().filter(|resolved| resolved.plan.writable.contains(&top.join(shared))).count(), plans.len())
    }

    #[test]
    fn a_relative_volume_starts_from_the_working_directory_that_is_shared_whatever_is_exchanged_for_it() {
        let (led, plans) = led("tree/cwd", "tree/cwd", Some("cache:/cache"), "home/cache");
        assert_eq!(led, 0, "of {plans}");
    }

    #[test]
    fn a_working_directory_that_is_exchanged_for_a_link_meanwhile_is_never_what_that_leads_to() {
        let (led, plans) = led("tree/cwd", "tree/cwd", None, "home");
        assert_eq!(led, 0, "of {plans}");
    }

    #[test]
    fn a_link_that_is_exchanged_for_a_directory_meanwhile_is_never_what_is_shared() {
        let (led, plans) = led("tree/cache", "tree", Some("cache:/cache"), "home");
        assert_eq!(led, 0, "of {plans}");
    }
}

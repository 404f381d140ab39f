//! Where can a group be made that bounds something? Read from what the kernel says of its hierarchies and of this process. Pure.

use std::path::{Component, Path, PathBuf};

use bottle_images::mountinfo;

use super::Controller;
use crate::process;

/// Which interface a hierarchy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// A hierarchy for each controller.
    One,
    /// One hierarchy, in which a group hands controllers to those below it.
    Two,
}

/// Where groups for one controller are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) version: Version,
    /// The group that a new one comes to lie in.
    pub(crate) parent: PathBuf,
}

/// The texts of /proc/self/cgroup and /proc/self/mountinfo.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) groups: String,
    pub(crate) mounts: String,
}

impl Seen {
    /// What the kernel shows this process.
    pub(crate) fn now() -> std::io::Result<Seen> {
        let read = |name| process::text(Path::new("/proc/self").join(name));
        Ok(Seen { groups: read("cgroup")?, mounts: read("mountinfo")? })
    }

    /// The same of the groups of another process, as far as this one sees them.
    pub(crate) fn of(pid: u32) -> std::io::Result<Seen> {
        Ok(Seen { groups: process::text(format!("/proc/{pid}/cgroup"))?, ..Seen::now()? })
    }

    /// The groups that may deny devices: that of version 1 by a list, that of version 2 by programs.
    pub(crate) fn of_devices(&self) -> [Option<PathBuf>; 2] {
        let one = self.group(|number, controllers| number != "0" && has(controllers, "devices"));
        let one = one.and_then(|path| self.mount("cgroup", path, |options| has(options, "devices")));
        let two = self.group(|number, controllers| number == "0" && controllers.is_empty());
        let two = two.and_then(|path| self.mount("cgroup2", path, |_| true));
        [one, two]
            .map(|mounted| Some(mounted?.own).filter(|own| !own.components().any(|it| it == Component::ParentDir)))
    }

    /// Where a controller's groups are made: its own hierarchy where it has one, else that of version 2.
    pub(crate) fn place(&self, controller: Controller) -> Option<Place> {
        match self.group(|number, controllers| number != "0" && has(controllers, controller.name())) {
            Some(path) => {
                let mount = self.mount("cgroup", path, |options| has(options, controller.name()))?;
                Some(Place { version: Version::One, parent: mount.own })
            }
            None => {
                let path = self.group(|number, controllers| number == "0" && controllers.is_empty())?;
                let Mounted { own, top } = self.mount("cgroup2", path, |_| true)?;
                // A group that holds processes, as bottle's own does, can't hand controllers on: the new one lies beside it.
                let parent = if own == top { own } else { own.parent()?.to_owned() };
                Some(Place { version: Version::Two, parent })
            }
        }
    }

    /// The group of this process in the hierarchy that fits: `number:controllers:path` lines (cgroups(7)).
    fn group(&self, fits: impl Fn(&str, &str) -> bool) -> Option<&str> {
        self.groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            fits(number, controllers).then_some(path)
        })
    }

    /// Where a group is seen in a mount of this type whose file system has such options.
    fn mount(&self, kind: &str, group: &str, fits: impl Fn(&str) -> bool) -> Option<Mounted> {
        self.mounts.lines().find_map(|line| {
            let mount = mountinfo::parse(line.as_bytes()).pop()?;
            let below = Path::new(group).strip_prefix(&mount.root).ok()?;
            let fits = mount.kind == kind && fits(line.rsplit(' ').next()?);
            // To join nothing would end the path in a slash.
            let own = mount.target.components().chain(below.components()).collect();
            fits.then_some(Mounted { own, top: mount.target })
        })
    }
}

/// A group, as a path.
struct Mounted {
    own: PathBuf,
    top: PathBuf,
}

/// Whether a list that is separated by commas has a word.
fn has(list: &str, word: &str) -> bool {
    list.split(',').any(|one| one == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(groups: &str, mounts: &[&str]) -> Seen {
        Seen { groups: groups.into(), mounts: mounts.join("\n") }
    }

    fn place(version: Version, parent: &str) -> Option<Place> {
        Some(Place { version, parent: parent.into() })
    }

    const MEMORY: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory";
    const CPU: &str = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct";
    const UNIFIED: &str = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";

    #[test]
    fn a_controller_with_a_hierarchy_of_its_own_is_bounded_below_the_own_group() {
        let seen = seen("4:memory:/some/group\n3:cpu,cpuacct:/\n0::/\n", &[MEMORY, CPU, UNIFIED]);
        assert_eq!(seen.place(Controller::Memory), place(Version::One, "/sys/fs/cgroup/memory/some/group"));
        assert_eq!(seen.place(Controller::Cpu), place(Version::One, "/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(seen.place(Controller::Pids), place(Version::Two, "/sys/fs/cgroup/unified"));
    }

    #[test]
    fn in_version_2_a_group_comes_beside_the_own_one_or_below_the_top() {
        let mount = "30 23 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
        let scope = seen("0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n", &[mount]);
        let beside = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice";
        assert_eq!(scope.place(Controller::Memory), place(Version::Two, beside));
        assert_eq!(seen("0::/\n", &[mount]).place(Controller::Memory), place(Version::Two, "/sys/fs/cgroup"));
    }

    #[test]
    fn a_mount_that_shows_a_part_of_the_hierarchy_is_understood() {
        let mount = "35 31 0:32 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
        let memory = |groups: &str| seen(groups, &[mount]).place(Controller::Memory);
        assert_eq!(memory("4:memory:/docker/1/a\n"), place(Version::One, "/sys/fs/cgroup/memory/a"));
        assert_eq!(memory("4:memory:/elsewhere\n"), None);
        assert_eq!(memory(""), None);
    }
}

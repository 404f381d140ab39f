//! Which mounts does a container have that nobody has judged? When its hooks are called, the engine's runtime has followed the paths of its configuration already. Who turns a link
//! meanwhile, or mounts something besides, has the hook look at one thing and the container see another. So what the kernel says to be mounted inside is held against what
//! was judged, by the file system and the directory in it.
//!
//! runc and crun call the hooks of createRuntime when all is mounted, and before they change to the root. What comes after that closes: crun makes read-only then, and both mask.

use std::path::{Path, PathBuf};

use bottle_images::mountinfo::{self, MountPoint};
use rustix::fs::{AtFlags, CWD, StatxFlags};

use super::mounts;
use super::{Configuration, PrepareError, Refusal, devices, prepare};
use crate::adopt::root_of;

/// File systems that have nothing in them but what is put there, so that it is the same wherever they are mounted.
const BLANK: [&str; 2] = ["tmpfs", "devpts"];

/// Those that show what their mounter chose, or was: they are the container's own where its configuration has them mounted.
const CHOSEN: [&str; 4] = ["proc", "sysfs", "mqueue", "overlay"];

/// A directory or file of a file system, wherever that is mounted: the numbers of its device, and its path in it.
type Place = (String, PathBuf);

/// What a container's configuration gives it, by the host's mounts.
struct Judged<'a> {
    host: &'a [MountPoint],
    places: Vec<Place>,
    /// Where the engine mounts control groups: below it they are the container's own, whosever file system that is.
    groups: Vec<&'a Path>,
    /// Which types it mounts where.
    asked: Vec<(&'a str, &'a Path)>,
    /// Whether queues of messages are let pass as the namespace is that they belong to.
    queues_are_others: bool,
}

/// Of the first process of one that its engine has made.
pub(super) fn by(pid: u32, configuration: &Configuration) -> Result<Vec<Refusal>, PrepareError> {
    let named = prepare::root(configuration)?;
    let root = root_of(pid, &named).map_err(PrepareError::Mounts)?;
    let found = mountinfo::read_at(Path::new(&format!("/proc/{pid}/mountinfo"))).map_err(PrepareError::Mounts)?;
    if root == named && !is_bound_to_itself(&found, &root, &configuration.host) {
        return Err(PrepareError::Elsewhere(root));
    }
    let judged = Judged {
        host: &configuration.host,
        places: places(configuration),
        groups: mounted(configuration).filter(|(kind, _)| kind.starts_with("cgroup")).map(|(_, at)| at).collect(),
        asked: mounted(configuration).collect(),
        queues_are_others: configuration.namespace("ipc").is_none_or(|namespace| namespace.joined().is_some()),
    };
    Ok(judged.strays(&found, &root))
}

/// Whether that is the root to which the runtime will change. It binds the directory to itself before it mounts anything in it, so that there is one mount more than the
/// host has, whoever turned a link or renamed a directory since.
fn is_bound_to_itself(found: &[MountPoint], root: &Path, host: &[MountPoint]) -> bool {
    let Some((device, directory)) = place(root, host) else { return false };
    let is_it = |mount: &&MountPoint| mount.target == root && mount.device == device && mount.root == directory;
    found.iter().filter(is_it).count() > host.iter().filter(is_it).count()
}

impl Judged<'_> {
    fn strays(&self, found: &[MountPoint], root: &Path) -> Vec<Refusal> {
        let inside = |mount: &MountPoint| Some(Path::new("/").join(mount.target.strip_prefix(root).ok()?));
        let within: Vec<_> = found.iter().filter_map(|mount| Some((mount, inside(mount)?))).collect();
        let strays = within.iter().filter(|(mount, target)| !self.knows(mount, target, &within));
        strays.map(|(mount, target)| Refusal::Mount(target.clone(), self.why(mount))).collect()
    }

    fn knows(&self, mount: &MountPoint, target: &Path, within: &[(&MountPoint, PathBuf)]) -> bool {
        let kind = mount.kind.as_str();
        let is_asked = || {
            let there = within.iter().filter(|(other, at)| other.kind == mount.kind && at == target).count();
            let asked = self.asked.iter().filter(|(asked, at)| *asked == kind && *at == target).count();
            CHOSEN.contains(&kind) && there <= asked
        };
        let is_new = !self.host.iter().any(|it| it.device == mount.device);
        let is_own = is_new && (BLANK.contains(&kind) || is_asked());
        let is_group = || kind.starts_with("cgroup") && self.groups.iter().any(|groups| target.starts_with(groups));
        let is_queues = || kind == "mqueue" && self.queues_are_others;
        let is_judged = || self.places.iter().any(|(device, root)| *device == mount.device && *root == mount.root);
        is_own || is_judged() || is_group() || is_queues()
    }

    fn why(&self, mount: &MountPoint) -> String {
        let on_host = self.host.iter().find_map(|it| {
            let below = mount.root.strip_prefix(&it.root).ok().filter(|_| it.device == mount.device)?;
            Some(if below == Path::new("") { it.target.clone() } else { it.target.join(below) })
        });
        let what = on_host.map_or_else(
            || format!("a file system of the type {:?}", mount.kind),
            |path| format!("{} of the host's", path.display()),
        );
        format!("is {what}, which is not what the container's configuration leads to")
    }
}

/// Where everything lies that was judged, with what comes along, and the devices that engines bind where they can't make them.
fn places(configuration: &Configuration) -> Vec<Place> {
    let host = &configuration.host;
    let mut places: Vec<Place> = devices::usual(configuration).filter_map(|path| place(&path, host)).collect();
    for source in mounts::all(configuration) {
        // One that is not there is none that is mounted.
        let Some(path) = configuration.leads_to(&source.path) else { continue };
        places.extend(place(path, host));
        let brought = mounts::brought(source.below, path, host);
        places.extend(brought.map(|(mount, _)| (mount.device.clone(), mount.root.clone())));
    }
    places
}

/// By the mount that it lies on, which the kernel names: several may be on each other.
fn place(path: &Path, host: &[MountPoint]) -> Option<Place> {
    let about = rustix::fs::statx(CWD, path, AtFlags::NO_AUTOMOUNT, StatxFlags::MNT_ID).ok()?;
    let mount = host.iter().find(|mount| mount.id == about.stx_mnt_id)?;
    let below = path.strip_prefix(&mount.target).ok()?;
    Some((mount.device.clone(), mount.root.join(below)))
}

/// Which types of file systems the configuration mounts, and where.
fn mounted(configuration: &Configuration) -> impl Iterator<Item = (&str, &Path)> {
    let mounts = configuration.written.mounts.iter().flatten().filter(|mount| !mounts::is_bound(mount));
    mounts.filter_map(|mount| Some((mount.kind.as_deref()?, mount.destination.as_path())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::refusals::tests::{good, read};
    use super::*;

    /// Of `device directory target type`.
    fn mount(line: &str) -> MountPoint {
        let [device, root, target, kind] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        MountPoint {
            id: 1,
            device: device.into(),
            root: root.into(),
            target: target.into(),
            options: "rw".into(),
            kind: kind.into(),
        }
    }

    fn strays(found: &[&str], root: &str, queues_are_others: bool) -> Vec<String> {
        let host = ["8:1 / / ext4", "0:5 / /dev devtmpfs", "0:9 / /dev/mqueue mqueue", "0:8 / /sys/fs/cgroup cgroup2"];
        let host = host.map(mount);
        let judged = Judged {
            host: &host,
            places: vec![
                ("8:1".into(), "/b/rootfs".into()),
                ("8:1".into(), "/usr".into()),
                ("0:5".into(), "/null".into()),
            ],
            groups: vec![Path::new("/sys/fs/cgroup")],
            asked: vec![("proc", Path::new("/proc")), ("mqueue", Path::new("/dev/mqueue"))],
            queues_are_others,
        };
        let found: Vec<MountPoint> = found.iter().map(|line| mount(line)).collect();
        judged.strays(&found, Path::new(root)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_was_judged_and_what_has_a_file_system_of_its_own_is_no_stray_before_and_after_the_root_is_changed() {
        let own = ["8:1 /b/rootfs  ext4", "8:1 /usr /usr ext4", "0:5 /null /dev/null devtmpfs", "0:50 / /proc proc"];
        let more = ["0:51 / /dev tmpfs", "0:8 /a /sys/fs/cgroup/x cgroup2", "0:52 / /dev/mqueue mqueue"];
        let all: Vec<&str> = own.iter().chain(&more).copied().collect();
        let before = all.iter().map(|line| line.replacen(" /", " /b/rootfs/", 2).replacen("/b/rootfs", "", 1));
        let before: Vec<String> = before.map(|line| line.replace("/b/rootfs  ", "/b/rootfs /b/rootfs ")).collect();
        let mut before: Vec<&str> = before.iter().map(String::as_str).collect();
        // Of the runtime's own root, which is left behind.
        before.push("8:1 / / ext4");
        before.push("8:1 /etc /etc ext4");
        assert_eq!(strays(&before, "/b/rootfs", false), [""; 0]);
        let after: Vec<String> = all.iter().map(|line| line.replace("/b/rootfs  ", "/b/rootfs / ")).collect();
        assert_eq!(strays(&after.iter().map(String::as_str).collect::<Vec<_>>(), "/", false), [""; 0]);
    }

    #[test]
    fn a_directory_that_nobody_judged_is_a_stray_and_so_is_a_file_system_of_another_type() {
        for (line, shown) in [
            ("8:1 / /x ext4", "/x is / of the host's"),
            ("8:1 /etc /x ext4", "/x is /etc of the host's"),
            ("8:1 /usr/lib /x ext4", "/x is /usr/lib of the host's"),
            ("0:5 / /dev devtmpfs", "/dev is /dev of the host's"),
            ("0:5 /sda /dev/null devtmpfs", "/dev/null is /dev/sda of the host's"),
            ("0:9 / /dev/mqueue mqueue", "/dev/mqueue is /dev/mqueue of the host's"),
            ("0:8 / /x cgroup2", "/x is /sys/fs/cgroup of the host's"),
            ("8:1 /etc /sys/fs/cgroup ext4", "/sys/fs/cgroup is /etc of the host's"),
            ("8:2 / /x ext4", "/x is a file system of the type \"ext4\""),
            ("0:60 / /x ramfs", "/x is a file system of the type \"ramfs\""),
            ("0:60 / /x proc", "/x is a file system of the type \"proc\""),
            ("0:60 / /x overlay", "/x is a file system of the type \"overlay\""),
            ("0:60 / /x mqueue", "/x is a file system of the type \"mqueue\""),
            ("0:60 / /sys sysfs", "/sys is a file system of the type \"sysfs\""),
        ] {
            let found = strays(&[line], "/", false);
            assert!(matches!(&found[..], [one] if one.contains(shown)), "{line}: {found:?}");
        }
        assert_eq!(strays(&["0:9 / /dev/mqueue mqueue"], "/", true), [""; 0]);
        // Which of two is the one that was asked for nobody can tell.
        assert_eq!(strays(&["0:60 / /proc proc", "0:61 / /proc proc"], "/", false).len(), 2);
    }

    #[test]
    fn a_root_is_where_it_is_mounted_once_more_than_on_the_host() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let host = mountinfo::read().unwrap();
        let (device, inside) = place(&root, &host).unwrap();
        let at = |device: &str, inside: &Path, target: &Path| {
            mount(&format!("{device} {} {} ext4", inside.display(), target.display()))
        };
        let bound = at(&device, &inside, &root);
        let is_bound = |found: &[MountPoint], host: &[MountPoint]| is_bound_to_itself(found, &root, host);
        assert!(is_bound(std::slice::from_ref(&bound), &host));
        for other in
            [at(&device, &inside, &root.join("a")), at(&device, &inside.join("a"), &root), at("9999:1", &inside, &root)]
        {
            assert!(!is_bound(std::slice::from_ref(&other), &host), "{other:?}");
        }
        assert!(!is_bound(&[], &host));
        // The host's own copy is none of the runtime's.
        let with_it: Vec<MountPoint> = host.iter().cloned().chain([bound.clone()]).collect();
        assert!(!is_bound(std::slice::from_ref(&bound), &with_it));
        assert!(is_bound(&[bound.clone(), bound], &with_it));
    }

    #[test]
    fn a_link_is_followed_once_however_often_it_is_turned() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        let turn = |to: &str| {
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(to, &link).unwrap();
        };
        let mut bound = good();
        bound["mounts"] = json!([{"destination": "/x", "type": "bind", "source": link, "options": ["bind"]}]);
        turn("/usr");
        let configuration = read(&bound);
        turn("/etc");
        let knows = |path: &str| places(&configuration).contains(&place(Path::new(path), &configuration.host).unwrap());
        assert!(knows("/usr") && !knows("/etc"));
        assert_eq!(configuration.shown()[0], ("/usr".into(), true));
    }
}

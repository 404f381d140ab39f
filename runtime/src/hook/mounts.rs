//! Which mounts of a container show more of the host than it looks? File systems that containers usually have pass, and files and
//! directories that are bound, or are parts of an overlay, are judged as such. All else is refused: a disk, a file system of the
//! kernel's, one of another machine's.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bottle_images::mountinfo::{self, MountPoint};

use super::configuration::Mounted;
use super::namespaces::root_is_hosts;
use super::{Configuration, Refusal};
use crate::nested::Nested;

/// Those whose content is the container's own, in its own namespaces. What is bound has no type, or one of the last three.
const USUAL: [&str; 8] = ["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "overlay"];
const BOUND: [&str; 3] = ["bind", "none", ""];

/// By which the container's mounts would come to be the host's.
const SHARED: [&str; 2] = ["shared", "rshared"];

/// File systems of the kernel's (linux, include/uapi/linux/magic.h), which are no files to be shown: proc, sysfs, cgroup and cgroup2,
/// debugfs, tracefs, securityfs, configfs, bpf, namespaces, terminals, efivarfs, binfmt_misc, pstore, resctrl, selinuxfs, smackfs, queues of messages.
const KERNELS: [i64; 18] = [
    0x9fa0,
    0x6265_6572,
    0x27_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0x6265_6570,
    0xcafe_4a11,
    0x6e73_6673,
    0x1cd1,
    0xde5e_81e4,
    0x4249_4e4d,
    0x6165_676c,
    0x765_5821,
    0xf97c_ff8c,
    0x4341_5d53,
    0x1980_0202,
];

/// Devices, and what else udev and programs put there.
const DEVICES: &str = "/dev";

/// By which programs share memory that has a name (shm_open(3)).
const MEMORY: &str = "/dev/shm";

/// Where the network is another's than the user namespace's, sysfs can't be mounted, and engines show the host's, to be read.
const SYS: &str = "/sys";

pub(super) fn refused(configuration: &Configuration, nested: Option<&Nested>) -> Vec<Refusal> {
    let propagation = configuration.written.linux.rootfs_propagation.as_deref();
    let everywhere =
        propagation.filter(|it| SHARED.contains(it)).map(|it| refusal("/", format!("is {it} with the host")));
    let mounts = configuration.written.mounts.iter().flatten();
    let wrong = mounts.clone().filter_map(|mount| Some(refusal(&mount.destination, wrong(mount)?)));
    let is_hosts = root_is_hosts(configuration, nested);
    let is_let_be = |mount: &&Mounted| !is_hosts && shows_sys(mount);
    let judged = mounts.clone().filter(|mount| !is_let_be(mount)).flat_map(sources).chain([root(configuration)]);
    let shown = judged.flat_map(|source| shows(configuration, source));
    everywhere.into_iter().chain(wrong).chain(shown).chain(within(configuration)).collect()
}

/// What of the host's besides files is shown there: the first of each kind, which may have more in it.
fn shows(configuration: &Configuration, source: Source) -> Vec<Refusal> {
    let shown = configuration.with_below(std::iter::once(source));
    let first = |is: fn(&Path) -> bool| shown.iter().map(|(path, _)| path).find(|path| is(path));
    let kernels =
        first(is_kernels).map(|path| refusal(path, "shows what is the kernel's, or devices, of the host".into()));
    let unknown = first(is_unknown).map(|path| refusal(path, "can't be looked at".into()));
    kernels.into_iter().chain(unknown).chain(first(is_memory).cloned().map(Refusal::SharedMemory)).collect()
}

/// Where the container's root lies. All that is mounted there is the container's, whether it is to be read or not.
fn root(configuration: &Configuration) -> Source {
    let root = &configuration.written.root;
    Source { path: root.path.clone(), writable: !root.readonly, below: Some(true) }
}

/// What lies in the container's own root is covered by its mounts when the engine looks for it: by `/proc/1/root` there the host's root is bound.
fn within(configuration: &Configuration) -> Vec<Refusal> {
    let Some(root) = configuration.resolved_root() else { return Vec::new() };
    let sources = configuration.written.mounts.iter().flatten().flat_map(sources);
    let within =
        sources.filter(|source| configuration.leads_to(&source.path).is_some_and(|source| source.starts_with(root)));
    within
        .map(|source| {
            refusal(
                configuration.bundle.join(source.path),
                "shows what the container's own mounts cover by then".into(),
            )
        })
        .collect()
}

/// Whether what is bound has the container's root in it, with all that is mounted there.
pub(super) fn has_root_within(configuration: &Configuration, mount: &Mounted) -> bool {
    let Some(root) = configuration.resolved_root() else { return false };
    let holds = |source: &Path| configuration.leads_to(source).is_some_and(|at| root.starts_with(at));
    sources(mount).iter().any(|source| source.below.is_some() && holds(&source.path))
}

fn refusal(place: impl AsRef<Path>, why: String) -> Refusal {
    Refusal::Mount(place.as_ref().to_owned(), why)
}

/// What a mount shows of the host.
#[derive(Debug)]
pub(super) struct Source {
    /// As it is written.
    pub(super) path: PathBuf,
    /// Whether it can be written there.
    pub(super) writable: bool,
    /// Whether what is mounted below it comes along, and if so, whether that can be written where it can on the host. What is bound to be read is read itself: of
    /// what comes along that takes another word (mount_setattr(2), AT_RECURSIVE).
    pub(super) below: Option<bool>,
}

/// What is mounted in it, where it lies, and whether it can be written there.
pub(super) fn brought<'a>(
    below: Option<bool>,
    at: &'a Path,
    host: &'a [MountPoint],
) -> impl Iterator<Item = (&'a MountPoint, bool)> {
    let mounts = below.into_iter().flat_map(move |writable| mountinfo::below(host, at).map(move |it| (it, writable)));
    mounts.map(|(mount, writable)| (mount, writable && !mount.has("ro")))
}

/// All that the mounts and the root of a container show.
pub(super) fn all(configuration: &Configuration) -> impl Iterator<Item = Source> {
    configuration.written.mounts.iter().flatten().flat_map(sources).chain([root(configuration)])
}

fn sources(mount: &Mounted) -> Vec<Source> {
    if is_bound(mount) {
        // Of both the later one counts for an engine; who looks only for power over the airlock need not know which that is.
        let read_only = has(mount, &["ro", "rro"]) && !has(mount, &["rw", "rrw"]);
        let alone = has(mount, &["bind"]) && !has(mount, &["rbind"]);
        let all_read_only = has(mount, &["rro"]) && !has(mount, &["rw", "rrw"]);
        let below = (!alone).then_some(!all_read_only);
        // Without a source it is the bundle itself.
        return vec![Source { path: mount.source.clone().unwrap_or_default(), writable: !read_only, below }];
    }
    // An overlay shows its layers without what is mounted in them.
    let layers = if mount.kind.as_deref() == Some("overlay") { layers(mount).unwrap_or_default() } else { Vec::new() };
    layers.into_iter().map(|(path, writable)| Source { path, writable, below: None }).collect()
}

fn shows_sys(mount: &Mounted) -> bool {
    let sys = Path::new(SYS);
    let same = mount.source.as_deref() == Some(sys) && mount.destination == sys;
    same && sources(mount).iter().all(|source| !source.writable)
}

/// Whether one of these options is there.
pub(super) fn has(mount: &Mounted, names: &[&str]) -> bool {
    mount.options.iter().flatten().any(|option| names.contains(&option.as_str()))
}

fn is_mapped(mount: &Mounted) -> bool {
    let by_option = mount
        .options
        .iter()
        .flatten()
        .any(|option| ["idmap", "ridmap"].contains(&option.split('=').next().unwrap_or_default()));
    by_option || mount.uid_mappings.is_some() || mount.gid_mappings.is_some()
}

/// Whether it shows what is somewhere already.
pub(super) fn is_bound(mount: &Mounted) -> bool {
    mount.kind.as_deref() == Some("bind") || has(mount, &["bind", "rbind"])
}

fn wrong(mount: &Mounted) -> Option<String> {
    let kind = mount.kind.as_deref().unwrap_or_default();
    let usual: &[&str] = if is_bound(mount) { &BOUND } else { &USUAL };
    let shared = mount.options.iter().flatten().find(|option| SHARED.contains(&option.as_str()));
    match () {
        () if !usual.contains(&kind) => Some(format!("is a file system of the type {kind:?}")),
        // The container's root would be the host's there.
        () if is_mapped(mount) => Some("has owners of its own (idmap)".into()),
        // What is there already would be another's.
        () if has(mount, &["remount"]) => Some("changes another mount (remount)".into()),
        () if shared.is_some() => shared.map(|option| format!("is {option} with the host")),
        () if kind == "overlay" && layers(mount).is_none() => {
            Some("is an overlay of directories that can't be told".into())
        }
        () => None,
    }
}

/// The directories of an overlay, and whether they are written (linux, Documentation/filesystems/overlayfs.rst). Engines hand the
/// options to the kernel as one text with commas. None where one is spelled in a way that is not read here.
fn layers(mount: &Mounted) -> Option<Vec<(PathBuf, bool)>> {
    let mut found = Vec::new();
    for option in mount.options.iter().flatten().flat_map(|option| option.split(',')) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let (paths, written): (Vec<&str>, bool) = match name {
            "lowerdir" => (value.split(':').filter(|path| !path.is_empty()).collect(), false),
            "upperdir" | "workdir" => (vec![value], true),
            "lowerdir+" | "datadir+" => return None,
            _ => continue,
        };
        if paths.iter().any(|path| !path.starts_with('/') || path.contains('\\')) {
            return None;
        }
        found.extend(paths.into_iter().map(|path| (PathBuf::from(path), written)));
    }
    Some(found)
}

/// Whether what lies there is no file of the host's but the kernel's word, or the directory of devices, wherever that is mounted. Of a path that is not there
/// others say so.
fn is_kernels(source: &Path) -> bool {
    is_devices(source) || rustix::fs::statfs(source).is_ok_and(|it| KERNELS.contains(&it.f_type))
}

fn is_devices(source: &Path) -> bool {
    let of = |path: &Path| std::fs::metadata(path).ok();
    let (Some(devices), Some(root), Some(source)) = (of(Path::new(DEVICES)), of(Path::new("/")), of(source)) else {
        return false;
    };
    // They have a file system of their own, where they are not a directory of the root's.
    let of_devices = devices.dev() != root.dev() && source.dev() == devices.dev();
    source.is_dir() && (of_devices || source.dev() == devices.dev() && source.ino() == devices.ino())
}

/// Of a path that is not there others say so.
fn is_unknown(source: &Path) -> bool {
    source.metadata().is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound)
}

fn is_memory(source: &Path) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino()));
    matches!((identity(source), identity(Path::new(MEMORY))), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bottle_images::mountinfo::MountPoint;
    use serde_json::{Value, json};

    use super::super::refusals::tests::{good, read, refused};
    use super::super::{Configuration, Exception, Refusal};

    fn mounted(mount: Value) -> Value {
        let mut mounted = good();
        mounted["mounts"] = json!([mount]);
        mounted
    }

    #[test]
    fn what_containers_usually_have_mounted_is_let_pass() {
        let mut with = good();
        let mount = |kind: &str, options: &[&str]| json!({"destination": "/x", "type": kind, "source": kind, "options": options});
        with["mounts"] = json!([
            mount("proc", &["nosuid", "noexec", "nodev"]),
            mount("tmpfs", &["nosuid", "mode=755", "size=65536k"]),
            mount("devpts", &["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            mount("sysfs", &["ro"]),
            mount("mqueue", &[]),
            mount("cgroup", &["ro"]),
            {"destination": "/x", "type": "bind", "source": "/usr", "options": ["rbind", "rprivate", "ro"]},
            {"destination": "/x", "source": "/usr", "options": ["bind", "rslave"]},
            {"destination": "/x", "type": "overlay", "source": "overlay", "options": ["lowerdir=/usr", "upperdir=/u,workdir=/w"]},
        ]);
        assert_eq!(refused(&with, &[]), []);
    }

    #[test]
    fn another_file_system_or_way_to_mount_is_refused() {
        for mount in [
            json!({"type": "ext4", "source": "/dev/sda1"}),
            json!({"type": "devtmpfs", "source": "dev"}),
            json!({"type": "nfs", "source": "a:/b"}),
            json!({"type": "9p"}),
            json!({"source": "/usr"}),
            json!({"type": "cgroup", "source": "/usr", "options": ["bind"]}),
            json!({"type": "tmpfs", "options": ["remount", "rw"]}),
            json!({"type": "bind", "source": "/usr", "options": ["rbind", "rshared"]}),
            json!({"type": "overlay", "options": ["lowerdir=usr"]}),
            json!({"type": "overlay", "options": ["lowerdir=/a\\:b"]}),
            json!({"type": "overlay", "options": ["ro,lowerdir+=/usr"]}),
            json!({"type": "bind", "source": "/usr", "options": ["bind", "idmap"]}),
            json!({"type": "bind", "source": "/usr", "options": ["rbind", "ridmap=uids=0-1000-1"]}),
            json!({"type": "bind", "source": "/usr", "options": ["rbind"], "uidMappings": []}),
            json!({"type": "bind", "source": "/usr", "options": ["rbind"], "gidMappings": [{"containerID": 0, "hostID": 7, "size": 1}]}),
            json!({"type": "bind", "source": "/proc", "options": ["rbind"]}),
            json!({"type": "bind", "source": "/dev", "options": ["bind"]}),
            json!({"type": "bind", "source": "/proc/self/ns/net", "options": ["bind"]}),
        ] {
            let mut whole = mount.clone();
            whole["destination"] = json!("/x");
            let found = refused(&mounted(whole.clone()), &[]);
            assert!(matches!(found[..], [Refusal::Mount(..)]), "{mount}: {found:?}");
            assert_eq!(refused(&mounted(whole), &[Exception::OtherMounts]), []);
        }
        let mut shared = good();
        shared["linux"]["rootfsPropagation"] = json!("rshared");
        assert!(matches!(refused(&shared, &[])[..], [Refusal::Mount(..)]));
    }

    #[test]
    fn the_hosts_sys_is_shown_in_its_place_to_be_read_by_whoever_is_nobody_of_the_hosts() {
        let sys = |destination: &str, options: &[&str]| json!({"destination": destination, "type": "bind", "source": "/sys", "options": options});
        assert_eq!(refused(&mounted(sys("/sys", &["rbind", "ro"])), &[]), []);
        for other in [sys("/sys", &["rbind"]), sys("/mnt", &["rbind", "ro"])] {
            assert!(matches!(refused(&mounted(other), &[])[..], [Refusal::Mount(..)]));
        }
        let mut hosts = mounted(sys("/sys", &["rbind", "ro"]));
        hosts["linux"]["namespaces"].as_array_mut().unwrap().pop();
        let found = refused(&hosts, &[Exception::HostUser, Exception::KernelFiles]);
        assert!(matches!(found[..], [Refusal::Mount(..)]), "{found:?}");
    }

    #[test]
    fn a_mount_that_is_said_to_be_both_is_taken_for_writable() {
        for (options, writable) in [(&["bind", "ro"][..], false), (&["bind", "ro", "rw"], true), (&["bind"], true)] {
            let mount = json!({"destination": "/s", "source": "/srv", "options": options});
            assert_eq!(read(&mounted(mount)).shown()[0], ("/srv".into(), writable), "{options:?}");
        }
    }

    #[test]
    fn what_is_mounted_in_a_tree_that_is_bound_to_be_read_is_written_unless_all_of_it_is_to_be_read() {
        let mount = |target: &str, options: &str| MountPoint {
            id: 1,
            device: "0:1".into(),
            root: "/".into(),
            target: target.into(),
            options: options.into(),
            kind: "tmpfs".into(),
        };
        let host = [mount("/a", "rw"), mount("/a/b", "rw,nosuid"), mount("/a/c", "nosuid,ro"), mount("/ab", "rw")];
        let (open, closed): (&[_], &[_]) = (&[("/a/b", true), ("/a/c", false)], &[("/a/b", false), ("/a/c", false)]);
        for (options, expected) in [
            (&["rbind", "ro"][..], open),
            (&["rbind"], open),
            (&["ro"], open),
            (&["rbind", "ro", "bind"], open),
            (&["rbind", "rro"], closed),
            (&["rbind", "rro", "rw"], open),
            (&["bind", "ro"], &[]),
            (&["bind", "rro"], &[]),
        ] {
            let bound = mounted(json!({"destination": "/s", "type": "bind", "source": "/a", "options": options}));
            let source = super::all(&read(&bound)).next().unwrap();
            let found: Vec<_> = super::brought(source.below, Path::new("/a"), &host).collect();
            let found: Vec<_> =
                found.iter().map(|(mount, written)| (mount.target.to_str().unwrap(), *written)).collect();
            assert_eq!(found, expected, "{options:?}");
        }
        // The root is changed to with all that is in it.
        assert_eq!(super::all(&read(&good())).next().unwrap().below, Some(true));
    }

    #[test]
    fn the_directories_of_an_overlay_are_shown_and_so_is_the_bundle_where_no_source_is_said() {
        let overlay = json!({"destination": "/s", "type": "overlay", "source": "overlay",
            "options": ["lowerdir=/a:/b,upperdir=/c", "workdir=/d", "userxattr"]});
        let shown = read(&mounted(overlay)).shown();
        let expected = [("/a", false), ("/b", false), ("/c", true), ("/d", true)];
        assert_eq!(shown[..4], expected.map(|(path, written)| (path.into(), written)));
        let bundle = json!({"destination": "/s", "options": ["bind"]});
        assert_eq!(read(&mounted(bundle)).shown()[0], ("/nowhere/".into(), true));
    }

    #[test]
    fn what_lies_in_the_containers_own_root_is_refused_and_so_is_for_the_hosts_root_what_has_that_in_it() {
        let bundle = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(bundle.path().join("rootfs/proc/1/root")).unwrap();
        std::os::unix::fs::symlink("rootfs/proc/1/root", bundle.path().join("link")).unwrap();
        let of = |source: &str, option: &str, is_hosts: bool| {
            let mut with = mounted(json!({"destination": "/x", "type": "bind", "source": source, "options": [option]}));
            if is_hosts {
                with["linux"]["namespaces"].as_array_mut().unwrap().pop();
                with["linux"]["maskedPaths"] = json!(["/proc/kcore"]);
                with["linux"]["readonlyPaths"] = json!(["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"]);
            }
            Configuration::parse(bundle.path(), &serde_json::to_vec(&with).unwrap()).unwrap()
        };
        for source in ["rootfs/proc/1/root", "rootfs", "link", "../x/../rootfs/proc"] {
            let source = source.replace("../x/..", bundle.path().to_str().unwrap());
            let found = super::refused(&of(&source, "bind", false), None);
            assert!(
                matches!(&found[..], [Refusal::Mount(_, why)] if why.contains("own mounts")),
                "{source}: {found:?}"
            );
        }
        let kernels = |source, option, is_hosts| super::super::host::refused(&of(source, option, is_hosts), None);
        assert_eq!(kernels(".", "rbind", true), [Refusal::KernelFile("/x".into())]);
        assert_eq!(kernels(".", "bind", true), []);
        assert_eq!(kernels(".", "rbind", false), []);
        assert_eq!(super::refused(&of(".", "rbind", false), None), []);
    }
}

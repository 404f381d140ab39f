//! Which mounts does a plan come to, and what must each be?

use std::path::{Path, PathBuf};

use bottle_images::mountinfo::{self, MountPoint};
use bottle_images::{Access, Kind, MountPlan, Root};

use crate::init::fixed::{self, Cover};

/// One mount that the plan leads to.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// Where, as the plan says it: links may be in the way.
    pub(super) target: PathBuf,
    /// What.
    pub(super) what: What,
    /// Which options it must have; more of them close it further.
    options: Vec<&'static str>,
    /// Whether it may be missing.
    pub(super) presence: Presence,
}

/// Whether a planned mount may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// No.
    Demanded,
    /// Only where nothing is there that it would cover or pin.
    IfThere,
}

/// What is mounted.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A file system of the bottle's own, by type.
    Own(&'static str),
    /// A part of such a file system.
    Part(&'static str, PathBuf),
    /// A tree of the host's: its device and which part of it, as far as the host's mounts tell.
    Tree { source: PathBuf, from: Option<(String, PathBuf)> },
    /// A layer that vanishes upon such a tree, or else the tree itself, read-only.
    LayeredTree { source: PathBuf, from: Option<(String, PathBuf)> },
}

impl What {
    fn tree(source: &Path, host: &[MountPoint]) -> What {
        What::Tree { source: source.to_owned(), from: from(source, host) }
    }

    /// In which way this mount is something else.
    pub(super) fn wrong(&self, mount: &MountPoint) -> Option<String> {
        let kind = |wanted: &str| (mount.kind != wanted).then(|| format!("is a {}", mount.kind));
        match self {
            What::Own(wanted) => kind(wanted),
            What::Part(wanted, root) => {
                kind(wanted).or_else(|| (mount.root != *root).then(|| "is another part of it".to_owned()))
            }
            What::LayeredTree { .. } if mount.kind == "overlay" => None,
            What::LayeredTree { .. } if !mount.has("ro") => Some("is not read-only".to_owned()),
            What::LayeredTree { from, .. } | What::Tree { from, .. } => {
                let other = |(device, root): &(String, PathBuf)| mount.device != *device || mount.root != *root;
                from.as_ref().is_some_and(other).then(|| "is another tree than the planned one".to_owned())
            }
        }
    }
}

impl Planned {
    /// Which option the mount lacks.
    pub(super) fn lacks(&self, mount: &MountPoint) -> Option<String> {
        let missing = self.options.iter().find(|option| !mount.has(option))?;
        Some(format!("is not {}", if *missing == "ro" { "read-only" } else { missing }))
    }
}

/// Where a host path lies, by the mount that holds it.
fn from(source: &Path, host: &[MountPoint]) -> Option<(String, PathBuf)> {
    let mount = mountinfo::holding(host, source)?;
    let relative = source.strip_prefix(&mount.target).ok()?;
    let root = if relative == Path::new("") { mount.root.clone() } else { mount.root.join(relative) };
    Some((mount.device.clone(), root))
}

const QUIET: [&str; 2] = ["nosuid", "nodev"];
const READ_ONLY: [&str; 3] = ["nosuid", "nodev", "ro"];

/// All of them, in the order in which they are mounted.
pub(super) fn planned(plan: &MountPlan, host: &[MountPoint]) -> Vec<Planned> {
    let root = match plan.root {
        Root::Tmpfs => "tmpfs",
        Root::Overlay { .. } => "overlay",
    };
    let mut all = vec![demanded(Path::new("/"), What::Own(root), if plan.read_only { &READ_ONLY } else { &QUIET })];
    for mount in &plan.mounts {
        let target = &mount.target;
        match &mount.kind {
            Kind::Directory { .. } | Kind::Symlink { .. } | Kind::File { .. } => {}
            Kind::Tmpfs { exec, .. } => {
                all.push(demanded(
                    target,
                    What::Own("tmpfs"),
                    if *exec { &QUIET } else { &["nosuid", "nodev", "noexec"] },
                ));
            }
            Kind::System { source } if plan.read_only => {
                all.push(demanded(target, What::tree(source, host), &READ_ONLY));
            }
            Kind::System { source } => {
                let what = What::LayeredTree { source: source.clone(), from: from(source, host) };
                all.push(demanded(target, what, &QUIET));
            }
            Kind::ReadOnly { source } => all.push(demanded(target, What::tree(source, host), &READ_ONLY)),
            Kind::Share { source, access } => all.push(demanded(target, What::tree(source, host), options(*access))),
            Kind::Pin { access } => all.push(demanded(target, pinned(plan, target, host), options(*access))),
            // Where the workload can't make it either, nothing is pinned.
            Kind::PinDirectory | Kind::PinFile { .. } => {
                all.push(if_there(target, pinned(plan, target, host), &READ_ONLY))
            }
            // What was covered may have gone before that.
            Kind::MaskFile => all.push(if_there(target, What::cover(Cover::File), &COVER)),
            Kind::MaskDirectory => all.push(if_there(target, What::cover(Cover::Directory), &COVER)),
            Kind::Proc => all.extend(kernel(target, "proc", &["nosuid", "nodev", "noexec"])),
            Kind::Sysfs => all.extend(kernel(target, "sysfs", &["nosuid", "nodev", "noexec", "ro"])),
            Kind::Devices => all.extend(devices(target, host)),
        }
    }
    all
}

const COVER: [&str; 3] = ["ro", "nosuid", "noexec"];

fn demanded(target: &Path, what: What, options: &[&'static str]) -> Planned {
    Planned { target: target.to_owned(), what, options: options.to_vec(), presence: Presence::Demanded }
}

fn if_there(target: &Path, what: What, options: &[&'static str]) -> Planned {
    Planned { presence: Presence::IfThere, ..demanded(target, what, options) }
}

fn options(access: Access) -> &'static [&'static str] {
    match access {
        Access::ReadOnly => &READ_ONLY,
        Access::ReadWrite => &QUIET,
    }
}

/// What lies at a target within a shared tree.
fn pinned(plan: &MountPlan, target: &Path, host: &[MountPoint]) -> What {
    let mut shares = plan.mounts.iter().filter_map(|mount| match &mount.kind {
        Kind::Share { source, .. } => Some((source, target.strip_prefix(&mount.target).ok()?)),
        _ => None,
    });
    // The one that was shared last lies on top.
    match shares.next_back() {
        Some((source, relative)) => What::tree(&source.join(relative), host),
        None => What::Tree { source: target.to_owned(), from: None },
    }
}

impl What {
    fn cover(cover: Cover) -> What {
        What::Part("tmpfs", Path::new("/").join(fixed::covered_by(cover)))
    }
}

fn kernel(target: &Path, kind: &'static str, options: &[&'static str]) -> Vec<Planned> {
    let mut all = vec![demanded(target, What::Own(kind), options)];
    let (read_only, files, directories): (&[&str], &[&str], &[&str]) = match kind {
        "proc" => (&fixed::PROC_READ_ONLY, &fixed::PROC_MASKED_FILES, &fixed::PROC_MASKED_DIRECTORIES),
        _ => (&[], &[], &fixed::SYS_MASKED),
    };
    for name in read_only {
        all.push(if_there(&target.join(name), What::Part(kind, Path::new("/").join(name)), &READ_ONLY));
    }
    all.extend(files.iter().map(|name| if_there(&target.join(name), What::cover(Cover::File), &COVER)));
    all.extend(directories.iter().map(|name| if_there(&target.join(name), What::cover(Cover::Directory), &COVER)));
    all
}

fn devices(target: &Path, host: &[MountPoint]) -> Vec<Planned> {
    const NO_PROGRAMS: [&str; 2] = ["nosuid", "noexec"];
    let mut all = vec![demanded(target, What::Own("tmpfs"), &NO_PROGRAMS)];
    let node =
        |name: &&str| demanded(&target.join(name), What::tree(&Path::new("/dev").join(name), host), &NO_PROGRAMS);
    all.extend(fixed::NODES.iter().map(node));
    all.push(demanded(&target.join("pts"), What::Own("devpts"), &NO_PROGRAMS));
    all.push(demanded(&target.join("shm"), What::Own("tmpfs"), &QUIET));
    all
}

//! How does a mount plan become the root directory? All that comes from the host is opened first, then put in place.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bottle_images::{Access, Kind, MountPlan, Root};
use rustix::mount::MountAttrFlags;

use crate::sys;

use super::failure::{at, on};
use super::fixed::Cover;
use super::identity::{Identities, Pair, owner};
use super::message::Failure;
use super::place::Place;
use super::{devices, kernel, stage};

/// No set-user-id programs, no device nodes.
const QUIET: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV);

/// Builds the root in the calling process's mount namespace, and makes it the root. `enter_network` is called as late as
/// can be: a /sys shows the network namespace that it is mounted from.
pub(super) fn build(
    plan: &MountPlan,
    identities: &Identities,
    enter_network: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut enter_network = Some(enter_network);
    let opened = open_all(plan, identities)?;
    let lower = open_root(plan, identities)?;
    let devices = devices::open()?;
    stage::set().map_err(at("make a place for the new root"))?;
    let mut builder = Builder { place: Place::new(make_root(lower, identities)?, identities), identities, layers: 1 };
    for (mount, opened) in plan.mounts.iter().zip(opened) {
        match &mount.kind {
            Kind::Devices => devices::install(&builder.place, &mount.target, &devices)?,
            Kind::Sysfs => {
                enter_network.take().map_or(Ok(()), |enter| enter())?;
                kernel::sysfs(&builder.place, &mount.target)?;
            }
            kind => builder.put(&mount.target, kind, opened)?,
        }
    }
    enter_network.map_or(Ok(()), |enter| enter())?;
    stage::take().map_err(at("enter the new root"))
}

/// A detached copy of everything that the plan takes from the host.
fn open_all(plan: &MountPlan, identities: &Identities) -> Result<Vec<Option<Opened>>, Failure> {
    plan.mounts.iter().map(|mount| open(&mount.kind, identities)).collect()
}

/// A host tree, with what has to be known of its top.
struct Opened {
    tree: OwnedFd,
    is_directory: bool,
    layered: Option<Top>,
}

/// What an overlay's upper directory must look like.
struct Top {
    owner: Pair,
    mode: u32,
}

fn open(kind: &Kind, identities: &Identities) -> Result<Option<Opened>, Failure> {
    let (source, tree, layered) = match kind {
        Kind::System { source } => {
            let (tree, mapped) = open_system(source, identities)?;
            (source, tree, mapped)
        }
        Kind::ReadOnly { source } => (source, open_read_only(source)?, None),
        Kind::Share { source, access } => (source, open_share(source, *access, identities)?, None),
        _ => return Ok(None),
    };
    let is_directory = source.is_dir();
    let layered = if layered.is_some() && is_directory { layered } else { None };
    Ok(Some(Opened { tree, is_directory, layered }))
}

/// A read-only copy without a map: nobody inside owns anything in it, so that only what everyone may read can be read.
fn open_read_only(source: &Path) -> Result<OwnedFd, Failure> {
    let attributes = u64::from((QUIET | MountAttrFlags::MOUNT_ATTR_RDONLY).bits());
    let tree = stage::copy_host(source).map_err(on("bind", source))?;
    sys::set_tree_attributes(tree.as_fd(), attributes, None).map_err(on("bind", source))?;
    Ok(tree)
}

/// A read-only copy; and how to lay a layer upon it, where its owner is somebody inside.
fn open_system(source: &Path, identities: &Identities) -> Result<(OwnedFd, Option<Top>), Failure> {
    let failed = || on("bind", source);
    let attributes = u64::from((QUIET | MountAttrFlags::MOUNT_ATTR_RDONLY).bits());
    let tree = stage::copy_host(source).map_err(failed())?;
    // A file system that can't map ids still shows what everyone may read.
    let mapped = match identities.system_map() {
        Some(map) => sys::set_tree_attributes(tree.as_fd(), attributes, Some(map)).is_ok(),
        None => false,
    };
    if !mapped {
        sys::set_tree_attributes(tree.as_fd(), attributes, None).map_err(failed())?;
    }
    let metadata = std::fs::metadata(source).map_err(failed())?;
    let known = (mapped || identities.is_own()) && identities.is_mapped(owner(source)?);
    let inside = identities.on_disk(Pair { uid: metadata.uid(), gid: metadata.gid() });
    Ok((tree, known.then_some(Top { owner: inside, mode: metadata.mode() & 0o7777 })))
}

fn open_share(source: &Path, access: Access, identities: &Identities) -> Result<OwnedFd, Failure> {
    let read_only = match access {
        Access::ReadOnly => MountAttrFlags::MOUNT_ATTR_RDONLY,
        Access::ReadWrite => MountAttrFlags::empty(),
    };
    let attributes = u64::from((QUIET | read_only).bits());
    let map = identities.share_map(source)?;
    let tree = stage::copy_host(source).map_err(on("bind", source))?;
    if sys::set_tree_attributes(tree.as_fd(), attributes, map).is_ok() {
        return Ok(tree);
    }
    // Something mounted within it may be what can't map ids: it is left out then.
    let tree = stage::copy_host_alone(source).map_err(on("bind", source))?;
    sys::set_tree_attributes(tree.as_fd(), attributes, map).map_err(|error| unmappable(source, &error))?;
    Ok(tree)
}

fn unmappable(source: &Path, error: &io::Error) -> Failure {
    Failure {
        code: 125,
        what: format!("cannot share {}: its file system can't map ids: {error}", source.display()),
        hint: Some(
            "run bottle as the owner of that directory instead of root, or share one on ext4, xfs, btrfs or tmpfs"
                .into(),
        ),
    }
}

fn open_root(plan: &MountPlan, identities: &Identities) -> Result<Option<(OwnedFd, Top)>, Failure> {
    let Root::Overlay { lower } = &plan.root else {
        return Ok(None);
    };
    let (tree, top) = open_system(lower, identities)?;
    let top = top.ok_or_else(|| Failure {
        code: 125,
        what: format!("cannot use {}: its owner has no id inside", lower.display()),
        hint: Some("unpack the image as the user who runs it, on a file system that can map ids".into()),
    })?;
    Ok(Some((tree, top)))
}

/// The root itself, attached on the stage.
fn make_root(lower: Option<(OwnedFd, Top)>, identities: &Identities) -> Result<OwnedFd, Failure> {
    let root = match lower {
        Some((tree, top)) => overlay(0, &tree, &top, identities),
        None => {
            let root = stage::make("tmpfs", &[("mode", "0755")], QUIET);
            root.and_then(|root| {
                stage::give(root.as_fd(), identities.outside(bottle_images::Owner::Root))?;
                Ok(root)
            })
        }
    };
    let root = root.map_err(at("make the new root"))?;
    stage::attach(root.as_fd(), rustix::fs::CWD, Path::new("root")).map_err(at("place the new root"))?;
    Ok(root)
}

/// An overlay of a throw-away layer upon a tree, which is attached below `lower` for it.
fn overlay(number: u32, tree: &OwnedFd, top: &Top, identities: &Identities) -> io::Result<OwnedFd> {
    use rustix::fs::{CWD, Mode, mkdir};
    let private = Mode::from_raw_mode(0o755);
    let [lower, layer] = [format!("lower/{number}"), format!("layers/{number}")];
    let [upper, work] = [format!("{layer}/upper"), format!("{layer}/work")];
    for directory in [&lower, &layer, &upper, &work] {
        mkdir(directory, private)?;
    }
    stage::give(stage::resolve(CWD, Path::new(&upper), rustix::fs::ResolveFlags::empty())?.as_fd(), top.owner)?;
    rustix::fs::chmod(&upper, Mode::from_raw_mode(top.mode))?;
    stage::attach(tree.as_fd(), CWD, Path::new(&lower))?;
    let mut options = vec![("lowerdir", lower.as_str()), ("upperdir", &upper), ("workdir", &work)];
    if identities.is_own() {
        options.push(("userxattr", ""));
    }
    stage::make("overlay", &options, QUIET)
}

struct Builder<'a> {
    place: Place<'a>,
    identities: &'a Identities,
    layers: u32,
}

impl Builder<'_> {
    fn put(&mut self, target: &Path, kind: &Kind, opened: Option<Opened>) -> Result<(), Failure> {
        let failed = || on("put in place", target);
        match (kind, opened) {
            (Kind::Directory { mode, owner }, _) => self.place.directory(target, *mode, *owner),
            (Kind::Symlink { to }, _) => self.place.symlink(target, to),
            (Kind::File { text }, _) => self.place.file(target, text),
            (Kind::System { .. }, Some(opened)) => self.put_system(target, opened),
            (Kind::ReadOnly { .. } | Kind::Share { .. }, Some(opened)) => {
                self.place.mount(target, &opened.tree, opened.is_directory)
            }
            (Kind::Pin { access }, _) => self.place.pin(target, *access),
            (Kind::PinDirectory, _) => self.place.pin_directory(target),
            (Kind::PinFile { text }, _) => self.place.pin_file(target, text),
            (Kind::MaskFile, _) => self.place.cover(target, Cover::File),
            (Kind::MaskDirectory, _) => self.place.cover(target, Cover::Directory),
            (Kind::Proc, _) => return kernel::proc(&self.place, target),
            (Kind::System { .. } | Kind::ReadOnly { .. } | Kind::Share { .. } | Kind::Devices | Kind::Sysfs, _) => {
                Err(io::ErrorKind::InvalidData.into())
            }
        }
        .map_err(failed())
    }

    /// Where the kernel refuses the overlay, the tree itself is shown, read-only.
    fn put_system(&mut self, target: &Path, opened: Opened) -> io::Result<()> {
        let Some(top) = &opened.layered else {
            return self.place.mount(target, &opened.tree, opened.is_directory);
        };
        let number = self.layers;
        self.layers += 1;
        match overlay(number, &opened.tree, top, self.identities) {
            Ok(layered) => self.place.mount(target, &layered, true),
            Err(_) => self.place.mount(target, &stage::copy(opened.tree.as_fd())?, true),
        }
    }
}

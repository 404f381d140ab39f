//! How does a mount plan become the root directory? All that comes from the host is opened first, then put in place.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use bottle_images::{Access, Kind, MountPlan, Owner, Root};
use rustix::fs::{FileType, Mode, ResolveFlags, Stat, mkdir};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use crate::sys;

use super::failure::{at, on};
use super::fixed::Cover;
use super::identity::{Identities, Pair};
use super::message::Failure;
use super::place::Place;
use super::{devices, kernel, stage};

/// No set-user-id programs, no device nodes.
const QUIET: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV);

/// How a directory of the stage's begins.
const PLAIN: Mode = Mode::from_raw_mode(0o755);

/// Builds the root in the calling process's mount namespace, and makes it the root.
pub(super) fn build(plan: &MountPlan, identities: &Identities) -> Result<(), Failure> {
    let opened = open_all(plan, identities)?;
    let below = open_root(plan, identities)?;
    let devices = devices::open()?;
    stage::set().map_err(at("make a place for the new root"))?;
    let place = Place::new(make_root(below, identities)?, identities);
    let mut builder = Builder { place, identities, read_only: plan.read_only, layers: 1 };
    for (mount, opened) in plan.mounts.iter().zip(opened) {
        match &mount.kind {
            Kind::Devices => devices::install(&builder.place, &mount.target, &devices)?,
            Kind::Sysfs => kernel::sysfs(&builder.place, &mount.target)?,
            kind => builder.put(&mount.target, kind, opened)?,
        }
    }
    if plan.read_only {
        builder.place.close().map_err(at("make the new root read-only"))?;
    }
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
    let (Kind::System { source } | Kind::ReadOnly { source } | Kind::Share { source, .. }) = kind else {
        return Ok(None);
    };
    let place = Opening::of(source)?;
    let is_directory = FileType::from_raw_mode(place.stat.st_mode).is_dir();
    let (tree, layered) = match kind {
        Kind::Share { access, .. } => (place.share(*access, identities)?, None),
        Kind::System { .. } => place.system(identities)?,
        _ => (place.read_only()?, None),
    };
    Ok(Some(Opened { tree, is_directory, layered: layered.filter(|_| is_directory) }))
}

/// What lies at a path of the host's: opened once, so that what is looked at is what is shown, whatever is exchanged there.
struct Opening<'a> {
    source: &'a Path,
    place: OwnedFd,
    stat: Stat,
}

impl Opening<'_> {
    fn of(source: &Path) -> Result<Opening<'_>, Failure> {
        let place = stage::host(source).map_err(on("bind", source))?;
        let stat = rustix::fs::fstat(&place).map_err(on("look at", source))?;
        Ok(Opening { source, place, stat })
    }

    fn owner(&self) -> Pair {
        Pair { uid: self.stat.st_uid, gid: self.stat.st_gid }
    }

    /// A read-only copy without a map: nobody inside owns anything in it, so that only what everyone may read can be read.
    fn read_only(&self) -> Result<OwnedFd, Failure> {
        let attributes = u64::from((QUIET | MountAttrFlags::MOUNT_ATTR_RDONLY).bits());
        let tree = stage::copy(self.place.as_fd()).map_err(on("bind", self.source))?;
        sys::set_tree_attributes(tree.as_fd(), attributes, None).map_err(on("bind", self.source))?;
        Ok(tree)
    }

    /// A read-only copy; and how to lay a layer upon it, where its owner is somebody inside.
    fn system(&self, identities: &Identities) -> Result<(OwnedFd, Option<Top>), Failure> {
        let failed = || on("bind", self.source);
        let attributes = u64::from((QUIET | MountAttrFlags::MOUNT_ATTR_RDONLY).bits());
        let tree = stage::copy(self.place.as_fd()).map_err(failed())?;
        // A file system that can't map ids still shows what everyone may read.
        let mapped = match identities.system_map() {
            Some(map) => sys::set_tree_attributes(tree.as_fd(), attributes, Some(map)).is_ok(),
            None => false,
        };
        if !mapped {
            sys::set_tree_attributes(tree.as_fd(), attributes, None).map_err(failed())?;
        }
        let known = (mapped || identities.is_own()) && identities.is_mapped(self.owner());
        let top = Top { owner: identities.on_disk(self.owner()), mode: self.stat.st_mode & 0o7777 };
        Ok((tree, known.then_some(top)))
    }

    fn share(&self, access: Access, identities: &Identities) -> Result<OwnedFd, Failure> {
        let read_only = match access {
            Access::ReadOnly => MountAttrFlags::MOUNT_ATTR_RDONLY,
            Access::ReadWrite => MountAttrFlags::empty(),
        };
        let attributes = u64::from((QUIET | read_only).bits());
        let map = identities.share_map(self.owner());
        let tree = stage::copy(self.place.as_fd()).map_err(on("bind", self.source))?;
        if sys::set_tree_attributes(tree.as_fd(), attributes, map).is_ok() {
            return Ok(tree);
        }
        // Something mounted within it may be what can't map ids: it is left out then.
        let tree = stage::copy_alone(self.place.as_fd()).map_err(on("bind", self.source))?;
        sys::set_tree_attributes(tree.as_fd(), attributes, map).map_err(|error| unmappable(self.source, &error))?;
        Ok(tree)
    }
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

/// What the root is an overlay of.
struct Below {
    /// The layers, the topmost first.
    trees: Vec<OwnedFd>,
    /// What `/` looks like.
    top: Top,
    /// Where changes are kept.
    kept: Option<OwnedFd>,
}

/// None for a tmpfs.
fn open_root(plan: &MountPlan, identities: &Identities) -> Result<Option<Below>, Failure> {
    let Root::Overlay { layers, like, kept } = &plan.root else { return Ok(None) };
    let open = |layer: &PathBuf| {
        let (tree, top) = Opening::of(layer)?.system(identities)?;
        let top = top.ok_or_else(|| Failure {
            code: 125,
            what: format!("cannot use {}: its owner has no id inside", layer.display()),
            hint: Some("unpack the image as the user who runs it, on a file system that can map ids".into()),
        })?;
        Ok((tree, top))
    };
    let (trees, tops): (Vec<OwnedFd>, Vec<Top>) =
        layers.iter().map(open).collect::<Result<Vec<_>, Failure>>()?.into_iter().unzip();
    let top = tops.into_iter().nth(*like).ok_or(io::ErrorKind::InvalidData).map_err(at("make the new root"))?;
    let kept = kept.as_deref().map(open_kept).transpose()?;
    Ok(Some(Below { trees, top, kept }))
}

/// A copy without a map: in it each bottle that goes on with it has the same ids.
fn open_kept(directory: &Path) -> Result<OwnedFd, Failure> {
    let tree = stage::host(directory).and_then(|place| stage::copy_alone(place.as_fd()));
    let tree = tree.map_err(on("bind", directory))?;
    sys::set_tree_attributes(tree.as_fd(), u64::from(QUIET.bits()), None).map_err(on("bind", directory))?;
    Ok(tree)
}

/// The root itself, attached on the stage.
fn make_root(below: Option<Below>, identities: &Identities) -> Result<OwnedFd, Failure> {
    let is_kept = below.as_ref().is_some_and(|below| below.kept.is_some());
    let root = match below {
        Some(below) => overlay(0, &below.trees, &below.top, below.kept.as_ref(), identities),
        None => {
            let root = stage::make("tmpfs", &[("mode", "0755")], QUIET);
            root.and_then(|root| {
                stage::give(root.as_fd(), identities.outside(Owner::Root))?;
                Ok(root)
            })
        }
    };
    let root = root.map_err(at("make the new root")).map_err(|failure| match is_kept {
        true => Failure { hint: Some(KEEPABLE.into()), ..failure },
        false => failure,
    })?;
    stage::attach(root.as_fd(), rustix::fs::CWD, Path::new("root")).map_err(at("place the new root"))?;
    Ok(root)
}

/// What a layer can be kept on.
const KEEPABLE: &str = "set BOTTLE_ROOT to a directory on ext4, xfs or btrfs: other file systems can't keep a layer";

/// An overlay upon trees, the topmost first, which are attached below `lower` for it. Changes are kept where that is said, else
/// they are thrown away.
fn overlay(
    number: u32,
    trees: &[OwnedFd],
    top: &Top,
    kept: Option<&OwnedFd>,
    identities: &Identities,
) -> io::Result<OwnedFd> {
    use rustix::fs::CWD;
    let layer = format!("layers/{number}");
    let lower: Vec<String> = (0..trees.len()).map(|at| format!("lower/{number}.{at}")).collect();
    for directory in [&layer].into_iter().chain(&lower) {
        mkdir(directory, PLAIN)?;
    }
    if let Some(kept) = kept {
        stage::attach(kept.as_fd(), CWD, Path::new(&layer))?;
    }
    let (upper, work) = (upper(&layer, top)?, format!("{layer}/work"));
    match mkdir(&work, PLAIN) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    for (tree, place) in trees.iter().zip(&lower) {
        stage::attach(tree.as_fd(), CWD, Path::new(place))?;
    }
    let mut options = vec![("upperdir", upper.as_str()), ("workdir", &work)];
    if identities.is_own() {
        options.push(("userxattr", ""));
    }
    let one_by_one = lower.iter().map(|lower| ("lowerdir+", lower.as_str())).chain(options.iter().copied());
    match stage::make("overlay", &one_by_one.collect::<Vec<_>>(), QUIET) {
        // Linux before 6.8 takes them in one word, of at most 255 bytes.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            let joined = lower.join(":");
            options.push(("lowerdir", &joined));
            stage::make("overlay", &options, QUIET)
        }
        made => made,
    }
}

/// The upper directory, which looks like what it covers when it begins. It has its name only then: whoever is killed
/// meanwhile leaves none.
fn upper(layer: &str, top: &Top) -> io::Result<String> {
    let (upper, begun) = (format!("{layer}/upper"), format!("{layer}/begun"));
    let directory = match stage::resolve(rustix::fs::CWD, Path::new(&upper), ResolveFlags::empty()) {
        Ok(_) => return Ok(upper),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => match mkdir(&begun, PLAIN) {
            Ok(()) | Err(Errno::EXIST) => stage::resolve(rustix::fs::CWD, Path::new(&begun), ResolveFlags::empty())?,
            Err(error) => return Err(error.into()),
        },
    };
    stage::give(directory.as_fd(), top.owner)?;
    rustix::fs::chmod(&begun, Mode::from_raw_mode(top.mode))?;
    rustix::fs::rename(&begun, &upper)?;
    Ok(upper)
}

struct Builder<'a> {
    place: Place<'a>,
    identities: &'a Identities,
    read_only: bool,
    layers: u32,
}

impl Builder<'_> {
    fn put(&mut self, target: &Path, kind: &Kind, opened: Option<Opened>) -> Result<(), Failure> {
        let failed = || on("put in place", target);
        match (kind, opened) {
            (Kind::Directory { mode, owner }, _) => self.place.directory(target, *mode, *owner),
            (Kind::Tmpfs { mode, owner, size, exec }, _) => self.put_tmpfs(target, *mode, *owner, *size, *exec),
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
        let Some(top) = opened.layered.as_ref().filter(|_| !self.read_only) else {
            return self.place.mount(target, &opened.tree, opened.is_directory);
        };
        let number = self.layers;
        self.layers += 1;
        let tree = std::slice::from_ref(&opened.tree);
        match overlay(number, tree, top, None, self.identities) {
            Ok(layered) => self.place.mount(target, &layered, true),
            Err(_) => self.place.mount(target, &stage::copy(opened.tree.as_fd())?, true),
        }
    }

    fn put_tmpfs(&mut self, target: &Path, mode: u32, owner: Owner, size: Option<u64>, exec: bool) -> io::Result<()> {
        let (mode, size) = (format!("{mode:o}"), size.map(|size| size.to_string()));
        let options = [("mode", mode.as_str())].into_iter().chain(size.as_deref().map(|size| ("size", size)));
        let attributes = if exec { QUIET } else { QUIET | MountAttrFlags::MOUNT_ATTR_NOEXEC };
        let tree = stage::make("tmpfs", &options.collect::<Vec<_>>(), attributes)?;
        stage::give(tree.as_fd(), self.identities.outside(owner))?;
        self.place.mount(target, &tree, true)
    }
}

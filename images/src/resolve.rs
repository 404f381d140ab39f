//! What does this image mean on this host, for this caller?

use std::io;
use std::path::PathBuf;

use crate::accounts::AccountError;
use crate::config::NoCommand;
use crate::contains::ContainsError;
use crate::context::{Context, Place};
use crate::id_map::IdMap;
use crate::image::{Image, ImageError};
use crate::plan::MountPlan;
use crate::reference::ImageRef;
use crate::scan::ScanError;
use crate::store::{Store, StoreError};
use crate::unpack::UnpackError;
use crate::unpacked::Unpacked;
use crate::{Digest, directory, environment, host, read_only, stored};

/// Why an image can't be had. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The working directory would open too much.
    #[error("the working directory {} can't be shared: it {why}", path.display())]
    TooWide {
        /// The directory, canonical.
        path: PathBuf,
        /// What it is or holds.
        why: &'static str,
    },
    /// A path does not exist or can't be looked at.
    #[error("cannot use the {what} {}", path.display())]
    Path {
        /// What it was to be.
        what: &'static str,
        /// The path as given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A path is in the workload's hands.
    #[error("the {what} {} leads through a link in {}, which the workload can write", path.display(), tree.display())]
    Led {
        /// What it was to be.
        what: &'static str,
        /// The path as given.
        path: PathBuf,
        /// In which shared tree.
        tree: PathBuf,
    },
    /// The working directory was exchanged for a link.
    #[error("a link has come into the way to the working directory {}", path.display())]
    Moved {
        /// The path as the kernel said it.
        path: PathBuf,
    },
    /// Whether the workload has a hand in a path can't be told.
    #[error(transparent)]
    Contains(#[from] ContainsError),
    /// A tree that should be shared can't be looked through.
    #[error("a shared directory can't be checked for sockets and repositories")]
    Scan(#[from] ScanError),
    /// A path is no UTF-8, so that no plan can name it.
    #[error("the path {} is not UTF-8", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// The store of images can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An image in the store can't be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// It can't be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The user is nobody inside.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// There is nothing to execute.
    #[error(transparent)]
    NoCommand(#[from] NoCommand),
    /// It has no layers.
    #[error("the image has no files")]
    Empty,
    /// The image was named, and not brought into the store.
    #[error("the image {0:?} is not in the store")]
    NotStored(String),
    /// `-u` where nobody else can be.
    #[error("-u {asked}: in `host` and `dir:` the command runs as the caller, who is {uid}:{gid} inside")]
    OnlyCaller {
        /// As given.
        asked: String,
        /// The caller's.
        uid: u32,
        /// The caller's.
        gid: u32,
    },
    /// `-w` is no absolute path.
    #[error("the working directory {} is not a plain absolute path", path.display())]
    Workdir {
        /// As given.
        path: PathBuf,
    },
}

impl ResolveError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let said = match self {
            ResolveError::NotStored(_) => Some("pull or load it first, and give the digest of its manifest"),
            ResolveError::Empty => Some("an image that holds anything has a layer; is it the one that was meant?"),
            ResolveError::Store(error) => return error.hint(),
            ResolveError::Image(error) => return error.hint(),
            ResolveError::Unpack(error) => return error.hint(),
            ResolveError::NoCommand(error) => Some(error.hint()),
            ResolveError::OnlyCaller { .. } => {
                Some("leave it out: -u names a user of an image from a registry or file")
            }
            ResolveError::Account(_) => Some("`-u` names another: a name of the image's /etc/passwd, or UID:GID"),
            ResolveError::TooWide { .. } => Some("run bottle in the directory of one project"),
            ResolveError::Path { what: "volume", source, .. } if source.kind() == io::ErrorKind::NotFound => Some(
                "it must exist on this machine; a relative path begins in the working directory, and volumes have no names",
            ),
            ResolveError::Path { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("it must exist on this machine; a relative path begins in the working directory")
            }
            ResolveError::Path { .. } | ResolveError::Contains(_) => None,
            ResolveError::Led { .. } => {
                Some("an earlier run may have laid the link; if it is yours, name what it leads to")
            }
            ResolveError::Moved { .. } => Some("something exchanges directories there; cd to it again if it is yours"),
            ResolveError::Scan(ScanError::TooManyDoors { .. }) => Some(
                "remove those that nobody needs: `find DIR -type p -delete` for FIFOs, `-type s` for sockets; chmod u+rwx \
                 opens your directories",
            ),
            ResolveError::Scan(ScanError::Kernels { .. }) => {
                Some("copy what is needed of it to a file; the bottle has a /proc, /sys and /dev of its own")
            }
            ResolveError::Scan(ScanError::TooLarge { .. }) => Some("share a smaller directory"),
            ResolveError::Scan(ScanError::TooDeep { .. }) => Some("move or remove it, or share another directory"),
            ResolveError::Scan(ScanError::Unreadable { .. }) => Some("chmod u+rwx it, or share another directory"),
            ResolveError::NotUtf8 { .. } => Some("rename it, or share another directory"),
            ResolveError::Workdir { .. } => Some("give -w an absolute path inside the bottle"),
        };
        said.map(str::to_owned)
    }
}

/// An image that can be run.
#[derive(Debug)]
pub struct Resolved {
    /// Its files, user and environment.
    pub plan: MountPlan,
    /// What is executed; never empty.
    pub command: Vec<String>,
    /// By which signal it wants to be asked to end, where it says so.
    pub stop_signal: Option<String>,
    /// The digest of its manifest, where it has one.
    pub manifest: Option<Digest>,
    /// Keeps its layers in the store.
    pub held: Option<Unpacked>,
    /// Whose ids its files have, where an ordinary user has several.
    pub ids: Option<IdMap>,
}

/// Looks at the host and plans the root file system. An image in the store is unpacked if it is not yet.
///
/// # Errors
/// [`ResolveError`] when the image, the working directory or a volume can't be used.
pub fn resolve(image: &ImageRef, context: &Context) -> Result<Resolved, ResolveError> {
    let asked: Vec<String> = context.entrypoint.iter().filter(|program| !program.is_empty()).cloned().collect();
    let asked = [&asked[..], &context.command].concat();
    let or = |command: String| if asked.is_empty() { vec![command] } else { asked.clone() };
    let mut resolved = match image {
        ImageRef::Host => {
            let plan = host::plan(context)?;
            environment::nobody_else(context, &plan.user)?;
            let command = or(plan.user.shell.to_string_lossy().into_owned());
            Resolved { plan, command, stop_signal: None, manifest: None, held: None, ids: None }
        }
        ImageRef::Directory(path) => {
            let plan = directory::plan(path, context)?;
            environment::nobody_else(context, &plan.user)?;
            let command = or("/bin/sh".into());
            Resolved { plan, command, stop_signal: None, manifest: None, held: None, ids: None }
        }
        ImageRef::Manifest(manifest) => from_store(*manifest, context)?,
        ImageRef::Stored(source) => return Err(ResolveError::NotStored(source.to_string())),
    };
    let plan = &mut resolved.plan;
    if context.read_only {
        read_only::close(plan);
    }
    match plan.mounts.iter().find(|mount| mount.target.to_str().is_none()) {
        Some(mount) => Err(ResolveError::NotUtf8 { path: mount.target.clone() }),
        None => Ok(resolved),
    }
}

fn from_store(manifest: Digest, context: &Context) -> Result<Resolved, ResolveError> {
    let store = Store::open(&context.store)?;
    let image = Image::read(&store, manifest)?;
    if image.layers().is_empty() {
        return Err(ResolveError::Empty);
    }
    let (unpacked, place) = unpacked(&store, &image, context)?;
    let mut plan = stored::plan(&unpacked, image.config(), context)?;
    plan.warnings.extend(unpacked.notes().iter().cloned());
    let command = image.config().command(context.entrypoint.as_deref(), &context.command)?;
    let stop_signal = image.config().stop_signal.clone();
    let ids = context.ids.map(place);
    Ok(Resolved { plan, command, stop_signal, manifest: Some(manifest), held: Some(unpacked), ids })
}

/// The image's layers with their owners, and which of those is the caller. Where that is to be the image's user, layers are
/// needed to look it up.
fn unpacked(store: &Store, image: &Image, context: &Context) -> Result<(Unpacked, (u32, u32)), ResolveError> {
    let unpack = |place| context.ids.unpack(store, image, place, &|_| {});
    let is_users = match context.place {
        Place::Known(place) => return Ok((unpack(place)?, place)),
        Place::User => true,
        Place::UserWhereShared => !context.volumes.is_empty(),
    };
    let unpacked = unpack(ROOT)?;
    let user = stored::user(&unpacked, image.config(), context)?;
    match (user.uid, user.gid) {
        place if is_users && place != ROOT => Ok((unpack(place)?, place)),
        _ => Ok((unpacked, ROOT)),
    }
}

/// As docker and podman have it: the caller is 0 inside.
const ROOT: (u32, u32) = (0, 0);

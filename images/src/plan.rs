//! What is a root file system made of, before anything is mounted?

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::etc;
use crate::mountinfo::{self, MountPoint};

/// All that a workload sees of files, and the environment that goes with it. Every path is UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountPlan {
    /// What lies at `/` to begin with.
    pub root: Root,
    /// Whether nothing can be changed in the root itself: only in what is mounted there.
    pub read_only: bool,
    /// What is put there, in this order: a later one may lie upon or within an earlier one.
    pub mounts: Vec<Mount>,
    /// Who the workload is inside.
    pub user: User,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// The working directory inside.
    pub workdir: PathBuf,
    /// Host directories and files that the workload can write, canonical.
    pub writable: Vec<PathBuf>,
    /// What a person should be told before the run: sentences.
    pub warnings: Vec<String>,
}

/// What the root starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Root {
    /// An empty tmpfs.
    Tmpfs,
    /// Host directories as the lower layers of an overlay.
    Overlay {
        /// The directories, canonical, the topmost first; never empty.
        layers: Vec<PathBuf>,
        /// Which of them has the owner and the mode of `/`.
        like: usize,
        /// A directory of the host's that keeps what is changed, canonical; without one it vanishes with the bottle.
        kept: Option<PathBuf>,
    },
}

/// One thing at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// Where it goes: an absolute path inside.
    pub target: PathBuf,
    /// What it is.
    pub kind: Kind,
}

/// What is put at a place. Missing parent directories are made, 0755. Every bind is nosuid and nodev.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Kind {
    /// A directory of the root itself.
    Directory {
        /// Its permission bits.
        mode: u32,
        /// Whose it is.
        owner: Owner,
    },
    /// An empty tmpfs of its own.
    Tmpfs {
        /// Its permission bits.
        mode: u32,
        /// Whose it is.
        owner: Owner,
        /// How many bytes it may hold; the kernel's default is half of the memory.
        size: Option<u64>,
        /// Whether programs can be executed there.
        exec: bool,
    },
    /// A symbolic link.
    Symlink {
        /// What it says.
        to: PathBuf,
    },
    /// A file that bottle writes, 0644; it replaces what the root has there.
    File {
        /// What it says.
        text: String,
    },
    /// A tree of the caller's programs under an overlay whose changes vanish, where the kernel and the ids allow one; else read-only.
    System {
        /// The host directory, canonical.
        source: PathBuf,
    },
    /// A host file or directory, read-only, nothing upon it, and nothing in it the workload's own.
    ReadOnly {
        /// The host path, canonical.
        source: PathBuf,
    },
    /// A host file or directory that is shared: what its owner owns is the workload's own inside.
    Share {
        /// The host path, canonical.
        source: PathBuf,
        /// Whether the workload may change it.
        access: Access,
    },
    /// What lies at the target becomes a mount of its own, so that it can be neither renamed, replaced nor removed.
    Pin {
        /// Whether the workload may change what it holds.
        access: Access,
    },
    /// As `Pin`, read-only, for a directory that is made where it is missing.
    PinDirectory,
    /// As `Pin`, read-only, for a file that is made with this text where it is missing and the workload could make it.
    PinFile {
        /// What a missing one is to say.
        text: String,
    },
    /// An empty, unreadable file lies over the file, socket or FIFO at the target.
    MaskFile,
    /// An empty, read-only directory lies over the one at the target.
    MaskDirectory,
    /// A fresh /proc, masked and with its switches read-only.
    Proc,
    /// A fresh, read-only, masked /sys.
    Sysfs,
    /// The few devices that every program expects, a pts instance and a shm of its own.
    Devices,
}

/// Whether a shared tree may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Only read.
    ReadOnly,
    /// Read and written.
    ReadWrite,
}

/// Whose a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// uid 0 inside where there is one, else the workload's.
    Root,
    /// The workload's.
    User,
}

/// An entry of passwd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The uid inside: the number that the caller has outside.
    pub uid: u32,
    /// The gid inside, likewise.
    pub gid: u32,
    /// The login name.
    pub name: String,
    /// The home directory inside.
    pub home: PathBuf,
    /// The login shell.
    pub shell: PathBuf,
}

/// What of a plan is the same in each run of one image by one caller in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image<'a> {
    root: &'a Root,
    read_only: bool,
    mounts: Vec<&'a Mount>,
    user: &'a User,
    workdir: &'a Path,
    writable: &'a [PathBuf],
}

impl MountPlan {
    /// The plan without the environment, and without the files that name the run.
    pub fn image(&self) -> Image<'_> {
        let names_the_run = |mount: &&Mount| etc::OF_THE_RUN.iter().any(|path| mount.target == Path::new(path));
        Image {
            root: &self.root,
            read_only: self.read_only,
            mounts: self.mounts.iter().filter(|mount| !names_the_run(mount)).collect(),
            user: &self.user,
            workdir: &self.workdir,
            writable: &self.writable,
        }
    }
}

impl Kind {
    /// A tree of programs. An overlay shows one file system only, so that a tree with others mounted in it is bound.
    pub(crate) fn system(source: PathBuf, mounted: &[MountPoint]) -> Kind {
        let whole = mountinfo::below(mounted, &source).next().is_none();
        if whole { Kind::System { source } } else { Kind::ReadOnly { source } }
    }
}

impl Mount {
    /// One thing at one place.
    pub fn new(target: impl AsRef<Path>, kind: Kind) -> Mount {
        Mount { target: target.as_ref().to_owned(), kind }
    }
}

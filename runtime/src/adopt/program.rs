//! Which program will a container execute, and what is it, before its root has become its root?

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use bottle_evidence::Digest;
use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::Container;
use crate::{digest, thread};

/// Where an engine looks if the container's PATH says nothing.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program as the container will see it.
#[derive(Debug)]
pub struct InsideFile {
    path: PathBuf,
    file: File,
}

/// The same while a thread hashes it. It is not held open after that, or the engine could not take the container's files apart.
#[derive(Debug)]
pub(crate) struct HashedFile {
    path: PathBuf,
    hashing: Mutex<Option<JoinHandle<io::Result<Digest>>>>,
}

/// Why the program was not found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The container's root can't be opened.
    #[error("cannot open the container's root {}", path.display())]
    Root {
        /// Where it is.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Nothing by this name can be executed.
    #[error("the container has no program {0:?}")]
    Missing(String),
    /// It can't be hashed.
    #[error("cannot hash the container's program {}", path.display())]
    Hash {
        /// Where it is, inside.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl InsideFile {
    /// The program that `name` means inside. `root` is where the engine has put the container's root, as the container's first
    /// process sees it, and `path` the PATH of what it will execute.
    ///
    /// # Errors
    /// [`FindError`]
    pub fn find(
        container: &Container,
        root: &Path,
        name: &str,
        cwd: &Path,
        path: Option<&str>,
    ) -> Result<InsideFile, FindError> {
        let root = opened(container, root).map_err(|source| FindError::Root { path: root.to_owned(), source })?;
        let candidates: Vec<PathBuf> = match name.contains('/') {
            true => vec![cwd.join(name)],
            false => path.unwrap_or(PATH).split(':').map(|directory| cwd.join(directory).join(name)).collect(),
        };
        let found = candidates.into_iter().find_map(|path| Some((open_executable(&root, &path)?, path)));
        let (file, path) = found.ok_or_else(|| FindError::Missing(name.to_owned()))?;
        Ok(InsideFile { path, file })
    }

    /// Begins to hash it: when nobody waits for what comes next, since the thread may get that one's processor.
    pub(crate) fn hash(self) -> Result<HashedFile, FindError> {
        let InsideFile { path, file } = self;
        match thread::begin(move || digest::of_file(&file)) {
            Ok(hashing) => Ok(HashedFile { path, hashing: Mutex::new(Some(hashing)) }),
            Err(source) => Err(FindError::Hash { path, source }),
        }
    }
}

impl HashedFile {
    /// Its path inside.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for it. It is told once.
    pub(crate) fn digest(&self) -> io::Result<Digest> {
        let hashing = self.hashing.lock().unwrap_or_else(PoisonError::into_inner).take();
        let hashing = hashing.ok_or(io::ErrorKind::NotFound)?;
        hashing.join().unwrap_or_else(|_| Err(io::Error::other("the hashing thread broke")))
    }
}

/// The container's root. Before the engine has changed to it, it is a directory of the root that its runtime has.
fn opened(container: &Container, root: &Path) -> io::Result<File> {
    let own = format!("/proc/{}/root", container.pid());
    let identity = |path: &str| std::fs::metadata(path).map(|file| (file.dev(), file.ino()));
    if identity(&own)? != identity("/")? {
        return File::open(own);
    }
    let below: PathBuf = root.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    File::open(Path::new(&own).join(below))
}

fn open_executable(root: &File, path: &Path) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT).ok()?;
    let file = File::from(file);
    let metadata = file.metadata().ok()?;
    (metadata.is_file() && metadata.mode() & 0o111 != 0).then_some(file)
}

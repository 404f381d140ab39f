//! Which program will a container execute, and what is it, before its root has become its root?

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use bottle_evidence::Digest;
use rustix::fs::{Mode, OFlags, ResolveFlags, StatVfsMountFlags};

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
    /// One of two, and runtimes differ in which.
    #[error(
        "the container's program is {} or {}: not everybody may execute the first, or there is no PATH",
        first.display(),
        other.display()
    )]
    Ambiguous {
        /// What is found first, inside.
        first: PathBuf,
        /// What is found after it.
        other: PathBuf,
    },
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
        let root = opened(container.pid(), root).map_err(|source| FindError::Root { path: root.to_owned(), source })?;
        let (path, file) = chosen(&root, name, cwd, path)?;
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

/// The container's root, as a directory that its first process has.
fn opened(pid: u32, root: &Path) -> io::Result<File> {
    let own = PathBuf::from(format!("/proc/{pid}/root"));
    let place = root_of(pid, root)?;
    let below: PathBuf = place.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    // No link of it may lead anywhere else by now, and least of all out of that root.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let own = rustix::fs::open(own, flags, Mode::empty())?;
    let below = if below.as_os_str().is_empty() { Path::new(".") } else { below.as_path() };
    Ok(rustix::fs::openat2(own, below, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?.into())
}

/// Where the first process of a container sees the container's root: before the engine has changed to it, `root` in the root that its runtime has.
pub(crate) fn root_of(pid: u32, root: &Path) -> io::Result<PathBuf> {
    let identity = |path: &str| std::fs::metadata(path).map(|file| (file.dev(), file.ino()));
    let is_changed = identity(&format!("/proc/{pid}/root"))? != identity("/")?;
    Ok(if is_changed { "/".into() } else { root.to_owned() })
}

/// What every runtime executes by this name, or nothing where they could differ.
fn chosen(root: &File, name: &str, cwd: &Path, path: Option<&str>) -> Result<(PathBuf, File), FindError> {
    let candidates: Vec<PathBuf> = match name.contains('/') {
        true => vec![cwd.join(name)],
        false => path.unwrap_or(PATH).split(':').map(|directory| cwd.join(directory).join(name)).collect(),
    };
    let mut found = candidates.into_iter().filter_map(|path| Some((open_executable(root, &path)?, path)));
    let (first, place) = found.next().ok_or_else(|| FindError::Missing(name.to_owned()))?;
    match found.find(|(other, _)| other.identity != first.identity) {
        // Without a PATH each runtime has a list of its own.
        Some((_, other)) if !first.certain || path.is_none() => Err(FindError::Ambiguous { first: place, other }),
        _ => Ok((place, first.file)),
    }
}

/// What a runtime may take for the program.
struct Candidate {
    file: File,
    /// Whether every runtime does: some look for any right to execute it, others whether its user has it.
    certain: bool,
    identity: (u64, u64),
}

fn open_executable(root: &File, path: &Path) -> Option<Candidate> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT).ok()?;
    let file = File::from(file);
    let metadata = file.metadata().ok()?;
    let right = metadata.mode() & 0o111;
    if !metadata.is_file() || right == 0 {
        return None;
    }
    let closed = rustix::fs::fstatvfs(&file).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NOEXEC));
    Some(Candidate { file, certain: right == 0o111 && !closed, identity: (metadata.dev(), metadata.ino()) })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn found(directory: &Path, path: Option<&str>) -> Result<PathBuf, FindError> {
        chosen(&File::open(directory).unwrap(), "program", Path::new("/"), path).map(|(path, _)| path)
    }

    #[test]
    fn what_some_runtimes_would_pass_over_is_not_taken_where_there_is_another() {
        let root = tempfile::tempdir().unwrap();
        for name in ["one", "two", "usr/bin"] {
            std::fs::create_dir_all(root.path().join(name)).unwrap();
        }
        symlink("usr/bin", root.path().join("bin")).unwrap();
        let put = |name: &str, mode: u32| {
            let file = root.path().join(name).join("program");
            std::fs::write(&file, name).unwrap();
            std::fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
        };
        let both = || found(root.path(), Some("/one:/two"));
        put("two", 0o755);
        put("one", 0o644);
        assert_eq!(both().unwrap(), Path::new("/two/program"));
        for mode in [0o700, 0o754, 0o711 & !0o010] {
            put("one", mode);
            let found = both();
            assert!(
                matches!(&found, Err(FindError::Ambiguous { other, .. }) if other == Path::new("/two/program")),
                "{found:?}"
            );
        }
        put("one", 0o755);
        assert_eq!(both().unwrap(), Path::new("/one/program"));
        put("one", 0o700);
        assert_eq!(found(root.path(), Some("/one:/nowhere")).unwrap(), Path::new("/one/program"));
        // One file by two names is one.
        put("usr/bin", 0o700);
        assert_eq!(found(root.path(), Some("/usr/bin:/bin")).unwrap(), Path::new("/usr/bin/program"));
        assert_eq!(found(root.path(), None).unwrap(), Path::new("/usr/bin/program"));
        std::fs::create_dir_all(root.path().join("sbin")).unwrap();
        put("sbin", 0o755);
        assert!(matches!(found(root.path(), None), Err(FindError::Ambiguous { .. })));
        assert!(matches!(found(root.path(), Some("/nowhere")), Err(FindError::Missing(_))));
    }
}

//! Where is the key that signs, how is it made on first use, and how does another take its place?

mod lease;
mod own;
mod rotate;
mod stored;

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bottle_evidence::key::{KeyError, PublicKey, SigningKey};

use rustix::process::geteuid;

use crate::durable::directory_of;
use crate::tpm::Tpm;
use crate::{bounded, caller, whole};

pub use lease::{Keeper, Lease, hold};
pub use own::{OwnKeys, own};
pub use rotate::{Rotated, mend, rotate};
use stored::Stored;
pub use stored::UnsealError;

/// No key is larger.
const MOST: u64 = 64 << 10;

/// Why a signing key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file could not be read.
    #[error("cannot read the key {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be made.
    #[error("cannot write the key {}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others could have read it.
    #[error("the key {} can be read by others", .0.display())]
    Exposed(PathBuf),
    /// Somebody else can sign with it.
    #[error("the key {} belongs to uid {owner}, who can sign with it too", path.display())]
    Foreign {
        /// Which one.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// The file is no key.
    #[error("{} is not a signing key", path.display())]
    Key {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The public half of another key lies where that of a new one belongs.
    #[error("{} is the public half of another key than {}", public.display(), path.display())]
    OtherHalf {
        /// Where the key is, or was to be made.
        path: PathBuf,
        /// Where the other public half is.
        public: PathBuf,
    },
    /// A TPM does not give it back, or takes none.
    #[error("cannot have the key {} of a TPM", path.display())]
    Tpm {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: UnsealError,
    },
    /// It would outlive its rotation.
    #[error("the key {} has another name as well, under which it would stay", .0.display())]
    Linked(PathBuf),
    /// A file beside the key is called as if it held one that was retired, and is not the key's owner's alone.
    #[error("{} is called as a retired key, and somebody else could have put it there", .0.display())]
    Anothers(PathBuf),
    /// A file beside the key is called as if it held one that was retired.
    #[error("{} is not the retired key that its name says", path.display())]
    Retired {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
}

impl KeyFileError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            KeyFileError::Exposed(_) => Some("make another one with `bottle attest keygen`; this one may be known"),
            KeyFileError::Foreign { .. } => Some("`bottle attest keygen --key FILE` makes one of your own"),
            KeyFileError::Key { .. } => Some("--key takes the private key in PEM (PKCS#8), not the public one"),
            KeyFileError::Tpm { source, .. } => source.hint(),
            KeyFileError::Linked(_) => Some("it is a hard link: remove the others, which `find -samefile` finds"),
            KeyFileError::Retired { .. } => {
                Some("move it away: nothing that is signed by that key verifies without it")
            }
            KeyFileError::Anothers(_) => Some(
                "if it is one of yours, it must belong to the key's owner and be writable by nobody else: chmod 644",
            ),
            KeyFileError::OtherHalf { .. } => Some("move it away if its private key is gone; nothing was made"),
            KeyFileError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("`bottle attest keygen --key FILE` makes one")
            }
            KeyFileError::Read { .. } | KeyFileError::Write { .. } => None,
        }
    }
}

/// Whether a key was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was.
    Found,
    /// It was made now, and its public half beside it.
    Made,
}

/// The key in this file. Where there is none it is made, 0600, with its public half in the file's name ending in `.pub`.
/// An existing file is never written to. Of several that make it at once all have the same in the end. An empty public half
/// is one that a shell has just made, which will write into it what `keygen` prints.
pub fn find_or_make(path: &Path) -> Result<(PublicKey, Origin), KeyFileError> {
    find_or_make_sealed(path, None)
}

/// The same, where a key that is made now is sealed by this TPM, for these PCRs as they are now.
pub fn find_or_make_sealed(path: &Path, seal: Option<(&dyn Tpm, &[u8])>) -> Result<(PublicKey, Origin), KeyFileError> {
    match public(path) {
        Err(KeyFileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        found => return Ok((found?, Origin::Found)),
    }
    let half = public_file(path);
    let public_metadata = half.symlink_metadata();
    let awaited = public_metadata.as_ref().is_ok_and(|file| file.is_file() && file.len() == 0);
    if public_metadata.is_ok() && !awaited {
        // Of a key that was made since, or of an older one.
        let made = public(path).map(|key| (key, Origin::Found));
        return made.map_err(|_| KeyFileError::OtherHalf { path: path.to_owned(), public: half });
    }
    let key = SigningKey::generate().map_err(|source| KeyFileError::Key { path: path.to_owned(), source })?;
    let written = |path: &Path, text: &str, mode| {
        write_new(path, text.as_bytes(), mode).map_err(|source| KeyFileError::Write { path: path.to_owned(), source })
    };
    match written(path, &text_of(path, &key, seal)?, 0o600) {
        Err(KeyFileError::Write { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
            return Ok((public(path)?, Origin::Found));
        }
        written => written?,
    }
    if !awaited {
        written(&half, &key.public().to_pem(), 0o644)?;
    }
    Ok((key.public().clone(), Origin::Made))
}

/// The key in this file, which this TPM may have to give back.
pub fn read(path: &Path, tpm: Option<&dyn Tpm>) -> Result<SigningKey, KeyFileError> {
    unsealed(stored(&open(path)?, path)?, path, tpm)
}

/// The public half of the key in this file. No TPM is asked.
pub fn public(path: &Path) -> Result<PublicKey, KeyFileError> {
    Ok(stored(&open(path)?, path)?.public().clone())
}

/// For which PCRs a TPM keeps the key in this file, if one does.
pub fn sealed_for(path: &Path) -> Result<Option<Vec<u8>>, KeyFileError> {
    Ok(stored(&open(path)?, path)?.pcrs().map(<[u8]>::to_vec))
}

fn unsealed(stored: Stored, path: &Path, tpm: Option<&dyn Tpm>) -> Result<SigningKey, KeyFileError> {
    stored.unsealed(tpm).map_err(|source| KeyFileError::Tpm { path: path.to_owned(), source })
}

/// What is written for this key.
fn text_of(path: &Path, key: &SigningKey, seal: Option<(&dyn Tpm, &[u8])>) -> Result<String, KeyFileError> {
    Stored::text_of(key, seal).map_err(|source| KeyFileError::Tpm { path: path.to_owned(), source })
}

/// The key of the names' addresses: the same in each run under one signing key, and telling nothing of it.
pub(crate) fn lease_key(signing: &SigningKey) -> [u8; 32] {
    let message = signing.sign(b"bottle lease key v1");
    bottle_evidence::sha256(&message).0
}

/// Where the public half of a key is written.
pub fn public_file(path: &Path) -> PathBuf {
    path.with_extension("pub")
}

fn failed(path: &Path) -> impl Fn(io::Error) -> KeyFileError {
    move |source| KeyFileError::Read { path: path.to_owned(), source }
}

/// The file, if nobody else can read it but who has become root to run this.
fn open(path: &Path) -> Result<File, KeyFileError> {
    let failed = failed(path);
    // A FIFO that nobody writes would be waited for.
    let waits_for_nobody = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = File::options().read(true).custom_flags(waits_for_nobody).open(path).map_err(&failed)?;
    let metadata = file.metadata().map_err(&failed)?;
    if !metadata.is_file() {
        return Err(failed(io::Error::other("it is no regular file")));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(KeyFileError::Exposed(path.to_owned()));
    }
    match metadata.uid() {
        owner if is_own(owner, geteuid().as_raw(), caller::became_root()) => Ok(file),
        owner => Err(KeyFileError::Foreign { path: path.to_owned(), owner }),
    }
}

/// Whether what this user signs with the key of that one is its own word.
fn is_own(owner: u32, user: u32, became_root: Option<u32>) -> bool {
    owner == user || became_root == Some(owner)
}

fn stored(file: &File, path: &Path) -> Result<Stored, KeyFileError> {
    let pem = bounded::read_from(file, MOST).map_err(failed(path))?;
    let pem = String::from_utf8_lossy(&pem);
    Stored::read(&pem).map_err(|source| KeyFileError::Key { path: path.to_owned(), source })
}

/// Nobody ever sees half a key, and whoever comes second fails.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let directory = directory_of(path);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let directory = File::open(directory)?;
    let Some(mut file) = whole::nameless(&directory, mode)? else {
        return write_renamed(path, bytes, mode);
    };
    file.write_all(bytes).and_then(|()| file.sync_all())?;
    whole::name(&file, &directory, path.file_name().ok_or(io::ErrorKind::InvalidInput)?)
}

/// Where every file has a name: under another one first.
fn write_renamed(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut unfinished = path.to_owned().into_os_string();
    unfinished.push(format!(".{}", std::process::id()));
    let mut file = File::options().write(true).create_new(true).mode(mode).open(&unfinished)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&unfinished, path));
    let removed = fs::remove_file(&unfinished);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_closed_to_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys/bottle.key");
        let (made, origin) = find_or_make(&path).unwrap();
        assert_eq!(origin, Origin::Made);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let (found, origin) = find_or_make(&path).unwrap();
        assert_eq!((found.id(), origin), (made.id(), Origin::Found));
    }

    #[test]
    fn a_key_is_its_owners_and_that_of_the_root_that_its_owner_became() {
        assert!(is_own(1000, 1000, None) && is_own(0, 0, Some(1000)) && is_own(1000, 0, Some(1000)));
        assert!(!is_own(1000, 0, None) && !is_own(1000, 0, Some(1001)) && !is_own(0, 1000, None));
    }

    #[test]
    fn those_who_make_a_key_at_once_have_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys/bottle.key");
        let barrier = std::sync::Barrier::new(8);
        let ids: Vec<String> = std::thread::scope(|scope| {
            let make = || {
                barrier.wait();
                find_or_make(&path).unwrap().0.id().to_string()
            };
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let names = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(names, 2, "the key and its public half");
    }

    #[test]
    fn whoever_comes_second_fails_where_every_file_has_a_name_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bottle.key");
        write_renamed(&path, b"one", 0o600).unwrap();
        assert_eq!(write_renamed(&path, b"two", 0o600).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((fs::read(&path).unwrap(), fs::read_dir(&directory).unwrap().count()), (b"one".to_vec(), 1));
    }

    #[test]
    fn the_public_half_of_an_older_key_is_not_left_beside_a_new_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bottle.key");
        find_or_make(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let error = find_or_make(&path).err().unwrap();
        assert!(matches!(error, KeyFileError::OtherHalf { .. }) && error.hint().is_some(), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn an_empty_public_half_is_the_redirected_output_of_whoever_makes_the_key() {
        let directory = tempfile::tempdir().unwrap();
        let (path, public) = (directory.path().join("bottle.key"), directory.path().join("bottle.pub"));
        fs::write(&public, "").unwrap();
        assert_eq!(find_or_make(&path).unwrap().1, Origin::Made);
        assert_eq!(fs::read(&public).unwrap(), b"");
    }

    #[test]
    fn a_key_that_others_could_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bottle.key");
        find_or_make(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(find_or_make(&path), Err(KeyFileError::Exposed(_))));
    }

    #[test]
    fn a_file_that_is_no_key_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bottle.key");
        fs::write(&path, "notes").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(find_or_make(&path), Err(KeyFileError::Key { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "notes");
    }
}

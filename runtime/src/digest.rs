//! What is the SHA-256 of a file that may be large?

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bottle_evidence::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Longer than the ticks by which any file system here stamps a change.
const SETTLED: Duration = Duration::from_secs(2);

/// How much is read at once: more costs pages, of which each is made when it is first written to.
const ROOM: usize = 64 * 1024;

/// Reads the file from where it stands to its end.
pub(crate) fn of_file(mut file: &File) -> io::Result<Digest> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; ROOM]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest(hash.finalize().into())),
            length => hash.update(&buffer[..length]),
        }
    }
}

/// A digest that was taken ahead of the time when it is needed.
pub struct Ahead {
    version: Version,
    sha256: Digest,
}

impl Ahead {
    /// None of a file that was changed so lately that another change would perhaps not be seen.
    pub(crate) fn of(file: &File) -> io::Result<Option<Ahead>> {
        let version = Version::of(file)?;
        let settled = version.is_settled(SystemTime::now());
        settled.then(|| Ok(Ahead { version, sha256: of_file(file)? })).transpose()
    }

    /// The digest, if this is the same file and nobody has changed it since. Who could change it unseen between the two
    /// could do so after any measurement, too.
    pub(crate) fn holds_for(&self, file: &File) -> io::Result<Option<Digest>> {
        Ok((Version::of(file)? == self.version).then_some(self.sha256))
    }
}

/// The same for the program that is running, which is hashed once for each change of its file in a boot of the machine.
///
/// `memory` is a file in a directory that only the owner of the signing key may write. The kernel lets nobody write a
/// program while it runs, and stamps every change with a time (ctime) that only it can set.
pub(crate) fn of_running(program: &File, memory: &Path) -> io::Result<Digest> {
    let version = Version::of(program)?;
    if let Some(digest) = recall(memory, &version) {
        return Ok(digest);
    }
    let digest = of_file(program)?;
    if version.is_settled(SystemTime::now()) && stamps_changes(program) && Version::of(program)? == version {
        // What is not remembered is hashed again.
        let _ = remember(memory, &Remembered { version, sha256: digest });
    }
    Ok(digest)
}

/// A state of a file's content: another content has another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    boot: String,
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds since 1970.
    modified: (i64, i64),
    changed: (i64, i64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    version: Version,
    sha256: Digest,
}

impl Version {
    fn of(file: &File) -> io::Result<Version> {
        let stat = file.metadata()?;
        Ok(Version {
            boot: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?,
            device: stat.dev(),
            inode: stat.ino(),
            size: stat.size(),
            modified: (stat.mtime(), stat.mtime_nsec()),
            changed: (stat.ctime(), stat.ctime_nsec()),
        })
    }

    /// Whether a change from `now` on is sure to be stamped with another time.
    fn is_settled(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let changed = u64::try_from(self.changed.0).map_or(Duration::MAX, Duration::from_secs);
        now.checked_sub(changed).is_some_and(|age| age > SETTLED)
    }
}

/// Only local file systems are known to.
fn stamps_changes(file: &File) -> bool {
    const STAMPING: [i64; 4] =
        [libc::EXT4_SUPER_MAGIC, libc::XFS_SUPER_MAGIC, libc::BTRFS_SUPER_MAGIC, libc::TMPFS_MAGIC];
    rustix::fs::fstatfs(file).is_ok_and(|it| STAMPING.contains(&it.f_type))
}

fn recall(memory: &Path, version: &Version) -> Option<Digest> {
    let remembered: Remembered = serde_json::from_slice(&std::fs::read(memory).ok()?).ok()?;
    (remembered.version == *version).then_some(remembered.sha256)
}

fn remember(memory: &Path, what: &Remembered) -> io::Result<()> {
    let unfinished = memory.with_extension(std::process::id().to_string());
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let written = file.write_all(&serde_json::to_vec(what)?).and_then(|()| std::fs::rename(&unfinished, memory));
    written.inspect_err(|_| drop(std::fs::remove_file(&unfinished)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose last change is long enough ago.
    fn settled(directory: &Path, content: &[u8]) -> (File, Version) {
        let path = directory.join("program");
        std::fs::write(&path, content).unwrap();
        let file = File::open(path).unwrap();
        let version = Version::of(&file).unwrap();
        (file, version)
    }

    #[test]
    fn a_digest_taken_ahead_holds_until_the_file_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        std::fs::write(&path, b"abc").unwrap();
        let open = || File::open(&path).unwrap();
        // Just changed: another change could get the same time.
        assert!(Ahead::of(&open()).unwrap().is_none());
        let ahead = Ahead { version: Version::of(&open()).unwrap(), sha256: of_file(&open()).unwrap() };
        assert_eq!(ahead.holds_for(&open()).unwrap(), Some(bottle_evidence::sha256(b"abc")));
        std::fs::write(&path, b"abcd").unwrap();
        assert_eq!(ahead.holds_for(&open()).unwrap(), None);
    }

    #[test]
    fn what_is_remembered_holds_for_this_version_of_the_file_only() {
        let directory = tempfile::tempdir().unwrap();
        let memory = directory.path().join("memory");
        let (file, version) = settled(directory.path(), b"abc");
        let told = Digest([7; 32]);
        remember(&memory, &Remembered { version: version.clone(), sha256: told }).unwrap();
        assert_eq!(of_running(&file, &memory).unwrap(), told);
        let others = [
            Version { boot: "another".into(), ..version.clone() },
            Version { device: version.device + 1, ..version.clone() },
            Version { inode: version.inode + 1, ..version.clone() },
            Version { size: 4, ..version.clone() },
            Version { modified: (version.modified.0, version.modified.1 + 1), ..version.clone() },
            Version { changed: (version.changed.0, version.changed.1 + 1), ..version.clone() },
        ];
        for other in others {
            remember(&memory, &Remembered { version: other, sha256: told }).unwrap();
            assert_eq!(of_running(&File::open(directory.path().join("program")).unwrap(), &memory).unwrap(), {
                bottle_evidence::sha256(b"abc")
            });
        }
    }

    #[test]
    fn a_file_that_has_just_changed_is_not_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let memory = directory.path().join("memory");
        let (file, version) = settled(directory.path(), b"abc");
        assert_eq!(of_running(&file, &memory).unwrap(), bottle_evidence::sha256(b"abc"));
        assert!(!memory.exists());
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(version.changed.0 as u64) + Duration::from_secs(seconds);
        assert!(!version.is_settled(at(2)));
        assert!(version.is_settled(at(3)));
        assert!(!version.is_settled(UNIX_EPOCH), "a clock that was set back");
    }

    #[test]
    fn a_changed_file_is_hashed_again_even_with_its_old_time_of_modification() {
        let directory = tempfile::tempdir().unwrap();
        let memory = directory.path().join("memory");
        let (file, version) = settled(directory.path(), b"abc");
        remember(&memory, &Remembered { version, sha256: Digest([7; 32]) }).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        let writing = File::options().write(true).open(directory.path().join("program")).unwrap();
        // The stamp's ticks may be coarse: until it shows, this is the same version.
        let before = file.metadata().unwrap().ctime_nsec();
        while file.metadata().unwrap().ctime_nsec() == before {
            std::os::unix::fs::FileExt::write_all_at(&writing, b"xyz", 0).unwrap();
            writing.set_modified(modified).unwrap();
        }
        assert_eq!(of_running(&file, &memory).unwrap(), bottle_evidence::sha256(b"xyz"));
    }

    #[test]
    fn a_memory_that_is_no_memory_is_as_good_as_none() {
        let directory = tempfile::tempdir().unwrap();
        let memory = directory.path().join("memory");
        for text in ["", "{}", "null", "{\"version\":"] {
            std::fs::write(&memory, text).unwrap();
            let (file, _) = settled(directory.path(), b"abc");
            assert_eq!(of_running(&file, &memory).unwrap(), bottle_evidence::sha256(b"abc"));
        }
    }
}

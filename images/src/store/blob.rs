//! How does a blob get into the store? Under another name, digested as it is written, and named when it is whole.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use rustix::fs::FlockOperation;

use super::{Store, StoreError, failed, lock, sync_directory};
use crate::digest::{Digest, Hasher};
use crate::limits;

/// Why a blob was not stored, or can't be had from the store.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The content is not what its name says.
    #[error("the content of {expected} is another: it is {actual}")]
    Mismatch {
        /// What was asked for.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// More bytes came than there are to be.
    #[error("{blob} was to have {size} bytes and has more")]
    TooLong {
        /// Which blob.
        blob: Digest,
        /// How many bytes it was to have.
        size: u64,
    },
    /// Fewer bytes came than there are to be.
    #[error("{blob} was to have {size} bytes and ended after {got}")]
    Short {
        /// Which blob.
        blob: Digest,
        /// How many bytes it was to have.
        size: u64,
        /// How many came.
        got: u64,
    },
    /// A blob is larger than any may be.
    #[error("{what} has {size} bytes, and {limit} are the most that is taken")]
    TooLarge {
        /// What it was to be.
        what: &'static str,
        /// How many bytes it has.
        size: u64,
        /// How many it may have.
        limit: u64,
    },
    /// A blob is not there.
    #[error("{0} is not in the store")]
    Missing(Digest),
}

impl BlobError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            BlobError::Store(error) => error.hint(),
            BlobError::Mismatch { .. } | BlobError::TooLong { .. } | BlobError::Short { .. } => Some(
                "nothing of it was kept; try again, and if that gives the same, the source is damaged or somebody changes it on its way".into(),
            ),
            BlobError::Missing(_) => Some("pull or load the image again".into()),
            BlobError::TooLarge { .. } => None,
        }
    }
}

/// A blob on its way into the store. Dropped before [`Ingest::finish`], what came so far stays for the next attempt.
#[derive(Debug)]
pub struct Ingest {
    file: File,
    path: PathBuf,
    digest: Digest,
    size: Option<u64>,
    hasher: Hasher,
    position: u64,
}

impl Store {
    /// Whether a blob is there, whole.
    pub fn has(&self, digest: &Digest) -> bool {
        self.blob_path(digest).exists()
    }

    /// How many bytes a blob has.
    ///
    /// # Errors
    /// [`BlobError::Missing`] where it is not there.
    pub(crate) fn size(&self, digest: &Digest) -> Result<u64, BlobError> {
        let metadata = self.open_blob(digest)?.metadata();
        Ok(metadata.map_err(failed("look at", &self.blob_path(digest)))?.len())
    }

    /// Opens a blob.
    ///
    /// # Errors
    /// [`BlobError::Missing`] where it is not there.
    pub fn open_blob(&self, digest: &Digest) -> Result<File, BlobError> {
        let path = self.blob_path(digest);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(BlobError::Missing(*digest)),
            opened => Ok(opened.map_err(failed("open", &path))?),
        }
    }

    /// Reads a small blob, `what`, and checks it once more.
    ///
    /// # Errors
    /// [`BlobError`] where it is missing, too large or damaged.
    pub fn read_blob(&self, digest: &Digest, what: &'static str, limit: u64) -> Result<Vec<u8>, BlobError> {
        let path = self.blob_path(digest);
        let file = self.open_blob(digest)?;
        let size = file.metadata().map_err(failed("look at", &path))?.len();
        if size > limit {
            return Err(BlobError::TooLarge { what, size, limit });
        }
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes).map_err(failed("read", &path))?;
        match Digest::of(&bytes) {
            actual if actual == *digest => Ok(bytes),
            actual => Err(BlobError::Mismatch { expected: *digest, actual }),
        }
    }

    /// Stores bytes that are all there.
    ///
    /// # Errors
    /// Where they can't be written.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let digest = Digest::of(bytes);
        if let Some(mut ingest) = self.ingest(digest, Some(bytes.len() as u64))? {
            ingest.restart()?;
            ingest.write(bytes)?;
            ingest.finish()?;
        }
        Ok(digest)
    }

    /// Begins to store a blob, or goes on where an earlier attempt ended; waits for whoever is at it. None where it is there.
    ///
    /// # Errors
    /// Where the size is beyond all measure or the file can't be used.
    pub fn ingest(&self, digest: Digest, size: Option<u64>) -> Result<Option<Ingest>, BlobError> {
        if let Some(size) = size.filter(|size| *size > limits::BLOB) {
            return Err(BlobError::TooLarge { what: "a blob", size, limit: limits::BLOB });
        }
        let path = self.partial_path(&digest);
        loop {
            if self.has(&digest) {
                return Ok(None);
            }
            let mut file = File::options()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .mode(0o600)
                .open(&path)
                .map_err(failed("open", &path))?;
            lock::wait(&file, FlockOperation::LockExclusive).map_err(failed("lock", &path))?;
            // Whoever had it may have finished it, or given it up: then this is no longer the file of that name.
            if !is_still_there(&file, &path) {
                continue;
            }
            let (hasher, position) = digest_of_rest(&mut file).map_err(failed("read", &path))?;
            let mut ingest = Ingest { file, path, digest, size, hasher, position };
            if size.is_some_and(|size| ingest.position > size) {
                ingest.restart()?;
            }
            return Ok(Some(ingest));
        }
    }

    /// Stores a blob whose digest nobody has told yet.
    ///
    /// # Errors
    /// Where it can't be read or written, or is beyond all measure.
    pub fn ingest_unnamed(&self, mut from: impl Read) -> Result<(Digest, u64), BlobError> {
        let path = self.tmp_path().join("blob");
        let file = tempfile(&self.tmp_path()).map_err(failed("write in", &self.tmp_path()))?;
        let mut ingest =
            Ingest { file, path, digest: Digest::of(b""), size: None, hasher: Hasher::default(), position: 0 };
        let mut buffer = vec![0; 256 << 10];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => ingest.write(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("read what becomes", &ingest.path)(error).into()),
            }
        }
        let (digest, size) = (ingest.hasher.finish(), ingest.position);
        let place = self.blob_path(&digest);
        if !self.has(&digest) {
            ingest.file.sync_all().map_err(failed("sync", &place))?;
            name(&ingest.file, &place).map_err(failed("name", &place))?;
            sync_directory(&self.root.join("blobs/sha256"))?;
        }
        Ok((digest, size))
    }
}

impl Ingest {
    /// What is stored.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many bytes are there.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes there are to be, where that is known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Whether as many bytes are there as there are to be.
    pub fn is_complete(&self) -> bool {
        self.size == Some(self.position)
    }

    /// Forgets what is there.
    ///
    /// # Errors
    /// Where the file can't be emptied.
    pub fn restart(&mut self) -> Result<(), BlobError> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(failed("empty", &self.path))?;
        (self.hasher, self.position) = (Hasher::default(), 0);
        Ok(())
    }

    /// Appends.
    ///
    /// # Errors
    /// Where it becomes too long or can't be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let position = self.position + bytes.len() as u64;
        match self.size {
            Some(size) if position > size => return Err(BlobError::TooLong { blob: self.digest, size }),
            None if position > limits::BLOB => {
                return Err(BlobError::TooLarge { what: "a blob", size: position, limit: limits::BLOB });
            }
            _ => {}
        }
        self.file.write_all(bytes).map_err(failed("write", &self.path))?;
        self.hasher.update(bytes);
        self.position = position;
        Ok(())
    }

    /// Removes what is there: nobody will go on with it.
    ///
    /// # Errors
    /// Where it can't be removed.
    pub fn discard(self) -> Result<(), BlobError> {
        Ok(std::fs::remove_file(&self.path).map_err(failed("remove", &self.path))?)
    }

    /// Checks size and digest, makes the blob durable and gives it its name. What is wrong is removed.
    ///
    /// # Errors
    /// [`BlobError::Short`], [`BlobError::Mismatch`].
    pub fn finish(self) -> Result<(), BlobError> {
        if let Some(size) = self.size.filter(|size| *size > self.position) {
            let short = BlobError::Short { blob: self.digest, size, got: self.position };
            return self.discard().and(Err(short));
        }
        let (actual, expected) = (self.hasher.clone().finish(), self.digest);
        if actual != expected {
            return self.discard().and(Err(BlobError::Mismatch { expected, actual }));
        }
        let images = self.path.parent().and_then(|partial| partial.parent()).unwrap_or(&self.path);
        let blobs = images.join("blobs/sha256");
        self.file.sync_all().map_err(failed("sync", &self.path))?;
        std::fs::rename(&self.path, blobs.join(self.digest.hex())).map_err(failed("name", &self.path))?;
        Ok(sync_directory(&blobs)?)
    }
}

/// The digest of what the file holds, and where it ends.
fn digest_of_rest(file: &mut File) -> io::Result<(Hasher, u64)> {
    let (mut hasher, mut position) = (Hasher::default(), 0);
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hasher, position)),
            count => {
                hasher.update(&buffer[..count]);
                position += count as u64;
            }
        }
    }
}

fn is_still_there(file: &File, path: &std::path::Path) -> bool {
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let (ours, there) = (file.metadata().map(identity), std::fs::symlink_metadata(path).map(identity));
    matches!((ours, there), (Ok(ours), Ok(there)) if ours == there)
}

/// A file without a name: whatever ends this process, nothing of it stays.
fn tempfile(directory: &std::path::Path) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, directory, flags, Mode::from_raw_mode(0o600))?.into())
}

fn name(file: &File, path: &std::path::Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    match rustix::fs::linkat(rustix::fs::CWD, link, rustix::fs::CWD, path, rustix::fs::AtFlags::SYMLINK_FOLLOW) {
        Err(rustix::io::Errno::EXIST) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
#[path = "blob_tests.rs"]
mod tests;

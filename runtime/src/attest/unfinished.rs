//! How does an attestation come to be a file? Written and synchronised without a name, and named when it counts.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::durable::directory_of;
use crate::whole;

/// An attestation on the disk that nobody can take for one yet. Gone when dropped, and when bottle is killed: a signed
/// statement must not outlive a binding that did not come about.
pub(crate) struct Unfinished<'a> {
    file: File,
    path: &'a Path,
    /// The name that it has, if any.
    name: Option<PathBuf>,
    /// The byte that it lacks to be a statement, if it has a name.
    first: Option<u8>,
}

impl Unfinished<'_> {
    pub(crate) fn write<'a>(path: &'a Path, run: &str, bytes: &[u8]) -> io::Result<Unfinished<'a>> {
        let Some(mut file) = whole::nameless(File::open(directory_of(path))?, 0o600)? else {
            return Unfinished::write_spoiled(path, run, bytes);
        };
        file.write_all(bytes)?;
        Ok(Unfinished { file, path, name: None, first: None })
    }

    /// Where every file has a name, what is killed leaves a file. It is no statement without its first byte.
    fn write_spoiled<'a>(path: &'a Path, run: &str, bytes: &[u8]) -> io::Result<Unfinished<'a>> {
        let mut name = path.to_owned().into_os_string();
        name.push(format!(".{run}"));
        let name = PathBuf::from(name);
        let file = File::options().write(true).create_new(true).mode(0o600).open(&name)?;
        let unfinished = Unfinished { file, path, name: Some(name), first: bytes.first().copied() };
        unfinished.file.write_all_at(bytes, 0)?;
        unfinished.file.write_all_at(&[0], 0)?;
        Ok(unfinished)
    }

    /// Returns when what it says is on the disk.
    pub(crate) fn synchronise(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Puts it where it belongs, so that nobody ever sees half an attestation, and returns when a crash of the machine
    /// can't undo that.
    pub(crate) fn place(mut self, sync_directory_of: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        match &self.name {
            Some(name) => std::fs::rename(name, self.path)?,
            None => self.replace()?,
        }
        self.name = Some(self.path.to_owned());
        if let Some(first) = self.first {
            self.file.write_all_at(&[first], 0)?;
            self.file.sync_all()?;
        }
        sync_directory_of(self.path)?;
        self.name = None;
        Ok(())
    }

    /// Only a name that is free can be given to a file that has none.
    fn replace(&self) -> io::Result<()> {
        let name = self.path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        match std::fs::remove_file(self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => whole::name(&self.file, File::open(directory_of(self.path))?, name),
        }
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // The error that led here is the one that matters.
            let _ = std::fs::remove_file(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::sync_directory_of;

    #[test]
    fn an_attestation_that_was_not_placed_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("attestation.json");
        drop(Unfinished::write_spoiled(&path, "run", b"signed").unwrap());
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
    }

    #[test]
    fn an_attestation_that_is_not_placed_yet_is_nowhere_or_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("attestation.json");
        let unfinished = Unfinished::write(&path, "run", b"signed").unwrap();
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
        drop(unfinished);
        let unfinished = Unfinished::write_spoiled(&path, "run", b"signed").unwrap();
        assert_eq!(std::fs::read(directory.path().join("attestation.json.run")).unwrap(), b"\0igned");
        unfinished.place(sync_directory_of).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"signed");
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn an_attestation_counts_as_placed_when_its_name_is_on_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("attestation.json");
        let synced = std::cell::Cell::new(false);
        let sync = |at: &Path| {
            synced.set(at == path && at.exists());
            Ok(())
        };
        Unfinished::write(&path, "run", b"signed").unwrap().place(sync).unwrap();
        assert!(synced.get());
        let fail = |_: &Path| Err(io::ErrorKind::StorageFull.into());
        assert!(Unfinished::write(&path, "run", b"signed").unwrap().place(fail).is_err());
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0, "a signed statement of a binding that is none");
    }

    #[test]
    fn a_placed_attestation_replaces_the_last_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("attestation.json");
        for text in ["one", "another"] {
            Unfinished::write(&path, "run", text.as_bytes()).unwrap().place(sync_directory_of).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    }
}

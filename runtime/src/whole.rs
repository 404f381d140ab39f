//! How does a file come to its name whole, or not at all, whenever its maker is killed? It gets the name last.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

/// A file in this directory that has no name, and is gone when it is closed; `None` where the file system has no such.
pub(crate) fn nameless(directory: impl AsFd, mode: u32) -> io::Result<Option<File>> {
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    match rustix::fs::openat(directory, ".", flags, Mode::from_raw_mode(mode)) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Gives a nameless file a name in the directory that it was made for.
///
/// # Errors
/// `AlreadyExists` where something has that name.
pub(crate) fn name(file: &File, directory: impl AsFd, name: impl AsRef<OsStr>) -> io::Result<()> {
    let by = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, by, directory, name.as_ref(), AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_has_no_name_until_it_is_given_one_that_is_free() {
        let top = tempfile::tempdir().unwrap();
        let directory = File::open(top.path()).unwrap();
        let mut file = nameless(&directory, 0o600).unwrap().expect("a file system with nameless files");
        file.write_all(b"whole").unwrap();
        assert_eq!(std::fs::read_dir(&top).unwrap().count(), 0);
        name(&file, &directory, "one").unwrap();
        assert_eq!(std::fs::read(top.path().join("one")).unwrap(), b"whole");
        assert_eq!(name(&file, &directory, "one").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}

//! What does a file say that a workload may have written? Read without being kept waiting, and no more than is sensible.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

/// The most that is read of one.
const LONGEST: u64 = 1 << 20;

/// The bytes of a plain file that is not a link.
///
/// # Errors
/// `InvalidInput` for what is not a plain file or too long; else what the kernel says.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let text = first(LONGEST + 1, open(path, OFlags::NOFOLLOW)?)?;
    if text.len() as u64 > LONGEST { Err(io::ErrorKind::InvalidInput.into()) } else { Ok(text) }
}

/// What a plain file begins with, or the one that a link leads to: git follows it too.
///
/// # Errors
/// `InvalidInput` for what is not a plain file; else what the kernel says.
pub(crate) fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    first(LONGEST, open(path, OFlags::empty())?)
}

/// A FIFO keeps its reader waiting, and the mere opening of a device may do something: neither is opened.
fn open(path: &Path, links: OFlags) -> io::Result<File> {
    let there = File::from(rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC | links, Mode::empty())?);
    if !there.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    File::open(format!("/proc/self/fd/{}", there.as_raw_fd()))
}

fn first(most: u64, file: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.take(most).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_file_of_sensible_length_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("file"), "text").unwrap();
        std::fs::write(path("long"), vec![b' '; 1 + LONGEST as usize]).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("endless")).unwrap();
        rustix::fs::mknodat(CWD, path("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(read(&path("file")).unwrap(), b"text");
        for name in ["long", "endless", "fifo", "missing"] {
            assert!(read(&path(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn the_beginning_of_a_plain_file_is_read_through_a_link_too_and_of_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("long"), vec![b' '; 1 + LONGEST as usize]).unwrap();
        std::os::unix::fs::symlink("long", path("link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("endless")).unwrap();
        rustix::fs::mknodat(CWD, path("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        std::os::unix::fs::symlink("fifo", path("waiting")).unwrap();
        for name in ["long", "link"] {
            assert_eq!(beginning(&path(name)).unwrap().len() as u64, LONGEST, "{name}");
        }
        for name in ["endless", "fifo", "waiting", "missing"] {
            assert!(beginning(&path(name)).is_err(), "{name}");
        }
    }
}

//! What does a file say that a workload may have written? Read without being kept waiting, and no more than is sensible.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

/// The most that one may hold.
const LONGEST: u64 = 1 << 20;

/// The bytes of a plain file. A link may lead to a device, whose mere opening does something, and a FIFO keeps its reader
/// waiting: neither is opened.
///
/// # Errors
/// `InvalidInput` for what is not a plain file or too long; else what the kernel says.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(CWD, path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut text = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST { Err(io::ErrorKind::InvalidInput.into()) } else { Ok(text) }
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
}

//! How does a role get a text that is longer than a message? As sealed anonymous memory beside one.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, SealFlags};

/// The longest text that is taken over, in bytes: room for 100,000 rules.
const LIMIT: u64 = 64 * 1024 * 1024;

/// Puts a text into memory that nobody can change any more.
pub(crate) fn write(text: &str) -> io::Result<OwnedFd> {
    let mut file = File::from(make()?);
    file.write_all(text.as_bytes())?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(file.into())
}

/// Never to be executed, which some hosts demand; kernels before 6.3 do not know of it.
fn make() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create("bottle-text", flags | MemfdFlags::NOEXEC_SEAL) {
        Err(rustix::io::Errno::INVAL) => Ok(rustix::fs::memfd_create("bottle-text", flags)?),
        made => Ok(made?),
    }
}

/// Reads such a text, whatever its offset is.
pub(crate) fn read(memory: OwnedFd) -> io::Result<String> {
    let file = File::from(memory);
    let length = file.metadata()?.len();
    if length > LIMIT {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, 0)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

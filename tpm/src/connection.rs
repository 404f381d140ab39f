//! How is a TPM spoken to? A command is written whole, and its answer, which says how long it is, read whole.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use crate::error::TpmError;
use crate::marshal::Reader;

/// No answer is longer.
const MOST: usize = 4096;

/// The size of an answer's beginning: tag, length, code.
pub(crate) const HEADER: usize = 10;

/// How long an answer may take. A TPM may need tens of seconds for a key.
const PATIENCE: Timespec = Timespec { tv_sec: 120, tv_nsec: 0 };

/// A conversation with a TPM. A simulator holds one at a time: keep none longer than it takes.
#[derive(Debug)]
pub struct Tpm(File);

impl Tpm {
    /// Where the kernel has one: its resource manager, which lets several speak to it and forgets what each had loaded.
    pub const DEVICE: &str = "/dev/tpmrm0";

    /// Speaks to this character device, or to the simulator that listens at this unix socket.
    ///
    /// # Errors
    /// [`TpmError::Open`].
    pub fn open(path: &Path) -> Result<Tpm, TpmError> {
        let open = || {
            let kind = path.metadata()?.file_type();
            if kind.is_socket() {
                let stream = UnixStream::connect(path)?;
                stream.set_write_timeout(Some(Duration::from_secs(PATIENCE.tv_sec.cast_unsigned())))?;
                return Ok(File::from(OwnedFd::from(stream)));
            }
            if !kind.is_char_device() {
                return Err(io::Error::other("it is neither a device nor a socket"));
            }
            let flags = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
            File::options().read(true).write(true).custom_flags(flags).open(path)
        };
        open().map(Tpm).map_err(|source| TpmError::Open { path: path.to_owned(), source })
    }

    /// Whoever is at the other end of this socket, which keeps messages apart as the kernel's device does.
    #[cfg(feature = "fuzz")]
    pub fn at(socket: OwnedFd) -> Tpm {
        Tpm(File::from(socket))
    }

    /// The answer to this command.
    pub(crate) fn exchange(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(command)?;
        let mut answer = Vec::new();
        loop {
            self.wait()?;
            let mut buffer = [0; MOST];
            let read = self.0.read(&mut buffer)?;
            answer.extend_from_slice(&buffer[..read]);
            let length = length_of(&answer);
            if read == 0 || answer.len() > MOST || length.is_some_and(|length| length > MOST || answer.len() > length) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if length == Some(answer.len()) {
                return Ok(answer);
            }
        }
    }

    fn wait(&self) -> io::Result<()> {
        let mut polled = [PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN)];
        match retry_on_intr(|| poll(&mut polled, Some(&PATIENCE)))? {
            0 => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

/// How long an answer is that begins so.
fn length_of(answer: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(answer.get(..HEADER)?);
    reader.u16()?;
    usize::try_from(reader.u32()?).ok()
}

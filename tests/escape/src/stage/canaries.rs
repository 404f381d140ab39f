//! Where on the host would something arrive? Sockets, FIFOs, files and messages that nobody else uses, looked at once all is over.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use crate::field::Host;
use crate::sys;

use super::messages::{self, Messages};
use super::name_cache::Asked;

/// Canaries that are up. What arrives waits in the kernel: a small message needs no reader.
#[derive(Default)]
pub(super) struct Canaries {
    /// All that has a name in the file system, and goes with them.
    made: Vec<PathBuf>,
    listeners: Vec<(String, UnixListener)>,
    name_cache: Option<Asked>,
    datagrams: Vec<(String, UnixDatagram)>,
    fifos: Vec<(String, File)>,
    files: Vec<PathBuf>,
    messages: Option<Messages>,
}

impl Canaries {
    pub(super) fn put_up(host: &Host) -> io::Result<Self> {
        let mut up = Self::default();
        for path in &host.sockets {
            prepare(path)?;
            let listener = UnixListener::bind(path).map_err(|error| at(path, &error))?;
            up.open_to_all(path)?;
            if Asked::is_at(path) {
                up.name_cache = Some(Asked::listen(listener));
            } else {
                up.listeners.push((format!("socket {}", path.display()), listener));
            }
        }
        for name in &host.abstract_sockets {
            let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
            up.listeners.push((format!("socket @{name}"), listener));
        }
        for path in &host.datagram_sockets {
            prepare(path)?;
            let socket = UnixDatagram::bind(path).map_err(|error| at(path, &error))?;
            up.open_to_all(path)?;
            up.datagrams.push((format!("socket {}", path.display()), socket));
        }
        for path in &host.fifos {
            sys::fifo(path).map_err(|error| at(path, &error))?;
            up.open_to_all(path)?;
            let both = fs::OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
            up.fifos.push((format!("FIFO {}", path.display()), both));
        }
        up.files = host.drop_files.iter().chain(&host.sealed).cloned().collect();
        for file in &up.files.clone() {
            write(file, b"")?;
            up.open_to_all(file)?;
        }
        up.messages = Messages::put_up(host)?;
        Ok(up)
    }

    /// What is there from now on, and may be used by everybody.
    fn open_to_all(&mut self, path: &Path) -> io::Result<()> {
        self.made.push(path.to_owned());
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).map_err(|error| at(path, &error))
    }

    /// All that arrived, by place.
    pub(super) fn take_down(mut self) -> Vec<(String, Vec<u8>)> {
        let mut seen: Vec<_> = self.name_cache.iter().map(|cache| ("the name cache".to_owned(), cache.all())).collect();
        for (place, listener) in self.listeners.drain(..) {
            let _ = listener.set_nonblocking(true);
            while let Ok((mut stream, _)) = listener.accept() {
                let (mut bytes, _) = (Vec::new(), stream.set_nonblocking(true));
                // Ends with the end, or with "nothing more for now".
                let _ = stream.read_to_end(&mut bytes);
                seen.push((place.clone(), bytes));
            }
        }
        for (place, socket) in self.datagrams.drain(..) {
            let (mut bytes, _) = (vec![0; 65_536], socket.set_nonblocking(true));
            while let Ok(length) = socket.recv(&mut bytes) {
                seen.push((place.clone(), bytes[..length].to_vec()));
            }
        }
        for (place, mut fifo) in self.fifos.drain(..) {
            let mut bytes = Vec::new();
            let _ = fifo.read_to_end(&mut bytes);
            seen.push((place, bytes));
        }
        for file in &self.files {
            seen.push((format!("file {}", file.display()), fs::read(file).unwrap_or_default()));
        }
        seen.extend(self.messages.iter().flat_map(Messages::seen));
        seen
    }
}

impl Drop for Canaries {
    /// What an attempt has moved or removed is not there any more, which is as well.
    fn drop(&mut self) {
        self.made.iter().for_each(|path| drop(fs::remove_file(path)));
    }
}

/// Removes what a stage leaves that was killed: a lab's host shares the machine's memory for files and its objects for messages.
pub(super) fn clear(host: &Host) {
    let shared = host.drop_files.iter().filter(|path| path.starts_with("/dev/shm"));
    shared.for_each(|path| drop(fs::remove_file(path)));
    messages::clear(host);
}

/// Writes a file, and the directories above it.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    prepare(path)?;
    fs::write(path, bytes).map_err(|error| at(path, &error))
}

fn prepare(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(|error| at(path, &error))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind, where a stage puts them.
    fn host(seed: u32) -> (tempfile::TempDir, Host) {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let seed = std::process::id() << 6 | seed;
        let host = Host {
            sockets: vec![path("socket")],
            datagram_sockets: vec![path("datagrams")],
            fifos: vec![path("fifo")],
            drop_files: vec![path("file"), format!("/dev/shm/escape-{seed:x}").into()],
            sealed: Some(path("sealed")),
            queue: Some(seed.cast_signed()),
            posix_queue: Some(format!("escape-{seed:x}")),
            ..Host::default()
        };
        (directory, host)
    }

    /// What of it is on the machine.
    fn there(directory: &tempfile::TempDir, host: &Host) -> Vec<String> {
        let names = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
        let names = names.chain(host.drop_files.iter().filter(|path| path.exists()).cloned());
        names.map(|path| path.display().to_string()).chain(messages::there(host)).collect()
    }

    #[test]
    fn nothing_is_left_of_canaries_that_were_taken_down() {
        let (directory, host) = host(1);
        let canaries = Canaries::put_up(&host).unwrap();
        assert_eq!(there(&directory, &host).len(), 5 + 2 + 4, "one below the directory is counted twice");
        canaries.take_down();
        assert_eq!(there(&directory, &host), [""; 0]);
    }

    #[test]
    fn nothing_is_left_of_canaries_of_which_one_could_not_be_put_up() {
        let (directory, mut host) = host(2);
        host.sealed = Some(directory.path().join("file/below"));
        assert!(Canaries::put_up(&host).is_err());
        assert_eq!(there(&directory, &host), [""; 0]);
    }

    #[test]
    fn what_a_killed_stage_leaves_on_the_machine_is_cleared() {
        let (directory, host) = host(3);
        std::mem::forget(Canaries::put_up(&host).unwrap());
        clear(&host);
        let left = there(&directory, &host);
        assert!(left.iter().all(|name| Path::new(name).starts_with(directory.path())), "{left:?}");
    }
}

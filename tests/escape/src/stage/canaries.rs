//! Where on the host would something arrive? Sockets, FIFOs, files and messages that nobody else uses, looked at once all is over.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use crate::field::Host;
use crate::sys;

use super::messages::Messages;

/// Canaries that are up. What arrives waits in the kernel: a small message needs no reader.
pub(super) struct Canaries {
    listeners: Vec<(String, UnixListener)>,
    datagrams: Vec<(String, UnixDatagram)>,
    fifos: Vec<(String, File)>,
    files: Vec<PathBuf>,
    messages: Option<Messages>,
}

impl Canaries {
    pub(super) fn put_up(host: &Host) -> io::Result<Self> {
        let mut listeners = Vec::new();
        for path in &host.sockets {
            prepare(path)?;
            let listener = UnixListener::bind(path).map_err(|error| at(path, &error))?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
            listeners.push((format!("socket {}", path.display()), listener));
        }
        for name in &host.abstract_sockets {
            let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
            listeners.push((format!("socket @{name}"), listener));
        }
        let mut datagrams = Vec::new();
        for path in &host.datagram_sockets {
            prepare(path)?;
            let socket = UnixDatagram::bind(path).map_err(|error| at(path, &error))?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
            datagrams.push((format!("socket {}", path.display()), socket));
        }
        let mut fifos = Vec::new();
        for path in &host.fifos {
            sys::fifo(path).map_err(|error| at(path, &error))?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
            let both = fs::OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
            fifos.push((format!("FIFO {}", path.display()), both));
        }
        let files: Vec<PathBuf> = host.drop_files.iter().chain(&host.sealed).cloned().collect();
        for file in &files {
            write(file, b"")?;
            fs::set_permissions(file, fs::Permissions::from_mode(0o666))?;
        }
        Ok(Self { listeners, datagrams, fifos, files, messages: Messages::put_up(host)? })
    }

    /// All that arrived, by place.
    pub(super) fn take_down(mut self) -> Vec<(String, Vec<u8>)> {
        let mut seen = Vec::new();
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

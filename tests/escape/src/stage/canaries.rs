//! Where on the host would something arrive? Sockets, files and a queue that nobody else uses, looked at once all is over.

use std::fs;
use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use crate::field::Host;
use crate::sys::{self, Arg};

/// Canaries that are up. What arrives waits in the kernel: a small message needs no reader.
pub(super) struct Canaries {
    listeners: Vec<(String, UnixListener)>,
    files: Vec<PathBuf>,
    queue: Option<u64>,
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
        for file in &host.drop_files {
            write(file, b"")?;
            fs::set_permissions(file, fs::Permissions::from_mode(0o666))?;
        }
        let queue = host.queue.map(|key| {
            let flags = (libc::IPC_CREAT | libc::IPC_EXCL | 0o622) as u64;
            sys::call(libc::SYS_msgget, &mut [key as u64, flags].map(Arg::Number))
        });
        Ok(Self { listeners, files: host.drop_files.clone(), queue: queue.transpose()? })
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
        for file in &self.files {
            seen.push((format!("file {}", file.display()), fs::read(file).unwrap_or_default()));
        }
        if let Some(queue) = self.queue {
            while let Some(bytes) = message(queue) {
                seen.push(("message queue".to_owned(), bytes));
            }
        }
        seen
    }
}

impl Drop for Canaries {
    /// A queue outlives its maker; the rest ends with the lab.
    fn drop(&mut self) {
        if let Some(queue) = self.queue {
            let arguments = [queue, libc::IPC_RMID as u64, 0];
            let _ = sys::call(libc::SYS_msgctl, &mut arguments.map(Arg::Number));
        }
    }
}

/// The next message, after its type.
fn message(queue: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 8 + 4096];
    let rest = [Arg::Number(4096), Arg::Number(0), Arg::Number((libc::IPC_NOWAIT | libc::MSG_NOERROR) as u64)];
    let [size, kind, flags] = rest;
    let length =
        sys::call(libc::SYS_msgrcv, &mut [Arg::Number(queue), Arg::Out(&mut bytes), size, kind, flags]).ok()?;
    Some(bytes[8..8 + length as usize].to_vec())
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

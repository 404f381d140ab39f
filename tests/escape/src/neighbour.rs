//! Who listens in the sandbox next door? A program that writes down whatever reaches it, until its input ends.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as Name, UnixListener};
use std::thread;
use std::time::Duration;

use crate::field::Field;

/// The file to which it writes what it hears, in its working directory.
pub const HEARD: &str = "heard";
/// The file that is there once it listens.
pub const READY: &str = "ready";

/// Listens on the ports of the neighbour's addresses and on its abstract socket.
///
/// # Errors
/// Where the field has no neighbour, or something can't be listened on.
pub fn listen(field: &Field) -> io::Result<()> {
    let neighbour = field.host.neighbour().map_err(|why| io::Error::other(why.0))?;
    let mut heard = File::create(HEARD)?;
    let port = neighbour.addresses.first().map_or(0, SocketAddr::port);
    let (tcp, udp) = (TcpListener::bind(("0.0.0.0", port))?, UdpSocket::bind(("0.0.0.0", port))?);
    let local = local(&neighbour.socket)?;
    let (hears, what) = std::sync::mpsc::channel::<Vec<u8>>();
    let (tcp_hears, udp_hears) = (hears.clone(), hears.clone());
    thread::spawn(move || {
        tcp.incoming().flatten().for_each(|stream| pass(stream.set_read_timeout(PATIENCE), stream, &tcp_hears))
    });
    thread::spawn(move || {
        let mut bytes = vec![0; 65_536];
        while let Ok(length) = udp.recv(&mut bytes) {
            let _ = udp_hears.send(bytes[..length].to_vec());
        }
    });
    thread::spawn(move || {
        local
            .iter()
            .flat_map(UnixListener::incoming)
            .flatten()
            .for_each(|stream| pass(stream.set_read_timeout(PATIENCE), stream, &hears))
    });
    thread::spawn(move || what.into_iter().for_each(|bytes| drop(heard.write_all(&[&bytes[..], b"\n"].concat()))));
    fs::write(READY, "")?;
    io::copy(&mut io::stdin(), &mut io::sink()).map(drop)
}

/// The abstract socket, unless the sandbox lets nobody make one: then there is none to be reached.
fn local(name: &str) -> io::Result<Option<UnixListener>> {
    match UnixListener::bind_addr(&Name::from_abstract_name(name)?) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        made => made.map(Some),
    }
}

const PATIENCE: Option<Duration> = Some(Duration::from_secs(2));

/// All that comes until the end, or until nothing comes any more.
fn pass(_: io::Result<()>, mut stream: impl Read, hears: &std::sync::mpsc::Sender<Vec<u8>>) {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let _ = hears.send(bytes);
}

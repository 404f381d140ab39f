//! What does an explicit proxy do that denies nothing? The control for attempts through one: without it they would prove nothing.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::wire;

/// Serves `CONNECT` to anywhere until the process ends.
pub(super) fn serve(at: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(at)?;
    thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            // A client that errs is its own problem; what it asked for is seen by those who got it.
            thread::spawn(move || relay(client));
        }
    });
    Ok(())
}

fn relay(mut client: TcpStream) -> io::Result<()> {
    let head = head(&mut client)?;
    let target = head.split(' ').nth(1).filter(|_| head.starts_with("CONNECT ")).ok_or(io::ErrorKind::InvalidData)?;
    let mut server = wire::connect(wire::place(target)?)?;
    client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    io::copy(&mut client, &mut server)?;
    server.shutdown(Shutdown::Write)
}

/// What comes before the empty line, byte by byte, so that nothing behind it is taken.
fn head(client: &mut TcpStream) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && head.len() < 4096 {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

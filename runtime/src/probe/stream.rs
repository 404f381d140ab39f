//! Does a TCP connection to an address that nothing allows carry a byte?

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use super::{PATIENCE, word};

/// Connects to port 443, writes, and reads until the verdict: `reset` is the right one.
pub(super) fn send(address: IpAddr) -> String {
    match exchange(SocketAddr::new(address, 443), b"bottle probe\r\n\r\n") {
        Ok(bytes) => format!("{} bytes came back", bytes.len()),
        Err(error) => word(&error),
    }
}

/// Writes the request and reads what comes back, up to 4 KiB, until the peer closes.
pub(super) fn exchange(to: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = connect(to)?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(answer)
}

/// A connection whose every step is bounded in time.
pub(super) fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

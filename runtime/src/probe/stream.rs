//! Does a TCP connection to an address that nothing allows carry a byte?

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use super::{PATIENCE, Rest, rest};

/// Connects to port 443 and writes; then reads until the verdict: `reset` is the right one.
pub(super) fn send(address: IpAddr) -> Rest {
    let asked = ask(SocketAddr::new(address, 443), b"bottle probe\r\n\r\n");
    rest(asked, |stream| Ok(format!("{} bytes came back", answer(&stream)?.len())))
}

/// Connects and writes the request.
pub(super) fn ask(to: SocketAddr, request: &[u8]) -> io::Result<TcpStream> {
    let mut stream = connect(to)?;
    stream.write_all(request)?;
    Ok(stream)
}

/// Reads what comes back, up to 4 KiB, until the peer closes.
pub(super) fn answer(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(answer)
}

/// A connection whose every step is bounded in time.
fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

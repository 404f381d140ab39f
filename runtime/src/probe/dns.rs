//! Does every resolver, whatever its address, say that the forbidden name does not exist?

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};

use super::{FORBIDDEN_NAME, PATIENCE, stream, word};

const NXDOMAIN: u8 = 3;

/// Asks over UDP; `nxdomain` is right.
pub(super) fn over_udp(resolver: IpAddr) -> String {
    verdict(ask_udp(resolver))
}

/// Asks over TCP; `nxdomain` is right.
pub(super) fn over_tcp(resolver: IpAddr) -> String {
    verdict(ask_tcp(resolver))
}

fn ask_udp(resolver: IpAddr) -> io::Result<Vec<u8>> {
    let any = if resolver.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(SocketAddr::new(resolver, 53))?;
    socket.send(&question())?;
    let mut answer = vec![0; 512];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn ask_tcp(resolver: IpAddr) -> io::Result<Vec<u8>> {
    let mut stream = stream::connect(SocketAddr::new(resolver, 53))?;
    let question = question();
    let mut framed = (question.len() as u16).to_be_bytes().to_vec();
    framed.extend(question);
    stream.write_all(&framed)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// A query for the forbidden name's A record (RFC 1035, section 4).
fn question() -> Vec<u8> {
    let mut bytes = vec![0xb0, 0x77, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in FORBIDDEN_NAME.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

fn verdict(answer: io::Result<Vec<u8>>) -> String {
    match answer {
        Ok(bytes) if bytes.len() < 12 || bytes[..2] != [0xb0, 0x77] => "not an answer".into(),
        Ok(bytes) if bytes[3] & 0x0f == NXDOMAIN => "nxdomain".into(),
        Ok(bytes) => format!("rcode {}", bytes[3] & 0x0f),
        Err(error) => word(&error),
    }
}

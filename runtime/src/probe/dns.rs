//! Does every resolver, whatever its address, say that the forbidden name does not exist?

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};

use super::{FORBIDDEN_NAME, PATIENCE, Rest, rest, stream};

const NXDOMAIN: u8 = 3;

/// Asks over UDP; `nxdomain` is right.
pub(super) fn over_udp(resolver: IpAddr) -> Rest {
    rest(ask_udp(resolver), |socket| Ok(verdict(&answer_udp(&socket)?)))
}

/// Asks over TCP; `nxdomain` is right.
pub(super) fn over_tcp(resolver: IpAddr) -> Rest {
    rest(ask_tcp(resolver), |stream| Ok(verdict(&answer_tcp(&stream)?)))
}

fn ask_udp(resolver: IpAddr) -> io::Result<UdpSocket> {
    let any = if resolver.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(SocketAddr::new(resolver, 53))?;
    socket.send(&question())?;
    Ok(socket)
}

fn answer_udp(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut answer = vec![0; 512];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn ask_tcp(resolver: IpAddr) -> io::Result<TcpStream> {
    let question = question();
    let mut framed = (question.len() as u16).to_be_bytes().to_vec();
    framed.extend(question);
    stream::ask(SocketAddr::new(resolver, 53), &framed)
}

fn answer_tcp(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
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

fn verdict(answer: &[u8]) -> String {
    match answer {
        bytes if bytes.len() < 12 || bytes[..2] != [0xb0, 0x77] => "not an answer".into(),
        bytes if bytes[3] & 0x0f == NXDOMAIN => "nxdomain".into(),
        bytes => format!("rcode {}", bytes[3] & 0x0f),
    }
}

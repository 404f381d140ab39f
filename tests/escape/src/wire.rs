//! How do bytes go in and out? DNS questions as bytes, and sockets that never wait for long.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// How long anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1500);

/// The resolver that programs use by default.
pub(crate) fn resolver() -> SocketAddr {
    let file = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let named = file.lines().find_map(|line| line.strip_prefix("nameserver ")?.trim().parse().ok());
    SocketAddr::new(named.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), 53)
}

const A: u16 = 1;
const AAAA: u16 = 28;

/// A question for addresses, recursion desired.
pub(crate) fn question(id: u16, name: &str) -> Vec<u8> {
    question_of(id, name, A)
}

fn question_of(id: u16, name: &str, kind: u16) -> Vec<u8> {
    let head = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    [&head[..], &labels(name), &kind.to_be_bytes(), &[0, 1]].concat()
}

/// A name's labels and the root's. They are bytes, parted by dots, with the escapes of [`crate::text`].
pub(crate) fn labels(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = crate::text::bytes(label).unwrap_or_else(|| label.as_bytes().to_vec());
        out.push(label.len() as u8);
        out.extend(label);
    }
    out.push(0);
    out
}

/// The addresses in an answer to [`question`].
pub(crate) fn addresses(answer: &[u8], question: &[u8]) -> Vec<IpAddr> {
    let mut rest = answer.get(question.len()..).unwrap_or_default();
    let mut found = Vec::new();
    while let Some(after) = after_name(rest) {
        let Some((head, data)) = after.split_at_checked(10) else { break };
        let length = usize::from(u16::from_be_bytes([head[8], head[9]]));
        let Some((data, next)) = data.split_at_checked(length) else { break };
        match (&head[..2], <[u8; 4]>::try_from(data), <[u8; 16]>::try_from(data)) {
            ([0, 1], Ok(v4), _) => found.push(v4.into()),
            ([0, 28], _, Ok(v6)) => found.push(v6.into()),
            _ => {}
        }
        rest = next;
    }
    found
}

fn after_name(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (&length, rest) = bytes.split_first()?;
        match length {
            0 => return Some(rest),
            0xc0.. => return rest.get(1..),
            _ => bytes = rest.get(usize::from(length)..)?,
        }
    }
}

/// Sends one datagram, and gives what comes back.
pub(crate) fn ask(server: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_broadcast(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    socket.send(bytes)?;
    let mut answer = vec![0; 4096];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

/// The addresses of a name, from the default resolver; IPv6 where there is no IPv4.
pub(crate) fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    for kind in [A, AAAA] {
        let question = question_of(0x6573, name, kind);
        let found = addresses(&ask(resolver(), &question)?, &question);
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "no address"))
}

/// An address and port, or a name and port, resolved.
pub(crate) fn place(target: &str) -> io::Result<SocketAddr> {
    if let Ok(place) = target.parse() {
        return Ok(place);
    }
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let (name, port) = target.rsplit_once(':').ok_or_else(invalid)?;
    let first = resolve(name)?.first().copied().ok_or_else(invalid)?;
    Ok(SocketAddr::new(first, port.parse().map_err(|_| invalid())?))
}

/// Connects, and waits for nothing longer than [`PATIENCE`] afterwards.
pub(crate) fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Connects, sends and ends in an orderly way; waits until the other side has ended too, so that nothing is lost on the way.
pub(crate) fn deliver(to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
    let mut stream = connect(to)?;
    stream.write_all(bytes)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.read(&mut [0; 64]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_an_answer_with_a_compressed_name() {
        let question = question(7, "a.example");
        let mut answer = question.clone();
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 11, 1, 0, 1]);
        assert_eq!(addresses(&answer, &question), ["11.1.0.1".parse::<IpAddr>().unwrap()]);
        for end in 0..answer.len() {
            let _ = addresses(&answer[..end], &question);
        }
    }
}

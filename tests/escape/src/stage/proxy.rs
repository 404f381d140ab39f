//! What does an explicit proxy do that denies nothing and reads anything? The control for attempts through one: without it they
//! would prove nothing.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::wire;

/// The most bytes of a head.
const HEAD: usize = 128 * 1024;

/// Serves requests to anywhere until the process ends.
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
    let bytes = head(&mut client)?;
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let mut words = head.split_whitespace();
    let (method, target) = words.next().zip(words.next()).ok_or(io::ErrorKind::InvalidData)?;
    let host = head.lines().find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("host")));
    let mut server = match authority(target) {
        Some((authority, port)) => wire::connect(place(authority, port)?)?,
        None => wire::connect(place(host.ok_or(io::ErrorKind::InvalidData)?.1.trim(), 80)?)?,
    };
    if method == "CONNECT" {
        client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    } else {
        server.write_all(&bytes)?;
    }
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    io::copy(&mut client, &mut server)?;
    server.shutdown(Shutdown::Write)
}

/// The authority of a target in whatever form, and the port that goes with its scheme; nothing for a path.
fn authority(target: &str) -> Option<(&str, u16)> {
    let (scheme, rest) = target.split_once("://").unwrap_or(("http", target));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    (end > 0).then(|| (&rest[..end], if scheme == "https" { 443 } else { 80 }))
}

/// The most careless reading of an authority: users are skipped, numbers are in any base and wrap.
fn place(authority: &str, port: u16) -> io::Result<SocketAddr> {
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, "")) => (host, port),
        Some((host, text)) if !text.contains(']') => (host, number(text.trim_start_matches('+')).unwrap_or(0) as u16),
        _ => (authority, port),
    };
    let host = host.trim_matches(['[', ']']).replace("%2e", ".").replace('\0', "");
    let numbers: Option<Vec<u64>> = host.split('.').map(number).collect();
    let address = match (host.parse::<IpAddr>(), numbers) {
        (Ok(address), _) => Some(address),
        (_, Some(parts)) => Some(parts_of_address(&parts).into()),
        _ if host == "localhost" || host.ends_with(".localhost") => Some(Ipv4Addr::LOCALHOST.into()),
        _ => None,
    };
    address.map_or_else(|| wire::place(&format!("{host}:{port}")), |address| Ok(SocketAddr::new(address, port)))
}

/// As inet_aton reads them: the last part fills what is left.
fn parts_of_address(parts: &[u64]) -> Ipv4Addr {
    let (last, first) = parts.split_last().unwrap_or((&0, &[]));
    let high = first.iter().take(3).enumerate().fold(0, |sum, (at, part)| sum | (part & 255) << (24 - 8 * at));
    Ipv4Addr::from_bits((high | last) as u32)
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u64::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

/// What comes before the empty line, byte by byte, so that nothing behind it is taken.
fn head(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") && head.len() < HEAD {
        if client.read(&mut byte)? == 0 {
            break;
        }
        head.push(byte[0]);
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_spelling_of_an_address_is_read() {
        for text in
            ["127.0.0.1:9", "u:p@127.1:9", "0x7f.1:011", "0177.0.0.1:65545", "2130706433:+9", "[::ffff:127.0.0.1]:9"]
        {
            let place = place(text, 80).unwrap();
            assert_eq!((place.ip().to_canonical(), place.port()), (Ipv4Addr::LOCALHOST.into(), 9), "{text}");
        }
    }

    #[test]
    fn a_target_has_an_authority_in_each_form_but_a_path() {
        assert_eq!(authority("http://a:1/b"), Some(("a:1", 80)));
        assert_eq!(authority("https://a?b"), Some(("a", 443)));
        assert_eq!(authority("a:1"), Some(("a:1", 80)));
        assert_eq!(authority("/a"), None);
    }
}

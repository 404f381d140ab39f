//! How does the demo speak HTTP, HTTPS, DNS and UDP where no client is installed? Each call gives the client's last words.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::attempt::{Fetch, SECRET_FILE};

/// The variable that names the CA's certificate, for curl too.
pub const CA: &str = "CURL_CA_BUNDLE";

const PATIENCE: Duration = Duration::from_secs(2);

/// `Ok` if it worked.
type Said = Result<String, String>;

/// An HTTP request; the status line.
pub fn fetch(fetch: &Fetch) -> Said {
    exchange(fetch).map_err(|error| error.to_string())
}

fn exchange(fetch: &Fetch) -> io::Result<String> {
    let stream = TcpStream::connect((fetch.door.unwrap_or(fetch.host), fetch.port()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    if !fetch.tls {
        return talk(stream, fetch);
    }
    let name = ServerName::try_from(fetch.host).map_err(io::Error::other)?;
    let session = ClientConnection::new(trust()?, name).map_err(io::Error::other)?;
    talk(StreamOwned::new(session, stream), fetch)
}

/// Trusts the certificates in the file that [`CA`] names, and no others.
fn trust() -> io::Result<Arc<ClientConfig>> {
    let path = std::env::var_os(CA).ok_or_else(|| io::Error::other(format!("{CA} is not set")))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(io::Error::other)? {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn talk(mut stream: impl Read + Write, fetch: &Fetch) -> io::Result<String> {
    let body = if fetch.secret { std::fs::read(SECRET_FILE)? } else { Vec::new() };
    let method = if fetch.secret { "POST" } else { "GET" };
    let (host, length) = (fetch.host, body.len());
    let head = format!("{method} / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    // `HTTP/1.1 200`
    Ok(format!("HTTP {}", String::from_utf8_lossy(&answer[9..])))
}

/// A DNS question of type A; the answer's code.
pub fn ask(server: SocketAddr, name: &str) -> Said {
    let answer = send_and_receive(server, &question(name)).map_err(|error| error.to_string())?;
    match answer.get(3).map(|flags| flags & 0x0f) {
        Some(0) => Ok("an answer".into()),
        Some(3) => Err("NXDOMAIN: no such name".into()),
        Some(code) => Err(format!("error {code}")),
        None => Err("no DNS answer".into()),
    }
}

/// A recursive question (RFC 1035, 4.1).
fn question(name: &str) -> Vec<u8> {
    let mut bytes = vec![0xb0, 0x77, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

/// A UDP packet. It worked unless an error comes back.
pub fn send(to: SocketAddr, bytes: &[u8]) -> Said {
    match send_and_receive(to, bytes) {
        Ok(_) => Ok("an answer".into()),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Ok("sent, and no error came".into())
        }
        Err(error) => Err(error.to_string()),
    }
}

fn send_and_receive(to: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(to)?;
    socket.send(bytes)?;
    let mut answer = vec![0; 512];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_as_rfc_1035_has_it() {
        let bytes = question("a.bc");
        assert_eq!(bytes[12..], [1, b'a', 2, b'b', b'c', 0, 0, 1, 0, 1]);
    }
}

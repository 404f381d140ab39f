//! Which ports of a bottle can the host's programs connect to? As asked, and as bound: on the host's loopback and nowhere else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::num::NonZeroU16;
use std::os::fd::AsFd;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What `-p` asks for: `PORT`, `HOSTPORT:PORT` or `ADDRESS:[HOSTPORT]:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish {
    /// An address of loopback; by default 127.0.0.1 and, where there is one, ::1.
    address: Option<IpAddr>,
    /// By default one that is free.
    port: Option<NonZeroU16>,
    inside: NonZeroU16,
}

/// A port inside, and where on the host it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The address of loopback.
    pub address: IpAddr,
    /// The port there.
    pub port: u16,
    /// The port inside.
    pub inside: u16,
}

/// A published port whose socket listens.
#[derive(Debug)]
pub struct Bound {
    pub(crate) at: Published,
    pub(crate) listener: TcpListener,
}

/// The port that the bottle's own resolver has inside, on loopback too.
const RESOLVER: u16 = 53;

/// How often a free port is tried for: one that is free for IPv4 may be taken for IPv6.
const TRIES: usize = 16;

/// Why something is no port to publish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Another protocol.
    #[error("{0:?} can't be published: only TCP can")]
    Protocol(String),
    /// An address that others could connect to.
    #[error("a port can't be published at {0}, which is not on this machine's loopback")]
    Address(IpAddr),
    /// What the bottle itself listens on.
    #[error("port {RESOLVER} inside is the bottle's own resolver and can't be published")]
    Resolver,
    /// Nothing of the kind.
    #[error("{0:?} is no port to publish")]
    Form(String),
}

impl PublishError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            PublishError::Protocol(_) => "leave the protocol out, or write /tcp",
            PublishError::Address(_) => {
                "leave the address out, or write 127.0.0.1 or [::1]: only this machine's programs can connect to a bottle"
            }
            PublishError::Resolver => "let the server inside listen on another port",
            PublishError::Form(_) => {
                "write PORT, HOSTPORT:PORT or 127.0.0.1:HOSTPORT:PORT, such as -p 8080:80; an IPv6 address goes in brackets; \
                 ports go from 1 to 65535, each with a -p of its own"
            }
        }
    }
}

impl FromStr for Publish {
    type Err = PublishError;

    fn from_str(text: &str) -> Result<Publish, PublishError> {
        let form = || PublishError::Form(text.to_owned());
        let place = match text.rsplit_once('/') {
            None => text,
            Some((place, "tcp")) => place,
            Some((_, protocol)) => return Err(PublishError::Protocol(protocol.to_owned())),
        };
        let (host, inside) = place.rsplit_once(':').map_or(("", place), |(host, inside)| (host, inside));
        let (address, port) = match host.rsplit_once(':') {
            None => (None, host),
            Some((address, port)) => (Some(on_loopback(address).ok_or_else(form)??), port),
        };
        let port = if port.is_empty() { None } else { Some(number(port).ok_or_else(form)?) };
        match number(inside).ok_or_else(form)? {
            inside if inside.get() == RESOLVER => Err(PublishError::Resolver),
            inside => Ok(Publish { address, port, inside }),
        }
    }
}

/// Digits alone: `parse` would take a sign too.
fn number(text: &str) -> Option<NonZeroU16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// An IPv4 address, or an IPv6 address in brackets; nothing for anything else.
fn on_loopback(text: &str) -> Option<Result<IpAddr, PublishError>> {
    let address = match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(v6) => IpAddr::V6(v6.parse().ok()?),
        None => IpAddr::V4(text.parse().ok()?),
    };
    Some(if address.is_loopback() { Ok(address) } else { Err(PublishError::Address(address)) })
}

impl std::fmt::Display for Published {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}->{}/tcp", SocketAddr::new(self.address, self.port), self.inside)
    }
}

/// Why a port is not published: nothing runs then.
#[derive(Debug, thiserror::Error)]
#[error("cannot publish port {inside} at {at}")]
pub struct BindError {
    at: SocketAddr,
    inside: NonZeroU16,
    source: io::Error,
}

impl BindError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let (inside, port) = (self.inside, self.at.port());
        match self.source.kind() {
            io::ErrorKind::AddrInUse => Some(format!("give another port, or -p {inside} for one that is free")),
            io::ErrorKind::PermissionDenied => Some(format!("port {port} is root's: give one from 1024 on")),
            io::ErrorKind::AddrNotAvailable => Some("give another address, or none".into()),
            _ => None,
        }
    }
}

impl Publish {
    /// Whether the host's port is for bottle to choose.
    pub(crate) fn is_open(&self) -> bool {
        self.port.is_none()
    }

    /// Listens: from here on nobody else can have the port.
    pub(crate) fn bind(&self) -> Result<Vec<Bound>, BindError> {
        let port = self.port.map_or(0, NonZeroU16::get);
        let Some(address) = self.address else { return self.bind_both(port) };
        Ok(vec![self.listen(SocketAddr::new(address, port))?])
    }

    fn bind_both(&self, port: u16) -> Result<Vec<Bound>, BindError> {
        let mut tries = if self.is_open() { TRIES } else { 1 };
        loop {
            tries -= 1;
            let v4 = self.listen((Ipv4Addr::LOCALHOST, port).into())?;
            match self.listen((Ipv6Addr::LOCALHOST, v4.at.port).into()) {
                Ok(v6) => return Ok(vec![v4, v6]),
                Err(error) if is_absent(&error.source) => return Ok(vec![v4]),
                Err(error) if tries == 0 || error.source.kind() != io::ErrorKind::AddrInUse => return Err(error),
                Err(_taken) => {}
            }
        }
    }

    /// SO_REUSEADDR, which the standard library sets, passes over what is left of earlier connections; while a socket listens,
    /// it lets nobody share the port. SO_REUSEPORT would, and is not set.
    fn listen(&self, at: SocketAddr) -> Result<Bound, BindError> {
        let failed = |source| BindError { at, inside: self.inside, source };
        let listener = TcpListener::bind(at).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Bound { at: Published { address: at.ip(), port, inside: self.inside.get() }, listener })
    }
}

/// This machine has no ::1.
fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

impl Bound {
    /// Where the kernel says that it listens.
    ///
    /// # Errors
    /// `InvalidData` where it does not listen there, or not alone.
    pub(crate) fn measured(&self) -> io::Result<Published> {
        measured(self.at, self.listener.local_addr()?, &self.listener)
    }
}

/// The same of a listening socket that is known to be bound there.
pub(crate) fn measured(planned: Published, at: SocketAddr, listener: impl AsFd) -> io::Result<Published> {
    use rustix::net::sockopt::{socket_acceptconn, socket_reuseport};
    let alone = socket_acceptconn(&listener)? && !socket_reuseport(&listener)?;
    let found = Published { address: at.ip(), port: at.port(), inside: planned.inside };
    if alone && at.ip().is_loopback() && found == planned {
        Ok(found)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("port {} is published at {at}", planned.inside)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Publish {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn port(number: u16) -> Option<NonZeroU16> {
        NonZeroU16::new(number)
    }

    #[test]
    fn ports_are_written_as_elsewhere() {
        let v4 = |text: &str| Some(text.parse().unwrap());
        for (text, address, host) in [
            ("80", None, None),
            ("80/tcp", None, None),
            (":80", None, None),
            ("8080:80", None, port(8080)),
            ("8080:80/tcp", None, port(8080)),
            ("127.0.0.1:8080:80", v4("127.0.0.1"), port(8080)),
            ("127.0.0.2::80", v4("127.0.0.2"), None),
            ("[::1]:8080:80", v4("::1"), port(8080)),
        ] {
            let inside = port(80).unwrap();
            assert_eq!(asked(text), Publish { address, port: host, inside }, "{text}");
        }
    }

    #[test]
    fn what_is_no_port_or_not_of_this_machine_alone_is_refused_with_a_hint() {
        let refused = |text: &str| text.parse::<Publish>().expect_err(text);
        for text in [
            "",
            "x",
            "0",
            "65536",
            "+80",
            "80:",
            "0:80",
            "8000-8001:80",
            "a:1:2",
            "::1:80:80",
            "1:2:3:4",
            "localhost:1:2",
        ] {
            assert_eq!(refused(text), PublishError::Form(text.to_owned()));
        }
        for text in ["0.0.0.0:1:2", "192.0.2.1:1:2", "[::]:1:2", "[::ffff:127.0.0.1]:1:2", "10.0.0.1::2"] {
            assert!(matches!(refused(text), PublishError::Address(_)), "{text}");
        }
        assert_eq!(refused("53:53/udp"), PublishError::Protocol("udp".into()));
        assert_eq!(refused("5353:53"), PublishError::Resolver);
        assert!(
            [refused(""), refused("[::]:1:2"), refused("1/udp"), refused("53")].iter().all(|it| !it.hint().is_empty())
        );
    }

    #[test]
    fn a_port_is_bound_on_loopback_alone_and_can_be_shared_with_nobody() {
        let bound = asked("80").bind().unwrap();
        let port = bound[0].at.port;
        for one in &bound {
            assert!(one.at.address.is_loopback() && one.measured().unwrap() == one.at);
            assert_eq!((one.at.port, one.at.inside), (port, 80));
        }
        let again = asked(&format!("127.0.0.1:{port}:80")).bind().unwrap_err();
        assert!(again.hint().unwrap().contains("-p 80"), "{again}");
        assert_eq!(TcpListener::bind(("0.0.0.0", port)).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}

//! Which destination does a URL of a client's settings mean? Its credentials and path are dropped, and never shown.

use bottle_policy::addresses::{Class, classify};
use bottle_policy::rules::{Protocol, parse_cidr};
use bottle_policy::{Host, HostError, Pattern, PatternError};

/// Host, port and what is spoken there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A name that a rule can have, or an address.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// TLS (`auto`), plain HTTP, or anything (`tcp`).
    pub protocol: Protocol,
}

/// Why a URL means no destination. The URL itself is not in it: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// There is no `://`.
    #[error("this is no URL")]
    NoScheme,
    /// A scheme that no rule can have.
    #[error("the scheme `{0}` can't be allowed")]
    Scheme(String),
    /// The host or port is none.
    #[error("the host of this URL is not understood: {0}")]
    Host(#[from] HostError),
    /// Names that no rule can have.
    #[error("the host of this URL can't be allowed: {0}")]
    Name(#[from] PatternError),
    /// This machine itself.
    #[error("this URL leads to the host's own loopback, which no preset opens")]
    Loopback,
    /// An address that no registry has: a cloud's metadata service, link-local, or one that stands for a name inside.
    #[error("the address of this URL can't be allowed")]
    Address,
}

impl Place {
    /// Reads `https://`, `http://`, `ssh://` and `git://` URLs.
    pub fn of(url: &str) -> Result<Place, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::NoScheme)?;
        let (protocol, usual) = match scheme.to_ascii_lowercase().as_str() {
            "https" => (Protocol::Auto, 443),
            "http" => (Protocol::Http, 80),
            "ssh" => (Protocol::Tcp, 22),
            "git" => (Protocol::Tcp, 9418),
            other => return Err(UrlError::Scheme(printable(other))),
        };
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_credentials, host)| host);
        if host.to_ascii_lowercase().split(':').next().is_some_and(is_localhost) {
            return Err(UrlError::Loopback);
        }
        let (host, port) = Host::parse_with_port(host)?;
        check(&host)?;
        Ok(Place { host, port: port.unwrap_or(usual), protocol })
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether a rule can have it.
fn check(host: &Host) -> Result<(), UrlError> {
    match host {
        Host::Name(name) if name.is_this_host() => Err(UrlError::Loopback),
        Host::Name(name) => Pattern::parse(name.as_str()).map(drop).map_err(UrlError::Name),
        Host::Address(address) => match classify(*address) {
            Class::Public | Class::Special(..) => {
                parse_cidr(&address.to_string()).map(drop).map_err(|_| UrlError::Address)
            }
            Class::Host => Err(UrlError::Loopback),
            _ => Err(UrlError::Address),
        },
    }
}

/// A scheme is short and plain, or it is not shown.
fn printable(scheme: &str) -> String {
    let plain = scheme.len() <= 20 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte));
    if plain { scheme.to_owned() } else { "?".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> (String, u16, Protocol) {
        let place = Place::of(url).expect(url);
        (place.host.to_string(), place.port, place.protocol)
    }

    #[test]
    fn the_scheme_says_protocol_and_usual_port() {
        assert_eq!(place("https://registry.corp.example/npm/"), ("registry.corp.example".into(), 443, Protocol::Auto));
        assert_eq!(place("HTTP://Registry.corp.example"), ("registry.corp.example".into(), 80, Protocol::Http));
        assert_eq!(
            place("http://registry.corp.example:8081/x"),
            ("registry.corp.example".into(), 8081, Protocol::Http)
        );
        assert_eq!(place("ssh://git@git.corp.example/x"), ("git.corp.example".into(), 22, Protocol::Tcp));
        assert_eq!(place("https://[fd00::1]:8443/"), ("[fd00::1]".into(), 8443, Protocol::Auto));
    }

    #[test]
    fn credentials_are_dropped() {
        let expected = ("registry.corp.example".into(), 443, Protocol::Auto);
        for url in ["https://user:s3cret@registry.corp.example/", "https://us@er:s3cret@registry.corp.example?x@y"] {
            assert_eq!(place(url), expected, "{url}");
        }
    }

    #[test]
    fn what_is_no_destination_is_refused_without_being_shown() {
        for url in [
            "registry.corp.example",
            "ftp://u:s3cret@registry.corp.example",
            "u:s3cret ://x",
            "https://u:s3cret@",
            "https://u:s3cret@127.1/",
            "https://u:s3cret@0x7f000001/",
            "https://u:s3cret@127.0.0.1:4873/",
            "https://u:s3cret@localhost:4873/",
            "https://u:s3cret@[::1]/",
            "https://u:s3cret@registry.corp.example:0/",
            "https://u:s3cret@${NOWHERE}/",
            "https://u:s3cret@*.corp.example/",
            "https://u:s3cret@28.0.0.1/",
            "http://u:s3cret@169.254.169.254/",
            "http://u:s3cret@[fe80::1]/",
            "http://u:s3cret@[::ffff:127.0.0.1]/",
            "https://registry.corp.example\\@u:s3cret",
        ] {
            match Place::of(url) {
                Ok(place) => assert_eq!(place.host.to_string(), "registry.corp.example", "{url}"),
                Err(error) => assert!(!error.to_string().contains("s3cret"), "{error}"),
            }
        }
        assert_eq!(Place::of("http://127.0.0.1:3142/"), Err(UrlError::Loopback));
        assert_eq!(Place::of("http://169.254.169.254/"), Err(UrlError::Address));
        assert_eq!(Place::of("http://LocalHost:3142/"), Err(UrlError::Loopback));
    }
}

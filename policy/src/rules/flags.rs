//! Which rule does `--allow` mean?

use super::{DomainRule, Origin, Ports, Protocol};
use crate::{Host, HostError, Pattern, PatternError, host};

/// What is wrong with an `--allow`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("--allow {flag}: {what}")]
pub struct FlagError {
    flag: String,
    what: What,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
enum What {
    #[error("unknown scheme `{0}`")]
    Scheme(String),
    #[error("tcp needs a port")]
    TcpPort,
    #[error("addresses and networks are not names")]
    Address,
    #[error(transparent)]
    Pattern(#[from] PatternError),
    #[error(transparent)]
    Host(#[from] HostError),
}

impl FlagError {
    /// What to write instead.
    pub fn hint(&self) -> Option<&str> {
        match &self.what {
            What::Scheme(scheme) if scheme == "https" => {
                Some("leave the scheme out: a plain NAME means TLS on port 443")
            }
            What::Scheme(_) => Some("write NAME, tls://NAME, http://NAME or tcp://NAME:PORT"),
            What::TcpPort => Some("write tcp://NAME:PORT, as in tcp://db.example.com:5432"),
            What::Address => Some("addresses are allowed by `ip_ranges` in a policy file"),
            What::Pattern(PatternError::Everything) => Some("use --allow-all to allow and record everything public"),
            What::Pattern(error) => error.hint().or(Some(FORMS)),
            What::Host(HostError::Port) => Some("ports go from 1 to 65535"),
            What::Host(_) => Some(FORMS),
        }
    }
}

const FORMS: &str =
    "write NAME, NAME:PORT, http://NAME or tcp://NAME:PORT, as in --allow api.example.com or --allow '*.example.com'";

/// Reads `[tls://|http://|tcp://]PATTERN[:PORT]`.
pub(super) fn parse(flag: &str) -> Result<DomainRule, FlagError> {
    let (protocol, pattern, port) =
        read(flag).map_err(|what| FlagError { flag: flag.escape_debug().to_string(), what })?;
    Ok(DomainRule {
        allow_private: false,
        origin: Origin::Flag(flag.escape_debug().to_string().into()),
        pattern,
        ports: Ports::one(port),
        protocol,
        reason: None,
    })
}

fn read(flag: &str) -> Result<(Protocol, Pattern, u16), What> {
    let (scheme, rest) = flag.split_once("://").unwrap_or(("tls", flag));
    let (protocol, usual) = match scheme {
        "tls" => (Protocol::Tls, Some(443)),
        "http" => (Protocol::Http, Some(80)),
        "tcp" => (Protocol::Tcp, None),
        other => return Err(What::Scheme(other.escape_debug().to_string())),
    };
    let with_port = matches!(Host::parse_with_port(rest), Ok((Host::Address(_), _)));
    if with_port || rest.parse::<std::net::Ipv6Addr>().is_ok() || rest.parse::<ipnet::IpNet>().is_ok() {
        return Err(What::Address);
    }
    let (pattern, port) = match rest.rsplit_once(':') {
        None => (rest, usual.ok_or(What::TcpPort)?),
        Some((pattern, port)) => (pattern, host::port_number(port)?),
    };
    Ok((protocol, Pattern::parse(pattern)?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(flag: &str) -> (String, Protocol, Ports) {
        let rule = parse(flag).expect(flag);
        (rule.pattern.to_string(), rule.protocol, rule.ports)
    }

    #[test]
    fn a_plain_name_means_tls_on_443() {
        assert_eq!(meant("API.example.com"), ("api.example.com".into(), Protocol::Tls, Ports::one(443)));
        assert_eq!(meant("tls://*.example.com:8443"), ("*.example.com".into(), Protocol::Tls, Ports::one(8443)));
    }

    #[test]
    fn http_means_80_and_tcp_needs_a_port() {
        assert_eq!(meant("http://deb.example"), ("deb.example".into(), Protocol::Http, Ports::one(80)));
        assert_eq!(meant("tcp://git.example:22"), ("git.example".into(), Protocol::Tcp, Ports::one(22)));
        assert_eq!(parse("tcp://git.example").map_err(|e| e.what), Err(What::TcpPort));
    }

    #[test]
    fn other_schemes_addresses_and_stars_are_refused_with_a_hint() {
        for flag in [
            "https://a.example",
            "ftp://a.example",
            "10.0.0.1",
            "tcp://10.0.0.1:22",
            "tls://[::1]:443",
            "::1",
            "*",
            "localhost",
            "",
            "not a name",
            "a.example:0",
            "a.example:http",
            "u@a.example",
            "a.example/path",
            "a.example:1:2",
        ] {
            let error = parse(flag).expect_err(flag);
            assert!(error.hint().is_some(), "{error}");
        }
        for flag in ["10.0.0.0/8", "fd00::/8", "tcp://10.0.0.0/8"] {
            let error = parse(flag).expect_err(flag);
            assert!(error.hint().is_some_and(|hint| hint.contains("ip_ranges")), "{error}");
        }
    }
}

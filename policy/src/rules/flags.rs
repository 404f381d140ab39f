//! Which rule does `--allow` mean?

use super::{DomainRule, Origin, Ports, Protocol};
use crate::{Host, HostError, Pattern, PatternError, host, this_host::ThisHostError};

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
    #[error("the port is missing")]
    NoPort,
    #[error("a path can't be given")]
    Path,
    #[error("one --allow names one destination")]
    Several,
    #[error("addresses and networks are not names")]
    Address,
    #[error(transparent)]
    Pattern(#[from] PatternError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    ThisHost(#[from] ThisHostError),
}

impl FlagError {
    /// What to write instead.
    pub fn hint(&self) -> Option<&str> {
        match &self.what {
            What::Scheme(scheme) if scheme == "https" => {
                Some("leave the scheme out, and what follows the name: a plain NAME means TLS on port 443")
            }
            What::Scheme(_) => Some("write NAME, tls://NAME, http://NAME or tcp://NAME:PORT"),
            What::TcpPort => Some("write tcp://NAME:PORT, as in tcp://db.example.com:5432"),
            What::NoPort => Some("write it after the colon, or leave the colon out"),
            What::Path => Some("leave out the slash and what follows it: a rule is about a host with all its paths"),
            What::Several => Some("give --allow several times: --allow a.example.com --allow b.example.com"),
            What::Address => Some("addresses are allowed by `ip_ranges` in a policy file"),
            What::Pattern(PatternError::Everything) => Some("use --allow-all to allow and record everything public"),
            What::Pattern(error) => error.hint().or(Some(FORMS)),
            What::Host(HostError::Port) => Some("ports go from 1 to 65535"),
            What::Host(_) => Some(FORMS),
            What::ThisHost(_) => Some(
                "say which port, as in --allow tcp://host.bottle.internal:5432 or --allow http://host.bottle.internal:11434",
            ),
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
    if rest.contains(',') {
        return Err(What::Several);
    }
    let with_port = matches!(Host::parse_with_port(rest), Ok((Host::Address(_), _)));
    if with_port || rest.parse::<std::net::Ipv6Addr>().is_ok() || rest.parse::<ipnet::IpNet>().is_ok() {
        return Err(What::Address);
    }
    if rest.contains('/') {
        return Err(What::Path);
    }
    let (pattern, port) = match rest.rsplit_once(':') {
        Some((_, "")) => return Err(What::NoPort),
        None => (rest, None),
        Some((pattern, port)) => (pattern, Some(host::port_number(port)?)),
    };
    let pattern = Pattern::parse(pattern)?;
    if port.is_none() && pattern.name().is_this_host() {
        return Err(ThisHostError::Ports.into());
    }
    Ok((protocol, pattern, port.or(usual).ok_or(What::TcpPort)?))
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
    fn the_hosts_loopback_needs_a_port_that_is_written_down() {
        let port = parse("tcp://host.bottle.internal:5432").map(|rule| rule.ports);
        assert_eq!(port, Ok(Ports::one(5432)));
        for flag in ["host.bottle.internal", "tls://host.bottle.internal", "http://HOST.bottle.internal."] {
            let error = parse(flag).expect_err(flag);
            assert_eq!(error.what, What::ThisHost(ThisHostError::Ports));
            assert!(error.hint().is_some_and(|hint| hint.contains("which port")), "{error}");
        }
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
        let hint = |flag: &str| parse(flag).expect_err(flag).hint().expect(flag).to_owned();
        assert!(hint("https://a.example/v1").starts_with("leave the scheme out, and what follows the name"));
        for flag in ["http://a.example/", "a.example/v1", "tcp://a.example:22/x"] {
            assert_eq!(parse(flag).expect_err(flag).what, What::Path, "{flag}");
        }
        assert!(hint("a.example,b.example").starts_with("give --allow several times"));
        assert_eq!(parse("a.example:").expect_err("no port").to_string(), "--allow a.example:: the port is missing");
        for flag in ["10.0.0.0/8", "fd00::/8", "tcp://10.0.0.0/8"] {
            let error = parse(flag).expect_err(flag);
            assert!(error.hint().is_some_and(|hint| hint.contains("ip_ranges")), "{error}");
        }
    }
}

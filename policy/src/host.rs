//! Is the host part of an authority (CONNECT, Host, a command line) a name or an address?

use std::{fmt, net::IpAddr};

use crate::{Name, NameError, Target};

/// A name, or an address in its one canonical spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A DNS name.
    Name(Name),
    /// An address literal.
    Address(IpAddr),
}

/// Why a text is not a host, or not a host and a port.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum HostError {
    /// Neither a canonical address nor a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The part in brackets is no IPv6 address, or a zone follows it.
    #[error("not an IPv6 address in brackets")]
    Brackets,
    /// Not a number from 1 to 65535.
    #[error("not a port from 1 to 65535")]
    Port,
}

impl Host {
    /// Reads `name`, `192.0.2.1` or `[2001:db8::1]`. Other spellings of addresses, user names and zones are refused.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if let Some(rest) = text.strip_prefix('[') {
            let inner = rest.strip_suffix(']').ok_or(HostError::Brackets)?;
            return inner.parse().map(|v6| Self::Address(IpAddr::V6(v6))).map_err(|_| HostError::Brackets);
        }
        match text.parse() {
            Ok(v4) => Ok(Self::Address(IpAddr::V4(v4))),
            Err(_) => Ok(Self::Name(Name::parse(text)?)),
        }
    }

    /// Reads a host and, after a colon, a port.
    pub fn parse_with_port(text: &str) -> Result<(Self, Option<u16>), HostError> {
        let after_brackets = text.rfind(']').map_or(0, |at| at + 1);
        match text[after_brackets..].find(':') {
            None => Ok((Self::parse(text)?, None)),
            Some(colon) => {
                let (host, port) = text.split_at(after_brackets + colon);
                Ok((Self::parse(host)?, Some(port_number(&port[1..])?)))
            }
        }
    }

    /// Where an explicit proxy request that spells this host goes.
    pub fn into_target(self) -> Target {
        match self {
            Self::Name(name) => Target::Named(name),
            Self::Address(address) => Target::Literal(address),
        }
    }
}

pub(crate) fn port_number(text: &str) -> Result<u16, HostError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(HostError::Port);
    }
    match text.parse() {
        Ok(0) | Err(_) => Err(HostError::Port),
        Ok(port) => Ok(port),
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name}"),
            Self::Address(IpAddr::V4(v4)) => write!(f, "{v4}"),
            Self::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_a_canonical_address() {
        assert_eq!(Host::parse("1.2.3.4"), Ok(Host::Address([1, 2, 3, 4].into())));
        assert_eq!(Host::parse("[::1]").map(|h| h.to_string()), Ok("[::1]".into()));
        assert_eq!(Host::parse("A.example.").map(|h| h.to_string()), Ok("a.example".into()));
    }

    #[test]
    fn other_spellings_of_addresses_are_refused() {
        for text in [
            "0177.0.0.1",
            "127.1",
            "0x7f000001",
            "2130706433",
            "1.2.3.4.",
            "01.2.3.4",
            "::1",
            "[::1",
            "[fe80::1%25eth0]",
            "[1.2.3.4]",
            "user@example.com",
            "",
        ] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_port_is_a_plain_number_from_1() {
        assert_eq!(Host::parse_with_port("a.example:22").map(|(_, p)| p), Ok(Some(22)));
        assert_eq!(Host::parse_with_port("[::1]:22").map(|(_, p)| p), Ok(Some(22)));
        assert_eq!(Host::parse_with_port("[::1]").map(|(_, p)| p), Ok(None));
        for text in ["a.example:", "a.example:0", "a.example:65536", "a.example:+1", "a.example:1:2", "::1", "[::1]x:1"]
        {
            assert!(Host::parse_with_port(text).is_err(), "{text}");
        }
    }
}

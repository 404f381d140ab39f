//! What kind of name is asked for?

use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::rr::Name;

/// The gate's own name, on the explicit proxy.
pub(crate) const GATE_NAME: &str = "_egress.local";

/// A name in a question, told apart by who answers for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `.`: it exists, and has nothing.
    Root,
    /// `localhost` and all below it (RFC 6761).
    Localhost,
    /// The gate's own name.
    Gate,
    /// The reverse name of an address, and how it was spelled.
    Reverse(IpAddr, String),
    /// Any other name of letters, digits, hyphens and underscores: lower case, no trailing dot.
    Host(String),
    /// A name that is neither: bytes that no host name has. Escaped.
    Odd(String),
}

impl Asked {
    pub(crate) fn of(name: &Name) -> Self {
        if name.is_root() {
            return Self::Root;
        }
        let Some(text) = host_text(name) else {
            return Self::Odd(escaped(name));
        };
        if text == "localhost" || text.ends_with(".localhost") {
            Self::Localhost
        } else if text == GATE_NAME {
            Self::Gate
        } else if let Some(address) = text.ends_with(".arpa").then(|| reverse(name)).flatten() {
            Self::Reverse(address, text)
        } else {
            Self::Host(text)
        }
    }
}

/// The host that a name is about: without its leading underscore labels (`_http._tcp.x` is about `x`). None if it has none.
pub(crate) fn service_host(name: &str) -> Option<&str> {
    let mut host = name;
    while host.starts_with('_') {
        host = host.split_once('.')?.1;
    }
    (host.len() < name.len()).then_some(host)
}

/// The address of a whole reverse name; hickory's reader also takes prefixes.
fn reverse(name: &Name) -> Option<IpAddr> {
    let net = name.parse_arpa_name().ok()?;
    (net.prefix_len() == net.max_prefix_len()).then(|| net.addr())
}

/// The name as text, whatever is in it.
pub(crate) fn spelled(name: &Name) -> String {
    host_text(name).unwrap_or_else(|| escaped(name))
}

fn host_text(name: &Name) -> Option<String> {
    let mut text = String::with_capacity(name.len());
    for label in name.iter() {
        if !text.is_empty() {
            text.push('.');
        }
        for &byte in label {
            if !(byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
                return None;
            }
            text.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    Some(text)
}

/// Text that shows every byte of the name: a dot within a label is not a dot between labels.
fn escaped(name: &Name) -> String {
    let mut text = String::new();
    for label in name.iter() {
        if !text.is_empty() {
            text.push('.');
        }
        for &byte in label {
            match byte {
                b'.' | b'\\' => text.extend(['\\', char::from(byte)]),
                0x21..=0x7e => text.push(char::from(byte.to_ascii_lowercase())),
                _ => text.push_str(&format!("\\{byte:03}")),
            }
        }
    }
    text
}

/// The loopback address that `localhost` stands for.
pub(crate) const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

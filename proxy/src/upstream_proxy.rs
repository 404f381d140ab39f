//! Which proxy is everything dialled through, and with which credentials? As `--upstream-proxy` names it.

use std::fmt::{self, Write};
use std::net::Ipv4Addr;

use base64ct::{Base64, Encoding};
use bottle_policy::{Host, HostError, NameError};
use serde::{Deserialize, Serialize};

/// A proxy that is spoken to over plain HTTP, by CONNECT. `Display` and `Debug` show no credentials.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Handed", into = "Handed")]
pub struct UpstreamProxy {
    host: Host,
    port: u16,
    /// The value of Proxy-Authorization.
    authorization: Option<String>,
}

/// Why a text names no proxy. The text itself is not in it: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamProxyError {
    /// Another scheme than `http`.
    #[error("the upstream proxy has to be an http:// URL")]
    Scheme,
    /// TLS to the proxy itself.
    #[error("TLS to the upstream proxy itself is not built")]
    Tls,
    /// The host or the port is none.
    #[error("the host of the upstream proxy is not understood: {0}")]
    Host(#[from] HostError),
    /// No port.
    #[error("the upstream proxy needs a port")]
    Port,
    /// A path, a query or a fragment.
    #[error("the URL of an upstream proxy ends with its port")]
    Rest,
    /// A user with a colon, or a percent sign that encodes nothing.
    #[error("the credentials of the upstream proxy are not understood")]
    Credentials,
}

impl UpstreamProxyError {
    /// What to write instead.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Tls => {
                "give it as http://HOST:PORT: what passes through it is TLS of the client's own where the policy asks for that"
            }
            Self::Credentials => {
                "write http://USER:PASSWORD@HOST:PORT, with %3A for a colon, %40 for an at sign and %2F for a slash"
            }
            Self::Scheme | Self::Host(_) | Self::Port | Self::Rest => {
                "write http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT in BOTTLE_UPSTREAM_PROXY"
            }
        }
    }
}

impl UpstreamProxy {
    /// Reads `http://[USER[:PASSWORD]@]HOST:PORT[/]`. `localhost` is 127.0.0.1.
    pub fn parse(url: &str) -> Result<UpstreamProxy, UpstreamProxyError> {
        let (scheme, rest) = url.split_once("://").ok_or(UpstreamProxyError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(UpstreamProxyError::Tls),
            _ => return Err(UpstreamProxyError::Scheme),
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '\\']) {
            return Err(UpstreamProxyError::Rest);
        }
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, authority),
        };
        let (host, port) = place_of(place)?;
        let authorization = credentials.map(basic).transpose()?;
        Ok(UpstreamProxy { host, port, authorization })
    }

    /// Its name or address.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is given credentials.
    pub fn has_credentials(&self) -> bool {
        self.authorization.is_some()
    }

    /// What must not be written of its credentials: the password, where there is one, and both parts together.
    pub fn credentials(&self) -> Vec<Vec<u8>> {
        let encoded = self.authorization.as_deref().and_then(|whole| whole.strip_prefix("Basic "));
        let Some(both) = encoded.and_then(|encoded| Base64::decode_vec(encoded).ok()) else { return Vec::new() };
        let colon = both.iter().position(|byte| *byte == b':');
        let password = colon.map(|colon| both[colon + 1..].to_vec());
        password.into_iter().chain([both]).collect()
    }

    /// The request head that asks for a tunnel (RFC 9110, 9.3.6).
    pub(crate) fn connect(&self, host: &Host, port: u16) -> String {
        let mut head = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
        if let Some(authorization) = &self.authorization {
            // Writing to a string does not fail.
            let _ = write!(head, "Proxy-Authorization: {authorization}\r\n");
        }
        head + "\r\n"
    }
}

fn place_of(text: &str) -> Result<(Host, u16), UpstreamProxyError> {
    let lower = text.to_ascii_lowercase();
    let (host, port) = match lower.strip_prefix("localhost:") {
        Some(port) => Host::parse_with_port(&format!("{}:{port}", Ipv4Addr::LOCALHOST))?,
        None => Host::parse_with_port(text)?,
    };
    match &host {
        Host::Name(name) if name.is_reserved() || name.is_this_host() => {
            Err(HostError::from(NameError("it has a meaning inside the bottle only")).into())
        }
        _ => Ok((host, port.ok_or(UpstreamProxyError::Port)?)),
    }
}

/// `USER[:PASSWORD]`, percent-decoded, as Basic credentials (RFC 7617).
fn basic(credentials: &str) -> Result<String, UpstreamProxyError> {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let (user, password) = (decoded(user)?, decoded(password)?);
    if user.is_empty() || user.contains(&b':') {
        return Err(UpstreamProxyError::Credentials);
    }
    Ok(format!("Basic {}", Base64::encode_string(&[&user[..], b":", &password].concat())))
}

fn decoded(text: &str) -> Result<Vec<u8>, UpstreamProxyError> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let digits = piece.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or(UpstreamProxyError::Credentials)?);
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    Ok(bytes)
}

impl fmt::Display for UpstreamProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for UpstreamProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = if self.has_credentials() { " with credentials" } else { "" };
        write!(f, "UpstreamProxy({self}{with})")
    }
}

/// How it goes from one process of a run to another.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Handed {
    place: String,
    authorization: Option<String>,
}

impl From<UpstreamProxy> for Handed {
    fn from(proxy: UpstreamProxy) -> Handed {
        Handed { place: proxy.to_string(), authorization: proxy.authorization }
    }
}

impl TryFrom<Handed> for UpstreamProxy {
    type Error = UpstreamProxyError;
    fn try_from(handed: Handed) -> Result<UpstreamProxy, UpstreamProxyError> {
        let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        if !handed.authorization.as_ref().is_none_or(|value| value.bytes().all(plain)) {
            return Err(UpstreamProxyError::Credentials);
        }
        Ok(UpstreamProxy { authorization: handed.authorization, ..UpstreamProxy::parse(&handed.place)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_credentials_are_what_must_not_be_written() {
        let of = |url| UpstreamProxy::parse(url).expect(url).credentials();
        assert_eq!(of("http://me:s%3Ax@proxy.example:3128"), [&b"s:x"[..], b"me:s:x"]);
        assert_eq!(of("http://proxy.example:3128"), [[0_u8; 0]; 0]);
    }

    fn head(url: &str) -> String {
        let host = Host::parse("api.example.com").expect("a name");
        UpstreamProxy::parse(url).expect(url).connect(&host, 443)
    }

    #[test]
    fn a_tunnel_is_asked_for_by_name_and_port() {
        let plain = "CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n";
        assert_eq!(head("http://proxy.corp.example:3128"), plain);
        let six = Host::parse("[2606:4700::1]").expect("an address");
        let asked = UpstreamProxy::parse("http://10.0.0.1:3128/").expect("a proxy").connect(&six, 22);
        assert!(asked.starts_with("CONNECT [2606:4700::1]:22 HTTP/1.1\r\nHost: [2606:4700::1]:22\r\n"), "{asked}");
    }

    #[test]
    fn credentials_are_decoded_and_sent_as_basic() {
        let value = |url: &str| head(url).split("Proxy-Authorization: ").nth(1).map(|rest| rest.trim().to_owned());
        assert_eq!(
            value("http://Aladdin:open%20sesame@p.example:1").as_deref(),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
        assert_eq!(value("http://u%40corp:p%3Aw%2F@p.example:1"), value("http://u@corp:p:w%2f@p.example:1"));
        assert_eq!(value("http://user@p.example:1").as_deref(), Some("Basic dXNlcjo="));
    }

    #[test]
    fn neither_display_nor_debug_shows_credentials() {
        let proxy = UpstreamProxy::parse("http://user:s3cret@p.example:3128").expect("a proxy");
        assert_eq!(proxy.to_string(), "http://p.example:3128");
        assert_eq!(format!("{proxy:?}"), "UpstreamProxy(http://p.example:3128 with credentials)");
    }

    #[test]
    fn what_is_handed_over_is_what_arrives() {
        for url in ["http://user:s3cret@p.example:3128", "http://[fd00::1]:8080", "http://LocalHost:3128/"] {
            let proxy = UpstreamProxy::parse(url).expect(url);
            let text = serde_json::to_string(&proxy).expect("JSON");
            assert_eq!(serde_json::from_str::<UpstreamProxy>(&text).expect("the same"), proxy);
        }
        let split = r#"{"place":"http://p.example:1","authorization":"Basic x\r\nHost: evil"}"#;
        assert!(serde_json::from_str::<UpstreamProxy>(split).is_err());
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_shown() {
        for (url, why) in [
            ("p.example:3128", UpstreamProxyError::Scheme),
            ("socks5://u:s3cret@p.example:1080", UpstreamProxyError::Scheme),
            ("https://u:s3cret@p.example:443", UpstreamProxyError::Tls),
            ("http://u:s3cret@p.example", UpstreamProxyError::Port),
            ("http://u:s3cret@p.example:3128/path", UpstreamProxyError::Rest),
            ("http://u:s3cret@p.example:3128?x", UpstreamProxyError::Rest),
            ("http://:s3cret@p.example:3128", UpstreamProxyError::Credentials),
            ("http://u%3a:s3cret@p.example:3128", UpstreamProxyError::Credentials),
            ("http://u:s3cret%zz@p.example:3128", UpstreamProxyError::Credentials),
            ("http://u:s3cret%4@p.example:3128", UpstreamProxyError::Credentials),
        ] {
            assert_eq!(UpstreamProxy::parse(url), Err(why), "{url}");
        }
        for url in [
            "http://127.1:3128",
            "http://p.example:0",
            "http://@:1",
            "http://host.bottle.internal:3128",
            "http://::1:1",
        ] {
            let error = UpstreamProxy::parse(url).expect_err(url);
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}

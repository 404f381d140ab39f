//! What does one request head ask for, and of whom?

use bottle_policy::{Host, HostError, HttpHost, Seen};

use super::body::{Body, BodyError};
use super::fields::{self, Fields};

/// One HTTP/1 request head that has a single reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The method, as spelled.
    pub method: String,
    /// How the target is written.
    pub form: Form,
    /// Whose request it is: the target's authority where there is one, else the Host field.
    pub host: HttpHost,
    /// The port that goes with the host, where one is written.
    pub port: Option<u16>,
    /// How the body ends.
    pub body: Body,
    /// Whether it offers to become a WebSocket.
    pub websocket: bool,
    /// Whether it offers to become anything at all.
    pub upgrade: bool,
}

/// How the request target is written (RFC 9112, 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A path.
    Origin(String),
    /// `http://host/path`: the path from its slash on.
    Absolute(String),
    /// `host:port`, of CONNECT only.
    Authority,
    /// `*`, of OPTIONS only.
    Asterisk,
}

/// Why a head has no single reading, or not one for us.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HeadError {
    /// The syntax.
    #[error("not an HTTP/1 request head: {0}")]
    Syntax(#[from] httparse::Error),
    /// Bytes are missing or left over.
    #[error("not exactly one HTTP request head")]
    NotOne,
    /// Header lines that continue an earlier one.
    #[error("a folded header line")]
    Fold,
    /// The target is written in no known form.
    #[error("the request target is in no form that {0} has")]
    Target(String),
    /// A scheme other than `http`.
    #[error("the request target's scheme is not http")]
    Scheme,
    /// `user:password@`.
    #[error("the request target carries credentials")]
    Credentials,
    /// A host that is neither a name nor a canonical address, or a bad port.
    #[error("the host is not valid: {0}")]
    Host(#[from] HostError),
    /// HTTP/1.1 without Host.
    #[error("no Host field")]
    NoHost,
    /// The same field twice.
    #[error("more than one {0} field")]
    Twice(&'static str),
    /// The target and the Host field disagree.
    #[error("the request target and the Host field name different hosts")]
    HostDisagrees,
    /// `Connection` names a field that decides where the request goes or ends.
    #[error("the Connection field removes {0}")]
    Removes(String),
    /// The end of the body is ambiguous.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl Head {
    /// Reads a complete head, up to and with its empty line.
    pub fn parse(bytes: &[u8]) -> Result<Head, HeadError> {
        // The parser accepts some of these; no server should have to choose.
        if bytes.windows(3).any(|window| matches!(window, [b'\r', b'\n', b' ' | b'\t'])) {
            return Err(HeadError::Fold);
        }
        let mut headers = [httparse::EMPTY_HEADER; fields::MOST];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(bytes)? {
            httparse::Status::Complete(end) if end == bytes.len() => {}
            _ => return Err(HeadError::NotOne),
        }
        let (Some(method), Some(path), Some(minor)) = (request.method, request.path, request.version) else {
            return Err(HeadError::NotOne);
        };
        let fields = Fields::read(request.headers)?;
        let (form, authority) = target(method, path)?;
        let (host, port) = whose(authority, &fields, minor)?;
        let body = Body::of(&fields, minor)?;
        if form == Form::Authority && body != Body::Empty {
            return Err(BodyError::OnConnect.into());
        }
        let (websocket, upgrade) = (fields.is_websocket(), fields.upgrade.is_some());
        Ok(Head { method: method.to_owned(), form, host, port, body, websocket, upgrade })
    }

    /// What the decision is told.
    pub fn seen(&self) -> Seen {
        match self.form {
            Form::Authority => Seen::Unparsable("CONNECT to a server that is not a proxy".to_owned()),
            _ => Seen::Http { host: self.host.clone(), port: self.port },
        }
    }
}

type Authority = Option<(Host, Option<u16>)>;

fn target(method: &str, path: &str) -> Result<(Form, Authority), HeadError> {
    let wrong = || HeadError::Target(method.chars().take(32).collect());
    if method == "CONNECT" {
        let (host, port) = Host::parse_with_port(path)?;
        let port = port.ok_or_else(wrong)?;
        return Ok((Form::Authority, Some((host, Some(port)))));
    }
    if path.starts_with('/') {
        return Ok((Form::Origin(path.to_owned()), None));
    }
    if path == "*" && method == "OPTIONS" {
        return Ok((Form::Asterisk, None));
    }
    let (scheme, rest) = path.split_once("://").ok_or_else(wrong)?;
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(HeadError::Scheme);
    }
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err(HeadError::Credentials);
    }
    let path = match path.as_bytes() {
        [] => "/".to_owned(),
        [b'/', ..] => path.to_owned(),
        [b'?', ..] => format!("/{path}"),
        _ => return Err(wrong()),
    };
    Ok((Form::Absolute(path), Some(ascii_host(authority)?)))
}

fn ascii_host(text: &str) -> Result<(Host, Option<u16>), HeadError> {
    if !text.is_ascii() {
        return Err(HostError::Name(bottle_policy::NameError("a name on the wire is ASCII")).into());
    }
    Ok(Host::parse_with_port(text)?)
}

fn whose(authority: Authority, fields: &Fields<'_>, minor: u8) -> Result<(HttpHost, Option<u16>), HeadError> {
    let named = fields.host.map(ascii_host).transpose()?;
    let (host, port) = match (authority, named) {
        (None, None) if minor == 0 => return Ok((HttpHost::Absent, None)),
        (None, None) => return Err(HeadError::NoHost),
        (Some(target), None) => target,
        (None, Some(named)) => named,
        (Some(target), Some(named)) => {
            let same_port = target.1 == named.1 || default_port(target.1) == default_port(named.1) || named.1.is_none();
            if target.0 != named.0 || !same_port {
                return Err(HeadError::HostDisagrees);
            }
            target
        }
    };
    let host = match host {
        Host::Name(name) => HttpHost::Name(name),
        Host::Address(address) => HttpHost::Address(address),
    };
    Ok((host, port))
}

fn default_port(port: Option<u16>) -> u16 {
    port.unwrap_or(80)
}

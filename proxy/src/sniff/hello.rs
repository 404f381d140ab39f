//! Which server name does a complete ClientHello show? Exactly one, none, or it is refused.

use bottle_policy::{Name, NameError};
use tls_parser::{
    SNIType, TlsClientHelloContents, TlsExtension, TlsMessage, TlsMessageHandshake, parse_tls_client_hello_extension,
    parse_tls_message_handshake,
};

const SERVER_NAME: u16 = 0;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
const HEADER: usize = 4;
/// A list with one name: its length, the name's type, the name's length.
const SNI_FRAME: usize = 5;

/// What a ClientHello shows of where it goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) sni: Option<Name>,
    pub(super) ech: bool,
}

/// Why a ClientHello is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum HelloError {
    #[error("the ClientHello is malformed")]
    Malformed,
    #[error("the ClientHello has bytes left over")]
    LeftOver,
    #[error("extension {0} of the ClientHello comes twice")]
    Twice(u16),
    #[error("the ClientHello has a malformed extension")]
    Extension,
    #[error("the server name list is not one host name")]
    NameList,
    #[error("the server name is {0}")]
    Name(#[from] NameError),
}

/// Reads one handshake message, header included.
pub(super) fn parse(message: &[u8]) -> Result<Hello, HelloError> {
    let hello = match parse_tls_message_handshake(message) {
        Ok((&[], TlsMessage::Handshake(TlsMessageHandshake::ClientHello(hello)))) => hello,
        Ok((&[_, ..], _)) => return Err(HelloError::LeftOver),
        _ => return Err(HelloError::Malformed),
    };
    if fixed_length(&hello) + HEADER + hello.ext.map_or(0, |ext| 2 + ext.len()) != message.len() {
        return Err(HelloError::LeftOver);
    }
    extensions(hello.ext.unwrap_or_default())
}

/// The bytes of a ClientHello before its extensions: the parser does not say where it stopped within the message.
fn fixed_length(hello: &TlsClientHelloContents<'_>) -> usize {
    let session = hello.session_id.map_or(0, <[u8]>::len);
    2 + 32 + 1 + session + 2 + 2 * hello.ciphers.len() + 1 + hello.comp.len()
}

/// One by one: the parser for the whole list stops without a word at the first that is malformed.
fn extensions(mut rest: &[u8]) -> Result<Hello, HelloError> {
    let mut seen: Vec<u16> = Vec::new();
    let mut hello = Hello { sni: None, ech: false };
    while let [high, low, ..] = *rest {
        let kind = u16::from_be_bytes([high, low]);
        if seen.contains(&kind) {
            return Err(HelloError::Twice(kind));
        }
        seen.push(kind);
        let (after, extension) = parse_tls_client_hello_extension(rest).map_err(|_| HelloError::Extension)?;
        let content = rest.len() - after.len() - HEADER;
        match (kind, extension) {
            (SERVER_NAME, TlsExtension::SNI(names)) => hello.sni = Some(only_name(&names, content)?),
            (SERVER_NAME, _) => return Err(HelloError::NameList),
            (ENCRYPTED_CLIENT_HELLO, _) => hello.ech = true,
            _ => {}
        }
        rest = after;
    }
    if rest.is_empty() { Ok(hello) } else { Err(HelloError::Extension) }
}

fn only_name(names: &[(SNIType, &[u8])], content: usize) -> Result<Name, HelloError> {
    match *names {
        [(SNIType::HostName, name)] if SNI_FRAME + name.len() == content => Ok(Name::from_wire(name)?),
        _ => Err(HelloError::NameList),
    }
}

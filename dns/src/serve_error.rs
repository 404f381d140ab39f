//! Why did a serving loop end?

use std::io;

/// A socket that can't be served any more. What a client sends, or does not take, never ends a loop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket could not be made part of the event loop.
    #[error("cannot wait for a DNS socket")]
    Register(#[source] io::Error),
    /// No more datagrams can be received.
    #[error("cannot receive DNS queries")]
    Receive(#[source] io::Error),
    /// No more connections can be accepted.
    #[error("cannot accept DNS connections")]
    Accept(#[source] io::Error),
}

//! How does a connection go through the upstream proxy? By CONNECT; the socket is handed over where the answer ends.

use std::io;

use bottle_policy::{Host, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{Opening, Tunnel};
use crate::{Attempt, Refusal, UpstreamProxy};

const PIECE: usize = 2048;

/// Asks the proxy that `stream` is connected to for what the attempt wants. Afterwards nothing of the tunnel's was read.
pub(super) async fn open(stream: &mut TcpStream, proxy: &UpstreamProxy, attempt: &Attempt) -> Result<(), Refusal> {
    let host = match &attempt.request.target {
        Target::Lease(name) | Target::Named(name) => Host::Name(name.clone()),
        Target::Literal(address) => Host::Address(*address),
    };
    let head = proxy.connect(&host, attempt.request.port);
    stream.write_all(head.as_bytes()).await.map_err(|error| broken(proxy, &error))?;
    match answer(stream).await.map_err(|error| broken(proxy, &error))? {
        Opening::Open => Ok(()),
        Opening::Refused(status) => {
            Err(Refusal::unreachable(format_args!("the upstream proxy {}", said(status, proxy))))
        }
        Opening::Wrong | Opening::Waiting => {
            Err(Refusal::unreachable(format_args!("what {proxy} answers is not the answer of an HTTP proxy")))
        }
    }
}

/// What came is looked at before it is taken, so that what follows the answer stays where it is.
async fn answer(stream: &mut TcpStream) -> io::Result<Opening> {
    let (mut tunnel, mut piece) = (Tunnel::default(), [0; PIECE]);
    loop {
        let count = stream.peek(&mut piece).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (taken, opening) = tunnel.push(&piece[..count]);
        stream.read_exact(&mut piece[..taken]).await?;
        if opening != Opening::Waiting {
            return Ok(opening);
        }
    }
}

fn broken(proxy: &UpstreamProxy, error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Refusal::unreachable(format_args!("{proxy} closed the connection without an answer"))
        }
        _ => Refusal::unreachable(format_args!("the upstream proxy {proxy}: {error}")),
    }
}

/// In words, with the status for whoever looks it up.
fn said(status: u16, proxy: &UpstreamProxy) -> String {
    match status {
        407 if proxy.has_credentials() => "does not accept the credentials (407)".into(),
        407 => "wants credentials (407)".into(),
        403 => "forbids it (403)".into(),
        400 | 405 | 501 => format!("does not open tunnels for this ({status})"),
        502 | 503 => format!("cannot reach it ({status})"),
        504 => "got no answer from it in time (504)".into(),
        300..=399 => format!("sends elsewhere, as one does that wants a login ({status})"),
        _ => format!("answers with status {status}"),
    }
}

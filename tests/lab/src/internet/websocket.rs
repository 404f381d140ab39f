//! How does the lab's web speak WebSocket? It upgrades whoever asks, and says each message back.

use futures_util::{SinkExt, StreamExt};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::{Request, Response, StatusCode, http};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::web::Answer;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The client's key, if it asks for an upgrade.
pub(super) fn key(request: &Request<Incoming>) -> Option<http::HeaderValue> {
    request.headers().get(SEC_WEBSOCKET_KEY).cloned()
}

/// Agrees, and serves the connection from then on.
pub(super) fn upgrade(mut request: Request<Incoming>, key: &http::HeaderValue) -> Result<Answer, Failure> {
    let accept = derive_accept_key(key.as_bytes());
    tokio::spawn(echo_messages(hyper::upgrade::on(&mut request)));
    let answer = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let answer =
        answer.header("connection", "upgrade").header(UPGRADE, "websocket").header("sec-websocket-accept", accept);
    Ok(answer.body(Either::Left(Full::default()))?)
}

async fn echo_messages(upgrade: hyper::upgrade::OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return };
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}

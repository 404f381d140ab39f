//! What does the lab's web serve? HTTP/1.1 under every name, with or without TLS; for tests also HTTP/2 and WebSocket.
//!
//! `/bytes/N` is N zeros, `/echo` says the body back, `/status/N` has that status, `/redirect?URL` leads on; a host with a
//! directory serves its files, one with a program what it writes; every other path is a small JSON object. Any method works, and every body is counted.

use std::convert::Infallible;
use std::net::IpAddr;
use std::path::{Component, Path};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HOST, LOCATION};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, http};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;

use super::record::Entry;
use super::tap::Tap;
use super::{Internet, program};
use crate::journal::HttpRequest;

type Failure = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Answer = Response<Either<Full<Bytes>, Zeros>>;

/// What is offered in TLS (ALPN), the first before the others.
#[cfg(feature = "clients")]
pub(super) const PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];
#[cfg(not(feature = "clients"))]
pub(super) const PROTOCOLS: &[&[u8]] = &[b"http/1.1"];

/// Takes a ClientHello, proves to be whatever it names, and serves.
pub(super) async fn over_tls(
    internet: Arc<Internet>,
    stream: Tap,
    entry: Arc<Entry>,
    to: IpAddr,
) -> Result<(), Failure> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let name = start.client_hello().server_name().map(str::to_owned);
    entry.server_name(name.as_deref());
    let config = internet.authority.server(name.as_deref(), to)?;
    plain(internet, start.into_stream(config).await?, entry).await
}

/// Serves HTTP/1.1; for tests' clients also HTTP/2, where they begin with its preface.
pub(super) async fn plain(
    internet: Arc<Internet>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    entry: Arc<Entry>,
) -> Result<(), Failure> {
    let service = service_fn(move |request| answer(Arc::clone(&internet), Arc::clone(&entry), request));
    // A client may be done with sending before it is answered.
    let stream = TokioIo::new(stream);
    #[cfg(feature = "clients")]
    {
        let mut server = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
        server.http1().half_close(true);
        server.serve_connection_with_upgrades(stream, service).await
    }
    #[cfg(not(feature = "clients"))]
    Ok(hyper::server::conn::http1::Builder::new().half_close(true).serve_connection(stream, service).await?)
}

async fn answer(internet: Arc<Internet>, entry: Arc<Entry>, request: Request<Incoming>) -> Result<Answer, Failure> {
    let seen = describe(&request);
    let (host, target, path) = (seen.host.clone(), seen.target.clone(), request.uri().path().to_owned());
    let number = entry.request(seen);
    #[cfg(feature = "clients")]
    if let Some(key) = super::websocket::key(&request) {
        return super::websocket::upgrade(request, &key);
    }
    let program = internet.programs.get(&host).cloned();
    let keep = path == "/echo" || program.is_some();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let version = format!("{:?}", request.version());
    let (mut kept, mut length) = (Vec::new(), 0);
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        let Some(bytes) = frame.data_ref() else {
            continue;
        };
        entry.body(number, bytes);
        length += bytes.len();
        if keep {
            kept.extend_from_slice(bytes);
        }
    }
    if let Some(program) = program {
        let (kind, said) = program::answer(program, target, kept).await?;
        return reply(StatusCode::OK, &kind, said);
    }
    let (word, rest) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    match (word, rest) {
        ("echo", "") => reply(StatusCode::OK, "application/octet-stream", kept),
        ("bytes", count) => Ok(Response::new(Either::Right(Zeros { left: count.parse()? }))),
        ("status", code) => reply(code.parse()?, "text/plain", Vec::new()),
        ("redirect", "") => {
            Ok(Response::builder().status(302).header(LOCATION, query).body(Either::Left(Full::default()))?)
        }
        _ => match internet.directories.get(&host) {
            Some(directory) => file(directory, &path).await,
            None => {
                let said = serde_json::json!({ "host": host, "path": path, "version": version, "received": length });
                reply(StatusCode::OK, "application/json", said.to_string().into_bytes())
            }
        },
    }
}

fn describe(request: &Request<Incoming>) -> HttpRequest {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let host = authority.or_else(|| request.headers().get(HOST).map(text)).unwrap_or_default();
    let host = host.parse::<http::uri::Authority>().map_or(host, |authority| authority.host().to_ascii_lowercase());
    HttpRequest {
        method: request.method().to_string(),
        host,
        target: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        version: format!("{:?}", request.version()),
        headers: request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body_bytes: 0,
        body_head: Vec::new(),
    }
}

fn reply(status: StatusCode, kind: &str, body: Vec<u8>) -> Result<Answer, Failure> {
    Ok(Response::builder().status(status).header(CONTENT_TYPE, kind).body(Either::Left(Full::from(body)))?)
}

/// A file below the directory, or its `index.html`; nothing above it.
async fn file(directory: &Path, path: &str) -> Result<Answer, Failure> {
    let inside: std::path::PathBuf =
        Path::new(path).components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let mut file = directory.join(inside);
    if path.ends_with('/') || file.is_dir() {
        file.push("index.html");
    }
    let kind = match file.extension().and_then(std::ffi::OsStr::to_str) {
        Some("html") => "text/html",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    };
    match std::fs::read(&file) {
        Ok(bytes) => reply(StatusCode::OK, kind, bytes),
        Err(_) => reply(StatusCode::NOT_FOUND, "text/plain", b"no such file in the lab\n".to_vec()),
    }
}

/// A body of so many zeros, of known length and without a copy.
pub(super) struct Zeros {
    left: u64,
}

static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

impl Body for Zeros {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let length = this.left.min(ZEROS.len() as u64);
        this.left -= length;
        let bytes = Bytes::from_static(&ZEROS[..length as usize]);
        Poll::Ready((length > 0).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

//! How are queries in a stream answered, in order, from few clients at a time and none for long?

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::{ServeError, Sinkhole, Transport};

/// How long to wait when the process or the kernel has no descriptor or memory for another connection.
const SHORTAGE: Duration = Duration::from_millis(50);

/// Answers on `listener` until it fails. Connections beyond [`Limits::connections`](crate::Limits::connections) wait to be
/// accepted; dropping the future closes all of them.
pub async fn serve_tcp(listener: TcpListener, sinkhole: Arc<Sinkhole>) -> Result<Infallible, ServeError> {
    listener.set_nonblocking(true).map_err(ServeError::Register)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(ServeError::Register)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < sinkhole.limits().connections.max(1) => match accepted {
                Ok((stream, _)) => {
                    sinkhole.accepted();
                    connections.spawn(converse(stream, Arc::clone(&sinkhole)));
                }
                Err(error) if is_shortage(&error) => sleep(SHORTAGE).await,
                Err(error) if is_unusable(&error) => return Err(ServeError::Accept(error)),
                Err(_) => {}
            },
        }
    }
}

/// Answers query after query, until the client ends, is too slow, or sends what is no query.
async fn converse(stream: TcpStream, sinkhole: Arc<Sinkhole>) -> io::Result<()> {
    let limits = sinkhole.limits();
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(limits.query + 2, stream);
    let mut query = Vec::with_capacity(limits.query);
    let mut answer = Vec::with_capacity(512);
    let mut framed = Vec::with_capacity(512);
    while let Some(length) = timeout(limits.idle, read_length(&mut stream)).await?? {
        query.resize(length.min(limits.query), 0);
        if length > limits.query || !matches!(timeout(limits.idle, stream.read_exact(&mut query)).await, Ok(Ok(_))) {
            sinkhole.unreadable();
            break;
        }
        if !sinkhole.answer_into(&query, Transport::Tcp, &mut answer) {
            break;
        }
        framed.clear();
        framed.extend(u16::try_from(answer.len()).map_err(io::Error::other)?.to_be_bytes());
        framed.extend(&answer);
        timeout(limits.idle, stream.write_all(&framed)).await??;
    }
    Ok(())
}

/// How long the next query is; nothing where the stream has ended.
async fn read_length(stream: &mut BufReader<TcpStream>) -> io::Result<Option<usize>> {
    match stream.read_u16().await {
        Ok(length) => Ok(Some(length.into())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

fn is_unusable(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADF | libc::EINVAL | libc::ENOTSOCK | libc::EOPNOTSUPP))
}

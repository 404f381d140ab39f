//! What stands at the other end? A source of bytes, a sink of bytes, and TLS that greets with one byte; a thread a connection.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{Failure, tls};

/// Gives bytes until the client goes.
pub(crate) const SOURCE: u16 = 5001;
/// Takes bytes until the client's end, and then says with one byte that it has all.
pub(crate) const SINK: u16 = 5002;
/// Shakes hands, says one byte, closes.
pub(crate) const TLS: u16 = 5443;
/// Bytes a read or a write.
pub(crate) const CHUNK: usize = 256 * 1024;

/// Serves until it is killed; a line on standard output says that it listens.
pub(crate) fn run(certificate: &Path, key: &Path) -> Result<(), Failure> {
    let config = tls::server(certificate, key)?;
    let (source, sink) = (TcpListener::bind(("0.0.0.0", SOURCE))?, TcpListener::bind(("0.0.0.0", SINK))?);
    let over_tls = TcpListener::bind(("0.0.0.0", TLS))?;
    println!("listening");
    thread::spawn(move || each(&source, give));
    thread::spawn(move || each(&sink, take));
    each(&over_tls, move |stream| greet(stream, &config));
    Ok(())
}

/// A client that goes away early is how most of these end.
fn each(listener: &TcpListener, serve: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static) {
    for stream in listener.incoming().flatten() {
        let serve = serve.clone();
        thread::spawn(move || serve(stream));
    }
}

fn give(mut stream: TcpStream) -> io::Result<()> {
    let zeros = vec![0; CHUNK];
    loop {
        stream.write_all(&zeros)?;
    }
}

fn take(mut stream: TcpStream) -> io::Result<()> {
    let mut room = vec![0; CHUNK];
    while stream.read(&mut room)? > 0 {}
    stream.write_all(b".")
}

fn greet(stream: TcpStream, config: &Arc<ServerConfig>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(b".")?;
    stream.conn.send_close_notify();
    stream.flush()
}

//! What does the client do, in a bottle as on the routed path? One task, timed from its first byte, and one line that says so.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::arguments::Task;
use crate::serve::{CHUNK, SINK, SOURCE, TLS};
use crate::{Failure, tls};

/// A transfer ends at so many bytes or after so long, whichever is first.
const BYTES: u64 = 2 << 30;
const LONGEST: Duration = Duration::from_secs(2);
/// How long connections are opened, and how many at a time.
const CONNECTING: Duration = Duration::from_secs(1);
const AT_A_TIME: usize = 16;

/// Prints bytes, or connections, a second.
pub(crate) fn run(task: Task, host: &str, at: Option<IpAddr>, certificate: Option<&Path>) -> Result<(), Failure> {
    let rate = match task {
        Task::Down => down(address(host, at, SOURCE)?)?,
        Task::Up => up(address(host, at, SINK)?)?,
        Task::Connect => connect(host, address(host, at, TLS)?, &tls::client(certificate.ok_or("no certificate")?)?)?,
    };
    println!("{rate}");
    Ok(())
}

/// A name is resolved once, as programs with a connection pool do.
fn address(host: &str, at: Option<IpAddr>, port: u16) -> Result<SocketAddr, Failure> {
    match at {
        Some(address) => Ok((address, port).into()),
        None => Ok((resolved(host)?, port).into()),
    }
}

/// As the system resolves names, which a static program can't ask itself.
fn resolved(host: &str) -> Result<IpAddr, Failure> {
    let answer = Command::new("getent").args(["ahosts", host]).output()?.stdout;
    let address = String::from_utf8(answer)?.split_whitespace().next().map(str::parse);
    Ok(address.ok_or("the name has no address")??)
}

fn down(server: SocketAddr) -> Result<f64, Failure> {
    let mut stream = TcpStream::connect(server)?;
    let mut room = vec![0; CHUNK];
    // The first bytes are there when the way through is open.
    stream.read_exact(&mut room[..1])?;
    let (begun, mut done) = (Instant::now(), 0);
    while done < BYTES && begun.elapsed() < LONGEST {
        match stream.read(&mut room)? {
            0 => return Err("the source dried up".into()),
            length => done += length as u64,
        }
    }
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}

fn up(server: SocketAddr) -> Result<f64, Failure> {
    let mut stream = TcpStream::connect(server)?;
    let bytes = vec![0; CHUNK];
    let (begun, mut done) = (Instant::now(), 0);
    while done < BYTES && begun.elapsed() < LONGEST {
        stream.write_all(&bytes)?;
        done += CHUNK as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    stream.read_exact(&mut [0])?;
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}

/// Each connection is a whole handshake and one byte.
fn connect(host: &str, address: SocketAddr, config: &Arc<ClientConfig>) -> Result<f64, Failure> {
    let name = ServerName::try_from(host.to_owned())?;
    // One before the clock starts: it fills the cache of the resolver.
    greeted(address, &name, config)?;
    let (begun, count) = (Instant::now(), AtomicU64::new(0));
    let one = || -> Result<(), String> {
        while begun.elapsed() < CONNECTING {
            greeted(address, &name, config).map_err(|error| error.to_string())?;
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(one)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread broke".to_owned())?)
    })?;
    Ok(count.into_inner() as f64 / begun.elapsed().as_secs_f64())
}

/// Reads to the end, so that the server closes first and keeps what TCP keeps of a closed connection.
fn greeted(address: SocketAddr, name: &ServerName<'static>, config: &Arc<ClientConfig>) -> Result<(), Failure> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let connection = ClientConnection::new(Arc::clone(config), name.clone())?;
    let mut greeting = Vec::new();
    StreamOwned::new(connection, stream).read_to_end(&mut greeting)?;
    if greeting == b"." { Ok(()) } else { Err("no greeting".into()) }
}

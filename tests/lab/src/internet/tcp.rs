//! Who takes connections? A listener a port and family, on every address, each with the service that the port promises.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket, sockopt,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::record::Entry;
use super::tap::Tap;
use super::{Internet, dns, peers, web};
use crate::journal::{DnsQuery, Received};

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// What a port promises.
#[derive(Clone, Copy)]
enum Service {
    Web,
    WebOverTls,
    Ssh,
    Smtp,
    Postgres,
    Echo,
    Dns,
    Collector,
    Faulty(Fault),
}

/// How a server breaks.
#[derive(Clone, Copy)]
enum Fault {
    /// Takes the connection and never reads.
    Stalls,
    /// Resets it at its first byte.
    Resets,
    /// Sends without end.
    Floods,
    /// Is done with sending at once, and reads on.
    HalfCloses,
}

const PORTS: [(u16, Service); 24] = [
    (7, Service::Echo),
    (9, Service::Collector),
    (21, Service::Collector),
    (22, Service::Ssh),
    (25, Service::Smtp),
    (53, Service::Dns),
    (80, Service::Web),
    (443, Service::WebOverTls),
    (587, Service::Smtp),
    (853, Service::Collector),
    (1001, Service::Faulty(Fault::Stalls)),
    (1002, Service::Faulty(Fault::Resets)),
    (1003, Service::Faulty(Fault::Floods)),
    (1004, Service::Faulty(Fault::HalfCloses)),
    (1234, Service::Collector),
    (3128, Service::Collector),
    (3306, Service::Collector),
    (4444, Service::Collector),
    (5432, Service::Postgres),
    (6379, Service::Collector),
    (8080, Service::Web),
    (8443, Service::WebOverTls),
    (9418, Service::Collector),
    (9999, Service::Collector),
];

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Web | Self::WebOverTls => "web",
            Self::Ssh => "ssh",
            Self::Smtp => "smtp",
            Self::Postgres => "postgres",
            Self::Echo => "echo",
            Self::Dns => "dns",
            Self::Collector => "collector",
            Self::Faulty(_) => "faulty",
        }
    }
}

/// Starts a listener for each port and family; ports that are not listed are closed, and reset what connects.
pub(super) fn start(internet: &Arc<Internet>) -> io::Result<()> {
    for (port, service) in PORTS {
        for address in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
            let listener = TcpListener::from_std(listening(SocketAddr::new(address, port))?)?;
            tokio::spawn(accept(Arc::clone(internet), listener, service));
        }
    }
    Ok(())
}

/// With the longest queue that the kernel grants: a thousand connections may come at once, and one that finds the queue
/// full tries again after a second.
fn listening(at: SocketAddr) -> io::Result<std::net::TcpListener> {
    let family = if at.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Stream, flags, None)?;
    if at.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    }
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(at))?;
    listen(&socket, Backlog::MAXCONN)?;
    Ok(socket.into())
}

async fn accept(internet: Arc<Internet>, listener: TcpListener, service: Service) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                tokio::spawn(serve(Arc::clone(&internet), stream, from, service));
            }
            // Such as a client that is gone already, or no descriptors for the moment.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// How a connection ended is for the client to say: errors are part of what tests provoke.
async fn serve(internet: Arc<Internet>, stream: TcpStream, from: SocketAddr, service: Service) {
    let Ok(to) = stream.local_addr() else { return };
    let entry = Arc::new(internet.journal.open(Received::new(service.name(), from, to)));
    let _ = stream.set_nodelay(true);
    let _: Ended = match service {
        Service::Web => web::plain(internet, Tap::new(stream, Arc::clone(&entry)), entry).await,
        Service::WebOverTls => web::over_tls(internet, Tap::new(stream, Arc::clone(&entry)), entry, to.ip()).await,
        Service::Ssh => greet(stream, entry, "SSH-2.0-lab_1.0\r\n").await,
        Service::Smtp => greet(stream, entry, "220 mail.lab.example ESMTP\r\n").await,
        Service::Postgres => peers::postgres(Tap::new(stream, entry)).await.map_err(Into::into),
        Service::Echo => greet(stream, entry, "").await,
        Service::Dns => dns_stream(&internet, stream, from, to).await.map_err(Into::into),
        Service::Collector => collect(stream, entry).await.map_err(Into::into),
        Service::Faulty(fault) => faulty(stream, entry, fault).await.map_err(Into::into),
    };
}

/// A server that speaks first, and then says back what it hears.
async fn greet(stream: TcpStream, entry: Arc<Entry>, greeting: &str) -> Ended {
    let mut stream = Tap::new(stream, entry);
    stream.write_all(greeting.as_bytes()).await?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => break,
            length => stream.write_all(&buffer[..length]).await?,
        }
    }
    Ok(stream.shutdown().await?)
}

async fn collect(stream: TcpStream, entry: Arc<Entry>) -> io::Result<()> {
    tokio::io::copy(&mut Tap::new(stream, entry), &mut tokio::io::sink()).await.map(drop)
}

async fn faulty(mut stream: TcpStream, entry: Arc<Entry>, fault: Fault) -> io::Result<()> {
    match fault {
        Fault::Stalls => std::future::pending().await,
        Fault::Resets => {
            stream.read_u8().await?;
            setsockopt(&stream, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 })?;
            Ok(())
        }
        Fault::Floods => loop {
            stream.write_all(&[0; 64 * 1024]).await?;
        },
        Fault::HalfCloses => {
            stream.shutdown().await?;
            collect(stream, entry).await
        }
    }
}

async fn dns_stream(internet: &Internet, mut stream: TcpStream, from: SocketAddr, to: SocketAddr) -> io::Result<()> {
    loop {
        let mut query = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut query).await?;
        let Some(reply) = dns::reply(&query, &mut internet.zone(), dns::Way::Stream) else {
            return Ok(());
        };
        let (name, kind) = reply.question;
        internet.journal.query(DnsQuery { from, to, tcp: true, name, kind });
        if let Some(bytes) = reply.bytes {
            stream.write_u16(bytes.len() as u16).await?;
            stream.write_all(&bytes).await?;
        }
    }
}
